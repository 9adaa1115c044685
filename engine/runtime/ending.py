"""How did the processes of a run end, whatever state its records are in?"""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine.config.model import Config
from engine.contract.clock import Clock
from engine.contract.orders import RunRequest
from engine.contract.outcome import EndRecord
from engine.execution.follow import wait_for_end
from state import runs
from state.errors import StateError


async def end_of(folder: Path, clock: Clock) -> EndRecord:
    """As soon as all of them are gone."""
    try:
        return await wait_for_end(folder)
    except StateError as error:  # its records are damaged: what became of it cannot be known any more
        return broken_off(str(error), clock)


def never_started(why: str, clock: Clock) -> EndRecord:
    now_ms = clock.now_ms()
    return EndRecord("could_not_start", None, None, now_ms, now_ms, 0.0, why=why)


def broken_off(why: str, clock: Clock) -> EndRecord:
    now_ms = clock.now_ms()
    return EndRecord("interrupted", None, None, now_ms, now_ms, 0.0, why=why)


def answered(run: runs.Run, clock: Clock) -> EndRecord:
    """Of a turn: it is over, and its program waits for the next."""
    return of_turn(run, EndRecord("succeeded", None, None, 0, clock.now_ms(), 0.0, sandbox=run.sandbox or ""))


def of_turn(run: runs.Run, end: EndRecord) -> EndRecord:
    """How its program ended, with the times of the turn in which it did."""
    started_ms = run.started_ms or end.ended_ms
    return replace(end, started_ms=started_ms, duration_s=max(0, end.ended_ms - started_ms) / 1000)


def leave_s(run: runs.Run, config: Config) -> float:
    """How long its program may take to leave a turn once it is asked to: a half of the grace. The other half is for its
    keeper to end it in."""
    asked = msgspec.json.decode(run.request, type=RunRequest).grace_s if run.request else None
    return (config.grace_s if asked is None else asked) / 2
