"""How does Anthropic's messages API speak? `POST /v1/messages`, server-sent events.

Cache marks, at most four: what opens the conversation (tools come before it, so that one mark holds both), the last
message of earlier turns, the last stable part of what is said now, and the end when tools may lead to a next request.
"""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Raw, Struct

from engine.adapters.runner.counts import Count, as_reported, usage_in
from engine.adapters.runner.faults import Declined
from engine.adapters.runner.frames import Events, decoded
from engine.adapters.runner.job import Job
from engine.adapters.runner.schemas import declared
from engine.adapters.runner.talk import Answer, Block, Call, Kept, Message, Result, Stop, Text, Told, stop_of
from engine.adapters.runner.wire import Heard, Wire
from engine.contract.progress import Said, Thought

VERSION = "2023-06-01"
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
STOPS: dict[str, Stop] = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refusal"}


def body(job: Job, messages: Sequence[Message], earlier: int) -> dict[str, Any]:
    system: list[dict[str, Any]] = [{"type": "text", "text": part.text} for part in job.system if part.text.strip()]
    tools = declared("anthropic", job.tools)
    if system or tools:
        (system or tools)[-1].update(MARK)
    said = [_message(one) for one in messages]
    _mark(said, messages, earlier, goes_on=bool(tools))
    asked: dict[str, Any] = {"model": job.model, "max_tokens": job.output_tokens, "stream": True}
    asked |= {"tools": tools} if tools else {}
    asked |= {"system": system} if system else {}
    return asked | {"messages": [one for one in said if one["content"]]}


def _mark(said: list[dict[str, Any]], messages: Sequence[Message], earlier: int, *, goes_on: bool) -> None:
    if earlier:
        _mark_last(said[earlier - 1]["content"])
    now = said[earlier]["content"] if earlier < len(said) else []
    kept = [block for block in messages[earlier].blocks if _says(block)] if now else []
    stable = [place for place, block in enumerate(kept) if isinstance(block, Text) and block.stable]
    if stable:
        _mark_last(now[: stable[-1] + 1])
    if goes_on and said:
        _mark_last(said[-1]["content"])


def _mark_last(blocks: list[dict[str, Any]]) -> None:
    """Thoughts cannot be marked: nothing follows them but what can be."""
    if blocks and blocks[-1]["type"] not in ("thinking", "redacted_thinking"):
        blocks[-1].update(MARK)


def _message(message: Message) -> dict[str, Any]:
    role = "assistant" if message.role == "assistant" else "user"
    return {"role": role, "content": [_block(block) for block in message.blocks if _says(block)]}


def _says(block: Block) -> bool:
    if isinstance(block, Kept):
        return block.api == "anthropic"
    return not isinstance(block, Text) or bool(block.text.strip())


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Call):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments(block)}
    if isinstance(block, Result):
        return {"type": "tool_result", "tool_use_id": block.id, "content": block.text, "is_error": not block.ok}
    return dict(json.loads(block.data))


def arguments(call: Call) -> dict[str, Any]:
    """As an object, which is what is asked for; one that is none is empty."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


class _Writes(Struct, frozen=True):
    ephemeral_1h_input_tokens: Count = None


class _Usage(Struct, frozen=True):
    input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    output_tokens: Count = None
    cache_creation: _Writes | None = None


class _Message(Struct, frozen=True):
    usage: Raw = Raw()


class _Content(Struct, frozen=True):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    data: str = ""


class _Delta(Struct, frozen=True):
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Error(Struct, frozen=True):
    type: str = "error"
    message: str = ""


class _Frame(Struct, frozen=True):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Content | None = None
    delta: _Delta | None = None
    usage: Raw = Raw()
    error: _Error | None = None


class _Part:
    """A block of the answer while it grows."""

    def __init__(self, begun: _Content) -> None:
        self.begun = begun
        self.pieces = [begun.text] if begun.text else []
        self.signature = ""

    def block(self) -> Block | None:
        kind, whole = self.begun.type, "".join(self.pieces)
        if kind == "text":
            return Text(whole)
        if kind == "tool_use":
            return Call(self.begun.id, self.begun.name, whole or "{}")
        if kind == "thinking" and self.signature:
            data = {"type": kind, "thinking": whole, "signature": self.signature}
            return Kept("anthropic", json.dumps(data))
        if kind == "redacted_thinking":
            return Kept("anthropic", json.dumps({"type": kind, "data": self.begun.data}))
        return None


class Decoder:
    """Reads one answer."""

    def __init__(self) -> None:
        self._parts: dict[int, _Part] = {}
        self._told = Told()
        self._reported: dict[str, Any] = {}
        self._stop = ""
        self._over = False

    @property
    def answer(self) -> Answer:
        found = (part.block() for part in self._parts.values())
        blocks = tuple(block for block in found if block is not None)
        stop = stop_of(STOPS.get(self._stop), blocks) if self._over else "cut"
        return Answer(blocks, self._told, stop, self._reported)

    def take(self, frame: bytes) -> Heard:
        got = decoded(frame, _Frame)
        if got.type == "error":
            error = got.error or _Error()
            raise Declined(error.type, error.message)
        if got.message is not None:
            self._tell(got.message.usage)
        self._tell(got.usage)
        if got.type == "content_block_start" and got.content_block is not None:
            self._parts[got.index] = _Part(got.content_block)
        if got.type == "message_stop":
            self._over = True
        return self._more(got, got.delta) if got.delta is not None else []

    def _more(self, got: _Frame, delta: _Delta) -> Heard:
        if got.type == "message_delta":
            self._stop = delta.stop_reason or self._stop
            self._over = self._over or delta.stop_reason is not None
            return []
        part = self._parts.setdefault(got.index, _Part(_Content("text")))
        part.signature += delta.signature
        part.pieces.append(delta.text or delta.thinking or delta.partial_json)
        if delta.text:
            return [Said(delta.text)]
        return [Thought(delta.thinking)] if delta.thinking else []

    def _tell(self, raw: Raw) -> None:
        """What is told later stands for the whole answer, and holds."""
        usage = usage_in(raw, _Usage)
        if usage is None:
            return
        self._reported = self._reported | as_reported(raw)
        before, hour = self._told, usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else None
        self._told = Told(
            input_tokens=_later(before.input_tokens, usage.input_tokens),
            output_tokens=_later(before.output_tokens, usage.output_tokens),
            cache_read_tokens=_later(before.cache_read_tokens, usage.cache_read_input_tokens),
            cache_write_tokens=_later(before.cache_write_tokens, usage.cache_creation_input_tokens),
            cache_write_1h_tokens=_later(before.cache_write_1h_tokens, hour),
        )


def _later(before: int | None, now: int | None) -> int | None:
    return before if now is None else now


WIRE = Wire(
    path="/v1/messages",
    body=body,
    headers=lambda key: {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {}),
    splitter=Events,
    decoder=Decoder,
    count_path="/v1/messages/count_tokens",
    count_keys=("model", "system", "tools", "messages"),
)
