"""What does one event of an OpenClaw transcript say? The same shape in files, archives and database rows.

A transcript is a tree by `id` and `parentId`; a response counts whether it is on the current branch or not. `input`
excludes the cache; `reasoning` is inside `output`, and `cacheWrite1h` inside `cacheWrite`. Field names by OpenClaw's
public source up to 2026.9 and the types of the library that fills `usage`.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.contract.usage import Response
from engine.telemetry.rows import BadRow, count, decode, time_ms
from engine.telemetry.source import TITLE_CHARS, Facts

# A usage object is a dozen numbers; a longer one is not worth keeping.
_RAW_BYTES = 2_000
_NULL = Raw(b"null")


class _Usage(Struct, gc=False):
    input: int | None = None
    output: int | None = None
    cacheRead: int | None = None
    cacheWrite: int | None = None
    cacheWrite1h: int | None = None
    reasoning: int | None = None
    totalTokens: int | None = None
    cost: Any = None

    def parts(self) -> tuple[int, int, int, int]:
        """Uncached input, cache read, cache write, output."""
        return count(self.input), count(self.cacheRead), count(self.cacheWrite), count(self.output)

    def contradicts_itself(self) -> bool:
        if count(self.cacheWrite1h) > count(self.cacheWrite) or count(self.reasoning) > count(self.output):
            return True
        return bool(self.totalTokens) and self.totalTokens != sum(self.parts())


class _KnownUsage(_Usage, forbid_unknown_fields=True, gc=False):
    """The same, and no other key."""


class _Message(Struct):
    role: str | None = None
    provider: str | None = None
    model: str | None = None
    usage: Raw = _NULL
    stopReason: str | None = None
    timestamp: Any = None
    content: Any = None


class _Chosen(Struct):
    """A `model_change`, or the data of a `model-snapshot`."""

    provider: str | None = None
    modelId: str | None = None
    model: str | None = None


class _Event(Struct):
    type: str | None = None
    id: str | None = None
    timestamp: Any = None
    customType: str | None = None
    data: Raw = _NULL
    message: Raw = _NULL
    cwd: str | None = None
    parentSession: Any = None


_EVENT = msgspec.json.Decoder(_Event)
_MESSAGE = msgspec.json.Decoder(_Message)
_CHOSEN = msgspec.json.Decoder(_Chosen)
_USAGE = msgspec.json.Decoder(_Usage | None)
_KNOWN_USAGE = msgspec.json.Decoder(_KnownUsage | None)


class Model(Struct, omit_defaults=True):
    """Who answers, as far as the transcript has said."""

    provider: str | None = None
    name: str | None = None


def model_chosen(line: bytes) -> Model | None:
    """The model that an event chooses for the responses after it. Raises `BadRow`."""
    if b'"model_change"' not in line and b'"model-snapshot"' not in line:
        return None
    return _chosen(decode(_EVENT, line), line)


def _chosen(event: _Event, line: bytes) -> Model | None:
    if event.type == "model_change":
        chosen = decode(_CHOSEN, line)
    elif event.type == "custom" and event.customType == "model-snapshot":
        chosen = decode(_CHOSEN, event.data)
    else:
        return None
    return Model(chosen.provider, chosen.modelId or chosen.model)


class Transcript:
    """Takes the events of one session in their order."""

    def __init__(self, facts: Facts, model: Model, fallback_ms: int) -> None:
        self.facts = facts
        self.model = model
        self._fallback_ms = fallback_ms

    def take(self, line: bytes, offset: int) -> Response | None:
        """The response that an event is, if it is one. Raises `BadRow`."""
        event = decode(_EVENT, line)
        at_ms = _time_ms(event.timestamp)
        self.facts.seen_at(at_ms)
        if event.type == "session":
            self._begin(event)
        elif event.type == "message":
            return self._message(event, at_ms, offset)
        else:
            self.model = _chosen(event, line) or self.model
        return None

    def _begin(self, event: _Event) -> None:
        self.facts.provider_id = event.id or self.facts.provider_id
        self.facts.workspace = event.cwd or self.facts.workspace
        if isinstance(event.parentSession, str) and event.parentSession:
            name = event.parentSession.replace("\\", "/").rpartition("/")[2]
            self.facts.forked_from = name.partition(".jsonl")[0]

    def _message(self, event: _Event, at_ms: int | None, offset: int) -> Response | None:
        message = decode(_MESSAGE, event.message)
        if message.role == "user" and self.facts.title is None:
            self.facts.title = " ".join(_text(message.content).split())[:TITLE_CHARS] or None
        usage = decode(_USAGE, message.usage) if message.role == "assistant" else None
        if usage is None or not any(usage.parts()):
            return None  # also what the gateway itself says in the assistant's name
        self.facts.model = message.model or self.model.name
        self.facts.context_tokens = sum(usage.parts())
        when = _time_ms(message.timestamp) if at_ms is None else at_ms
        uncached, read, written, output = usage.parts()
        return Response(
            key=self._key(event, when, offset),
            at_ms=self._fallback_ms if when is None else when,
            model=self.facts.model,
            input_tokens=uncached,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=output,
            cache_write_5m_tokens=None if usage.cacheWrite1h is None else max(0, written - usage.cacheWrite1h),
            cache_write_1h_tokens=None if usage.cacheWrite1h is None else min(written, count(usage.cacheWrite1h)),
            reasoning_tokens=None if usage.reasoning is None else min(output, count(usage.reasoning)),
            confidence="partial" if message.stopReason in ("aborted", "error") else "final",
            offset=offset,
            provider=message.provider or self.model.provider or "",
            raw=_odd(message.usage),
        )

    def _key(self, event: _Event, when: int | None, offset: int) -> str:
        """The event's id and millisecond: copies keep both, in whatever file, fork or table. An id alone may be short
        and occur in two sessions; without a time it is that of its session."""
        session = self.facts.provider_id
        if event.id:
            return f"{session}:{event.id}" if when is None else f"{event.id}@{when}"
        return f"{session}:byte{offset}" if when is None else f"{session}@{when}"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = (block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text")
    return " ".join(text for text in texts if isinstance(text, str))


def _time_ms(stamp: Any) -> int | None:
    if isinstance(stamp, str):
        return time_ms(stamp)
    return int(stamp) if isinstance(stamp, int | float) and 0 < stamp < 2**53 else None


def _odd(usage: Raw) -> str | None:
    """The usage object as logged, if it has keys that we do not know or contradicts itself."""
    try:
        found = _KNOWN_USAGE.decode(usage)
        if found is None or not found.contradicts_itself():
            return None
    except (msgspec.DecodeError, BadRow):
        pass
    return bytes(usage).decode("utf-8", "replace") if len(bytes(usage)) <= _RAW_BYTES else None
