"""What must a client's log format tell the reader? The seam between one reader and many formats.

A source knows names and rows: which files are logs, and what is new in one since its cursor. Line logs share
`line_log`; a client that keeps a database or rewrites whole documents reads them itself.
"""

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.usage import ClientTotals, Cursor, LogBatch, LogRoot, RateLimit, Response, SeenSession, SessionPart

TITLE_CHARS = 200


class LogFile(Struct, frozen=True):
    """One log file as the walk saw it: name and stat only."""

    root: LogRoot
    path: str
    parts: tuple[str, ...]
    """The path below the root's folder."""
    size: int
    """Bytes, those of companions added."""
    mtime_ns: int
    """Last change of the file or a companion, whichever is later."""
    device: int
    inode: int
    provider_id: str | None
    """Session id, where the name tells it."""

    @property
    def mtime_ms(self) -> int:
        """Last change, milliseconds since the epoch."""
        return self.mtime_ns // 1_000_000


class Facts(Struct, omit_defaults=True):
    """What the rows said about their session so far. Part of every parser's carry."""

    provider_id: str | None = None
    started_ms: int | None = None
    last_ms: int | None = None
    workspace: str | None = None
    title: str | None = None
    model: str | None = None
    forked_from: str | None = None
    context_tokens: int | None = None
    context_window: int | None = None

    def seen_at(self, at_ms: int | None) -> None:
        """Widen the session's life by one row's time."""
        if at_ms is None:
            return
        if self.started_ms is None:
            self.started_ms = at_ms
        if self.last_ms is None or at_ms > self.last_ms:
            self.last_ms = at_ms

    def session(self, root: LogRoot, provider_id: str, fallback_ms: int) -> SeenSession:
        """The session as the contract has it. `fallback_ms` dates one whose rows tell no time."""
        return SeenSession(
            source=root.source,
            provider_home=root.provider_home,
            provider_id=self.provider_id or provider_id,
            last_active_ms=fallback_ms if self.last_ms is None else self.last_ms,
            started_ms=self.started_ms,
            workspace=self.workspace,
            title=self.title,
            model=self.model,
            forked_from=self.forked_from,
            context_tokens=self.context_tokens,
            context_window=self.context_window,
        )


class Findings:
    """What the rows since the last `clear` said; of several rows of one response, the best."""

    def __init__(self) -> None:
        self.responses: dict[str, Response] = {}
        self.refused: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.limits: dict[str, RateLimit] = {}
        self.totals: ClientTotals | None = None

    def add(self, response: Response) -> None:
        """Keep the response, merged with an earlier row of the same one."""
        known = self.responses.get(response.key)
        if known is not None:
            self.drop("stream")
            response = best_of(known, response)
        self.responses[response.key] = response

    def refuse(self, reason: str) -> None:
        """Count one line that could not be used."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def drop(self, rule: str) -> None:
        """Count one report of what is counted already, by the rule that says so."""
        self.dropped[rule] = self.dropped.get(rule, 0) + 1

    def part(self, session: SeenSession) -> SessionPart:
        """Everything found, as of one session."""
        return SessionPart(session, tuple(self.responses.values()), self.totals)

    def clear(self) -> None:
        """Forget everything: it has been sent."""
        self.responses, self.refused, self.dropped, self.limits, self.totals = {}, {}, {}, {}, None


def best_of(known: Response, new: Response) -> Response:
    """Of two rows of one response the one with more output; on a tie a finished one, then the earlier.

    Neither first nor last wins: snapshots grow, and a smaller one can follow the final. The time stays that of the
    first row, so that a response does not move to another day.
    """
    better = (new.output_tokens, new.confidence == "final") > (known.output_tokens, known.confidence == "final")
    winner = new if better else known
    at_ms = min(known.at_ms, new.at_ms)
    return winner if winner.at_ms == at_ms else replace(winner, at_ms=at_ms)


class Archive(Protocol):
    """The other logs of a client, for a log that repeats part of another one's."""

    def log_of(self, source: str, provider_id: str) -> LogFile | None:
        """The log whose name tells this session id, if the last walk saw one."""


class Source(Protocol):
    """One client's way to name and write logs."""

    @property
    def name(self) -> str:
        """The source's name in the contract."""

    def is_log(self, parts: tuple[str, ...]) -> bool:
        """Whether the file at this path below the root's folder holds sessions."""

    def companions(self, path: str) -> tuple[str, ...]:
        """Files whose change also means news in this one, such as a database's `-wal`; they need not exist."""

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        """The session that a file belongs to, where its path below the root tells."""

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        """The batches that bring a cursor to the end of its file; none when nothing came. Raises `OSError`."""
