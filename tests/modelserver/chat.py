"""How does OpenAI's chat API speak? `POST /v1/chat/completions`, streamed (`include_usage`) and plain."""

from collections.abc import Iterator
from typing import Any

from tests.modelserver.asked import Asked, Block, Tool, Usage, block, compact, contents, part_of, said, turn
from tests.modelserver.responses import error
from tests.modelserver.wire import Answer, Frame, Wire, data_line, identifier, pieces


def _read(body: dict[str, Any]) -> Asked:
    prompt, answered = turn(turns(body.get("messages", ())))
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream")),
        prompt=prompt,
        answered_calls=answered,
        tools=tuple(Tool(tool["function"]["name"]) for tool in body.get("tools") or ()),
        blocks=tuple(blocks(body)),
        caching="automatic",
        cache_scope=f"{body['model']} {body.get('prompt_cache_key', '')}",
        wants_usage=bool((body.get("stream_options") or {}).get("include_usage")) or not body.get("stream"),
    )


def turns(messages: list[dict[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    """Shared with Ollama, whose results of tools name no call: each counts by its place."""
    for number, message in enumerate(messages):
        if message["role"] == "user":
            yield said(message["content"]), set()
        elif message["role"] == "tool":
            yield "", {message.get("tool_call_id") or str(number)}


def blocks(body: dict[str, Any]) -> Iterator[Block]:
    yield from (block("tools", "", tool) for tool in body.get("tools") or ())
    for message in body.get("messages", ()):
        role = message["role"]
        yield from (block(part_of(role), role, one) for one in contents(message.get("content")))
        yield from (block("messages", role, call) for call in message.get("tool_calls") or ())


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _finish_reason(answer: Answer) -> str:
    return "length" if answer.reply.max_tokens else "tool_calls" if answer.reply.calls else "stop"


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": identifier("call"),
            "type": "function",
            "function": {"name": call.name, "arguments": compact(call.arguments)},
        }
        for call in answer.reply.calls
    ]


def _plain(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.reply.words or None}
    if answer.reply.thinking:
        message["reasoning_content"] = answer.reply.thinking
    if answer.reply.calls:
        message["tool_calls"] = _calls(answer)
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(answer), "logprobs": None}
    head = _head(answer, "chat.completion")
    return head | {"choices": [choice], "usage": _usage(answer.usage)}


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {"id": identifier("chatcmpl"), "object": kind, "created": 0, "model": answer.asked.model}


def _frames(answer: Answer) -> Iterator[Frame]:
    head = _head(answer, "chat.completion.chunk")
    for delta, chars in _deltas(answer):
        yield Frame(head | {"choices": [_choice(delta, None)]}, chars)
    yield Frame(head | {"choices": [_choice({}, _finish_reason(answer))]})
    if answer.asked.wants_usage:
        yield Frame(head | {"choices": [], "usage": _usage(answer.usage)}, tells_usage=True)


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def _deltas(answer: Answer) -> Iterator[tuple[dict[str, Any], int]]:
    yield {"role": "assistant", "content": ""}, 0
    yield from (({"reasoning_content": piece}, len(piece)) for piece in pieces(answer.reply.thinking))
    yield from (({"content": piece}, len(piece)) for piece in pieces(answer.reply.words))
    for index, call in enumerate(_calls(answer)):
        text = call["function"]["arguments"]
        begun = call | {"index": index, "function": call["function"] | {"arguments": ""}}
        yield {"tool_calls": [begun]}, 0
        for piece in pieces(text):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, len(piece)


WIRE = Wire(
    content_type="text/event-stream; charset=utf-8",
    read=_read,
    frames=_frames,
    plain=_plain,
    encode=data_line,
    broken=b"data: {no json\n\n",
    end=b"data: [DONE]\n\n",
    error=error,
    stream_error=error,
)
