"""What must a client's log format tell the reader? The seam between one reader and many formats.

A source knows names, a parser knows rows. Neither opens a file: `ingest` does.
"""

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.usage import LogRoot, Response

TITLE_CHARS = 200


class LogFile(Struct, frozen=True):
    """One log file as the walk saw it: name and stat only."""

    root: LogRoot
    path: str
    parts: tuple[str, ...]
    """The path below the root's folder."""
    size: int
    mtime_ns: int
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

    def seen_at(self, at_ms: int | None) -> None:
        """Widen the session's life by one row's time."""
        if at_ms is None:
            return
        if self.started_ms is None:
            self.started_ms = at_ms
        if self.last_ms is None or at_ms > self.last_ms:
            self.last_ms = at_ms


class Findings:
    """Responses and refused lines since the last `clear`; of several rows of one response, the best."""

    def __init__(self) -> None:
        self.responses: dict[str, Response] = {}
        self.refused: dict[str, int] = {}

    def add(self, response: Response) -> None:
        """Keep the response, merged with an earlier row of the same one."""
        known = self.responses.get(response.key)
        self.responses[response.key] = response if known is None else best_of(known, response)

    def refuse(self, reason: str) -> None:
        """Count one line that could not be used."""
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def clear(self) -> None:
        """Forget everything: it has been sent."""
        self.responses = {}
        self.refused = {}


def best_of(known: Response, new: Response) -> Response:
    """Of two rows of one response the one with more output; on a tie a finished one, then the earlier.

    Neither first nor last wins: snapshots grow, and a smaller one can follow the final. The time stays that of the
    first row, so that a response does not move to another day.
    """
    better = (new.output_tokens, new.confidence == "final") > (known.output_tokens, known.confidence == "final")
    winner = new if better else known
    at_ms = min(known.at_ms, new.at_ms)
    return winner if winner.at_ms == at_ms else replace(winner, at_ms=at_ms)


class Parser(Protocol):
    """Turns whole lines of one file into findings. Its memory between two reads is its carry."""

    findings: Findings
    facts: Facts

    def feed(self, block: bytes, start: int) -> None:
        """Read whole lines; `start` is the offset in the file, in bytes, of the first."""

    def carry(self) -> str:
        """What a later parser of this file must be given, as JSON."""


class Source(Protocol):
    """One client's way to name and write logs."""

    @property
    def name(self) -> str:
        """The source's name in the contract."""

    def is_log(self, name: str) -> bool:
        """Whether a file of this name holds a session."""

    def why_unreadable(self, name: str) -> str | None:
        """Why a file of this name is a log that cannot be read, if it is one."""

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        """The session that a file belongs to, where its path below the root tells."""

    def parser(self, parts: tuple[str, ...], carry: str, fallback_ms: int) -> Parser:
        """A parser for one file. `fallback_ms` dates rows that tell no time. Raises `msgspec.DecodeError` on a carry
        that is not this source's."""
