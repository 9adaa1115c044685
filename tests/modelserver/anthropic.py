"""How does Anthropic's messages API speak? `POST /v1/messages`, streamed and plain."""

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from tests.modelserver.asked import Asked, Block, Tool, Usage, block, compact, contents, part_of, said, turn
from tests.modelserver.wire import Answer, Frame, Wire, event_lines, identifier, pieces

NOT_CACHED = '"text":"x-anthropic-billing-header:'


def _read(body: dict[str, Any]) -> Asked:
    messages = body.get("messages", ())
    users = [contents(message["content"]) for message in messages if message["role"] == "user"]
    prompt, answered = turn((said(content), _results(content)) for content in users)
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        prompt=prompt,
        answered_calls=answered,
        tools=tuple(Tool(tool["name"]) for tool in body.get("tools", ())),
        blocks=tuple(_blocks(body)),
        caching="marked",
        cache_scope=body["model"],
    )


def _results(content: list[dict[str, Any]]) -> set[str]:
    return {one["tool_use_id"] for one in content if one["type"] == "tool_result"}


def _blocks(body: dict[str, Any]) -> Iterator[Block]:
    yield from (block("tools", "", tool) for tool in body.get("tools", ()))
    yield from (_system_block(one) for one in contents(body.get("system")))
    for message in body.get("messages", ()):
        role = message["role"]
        yield from (block(part_of(role), role, one) for one in contents(message["content"]))


def _system_block(one: dict[str, Any]) -> Block:
    """Claude Code puts a line first that differs between sessions: were it part of the prefix, none would be shared."""
    whole = block("system", "", one)
    return structs.replace(whole, identity=NOT_CACHED) if NOT_CACHED in whole.identity else whole


def _usage(usage: Usage, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _message(answer: Answer, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier("msg"),
        "type": "message",
        "role": "assistant",
        "model": answer.asked.model,
        "stop_sequence": None,
        **more,
    }


def _stop_reason(answer: Answer) -> str:
    return "max_tokens" if answer.reply.max_tokens else "tool_use" if answer.reply.calls else "end_turn"


def _content(answer: Answer) -> Iterator[dict[str, Any]]:
    """The whole blocks of the answer."""
    if answer.reply.thinking:
        yield {"type": "thinking", "thinking": answer.reply.thinking, "signature": "c2lnbmVk"}
    if answer.reply.words:
        yield {"type": "text", "text": answer.reply.words}
    for call in answer.reply.calls:
        yield {"type": "tool_use", "id": identifier("toolu"), "name": call.name, "input": call.arguments}


def _plain(answer: Answer) -> dict[str, Any]:
    usage = _usage(answer.usage, answer.usage.output_tokens)
    return _message(answer, content=list(_content(answer)), stop_reason=_stop_reason(answer), usage=usage)


def _frames(answer: Answer) -> Iterator[Frame]:
    start = _message(answer, content=[], stop_reason=None, usage=_usage(answer.usage, 1))
    yield Frame({"type": "message_start", "message": start})
    yield Frame({"type": "ping"})
    for index, whole in enumerate(_content(answer)):
        yield from _block_frames(index, whole)
    end = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    usage = _usage(answer.usage, answer.usage.output_tokens)
    yield Frame({"type": "message_delta", "delta": end, "usage": usage}, tells_usage=True)
    yield Frame({"type": "message_stop"})


def _block_frames(index: int, whole: dict[str, Any]) -> Iterator[Frame]:
    empty, deltas = DELTAS[whole["type"]](whole)
    yield Frame({"type": "content_block_start", "index": index, "content_block": empty})
    for kind, key, text in deltas:
        chars = 0 if kind == "signature_delta" else len(text)
        yield Frame({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}}, chars)
    yield Frame({"type": "content_block_stop", "index": index})


def _text(whole: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    return whole | {"text": ""}, [("text_delta", "text", piece) for piece in pieces(whole["text"])]


def _thinking(whole: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    deltas = [("thinking_delta", "thinking", piece) for piece in pieces(whole["thinking"])]
    return whole | {"thinking": "", "signature": ""}, [*deltas, ("signature_delta", "signature", whole["signature"])]


def _tool_use(whole: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    deltas = [("input_json_delta", "partial_json", piece) for piece in pieces(compact(whole["input"]))]
    return whole | {"input": {}}, deltas


DELTAS = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": identifier("req")}


WIRE = Wire(
    content_type="text/event-stream; charset=utf-8",
    read=_read,
    frames=_frames,
    plain=_plain,
    encode=event_lines,
    broken=b"event: content_block_delta\ndata: {no json\n\n",
    end=b"",
    error=_error,
    stream_error=_error,
)
