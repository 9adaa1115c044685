"""What does the console read of the state? One pure reading per thing that a pane or a screen shows.

A reading takes an open connection and returns frozen, cleaned values. The boards of jobs, budgets and skills belong to
the engine's rooms and are imported when first needed, since the first paint must not wait for them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.contract.outcome import EndRecord, Stop
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart
from engine.runtime.lease import holder
from engine.scopes.violations import Changes
from state import approvals, board, events, fallbacks, ledger, receipts, responses, runs, sessions, skills, slots
from state.database import Connection
from state.errors import NotFound
from state.home import Home
from state.spend import Span, totals
from tui.asked import Asked, asked_of_run, asking_sessions
from tui.clean import clean, clean_block, clean_record
from tui.reading import Gone, Reading
from tui.reported import RawUsage, reported
from tui.run_asked import with_task
from tui.skill_page import held_skills
from tui.text import HOUR_MS

if TYPE_CHECKING:
    from tui.figures import CacheFigures, ConversationFigures
    from tui.run_words import Over

SESSIONS_SHOWN = 5000
RUNS_SHOWN = 500
EVENTS_SHOWN = 50
TAIL_BYTES = 32 * 1024
GENERATIONS_SHOWN = 6


class SessionBoard(Struct, frozen=True):
    """The sessions, and which of them wait."""

    rows: tuple[board.BoardRow, ...]
    waiting: frozenset[int]
    """For a timer of their own, for a claim, a place, or room in a budget."""
    asking: frozenset[int]
    """For the operator's word."""
    runs: Mapping[int, int]
    """By session, the newest run, where that one waits."""
    cache: Mapping[int, "CacheFigures"]
    """By session, for those that had any input."""
    scanning: str
    """What the notice of the first log scan says; empty when every log has been read."""


class SkillBoard(Struct, frozen=True):
    """The sets, and every skill that was found."""

    sets: tuple[Any, ...]
    found: tuple[skills.Skill, ...]
    held: Mapping[str, str]
    """By path, why a skill must be allowed anew."""


class BudgetBoard(Struct, frozen=True):
    """The declared budgets, and the providers' own windows."""

    rows: tuple[Any, ...]
    windows: tuple[Any, ...]


class Spend(Struct, frozen=True):
    """What today has cost so far, and how fast tokens go."""

    today: int
    cost_microusd: int
    """Of today's responses that have a price."""
    unpriced: int
    """Today's responses without one."""
    responses: int
    minutes: tuple[int, ...]
    """Tokens of each of the last 60 minutes, oldest first."""
    burn: int
    """Tokens per minute, exponentially weighted."""
    running: int


class EngineStatus(Struct, frozen=True):
    """Who is the engine now?"""

    state: str
    """`up`, `starting` or `none`."""
    started_ms: int = 0
    pid: int = 0


class SessionDetail(Struct, frozen=True):
    """A session with everything that it has been through."""

    session: sessions.Session
    generations: tuple[sessions.Generation, ...]
    figures: Mapping[int, "ConversationFigures"]
    """By generation, for the last ones."""
    runs: tuple[runs.Run, ...]


class Judgement(Struct, frozen=True):
    """A verdict as it was stored, whatever else stood in it."""

    ok: bool
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)


class RunDetail(Struct, frozen=True):
    """A run: why it was let through, what it was given, what it used and what it says."""

    run: runs.Run
    verdict: Judgement | None
    parts: tuple[ReceiptPart, ...]
    usage: tuple[responses.BookedResponse, ...]
    raw: RawUsage | None
    """The usage as the agent itself reported it."""
    held: int
    generation: int | None
    session_title: str | None
    tail: tuple[str, ...]
    errors: tuple[str, ...]
    estimate: Estimate | None = None
    everything_tokens: int | None = None
    cache_break: CacheBreak | None = None
    decided: tuple[tuple[str, str], ...] = ()
    """Each value of its route, and the level that decided it."""
    changes: Changes | None = None
    """What it changed in its workspace; None until that has been looked at."""
    stop: Stop | None = None
    """Why we ended it, when we did."""
    children: tuple[int, ...] = ()
    """The runs that it asked for, as far back as runs are listed."""
    next_run: int | None = None
    """The run that goes on with it."""
    again: int | None = None
    """The run that does it again with another model."""
    end: EndRecord | None = None
    """How its processes ended."""
    asks: tuple[Asked, ...] = ()
    """What it waits to be allowed."""
    asked: tuple[str, ...] = ()
    """What became of each thing that its program has asked, the open ones too."""
    over: "Over | None" = None
    """A limit of its own that it went over."""


def session_board(reading: Reading) -> SessionBoard:
    from tui import figures

    rows = board.board(reading.connection, reading.now_ms - HOUR_MS, SESSIONS_SHOWN)
    enabled = {name for name, job in reading.config.job.items() if job.enabled}
    scan = events.notice(reading.connection, "scan")
    newest = {row.last_run_id: row.id for row in rows}
    held_up = {newest[run.id]: run for run in runs.waiting(reading.connection) if run.id in newest}
    asking = frozenset(session for session, run in held_up.items() if run.waits_for == "approval")
    asking |= asking_sessions(reading)
    timed = frozenset(row.id for row in rows if row.job is not None and row.job in enabled)
    return SessionBoard(
        rows=tuple(clean_record(row) for row in rows),
        waiting=timed | (held_up.keys() - asking),
        asking=asking,
        runs={session: run.id for session, run in held_up.items()},
        cache=figures.cache_board(reading.connection, rows, reading.now_ms),
        scanning=clean_record(scan).text if scan else "",
    )


def job_board(reading: Reading) -> tuple[Any, ...]:
    """Every job; a slot whose run waits says so."""
    rows = reading.boards.job_board(reading.connection, reading.config, reading.now_ms)
    waiting = {run.id: run.waits_for for run in runs.waiting(reading.connection)}
    return tuple(clean_record(_with_waits(row, waiting)) for row in rows)


def _with_waits(row: Any, waiting: Mapping[int, str | None]) -> Any:
    seen = tuple(_with_wait(slot, waiting) for slot in row.slots)
    return row if seen == row.slots else msgspec.structs.replace(row, slots=seen)


def _with_wait(slot: slots.Slot, waiting: Mapping[int, str | None]) -> slots.Slot:
    """Its state becomes `asking` or `waiting` for as long as its run cannot start."""
    if slot.run_id is None or slot.run_id not in waiting:
        return slot
    return msgspec.structs.replace(slot, state="asking" if waiting[slot.run_id] == "approval" else "waiting")


def budget_board(reading: Reading) -> BudgetBoard:
    rows = reading.boards.budget_board(reading.connection, reading.config, reading.now_ms)
    windows = reading.boards.subscription_board(reading.connection, reading.now_ms)
    return BudgetBoard(tuple(clean_record(row) for row in rows), tuple(clean_record(row) for row in windows))


def skill_board(reading: Reading) -> SkillBoard:
    found = skills.found(reading.connection)
    return SkillBoard(
        sets=tuple(clean_record(row) for row in reading.boards.skill_board(reading.connection, reading.config)),
        found=tuple(clean_record(skill) for skill in found),
        held=held_skills(found, skills.pins(reading.connection)),
    )


def run_list(reading: Reading) -> tuple[runs.Run, ...]:
    """Each with what it was asked."""
    return tuple(clean_record(with_task(run)) for run in runs.latest(reading.connection, RUNS_SHOWN))


def event_list(reading: Reading) -> tuple[events.Event, ...]:
    """The newest first."""
    return tuple(clean_record(event) for event in events.latest(reading.connection, EVENTS_SHOWN))


def notice_list(reading: Reading) -> tuple[events.Notice, ...]:
    return tuple(clean_record(notice) for notice in events.notices(reading.connection))


def spend(reading: Reading) -> Spend:
    from tui import figures

    found = totals(reading.connection, Span(_midnight_ms(reading.now_ms, reading.zone)))
    pace = figures.pace(reading.connection, reading.now_ms)
    return Spend(
        today=found.tokens,
        cost_microusd=found.cost_microusd,
        unpriced=found.unpriced,
        responses=found.responses,
        minutes=pace.minutes,
        burn=pace.per_minute,
        running=len(runs.live(reading.connection)),
    )


def engine_status(home: Home) -> EngineStatus:
    """Asks the lock, not the database: it is true the moment an engine dies."""
    found = holder(home)
    if found is None:
        return EngineStatus("none")
    return EngineStatus("up" if found.ready else "starting", found.started_ms, found.pid)


def session_detail(session_id: int) -> Callable[[Reading], SessionDetail | Gone]:
    def read(reading: Reading) -> SessionDetail | Gone:
        from tui import figures

        try:
            session = sessions.get(reading.connection, session_id)
        except NotFound as error:
            return Gone(error.line)
        generations = sessions.generations(reading.connection, session_id)
        found = {
            generation.id: clean_record(figures.conversation(reading.connection, reading.config, generation))
            for generation in generations[-GENERATIONS_SHOWN:]
        }
        return SessionDetail(
            session=clean_record(session),
            generations=tuple(clean_record(generation) for generation in generations),
            figures=found,
            runs=tuple(clean_record(run) for run in runs.latest(reading.connection, RUNS_SHOWN, session_id)),
        )

    return read


def run_detail(run_id: int) -> Callable[[Reading], RunDetail | Gone]:
    def read(reading: Reading) -> RunDetail | Gone:
        try:
            run = runs.get(reading.connection, run_id)
        except NotFound as error:
            return Gone(error.line)
        return _run_detail(reading, run)

    return read


def _run_detail(reading: Reading, run: runs.Run) -> RunDetail:
    connection, folder = reading.connection, reading.home.run_folder(run.id)
    receipt = receipts.of_run(connection, run.id)
    following = runs.resumption(connection, run.id)
    generation = sessions.generation(connection, run.generation_id) if run.generation_id else None
    session = sessions.get(connection, run.session_id) if run.session_id else None
    return RunDetail(
        run=clean_record(run),
        verdict=_decoded(run.verdict, Judgement),
        parts=_decoded(receipt.parts, tuple[ReceiptPart, ...]) or () if receipt else (),
        estimate=_decoded(run.estimate, Estimate),
        everything_tokens=receipt.everything_tokens if receipt else None,
        cache_break=_decoded(receipt.cache_break, CacheBreak) if receipt else None,
        decided=_decisions(receipt.decided) if receipt else (),
        changes=_decoded(run.changes, Changes),
        stop=_decoded(run.stop_reason, Stop),
        children=_children(connection, run.id),
        next_run=following.id if following else None,
        again=fallbacks.successor(connection, run.id),
        end=_decoded(run.end_record, EndRecord),
        asks=asked_of_run(reading, run.id) if run.live else (),
        asked=tuple(one.state for one in approvals.permissions(connection, run.id)),
        over=_over(run),
        usage=tuple(clean_record(row) for row in responses.of_run(connection, run.id)),
        raw=reported(run.raw_usage),
        held=ledger.held_by(connection, run.id, "tokens") or 0,
        generation=generation.number if generation else None,
        session_title=clean_record(session).title if session else None,
        tail=tuple(_tail(folder / "result.txt" if _answered(run, folder) else folder / "stdout.log")),
        errors=tuple(_tail(folder / "stderr.log")),
    )


def _over(run: runs.Run) -> "Over | None":
    from tui.run_words import over_cap

    try:
        return over_cap(run)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _children(connection: Connection, run_id: int) -> tuple[int, ...]:
    if not runs.children(connection, run_id):
        return ()
    return tuple(run.id for run in reversed(runs.latest(connection, RUNS_SHOWN)) if run.parent_run_id == run_id)


def _decisions(text: str) -> tuple[tuple[str, str], ...]:
    """Name and level of each value, cleaned."""
    try:
        told = msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeError):
        return ()
    return tuple((clean(name), clean(level)) for name, level in told.items())


def _answered(run: runs.Run, folder: Path) -> bool:
    """Whether there is an answer to show in place of what the child printed."""
    return not run.live and (folder / "result.txt").exists()


def _decoded(text: str | None, kind: Any) -> Any:
    """JSON that the engine stored, cleaned; None when there is none, or it is not what it should be."""
    try:
        value = msgspec.json.decode(text or "null", type=kind)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return tuple(clean_record(item) for item in value) if isinstance(value, tuple) else clean_record(value)


def _tail(path: Any) -> list[str]:
    """The last lines of a run's output, cleaned. A run that has said nothing yet has no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            content = file.read(TAIL_BYTES)
    except OSError:
        return []
    lines = clean_block(content.decode("utf-8", "replace"))
    return lines[:-1] if lines and not lines[-1] else lines


def _midnight_ms(now_ms: int, zone: tzinfo | None) -> int:
    now = datetime.fromtimestamp(now_ms / 1000).astimezone(zone)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    aware = start.replace(tzinfo=zone) if zone else start.astimezone()
    return round((aware + timedelta(0)).timestamp() * 1000)
