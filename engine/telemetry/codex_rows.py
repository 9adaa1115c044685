"""Which fields of Codex's rollout rows does accounting want, and how do its usage objects become our counts?"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from engine.telemetry.rows import LARGEST_COUNT, count, decode

_TYPES = rb"token_count|token_usage_record|turn_context|session_meta|thread_settings_applied"
# What the type of a wanted row, or of its payload, looks like; never quoted text, where the quotes are escaped. One
# search for all of them is three times as fast as one for each.
WANTED = re.compile(rb'"type"\s*:\s*"(?:' + _TYPES + rb')"')
WANTED_WITH_PROMPTS = re.compile(rb'"type"\s*:\s*"(?:' + _TYPES + rb'|user_message|UserMessage)"')
COUNTERS = re.compile(rb'"type"\s*:\s*"token_count"')

# A usage object is six numbers; a longer one is not worth keeping.
_RAW_CHARS = 2_000


class Tokens(NamedTuple):
    """A usage object with every field: two of them are one and the same only when all fields are equal."""

    input: int = 0
    """The whole prompt: cached and cache-write tokens are inside it."""
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    """Reasoning is inside it."""
    reasoning: int = 0
    total: int = 0

    def fell_from(self, earlier: "Tokens") -> bool:
        """Whether running totals went back: a new start or a compaction. The other fields come and go with versions."""
        return self.input < earlier.input or self.output < earlier.output

    def since(self, earlier: "Tokens") -> "Tokens":
        """The difference of two running totals."""
        return Tokens(*(max(0, now - before) for now, before in zip(self, earlier, strict=True)))

    def plus(self, other: "Tokens") -> "Tokens":
        """Running totals after one more response."""
        return Tokens(*(one + more for one, more in zip(self, other, strict=True)))

    def is_request(self) -> bool:
        """Only `total` without parts is a context estimate, not a request."""
        return bool(self.input or self.cached or self.cache_write or self.output)

    def uncached(self) -> int:
        """The part of the prompt that was neither read from the cache nor written to it."""
        return max(0, self.input - self.cached - self.cache_write)


class Counter(NamedTuple):
    """A `token_count` with its info."""

    total: Tokens | None
    """Running totals of the thread."""
    last: Tokens | None
    """What the last response used."""
    at_ms: int | None

    def same_usage(self, other: "Counter") -> bool:
        """Whether both tell the same in every field, whenever they were stamped."""
        return self.total == other.total and self.last == other.last


class Usage(Struct, gc=False):
    """A usage object, whatever else is in it."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    total_tokens: int | None = None

    def tokens(self) -> Tokens:
        """Its counts. Raises `BadRow`."""
        return Tokens(
            count(self.input_tokens),
            count(self.cached_input_tokens),
            count(self.cache_write_input_tokens),
            count(self.output_tokens),
            count(self.reasoning_output_tokens),
            count(self.total_tokens),
        )

    def contradicts_itself(self) -> bool:
        """Parts that are more than the whole, or a sum that is none."""
        cached = (self.cached_input_tokens or 0) + (self.cache_write_input_tokens or 0)
        prompt, output, total = self.input_tokens or 0, self.output_tokens or 0, self.total_tokens
        return (
            cached > prompt
            or (self.reasoning_output_tokens or 0) > output
            or (total is not None and total != prompt + output)
        )


_Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)] | None


class _KnownUsage(Usage, forbid_unknown_fields=True, gc=False):
    """The same with no other key, and counts that can be true: the usual case, decoded in one go."""

    input_tokens: _Count = None
    cached_input_tokens: _Count = None
    cache_write_input_tokens: _Count = None
    output_tokens: _Count = None
    reasoning_output_tokens: _Count = None
    total_tokens: _Count = None

    def tokens(self) -> Tokens:
        return Tokens(
            self.input_tokens or 0,
            self.cached_input_tokens or 0,
            self.cache_write_input_tokens or 0,
            self.output_tokens or 0,
            self.reasoning_output_tokens or 0,
            self.total_tokens or 0,
        )


U = TypeVar("U", bound=Usage)
_NULL = Raw(b"null")


class Row(Struct):
    """Any row; its payload is decoded once its type is known."""

    type: str | None = None
    timestamp: str | None = None
    ordinal: int | None = None
    payload: Raw = _NULL


class Event(Struct):
    """An `event_msg`: its type, and what a `token_count` has. `info` is null when it only tells rate limits."""

    type: str | None = None
    info: Raw = _NULL
    rate_limits: Raw = _NULL


class Info(Struct, Generic[U]):
    """What a `token_count` says about the thread."""

    total_token_usage: U | None = None
    last_token_usage: U | None = None
    model_context_window: Any = None

    def counter(self, at_ms: int | None) -> Counter:
        """Its counts. Raises `BadRow`."""
        total, last = self.total_token_usage, self.last_token_usage
        return Counter(total.tokens() if total else None, last.tokens() if last else None, at_ms)


class UsageRecord(Struct, Generic[U]):
    """`token_usage_record`, one per response since 0.153."""

    thread_id: str | None = None
    response_id: str | None = None
    usage: U | None = None
    thread_token_usage: U | None = None


class TurnContext(Struct):
    """`turn_context`: the place that names the model."""

    model: str | None = None
    cwd: str | None = None
    service_tier: Any = msgspec.UNSET


class SessionMeta(Struct):
    """`session_meta`; a fork's file may hold its parent's as well, further down."""

    id: str | None = None
    timestamp: str | None = None
    cwd: str | None = None
    model_provider: Any = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    source: Any = None

    def spawned_by(self) -> str | None:
        """The thread whose subagent this one is."""
        place: Any = self.source
        for name in ("subagent", "thread_spawn", "parent_thread_id"):
            place = place.get(name) if isinstance(place, dict) else None
        return place if isinstance(place, str) else self.parent_thread_id


class _Settings(Struct):
    model: str | None = None
    service_tier: Any = msgspec.UNSET


class SettingsApplied(Struct):
    """`event_msg` / `thread_settings_applied`."""

    thread_id: str | None = None
    thread_settings: _Settings = msgspec.field(default_factory=_Settings)


class Prompt(Struct):
    """`event_msg` / `user_message`, or `item_completed` with a `UserMessage`."""

    type: str | None = None
    message: Any = None
    item: Any = None

    def text(self) -> str | None:
        """What the operator typed."""
        if self.type == "user_message":
            return self.message.strip() or None if isinstance(self.message, str) else None
        content = self.item.get("content") if isinstance(self.item, dict) else None
        if not isinstance(content, list) or self.item.get("type") != "UserMessage":
            return None
        texts = (block.get("text") for block in content if isinstance(block, dict))
        return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)


ROW = msgspec.json.Decoder(Row)
EVENT = msgspec.json.Decoder(Event)
_INFO: "msgspec.json.Decoder[Info[Usage] | None]" = msgspec.json.Decoder(Info[Usage] | None)
_KNOWN_INFO: "msgspec.json.Decoder[Info[_KnownUsage] | None]" = msgspec.json.Decoder(Info[_KnownUsage] | None)
_RECORD: "msgspec.json.Decoder[UsageRecord[Usage]]" = msgspec.json.Decoder(UsageRecord[Usage])
_KNOWN_RECORD: "msgspec.json.Decoder[UsageRecord[_KnownUsage]]" = msgspec.json.Decoder(UsageRecord[_KnownUsage])
TURN_CONTEXT = msgspec.json.Decoder(TurnContext)
SESSION_META = msgspec.json.Decoder(SessionMeta)
SETTINGS = msgspec.json.Decoder(SettingsApplied)
PROMPT = msgspec.json.Decoder(Prompt)
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def info_of(payload: Raw) -> Info[Any] | None:
    """The info of a `token_count`; `None` for null. Raises `BadRow`."""
    try:
        return _KNOWN_INFO.decode(payload)
    except msgspec.DecodeError:
        return decode(_INFO, payload)


def record_of(payload: Raw) -> UsageRecord[Any]:
    """A `token_usage_record`. Raises `BadRow`."""
    try:
        return _KNOWN_RECORD.decode(payload)
    except msgspec.DecodeError:
        return decode(_RECORD, payload)


def odd_usage(usage: Usage | None, logged: Raw, name: str) -> str | None:
    """A usage object as logged below `name`, if it has keys that we do not know or contradicts itself."""
    if usage is None or (isinstance(usage, _KnownUsage) and not usage.contradicts_itself()):
        return None
    objects = decode(_OBJECT, logged)
    found = msgspec.json.encode(objects.get(name)).decode()
    known = isinstance(usage, _KnownUsage) or objects.get(name, {}).keys() <= set(Usage.__struct_fields__)
    odd = not known or usage.contradicts_itself()
    return found if odd and len(found) <= _RAW_CHARS else None


def rows_with(block: bytes, wanted: re.Pattern[bytes]) -> Iterator[tuple[int, bytes]]:
    """Offset in the block and bytes of each line with a match. Other lines cost only the search."""
    found = wanted.search(block)
    while found:
        begin = block.rfind(b"\n", 0, found.start()) + 1
        end = block.find(b"\n", found.end())
        end = end if end >= 0 else len(block)
        yield begin, block[begin:end]
        found = wanted.search(block, end)
