"""Which fields of opencode's messages does accounting want, and which response is a message?

Field names and meaning by opencode's public source (1.x `message`, 2.x `session_message`), and by what 1.18.33 wrote.
Input excludes the cache, and reasoning is **beside** output: opencode subtracts it before it writes, and bills both at
the output price. So our output is their sum.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from engine.contract.usage import Response
from engine.telemetry.lines import LONGEST_LINE
from engine.telemetry.rows import BadRow, count, decode

# A usage object is six numbers; a longer one is not worth keeping.
_RAW_BYTES = 2_000


class _Cache(Struct, gc=False):
    read: int | None = None
    write: int | None = None


class _Tokens(Struct, gc=False):
    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache: _Cache | None = None
    total: int | None = None


class _KnownCache(_Cache, forbid_unknown_fields=True, gc=False):
    """The same, and no other key."""


class _KnownTokens(_Tokens, forbid_unknown_fields=True, gc=False):
    """The same, and no other key."""

    cache: _KnownCache | None = None


class _Time(Struct, gc=False):
    created: int | None = None
    completed: int | None = None


class _Model(Struct, gc=False):
    id: str | None = None
    modelID: str | None = None
    providerID: str | None = None


class Message(Struct):
    """A message of any generation: 1.x names role and model flatly, 2.x the type in a column and the model below
    `model`. `status` is that of a 2.x compaction."""

    id: str | None = None
    role: str | None = None
    modelID: str | None = None
    providerID: str | None = None
    model: _Model | None = None
    time: _Time = msgspec.field(default_factory=_Time)
    tokens: Raw = Raw(b"null")
    error: Any = None
    status: str | None = None

    @property
    def model_name(self) -> str | None:
        return self.modelID or (self.model and (self.model.id or self.model.modelID)) or None

    @property
    def provider(self) -> str:
        return self.providerID or (self.model.providerID if self.model else None) or ""

    @property
    def is_settled(self) -> bool:
        """Whether nobody writes it any more."""
        if self.status is not None:
            return self.status != "running"
        return self.time.completed is not None or self.error is not None

    @property
    def last_ms(self) -> int | None:
        return self.time.completed or self.time.created


class Counts(NamedTuple):
    """The parts of a response; none overlaps another."""

    input: int
    output: int
    """Without reasoning."""
    reasoning: int
    cache_read: int
    cache_write: int


MESSAGE = msgspec.json.Decoder(Message)
_TOKENS = msgspec.json.Decoder(_Tokens | None)
_KNOWN_TOKENS = msgspec.json.Decoder(_KnownTokens | None)


def counts_of(message: Message) -> Counts | None:
    """What a message used; `None` while it used nothing: a response that has not come, or never came. Raises
    `BadRow`."""
    tokens = decode(_TOKENS, message.tokens)
    if tokens is None:
        return None
    cache = tokens.cache or _Cache()
    counts = Counts(
        count(tokens.input), count(tokens.output), count(tokens.reasoning), count(cache.read), count(cache.write)
    )
    return counts if any(counts) else None


def identity(message: Message, counts: Counts, name: str) -> str:
    """What a message and all its copies have in common: the millisecond it began, who answered, and every count.

    A fork copies messages under new ids and keeps all of these; so do a backup, the move from files to the database
    and the one from 1.x to 2.x tables. Two subagents may begin in one millisecond, but do not use the same. Without a
    time it is the message's own id.
    """
    if message.time.created is None:
        return name
    told = f"{message.provider}/{message.model_name}/{'/'.join(map(str, counts))}"
    return f"{message.time.created}:{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"


def response_of(message: Message, counts: Counts, key: str, fallback_ms: int, offset: int) -> Response:
    """The response that a message is."""
    created = message.time.created
    return Response(
        key=key,
        at_ms=fallback_ms if created is None else created,
        model=message.model_name,
        input_tokens=counts.input,
        cache_read_tokens=counts.cache_read,
        cache_write_tokens=counts.cache_write,
        output_tokens=counts.output + counts.reasoning,
        reasoning_tokens=counts.reasoning,
        confidence="final" if message.is_settled else "partial",
        offset=offset,
        provider=message.provider,
        raw=_odd(message.tokens, counts),
    )


def _odd(tokens: Raw, counts: Counts) -> str | None:
    """The tokens as logged, if they have keys that we do not know or contradict themselves."""
    try:
        found = _KNOWN_TOKENS.decode(tokens)
        if found is None or found.total is None or found.total == sum(counts):
            return None
    except msgspec.DecodeError:
        pass
    return bytes(tokens).decode("utf-8", "replace") if len(bytes(tokens)) <= _RAW_BYTES else None


def message_of(data: bytes) -> Message:
    """A message as stored. Raises `BadRow`."""
    if len(data) > LONGEST_LINE:
        raise BadRow("too_long")
    return decode(MESSAGE, data)
