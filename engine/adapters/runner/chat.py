"""How does the chat API speak, at OpenAI and at the many servers that copy it? `POST /v1/chat/completions`.

Of those servers some leave out the usage, the last line, the ids or places of calls, or name thoughts in their own way.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw, Struct

from engine.adapters.runner.cache_key import cache_key
from engine.adapters.runner.counts import Count, apart, as_reported, usage_in
from engine.adapters.runner.faults import Declined
from engine.adapters.runner.frames import Events, decoded
from engine.adapters.runner.job import Job
from engine.adapters.runner.schemas import declared
from engine.adapters.runner.talk import Answer, Block, Call, Message, Result, Stop, Text, Told, joined, stop_of
from engine.adapters.runner.wire import Heard, Wire, bearer
from engine.contract.progress import Said, Thought

DONE = b"[DONE]"
STOPS: dict[str, Stop] = {"length": "length", "content_filter": "refusal"}


def body(job: Job, messages: Sequence[Message], earlier: int) -> dict[str, Any]:
    tools = declared("chat", job.tools)
    asked: dict[str, Any] = {"model": job.model, "stream": True, "stream_options": {"include_usage": True}}
    asked["max_tokens" if job.own_server else "max_completion_tokens"] = job.output_tokens
    asked |= {} if job.own_server else {"prompt_cache_key": cache_key(job)}
    asked |= {"tools": tools} if tools else {}
    return asked | {"messages": [*opening(job), *(one for message in messages for one in _messages(message))]}


def opening(job: Job) -> list[dict[str, Any]]:
    system = "\n\n".join(part.text for part in job.system if part.text.strip())
    return [{"role": "system", "content": system}] if system else []


def _messages(message: Message) -> list[dict[str, Any]]:
    if message.role == "user":
        return [{"role": "user", "content": joined(message)}]
    if message.role == "results":
        results = [block for block in message.blocks if isinstance(block, Result)]
        return [{"role": "tool", "tool_call_id": one.id, "content": one.text} for one in results]
    calls = [_call(block) for block in message.blocks if isinstance(block, Call)]
    said: dict[str, Any] = {"role": "assistant", "content": joined(message) or None}
    return [said | ({"tool_calls": calls} if calls else {})] if calls or said["content"] else []


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


class _Function(Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Delta(Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[_Call, ...] | None = None


class _Choice(Struct, frozen=True):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _ReadTokens(Struct, frozen=True):
    cached_tokens: Count = None


class _OutTokens(Struct, frozen=True):
    reasoning_tokens: Count = None


class _Usage(Struct, frozen=True):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: _ReadTokens | None = None
    completion_tokens_details: _OutTokens | None = None


class _Chunk(Struct, frozen=True):
    choices: tuple[_Choice, ...] | None = None
    usage: Raw = Raw()
    error: Any = None


class _Growing:
    """A call while it comes."""

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.pieces: list[str] = []


class Decoder:
    """Reads one answer."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._calls: dict[int, _Growing] = {}
        self._usage = Raw()
        self._stop: str | None = None
        self._over = False
        self._refused = False

    @property
    def answer(self) -> Answer:
        blocks: list[Block] = [Text("".join(self._said))] if self._said else []
        blocks += [Call(one.id, one.name, "".join(one.pieces) or "{}") for one in self._calls.values()]
        reason: Stop | None = "refusal" if self._refused else STOPS.get(self._stop or "")
        stop = stop_of(reason, blocks) if self._over else "cut"
        return Answer(tuple(blocks), _told(self._usage), stop, as_reported(self._usage))

    def take(self, frame: bytes) -> Heard:
        if frame.strip() == DONE:
            self._over = True
            return []
        got = decoded(frame, _Chunk)
        if got.error:
            raise declined(got.error)
        if usage_in(got.usage, _Usage) is not None:
            self._usage = got.usage
        heard: Heard = []
        for choice in (got.choices or ())[:1]:
            self._stop = choice.finish_reason or self._stop
            self._over = self._over or choice.finish_reason is not None
            heard += self._more(choice.delta or _Delta())
        return heard

    def _more(self, delta: _Delta) -> Heard:
        for call in delta.tool_calls or ():
            self._grow(call)
        thought, said = delta.reasoning_content or delta.reasoning, delta.content or delta.refusal
        self._refused = self._refused or bool(delta.refusal)
        if said:
            self._said.append(said)
        return [*([Thought(thought)] if thought else []), *([Said(said)] if said else [])]

    def _grow(self, call: _Call) -> None:
        """Without a place, one with an id of its own or a name is a new one."""
        last = max(self._calls, default=-1)
        place = call.index
        if place is None:
            named = bool(call.id or call.function.name)
            place = last + 1 if named and (last < 0 or call.id != self._calls[last].id or not call.id) else max(last, 0)
        growing = self._calls.setdefault(place, _Growing(call.id or f"call_{place + 1}"))
        growing.name = call.function.name or growing.name
        growing.pieces.append(call.function.arguments or "")


def declined(error: Any) -> Declined:
    """An error event, of which every server has its own idea."""
    if not isinstance(error, dict):
        return Declined("error", str(error))
    kind = error.get("type") or error.get("code") or "error"
    return Declined(str(kind), str(error.get("message") or ""))


def _told(raw: Raw) -> Told:
    """Its input holds what came from the cache."""
    usage = usage_in(raw, _Usage)
    if usage is None:
        return Told()
    read = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    return Told(
        input_tokens=apart(usage.prompt_tokens, read),
        output_tokens=usage.completion_tokens,
        cache_read_tokens=read,
        reasoning_tokens=usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else None,
    )


WIRE = Wire(
    path="/chat/completions",
    body=body,
    headers=lambda key: bearer(key) if key else {},
    splitter=Events,
    decoder=Decoder,
)
