"""Which fields of Claude Code's rows does accounting want, and in which shape do they nearly always come?

`PLAIN` takes rows at standard terms in one strict decode: counts that are counts, no unknown usage key, nothing that
moves a price. What it refuses goes to `claude_odd`, where everything is optional: gateways and old versions leave out
or null whatever they like.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine.telemetry.rows import LARGEST_COUNT

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

_Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]


class Lifetimes(Struct, gc=False, forbid_unknown_fields=True):
    """Cache writes by how long they live, tokens."""

    ephemeral_5m_input_tokens: _Count | None = None
    ephemeral_1h_input_tokens: _Count | None = None


class OutputDetails(Struct, gc=False, forbid_unknown_fields=True):
    """Parts of the output, tokens."""

    thinking_tokens: _Count | None = None


class _NoPaidTools(Struct, gc=False, forbid_unknown_fields=True):
    web_search_requests: Literal[0] | None = None
    web_fetch_requests: int | None = None


class _OwnIteration(Struct, gc=False, forbid_unknown_fields=True):
    type: Literal["message"]
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: Lifetimes | None = None


class Usage(Struct, gc=False, forbid_unknown_fields=True):
    """`message.usage` at standard terms. `input_tokens` is uncached only; thinking is inside output."""

    input_tokens: _Count = 0
    cache_creation_input_tokens: _Count = 0
    cache_read_input_tokens: _Count = 0
    output_tokens: _Count = 0
    output_tokens_details: OutputDetails | None = None
    server_tool_use: _NoPaidTools | None = None
    service_tier: Literal["standard"] | None = None
    cache_creation: Lifetimes | None = None
    inference_geo: Literal["", "not_available", "global"] | None = None
    iterations: Annotated[list[_OwnIteration], Meta(max_length=1)] | None = None
    speed: Literal["standard"] | None = None
    fallback_credit: None = None


class Message(Struct, gc=False):
    """A response, or the part of one that a row holds."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


class Fork(Struct, gc=False):
    """Where a row was copied from."""

    sessionId: str | None = None


class Row(Struct, gc=False):
    """A row that may hold a response."""

    isSidechain: bool | None = None
    message: Message | None = None
    type: str | None = None
    timestamp: Annotated[datetime, Meta(tz=True)] | None = None
    isApiErrorMessage: bool | None = None
    forkedFrom: Fork | None = None


class Ids(Struct):
    """What names a row whose message id does not."""

    uuid: str | None = None
    requestId: str | None = None


class PromptRow(Struct):
    """A row that may hold the operator's words, with its `message` of any shape."""

    type: str | None = None
    cwd: str | None = None
    sessionId: str | None = None
    isMeta: bool | None = None
    isSidechain: bool | None = None
    isCompactSummary: bool | None = None
    isVisibleInTranscriptOnly: bool | None = None
    forkedFrom: Any = None
    message: Any = None


PLAIN = msgspec.json.Decoder(Row)
IDS = msgspec.json.Decoder(Ids)
PROMPT = msgspec.json.Decoder(PromptRow)


def forked_from(told: Any) -> str | None:
    """The session in a `forkedFrom`, which 2.1 writes as an object."""
    session = told.get("sessionId") if isinstance(told, dict) else told
    return session if isinstance(session, str) and session else None


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
