"""How does Ollama's own API speak? `POST /api/chat`, as lines of JSON (its default) and plain; it tells no cache."""

from collections.abc import Iterator
from typing import Any

from tests.modelserver.asked import Asked, Tool, compact, turn
from tests.modelserver.chat import blocks, turns
from tests.modelserver.wire import Answer, Frame, Wire, pieces

CREATED_AT = "2026-01-01T00:00:00.000000Z"
NANOSECONDS = 1_000_000
"""Every duration that it tells."""


def _read(body: dict[str, Any]) -> Asked:
    prompt, answered = turn(turns(body.get("messages", ())))
    return Asked(
        model=body["model"],
        stream=bool(body.get("stream", True)),
        prompt=prompt,
        answered_calls=answered,
        tools=tuple(Tool(tool["function"]["name"]) for tool in body.get("tools") or ()),
        blocks=tuple(blocks(body)),
        caching="none",
        cache_scope=body["model"],
    )


def _line(answer: Answer, message: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "", **message}
    return {"model": answer.asked.model, "created_at": CREATED_AT, "message": said, "done": False} | more


def _end(answer: Answer) -> dict[str, Any]:
    return {
        "done": True,
        "done_reason": "length" if answer.reply.max_tokens else "stop",
        "total_duration": NANOSECONDS,
        "load_duration": NANOSECONDS,
        "prompt_eval_count": answer.usage.prompt_tokens,
        "prompt_eval_duration": NANOSECONDS,
        "eval_count": answer.usage.output_tokens,
        "eval_duration": NANOSECONDS,
    }


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [{"function": {"name": call.name, "arguments": call.arguments}} for call in answer.reply.calls]


def _plain(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"content": answer.reply.words}
    if answer.reply.thinking:
        message["thinking"] = answer.reply.thinking
    if answer.reply.calls:
        message["tool_calls"] = _calls(answer)
    return _line(answer, message, **_end(answer))


def _frames(answer: Answer) -> Iterator[Frame]:
    yield from (Frame(_line(answer, {"thinking": piece}), len(piece)) for piece in pieces(answer.reply.thinking))
    yield from (Frame(_line(answer, {"content": piece}), len(piece)) for piece in pieces(answer.reply.words))
    for call in _calls(answer):
        yield Frame(_line(answer, {"tool_calls": [call]}), len(compact(call)))
    yield Frame(_line(answer, {}, **_end(answer)), tells_usage=True)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": f"{kind}: {message}"}


WIRE = Wire(
    content_type="application/x-ndjson",
    read=_read,
    frames=_frames,
    plain=_plain,
    encode=lambda data: compact(data).encode("utf-8", "surrogatepass") + b"\n",
    broken=b"{no json\n",
    end=b"",
    error=_error,
    stream_error=_error,
)
