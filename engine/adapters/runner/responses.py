"""How does OpenAI's responses API speak? `POST /v1/responses`, server-sent events. Nothing is stored there."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Raw, Struct

from engine.adapters.runner.cache_key import cache_key
from engine.adapters.runner.counts import Count, apart, as_reported, usage_in
from engine.adapters.runner.faults import Declined
from engine.adapters.runner.frames import Events, decoded
from engine.adapters.runner.job import Job
from engine.adapters.runner.schemas import declared
from engine.adapters.runner.talk import Answer, Block, Call, Kept, Message, Result, Stop, Text, Told, stop_of
from engine.adapters.runner.wire import Heard, Wire, bearer
from engine.contract.progress import Said, Thought

SAID = ("response.output_text.delta", "response.refusal.delta")
THOUGHT = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
OVER = ("response.completed", "response.incomplete")


def body(job: Job, messages: Sequence[Message], earlier: int) -> dict[str, Any]:
    system = "\n\n".join(part.text for part in job.system if part.text.strip())
    tools = declared("responses", job.tools)
    asked: dict[str, Any] = {"model": job.model, "stream": True, "store": False}
    asked |= {"max_output_tokens": job.output_tokens, "prompt_cache_key": cache_key(job)}
    asked |= {"instructions": system} if system else {}
    asked |= {"tools": tools} if tools else {}
    return asked | {"input": [item for one in messages for item in _items(one)]}


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "user":
        words = [block.text for block in message.blocks if isinstance(block, Text) and block.text.strip()]
        yield {"role": "user", "content": [{"type": "input_text", "text": text} for text in words]}
        return
    yield from (item for block in message.blocks if (item := _item(block)) is not None)


def _item(block: Block) -> dict[str, Any] | None:
    if isinstance(block, Text):
        content = [{"type": "output_text", "text": block.text}]
        return {"type": "message", "role": "assistant", "content": content} if block.text.strip() else None
    if isinstance(block, Call):
        return {"type": "function_call", "call_id": block.id, "name": block.name, "arguments": block.arguments}
    if isinstance(block, Result):
        return {"type": "function_call_output", "call_id": block.id, "output": block.text}
    return dict(json.loads(block.data)) if block.api == "responses" else None


class _ReadTokens(Struct, frozen=True):
    cached_tokens: Count = None
    cache_write_tokens: Count = None


class _OutTokens(Struct, frozen=True):
    reasoning_tokens: Count = None


class _Usage(Struct, frozen=True):
    input_tokens: Count = None
    input_tokens_details: _ReadTokens | None = None
    output_tokens: Count = None
    output_tokens_details: _OutTokens | None = None


class _Piece(Struct, frozen=True):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Item(Struct, frozen=True):
    type: str = ""
    id: str = ""
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    content: tuple[_Piece, ...] | None = None
    summary: tuple[_Piece, ...] | None = None
    encrypted_content: str | None = None


class _Reason(Struct, frozen=True):
    reason: str | None = None


class _Error(Struct, frozen=True):
    code: str | None = None
    message: str | None = None


class _Response(Struct, frozen=True):
    usage: Raw = Raw()
    incomplete_details: _Reason | None = None
    error: _Error | None = None
    output: tuple[_Item, ...] = ()


class _Frame(Struct, frozen=True):
    type: str
    delta: Any = None
    item: _Item | None = None
    response: _Response | None = None
    code: str | None = None
    message: str | None = None


class Decoder:
    """Reads one answer."""

    def __init__(self) -> None:
        self._items: list[_Item] = []
        self._said: list[str] = []
        """Of the message that is not done yet."""
        self._told = Told()
        self._end: _Response | None = None
        self._refused = False

    @property
    def answer(self) -> Answer:
        items = self._items or (self._end.output if self._end else ())
        blocks = [block for item in items if (block := _block(item)) is not None]
        if self._said:
            blocks.append(Text("".join(self._said)))
        if self._end is None:
            return Answer(tuple(blocks), self._told, "cut")
        return Answer(tuple(blocks), self._told, self._stop(self._end, blocks), as_reported(self._end.usage))

    def _stop(self, end: _Response, blocks: Sequence[Block]) -> Stop:
        if end.incomplete_details is not None and end.incomplete_details.reason:
            return "length" if end.incomplete_details.reason == "max_output_tokens" else "refusal"
        return stop_of("refusal" if self._refused else None, blocks)

    def take(self, frame: bytes) -> Heard:
        got = decoded(frame, _Frame)
        if got.type == "error":
            raise Declined(got.code or "error", got.message or "")
        if got.type == "response.failed":
            error = (got.response and got.response.error) or _Error()
            raise Declined(error.code or "error", error.message or "")
        if got.type in OVER and got.response is not None:
            self._end = got.response
            self._tell(usage_in(got.response.usage, _Usage))
        if got.type == "response.output_item.done" and got.item is not None:
            self._items.append(got.item)
            if got.item.type == "message":
                self._said = []
        return self._more(got)

    def _more(self, got: _Frame) -> Heard:
        if not isinstance(got.delta, str) or not got.delta:
            return []
        if got.type in SAID:
            self._refused = self._refused or got.type == SAID[1]
            self._said.append(got.delta)
            return [Said(got.delta)]
        return [Thought(got.delta)] if got.type in THOUGHT else []

    def _tell(self, usage: _Usage | None) -> None:
        """Its input holds what came from the cache and what was written to it."""
        if usage is None:
            return
        read = usage.input_tokens_details or _ReadTokens()
        written = read.cache_write_tokens
        self._told = Told(
            input_tokens=apart(apart(usage.input_tokens, read.cached_tokens), written),
            output_tokens=usage.output_tokens,
            cache_read_tokens=read.cached_tokens,
            cache_write_tokens=written,
            reasoning_tokens=usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details else None,
        )


def _block(item: _Item) -> Block | None:
    if item.type == "message":
        return Text("".join(piece.text or piece.refusal for piece in item.content or ()))
    if item.type == "function_call":
        return Call(item.call_id or item.id, item.name, item.arguments or "{}")
    if item.type == "reasoning" and item.encrypted_content:
        summary = [{"type": piece.type, "text": piece.text} for piece in item.summary or ()]
        data = {"type": "reasoning", "id": item.id, "summary": summary, "encrypted_content": item.encrypted_content}
        return Kept("responses", json.dumps(data))
    return None


WIRE = Wire(
    path="/responses",
    body=body,
    headers=lambda key: bearer(key) if key else {},
    splitter=Events,
    decoder=Decoder,
    count_path="/responses/input_tokens",
    count_keys=("model", "instructions", "tools", "input"),
)
