"""How does Ollama's own API speak? `POST /api/chat`, lines of JSON.

It cuts what does not fit into its context without a word, so a larger one is asked for where the usual one is too
small. A prompt that it has evaluated before may come without a count: then it is not told, and estimated.
"""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from engine.adapters.runner.anthropic import arguments
from engine.adapters.runner.chat import opening
from engine.adapters.runner.counts import Count
from engine.adapters.runner.faults import Declined
from engine.adapters.runner.frames import Lines, decoded
from engine.adapters.runner.job import Job
from engine.adapters.runner.schemas import declared
from engine.adapters.runner.talk import Answer, Block, Call, Message, Result, Text, Told, joined, stop_of
from engine.adapters.runner.wire import Heard, Wire, bearer
from engine.contract.progress import Said, Thought

USUAL_CONTEXT = 4096
"""Tokens, unless its operator says otherwise."""
LARGEST_CONTEXT = 262_144
_BYTES_PER_TOKEN = 3
"""Fewer than usual: too large a context does no harm."""


def body(job: Job, messages: Sequence[Message], earlier: int) -> dict[str, Any]:
    tools = declared("ollama", job.tools)
    asked: dict[str, Any] = {"model": job.model, "stream": True}
    asked |= {"messages": [*opening(job), *(one for message in messages for one in _messages(message))]}
    asked |= {"tools": tools} if tools else {}
    return asked | {"options": {"num_predict": job.output_tokens} | _context(job, asked)}


def _context(job: Job, asked: dict[str, Any]) -> dict[str, int]:
    prompt = len(json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")) // _BYTES_PER_TOKEN
    # A whole answer of the longest kind is rare: a quarter of it is room enough not to be cut in the usual context.
    needed = prompt + job.output_tokens // 4
    return {} if needed <= USUAL_CONTEXT else {"num_ctx": min(LARGEST_CONTEXT, 1 << (needed - 1).bit_length())}


def _messages(message: Message) -> list[dict[str, Any]]:
    if message.role == "user":
        return [{"role": "user", "content": joined(message)}]
    if message.role == "results":
        results = [block for block in message.blocks if isinstance(block, Result)]
        return [{"role": "tool", "tool_name": one.name, "content": one.text} for one in results]
    found = [block for block in message.blocks if isinstance(block, Call)]
    calls = [{"function": {"name": call.name, "arguments": arguments(call)}} for call in found]
    said = joined(message)
    return [{"role": "assistant", "content": said} | ({"tool_calls": calls} if calls else {})] if calls or said else []


class _Function(Struct, frozen=True):
    name: str = ""
    arguments: Any = None


class _Call(Struct, frozen=True):
    function: _Function = _Function()


class _Said(Struct, frozen=True):
    content: str | None = None
    thinking: str | None = None
    tool_calls: tuple[_Call, ...] | None = None


class _Line(Struct, frozen=True):
    message: _Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Count = None
    eval_count: Count = None
    error: Any = None


class Decoder:
    """Reads one answer."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._calls: list[Call] = []
        self._end: _Line | None = None

    @property
    def answer(self) -> Answer:
        blocks: list[Block] = [Text("".join(self._said))] if self._said else []
        if self._end is None:
            return Answer((*blocks, *self._calls), Told(), "cut")
        told = Told(self._end.prompt_eval_count, self._end.eval_count)
        blocks += self._calls
        named = {"prompt_eval_count": self._end.prompt_eval_count, "eval_count": self._end.eval_count}
        reported = {name: count for name, count in named.items() if count is not None}
        stop = stop_of("length" if self._end.done_reason == "length" else None, blocks)
        return Answer(tuple(blocks), told, stop, reported)

    def take(self, frame: bytes) -> Heard:
        got = decoded(frame, _Line)
        if got.error:
            kind, _, message = str(got.error).partition(": ")
            raise Declined(kind, message)
        if got.done:
            self._end = got
        said = got.message or _Said()
        for call in said.tool_calls or ():
            given = call.function.arguments
            text = given if isinstance(given, str) else json.dumps(given or {})
            self._calls.append(Call(f"call_{len(self._calls) + 1}", call.function.name, text))
        if said.content:
            self._said.append(said.content)
        thoughts: Heard = [Thought(said.thinking)] if said.thinking else []
        return [*thoughts, *([Said(said.content)] if said.content else [])]


WIRE = Wire(
    path="/api/chat",
    body=body,
    headers=lambda key: bearer(key) if key else {},
    splitter=Lines,
    decoder=Decoder,
)
