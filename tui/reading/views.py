"""What does the console read of the state? One pure reading per thing that a pane or a screen shows.

A reading takes an open connection and returns frozen, cleaned values. The boards of jobs, budgets and skills belong to
the engine's rooms and are imported when first needed, since the first paint must not wait for them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.runtime.lease import holder
from state import (
    board,
    breakdown,
    events,
    runs,
    skills,
    slots,
)
from state.home import Home
from state.spend import Span, totals
from tui.clean import clean_record
from tui.reading.found import RUNS_SHOWN
from tui.reading.run_asked import with_task
from tui.reading.skill_page import held_skills
from tui.reading.snapshot import Reading
from tui.reading.states import Evidence, Unstarted, evidence, unstarted
from tui.text import HOUR_MS

if TYPE_CHECKING:
    from tui.reading.figures import CacheFigures

SESSIONS_SHOWN = 5000
EVENTS_SHOWN = 50


class SessionBoard(Struct, frozen=True):
    """The sessions, and what is known of them."""

    rows: tuple[board.BoardRow, ...]
    known: Mapping[int, Evidence]
    """By session, what is known of its state beside its row."""
    cache: Mapping[int, "CacheFigures"]
    """By session, for those that had any input."""
    scanning: str
    """What the notice of the first log scan says; empty when every log has been read."""
    unstarted: tuple[Unstarted, ...] = ()


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
    lanes: tuple[tuple[str, int], ...] = ()
    """Tokens of the last hour by lane, the largest first."""


class EngineStatus(Struct, frozen=True):
    """Who is the engine now?"""

    state: str
    """`up`, `starting` or `none`."""
    started_ms: int = 0
    pid: int = 0


def session_board(reading: Reading) -> SessionBoard:
    from tui.reading import figures

    rows = board.board(reading.connection, reading.now_ms - HOUR_MS, SESSIONS_SHOWN)
    scan = events.notice(reading.connection, "scan")
    known = evidence(reading, rows)
    return SessionBoard(
        rows=tuple(clean_record(row) for row in rows),
        known=known,
        cache=figures.cache_board(reading.connection, rows, reading.now_ms),
        scanning=clean_record(scan).text if scan else "",
        unstarted=unstarted(reading),
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
    from tui.reading import figures

    found = totals(reading.connection, Span(midnight_ms(reading.now_ms, reading.zone)))
    pace = figures.pace(reading.connection, reading.now_ms)
    return Spend(
        today=found.tokens,
        cost_microusd=found.cost_microusd,
        unpriced=found.unpriced,
        responses=found.responses,
        minutes=pace.minutes,
        burn=pace.per_minute,
        running=len(runs.live(reading.connection)),
        lanes=tuple(breakdown.by_lane(reading.connection, reading.now_ms - HOUR_MS)),
    )


def engine_status(home: Home) -> EngineStatus:
    """Asks the lock, not the database: it is true the moment an engine dies."""
    found = holder(home)
    if found is None:
        return EngineStatus("none")
    return EngineStatus("up" if found.ready else "starting", found.started_ms, found.pid)


def midnight_ms(now_ms: int, zone: tzinfo | None) -> int:
    now = datetime.fromtimestamp(now_ms / 1000).astimezone(zone)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    aware = start.replace(tzinfo=zone) if zone else start.astimezone()
    return round((aware + timedelta(0)).timestamp() * 1000)
