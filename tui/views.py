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

from engine.contract.verdict import ReceiptPart, Verdict
from engine.runtime.lease import holder
from state import board, events, ledger, responses, runs, sessions, skills
from state.database import Connection
from state.errors import NotFound
from state.home import Home
from state.spend import Span, totals
from tui.clean import clean_block, clean_record
from tui.reported import RawUsage, reported
from tui.text import HOUR_MS

if TYPE_CHECKING:
    from tui.figures import CacheFigures, ConversationFigures

SESSIONS_SHOWN = 5000
RUNS_SHOWN = 500
EVENTS_SHOWN = 50
TAIL_BYTES = 32 * 1024
GENERATIONS_SHOWN = 6


class Reading(Struct, frozen=True):
    """What a reading may look at."""

    home: Home
    connection: Connection
    now_ms: int
    config: Any
    """The configuration in force."""
    boards: Any
    """The module `engine.runtime.boards`."""
    zone: tzinfo | None


class SessionBoard(Struct, frozen=True):
    """The sessions, and which of them wait for a timer of their own."""

    rows: tuple[board.BoardRow, ...]
    waiting: frozenset[int]
    cache: Mapping[int, "CacheFigures"]
    """By session, for those that had any input."""
    scanning: str
    """What the notice of the first log scan says; empty when every log has been read."""


class SkillBoard(Struct, frozen=True):
    """The sets, and every skill that was found."""

    sets: tuple[Any, ...]
    found: tuple[skills.Skill, ...]


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


class RunDetail(Struct, frozen=True):
    """A run: why it was let through, what it was given, what it used and what it says."""

    run: runs.Run
    verdict: Verdict | None
    parts: tuple[ReceiptPart, ...]
    usage: tuple[responses.BookedResponse, ...]
    raw: RawUsage | None
    """The usage as the agent itself reported it."""
    held: int
    generation: int | None
    session_title: str | None
    tail: tuple[str, ...]
    errors: tuple[str, ...]


class Gone(Struct, frozen=True):
    """What was asked for is not there (any more)."""

    line: str


def session_board(reading: Reading) -> SessionBoard:
    from tui import figures

    rows = board.board(reading.connection, reading.now_ms - HOUR_MS, SESSIONS_SHOWN)
    enabled = {name for name, job in reading.config.job.items() if job.enabled}
    scan = events.notice(reading.connection, "scan")
    return SessionBoard(
        rows=tuple(clean_record(row) for row in rows),
        waiting=frozenset(row.id for row in rows if row.job is not None and row.job in enabled),
        cache=figures.cache_board(reading.connection, rows, reading.now_ms),
        scanning=clean_record(scan).text if scan else "",
    )


def job_board(reading: Reading) -> tuple[Any, ...]:
    rows = reading.boards.job_board(reading.connection, reading.config, reading.now_ms)
    return tuple(clean_record(row) for row in rows)


def budget_board(reading: Reading) -> BudgetBoard:
    rows = reading.boards.budget_board(reading.connection, reading.config, reading.now_ms)
    windows = reading.boards.subscription_board(reading.connection, reading.now_ms)
    return BudgetBoard(tuple(clean_record(row) for row in rows), tuple(clean_record(row) for row in windows))


def skill_board(reading: Reading) -> SkillBoard:
    return SkillBoard(
        sets=tuple(clean_record(row) for row in reading.boards.skill_board(reading.connection, reading.config)),
        found=tuple(clean_record(skill) for skill in skills.found(reading.connection)),
    )


def run_list(reading: Reading) -> tuple[runs.Run, ...]:
    return tuple(clean_record(run) for run in runs.latest(reading.connection, RUNS_SHOWN))


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
    receipt = runs.receipt(connection, run.id)
    generation = sessions.generation(connection, run.generation_id) if run.generation_id else None
    session = sessions.get(connection, run.session_id) if run.session_id else None
    return RunDetail(
        run=clean_record(run),
        verdict=_decoded(run.verdict, Verdict),
        parts=_decoded(receipt.parts, tuple[ReceiptPart, ...]) or () if receipt else (),
        usage=tuple(clean_record(row) for row in responses.of_run(connection, run.id)),
        raw=reported(run.raw_usage),
        held=ledger.held_by(connection, run.id),
        generation=generation.number if generation else None,
        session_title=clean_record(session).title if session else None,
        tail=tuple(_tail(folder / "result.txt" if _answered(run, folder) else folder / "stdout.log")),
        errors=tuple(_tail(folder / "stderr.log")),
    )


def _answered(run: runs.Run, folder: Path) -> bool:
    """Whether there is an answer to show in place of what the child printed."""
    return not run.live and (folder / "result.txt").exists()


def _decoded(text: str, kind: Any) -> Any:
    """JSON that the engine stored, cleaned; None when it is not what it should be."""
    try:
        value = msgspec.json.decode(text, type=kind)
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
