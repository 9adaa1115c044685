"""What a log reader tells the engine: sessions seen, responses with their tokens, and how far it has read.

The reader is a process of its own (bulk parsing must not delay the engine's loop), so these values also are the
wire format: one JSON object a line, told apart by `type`.
"""

from typing import Literal

from msgspec import Struct

Basis = Literal["per_run", "session_delta", "streamed", "estimated", "partial"]
Confidence = Literal["final", "partial", "inferred"]


class LogRoot(Struct, frozen=True):
    """A folder in which an agent CLI keeps its session logs."""

    source: str
    """`claude_code` or `codex`."""
    provider_home: str
    """The CLI's own home, for instance `~/.claude`, resolved: part of a generation's identity."""
    folder: str
    """The folder below it that holds the logs."""


class Cursor(Struct, frozen=True):
    """How far one log file has been read. A file that is not the same any more is read from the start."""

    path: str
    device: int
    inode: int
    size: int
    """Bytes when last looked at; a smaller file was truncated."""
    offset: int
    """Bytes read: the end of the last whole line."""
    head_hash: str
    """Hash of the first bytes: tells a replaced file whose inode was reused."""
    carry: str = ""
    """What the source's parser must remember between two reads, as JSON; its own business."""


class SeenSession(Struct, frozen=True):
    """A conversation found in a client's logs."""

    source: str
    provider_home: str
    provider_id: str
    last_active_ms: int
    started_ms: int | None = None
    workspace: str | None = None
    title: str | None = None
    """First words of the operator's first prompt; hostile text, cleaned only where it is shown."""
    model: str | None = None


class Response(Struct, frozen=True):
    """The usage of one provider response. All counts are tokens; parts do not overlap unless said so."""

    key: str
    """Identity within the source: the provider's response id, else the fallback that the source's rule names."""
    at_ms: int
    model: str | None
    input_tokens: int
    """Uncached input only."""
    cache_read_tokens: int
    cache_write_tokens: int
    """All cache writes, whatever their lifetime."""
    output_tokens: int
    """Reasoning included."""
    cache_write_5m_tokens: int | None = None
    """The part of `cache_write_tokens` with this lifetime, where the log tells."""
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    """The part of `output_tokens` spent on reasoning, where the log tells."""
    basis: Basis = "per_run"
    confidence: Confidence = "final"
    offset: int = 0
    """Where in the file the evidence starts, in bytes."""


class Discovered(Struct, frozen=True, tag="discovered"):
    """Every log file there is, by its name and date only: known before a single line is read."""

    sessions: tuple[SeenSession, ...]
    files: int
    total_bytes: int


class LogBatch(Struct, frozen=True, tag="batch"):
    """Lines of one file turned into responses, and the cursor that makes reading them again unnecessary."""

    source: str
    cursor: Cursor
    session: SeenSession
    responses: tuple[Response, ...] = ()
    lines: int = 0
    refused: dict[str, int] = {}
    """Lines that could not be used, by reason (`bad_json`, `bad_utf8`, `too_long`, ...)."""
    restarted: bool = False
    """The file was truncated or replaced, so this batch reads it from the start again."""


class Progress(Struct, frozen=True, tag="progress"):
    """How far the first scan is."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int
    scanning: bool
    """False when every log is read and only changes are followed."""


class Unreadable(Struct, frozen=True, tag="unreadable"):
    """A file or folder that could not be opened. Reported once, then again only when the reason changes."""

    path: str
    why: str


class CaughtUp(Struct, frozen=True, tag="caught_up"):
    """The answer to `catch_up`: everything that was on disk when it was asked has been sent before this line."""

    token: str


ReaderMessage = Discovered | LogBatch | Progress | Unreadable | CaughtUp


class ReaderSetup(Struct, frozen=True):
    """The first line on the reader's stdin."""

    roots: tuple[LogRoot, ...]
    cursors: tuple[Cursor, ...] = ()
    follow: bool = True
    """False: read what is there, then end."""


class CatchUp(Struct, frozen=True):
    """Every later line on the reader's stdin."""

    token: str
