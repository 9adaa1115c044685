"""What a log reader tells the engine: sessions seen, responses with their tokens, and how far it has read.

The reader is a process of its own (bulk parsing must not delay the engine's loop), so these values also are the
wire format: one JSON object a line, told apart by `type`.
"""

from typing import Literal

from msgspec import Struct

Basis = Literal["per_run", "session_delta", "streamed", "estimated", "partial"]
"""How the log told it: `per_run` as the response's own usage, `session_delta` as the difference of running totals,
`streamed` as seen in a client's output, `estimated` by us, `partial` as a start-of-message snapshot and no more."""
Confidence = Literal["final", "partial", "inferred"]
"""`partial`: the client never wrote the finished figure. `inferred`: a rule of ours had to decide, and may be wrong."""
SourceName = Literal["quarterdeck", "claude_code", "codex", "openclaw", "gemini", "opencode"]


class LogRoot(Struct, frozen=True):
    """A folder in which an agent CLI keeps its session logs."""

    source: str
    """A `SourceName`."""
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
    """Bytes when last looked at, those of companions (a database's `-wal`) added; a smaller file was truncated."""
    mtime_ns: int
    """Last change of the file or a companion, whichever is later."""
    offset: int
    """How far it is read: the end of the last whole line in bytes, for `.zst` of the unpacked text; for a database the
    source's own measure."""
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
    """The model of the last main response, as the log names it."""
    forked_from: str | None = None
    """The provider id of the conversation that this one continues a copy of, where the log tells."""
    context_tokens: int | None = None
    """What the last main response had in its context: its whole prompt and its output. Not a subagent's."""
    context_window: int | None = None
    """The model's window in tokens, only where the log itself tells it."""


class Response(Struct, frozen=True, array_like=True, gc=False):
    """The usage of one provider response. All counts are tokens; parts do not overlap unless said so."""

    key: str
    """Identity within the source: the provider's response id, else the fallback that the source's rule names."""
    at_ms: int
    model: str | None
    """As the log names it; None when it does not."""
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
    """Where in the file the evidence starts: bytes, or the row's number in a database."""
    provider: str = ""
    """Who served the model where the log tells (`anthropic`, `ollama`, ...), else empty."""
    factors: str = ""
    """What else moves its price, as logged, separated by spaces: `fast`, `batch`, `flex`, `priority`, `geo:us`,
    `web:2` (web searches). Empty at standard terms."""
    raw: str | None = None
    """The usage object as reported, as JSON: only where it has keys that we do not know, or contradicts itself."""


class ClientTotals(Struct, frozen=True):
    """What a client itself says a session has used so far. Compared with our sums, never added to them. Tokens."""

    kind: str
    """The log's own name for it: `cost-state`, `thread_token_usage`."""
    at_ms: int
    input_tokens: int
    """Uncached input only."""
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_microusd: int | None = None


class RateLimit(Struct, frozen=True):
    """A subscription window as the client logged it."""

    name: str
    """`primary`, `secondary`, ..."""
    at_ms: int
    """When it was logged."""
    used_percent: float
    window_minutes: int | None
    resets_at_ms: int | None
    plan: str | None = None


class SessionPart(Struct, frozen=True):
    """What one batch says about one session."""

    session: SeenSession
    responses: tuple[Response, ...] = ()
    totals: ClientTotals | None = None
    """The latest ones, when this batch saw some."""


class Discovered(Struct, frozen=True, tag="discovered"):
    """Every log file there is, by its name and date only: known before a single line is read."""

    sessions: tuple[SeenSession, ...]
    files: int
    total_bytes: int


class LogBatch(Struct, frozen=True, tag="batch"):
    """Part of one file turned into responses, and the cursor that makes reading it again unnecessary."""

    source: str
    cursor: Cursor
    parts: tuple[SessionPart, ...] = ()
    """One for a file that holds one session; a database holds many."""
    limits: tuple[RateLimit, ...] = ()
    """The latest of each name that this batch saw."""
    lines: int = 0
    """Lines, or rows of a database, that were read."""
    refused: dict[str, int] = {}
    """Lines that could not be used, by reason (`bad_json`, `bad_utf8`, `too_long`, ...)."""
    dropped: dict[str, int] = {}
    """Reports that told again what is counted already, by the rule that says so (`stream`, `replay`, ...)."""
    restarted: bool = False
    """The file was truncated or replaced, so this batch reads it from the start again."""


class Gone(Struct, frozen=True, tag="gone"):
    """Logs that were read once and are not there any more."""

    paths: tuple[str, ...]


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


ReaderMessage = Discovered | LogBatch | Gone | Progress | Unreadable | CaughtUp


class ReaderSetup(Struct, frozen=True):
    """The first line on the reader's stdin."""

    roots: tuple[LogRoot, ...]
    cursors: tuple[Cursor, ...] = ()
    follow: bool = True
    """False: read what is there, then end."""


class CatchUp(Struct, frozen=True):
    """Every later line on the reader's stdin."""

    token: str
