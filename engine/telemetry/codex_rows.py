"""Which fields of Codex's rollout rows does accounting want, and how do its usage objects become our counts?"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from engine.telemetry.rows import count


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

    def is_request(self) -> bool:
        """Only `total` without parts is a context estimate, not a request."""
        return bool(self.input or self.cached or self.cache_write or self.output)


class _Usage(Struct, gc=False):
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    total_tokens: int | None = None

    def tokens(self) -> Tokens:
        return Tokens(
            count(self.input_tokens),
            count(self.cached_input_tokens),
            count(self.cache_write_input_tokens),
            count(self.output_tokens),
            count(self.reasoning_output_tokens),
            count(self.total_tokens),
        )


class _Info(Struct):
    total_token_usage: _Usage | None = None
    last_token_usage: _Usage | None = None


class Row(Struct):
    """Any row; its payload is decoded once its type is known."""

    type: str | None = None
    timestamp: str | None = None
    ordinal: int | None = None
    payload: Raw = Raw(b"null")


class Kind(Struct):
    """The type of an `event_msg`."""

    type: str | None = None


class TokenCount(Struct):
    """`event_msg` / `token_count`; `info` is null when it only tells rate limits."""

    info: _Info | None = None


class UsageRecord(Struct):
    """`token_usage_record`, one per response since 0.153."""

    thread_id: str | None = None
    response_id: str | None = None
    usage: _Usage | None = None
    thread_token_usage: _Usage | None = None


class TurnContext(Struct):
    """`turn_context`: the only place that names the model."""

    model: str | None = None
    cwd: str | None = None


class SessionMeta(Struct):
    """`session_meta`; a fork's file may hold its parent's as well, further down."""

    id: str | None = None
    timestamp: str | None = None
    cwd: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    source: Any = None


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
KIND = msgspec.json.Decoder(Kind)
TOKEN_COUNT = msgspec.json.Decoder(TokenCount)
USAGE_RECORD = msgspec.json.Decoder(UsageRecord)
TURN_CONTEXT = msgspec.json.Decoder(TurnContext)
SESSION_META = msgspec.json.Decoder(SessionMeta)
PROMPT = msgspec.json.Decoder(Prompt)
