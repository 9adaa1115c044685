"""In which state is a session, how is that known, and since when? Only what has evidence is said.

Whether an observed session waits for its operator cannot be told from its log: when that rests, the state is unknown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.contract.verdict import WAITING_WORDS
from state import approvals, runs
from state.board import BoardRow
from tui.clean import clean, clean_record
from tui.reading.run_asked import with_task
from tui.reading.snapshot import Reading
from tui.text import MINUTE_MS, due
from tui.theme import Tone

if TYPE_CHECKING:
    from datetime import tzinfo

WORKING_MS = 15_000
"""A log that grew within this time belongs to somebody who works."""
LOOKED_AT = 500
"""Sessions whose workspace is looked for, the newest ones."""
QUESTION_CAP = 120

TONES: dict[str, Tone] = {"!": "warn", ">": "accent", "x": "dim", "o": "dim", ".": "dim"}
RANKS = "!>z.ox"
"""In the order in which an operator looks for them."""


class Evidence(Struct, frozen=True):
    """What is known of a session beside its row."""

    asks: str | None = None
    """What is open to be answered, in a line."""
    asked_ms: int = 0
    waits_run: int | None = None
    """Its newest run, where that cannot start yet; and for what."""
    waits_for: str | None = None
    fires_ms: int | None = None
    """When its job is due next."""
    gone: bool = False
    """Its workspace is not there any more."""


NOTHING = Evidence()


class Unstarted(Struct, frozen=True):
    """A run that waits for the operator's word and has no session yet: no session's row could tell of it."""

    run: runs.Run
    asks: str
    asked_ms: int


class State(Struct, frozen=True):
    """A letter, the word for it, and the evidence."""

    letter: str
    word: str
    why: str

    @property
    def tone(self) -> Tone:
        return TONES.get(self.letter, "text")

    @property
    def rank(self) -> int:
        """The higher, the sooner an operator should look."""
        return len(RANKS) - RANKS.index(self.letter)


def state_of(row: BoardRow, known: Evidence, now_ms: int, zone: "tzinfo | None" = None) -> State:
    """What holds now. The first evidence in this order counts: a question, a live run, what waits, a log that grows."""
    if known.asks is not None:
        return State("!", "needs me", f"asks: {known.asks}")
    if row.live_run_id is not None:
        return State(">", "working", f"run {row.live_run_id}, {row.live_trigger or 'live'}")
    if known.waits_run is not None:
        reason = WAITING_WORDS.get(known.waits_for or "", known.waits_for or "its turn")
        return State("z", "waiting", f"run {known.waits_run} waits for {reason}")
    if _grows(row, now_ms):
        return State(">", "working", "its log grew just now")
    if known.gone and not (row.agent is None and now_ms - row.last_active_ms < MINUTE_MS):
        return State("x", "gone", f"no folder {Path(row.workspace or '').name} any more")
    if known.fires_ms is not None:
        return State("z", "on timer", f"{_due(row)}fires {_when(known.fires_ms, now_ms, zone)}")
    if row.agent is None:
        return State("o", "unknown", "observed, its log rests")
    return State(".", "idle", f"{_due(row)}{_last(row)}")


def _due(row: BoardRow) -> str:
    """That its next run begins afresh, once the operator has said so."""
    return f"generation {row.generation} is due, " if row.fresh and row.generation > 1 else ""


def urgency(row: BoardRow, known: Evidence, now_ms: int) -> int:
    """2: it needs the operator, 1: it works, 0: neither. What its state says, without the words."""
    if known.asks is not None:
        return 2
    return int(row.live_run_id is not None or (known.waits_run is None and _grows(row, now_ms)))


def _grows(row: BoardRow, now_ms: int) -> bool:
    return row.agent is None and now_ms - row.last_active_ms < WORKING_MS


def _when(at_ms: int, now_ms: int, zone: "tzinfo | None") -> str:
    said = due(at_ms, now_ms, zone)
    return f"at {said}" if said[:1].isdigit() and " " not in said else said


def _last(row: BoardRow) -> str:
    return "nothing has run yet" if row.last_outcome is None else f"last run {row.last_outcome.replace('_', ' ')}"


def unstarted(reading: Reading) -> tuple[Unstarted, ...]:
    """The one that has waited longest first."""
    found: dict[int, Unstarted] = {}
    for row in approvals.pending(reading.connection):
        run = runs.get(reading.connection, row.run_id)
        if run.session_id is None:
            found.setdefault(run.id, Unstarted(clean_record(with_task(run)), _question(row), row.asked_ms))
    return tuple(found.values())


def evidence(reading: Reading, rows: list[BoardRow]) -> dict[int, Evidence]:
    """By session, for those of which there is any."""
    newest = {row.last_run_id: row.id for row in rows if row.last_run_id is not None}
    held_up = {newest[run.id]: run for run in runs.waiting(reading.connection) if run.id in newest}
    asked = _questions(reading, newest)
    fires = _fires(reading, {row.job for row in rows if row.job is not None})
    gone = _gone(rows[:LOOKED_AT])
    found: dict[int, Evidence] = {}
    for row in rows:
        run = held_up.get(row.id)
        asks = asked.get(row.id)
        if asks is None and run is not None and run.waits_for == "approval":
            asks = (f"run {run.id} would go over a budget", run.requested_ms)
        one = Evidence(
            asks=asks[0] if asks else None,
            asked_ms=asks[1] if asks else 0,
            waits_run=run.id if run else None,
            waits_for=run.waits_for if run else None,
            fires_ms=fires.get(row.job) if row.job is not None else None,
            gone=row.workspace in gone,
        )
        if one != NOTHING:
            found[row.id] = one
    return found


def _questions(reading: Reading, newest: Mapping[int, int]) -> dict[int, tuple[str, int]]:
    """By session, the oldest open question of its run, and when that was asked."""
    found: dict[int, tuple[str, int]] = {}
    for row in approvals.pending(reading.connection):
        session = newest.get(row.run_id) or runs.get(reading.connection, row.run_id).session_id
        if session is not None:
            found.setdefault(session, (_question(row), row.asked_ms))
    return found


def _question(row: approvals.Approval) -> str:
    """`Bash rm -rf build`, or which run would go over a budget."""
    if row.kind != "permission":
        return f"run {row.run_id} would go over a budget"
    try:
        told = msgspec.json.decode(row.what, type=_Wanted)
    except (msgspec.DecodeError, UnicodeError):
        return f"run {row.run_id} wants something that cannot be read"
    return clean(f"{told.tool} {told.what}".strip(), QUESTION_CAP)


class _Wanted(Struct, frozen=True):
    """Of a stored question: the tool, and what it is to do."""

    tool: str
    what: str


def _fires(reading: Reading, jobs: set[str]) -> dict[str, int | None]:
    """When each of these jobs is due next; not those that are paused."""
    if not any(name in reading.config.job for name in jobs):
        return {}
    rows: list[Any] = reading.boards.job_board(reading.connection, reading.config, reading.now_ms)
    return {row.name: row.next_due_ms for row in rows if row.name in jobs}


def _gone(rows: list[BoardRow]) -> frozenset[str]:
    """Workspaces that are not there any more. Where the folder that held one is missing too, nothing is known: the log
    may be another machine's, or the disk not mounted."""
    named = {Path(row.workspace) for row in rows if row.workspace}
    return frozenset(str(path) for path in named if not is_dir(path) and is_dir(path.parent))


def is_dir(path: Path) -> bool:
    """A log may name a folder that no system would take the name of."""
    try:
        return path.is_dir()
    except OSError:
        return False
