"""Which fields of Claude Code's rows does accounting want? Everything optional: gateways and old versions leave out
or null whatever they like."""

from typing import Any

import msgspec
from msgspec import Struct

from engine.telemetry.rows import count

# Text that the client, not the operator, puts at the start of a user row.
_NOT_TYPED = (
    "<command-",
    "<local-command-",
    "<system-reminder>",
    "<bash-",
    "<task-",
    "Caveat:",
    "[Request interrupted",
)


class _Lifetimes(Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(Struct, gc=False):
    thinking_tokens: int | None = None


class Usage(Struct):
    """`message.usage`. `input_tokens` is uncached only; thinking is inside output."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Lifetimes | None = None
    output_tokens_details: _OutputDetails | None = None

    def cache_write(self) -> int:
        """The larger of the flat count and the sum of the lifetimes: some versions leave the flat one at 0."""
        flat, lifetimes = count(self.cache_creation_input_tokens), self.cache_creation
        if lifetimes is None:
            return flat
        return max(flat, count(lifetimes.ephemeral_5m_input_tokens) + count(lifetimes.ephemeral_1h_input_tokens))

    def cache_write_5m(self) -> int | None:
        """Written for five minutes, tokens."""
        return self.cache_creation.ephemeral_5m_input_tokens if self.cache_creation else None

    def cache_write_1h(self) -> int | None:
        """Written for an hour, tokens."""
        return self.cache_creation.ephemeral_1h_input_tokens if self.cache_creation else None

    def thinking(self) -> int | None:
        """Output spent on thinking, tokens, where told and possible."""
        told = self.output_tokens_details.thinking_tokens if self.output_tokens_details else None
        return None if told is None else min(count(told), count(self.output_tokens))


class _Message(Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


class Row(Struct):
    """A row that may hold a response."""

    type: str | None = None
    uuid: str | None = None
    sessionId: str | None = None
    requestId: str | None = None
    timestamp: str | None = None
    isSidechain: bool | None = None
    isApiErrorMessage: bool | None = None
    message: _Message | None = None


class PromptRow(Struct):
    """A row that may hold the operator's words, with its `message` of any shape."""

    type: str | None = None
    cwd: str | None = None
    sessionId: str | None = None
    isMeta: bool | None = None
    isSidechain: bool | None = None
    isCompactSummary: bool | None = None
    isVisibleInTranscriptOnly: bool | None = None
    message: Any = None


ROW = msgspec.json.Decoder(Row)
PROMPT = msgspec.json.Decoder(PromptRow)


def first_words(row: PromptRow | None) -> str | None:
    """What the operator typed, if this row is such a row; `None` for tool results and for the client's own text."""
    if row is None or row.type != "user" or not isinstance(row.message, dict):
        return None
    if row.isMeta or row.isSidechain or row.isCompactSummary or row.isVisibleInTranscriptOnly:
        return None
    typed = (text.strip() for text in _texts(row.message.get("content")))
    return next((text for text in typed if text and not text.startswith(_NOT_TYPED)), None)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    blocks = [block for block in content if isinstance(block, dict)]
    if any(block.get("type") == "tool_result" for block in blocks):
        return []
    return [text for block in blocks if block.get("type") == "text" and isinstance(text := block.get("text"), str)]
