"""What was said in a session, run by run, and how is one more message asked for? Read in the feed's thread."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.contract.orders import RunRequest
from engine.contract.verdict import Check, Estimate
from state import approvals, responses, runs, sessions
from state.database import Connection
from state.errors import NotFound
from state.usage import BASES, CONFIDENCES
from tui.asked import Asked, asked_of, asked_of_run
from tui.clean import clean, clean_record, clean_whole
from tui.model_before import model_before
from tui.reading import Gone, Reading
from tui.views import Judgement

TURNS_SHOWN = 12
ANSWER_BYTES = 64 * 1024
"""Of a longer answer the end is shown; the page of its run tells where all of it is."""
TASK_CHARS = 16 * 1024


class TurnUsage(Struct, frozen=True):
    """What a run used, as booked so far."""

    input_tokens: int
    """Of all kinds."""
    cached_tokens: int
    """Of those, what came from the cache."""
    output_tokens: int
    cost_microusd: int
    responses: int
    unpriced: int
    basis: str
    """The weakest of its responses; with the weakest confidence."""
    confidence: str


class Turn(Struct, frozen=True):
    """One run: what was asked and what was answered. Cleaned."""

    run: runs.Run
    task: tuple[str, ...]
    answer: tuple[str, ...]
    checks: tuple[Check, ...]
    """Those of the gate that failed or warned."""
    passed: int = 0
    """How many passed."""
    estimate: Estimate | None = None
    used: TurnUsage | None = None
    """None while it is open, and where nothing is booked."""


class Talk(Struct, frozen=True):
    """The last runs of a session, oldest first."""

    session: sessions.Session
    workspace: str
    """As it is, for the next request; what is shown is the session's."""
    turns: tuple[Turn, ...]
    asks: tuple[Asked, ...]
    """What the live run waits to be allowed, or what has to be allowed before the next can start."""
    model: str | None
    """Which the last run was told in so many words; None where its agent says."""

    @property
    def open(self) -> runs.Run | None:
        """The run of which anything may still become."""
        return next((turn.run for turn in reversed(self.turns) if turn.run.open), None)


def talk(session_id: int) -> Callable[[Reading], Talk | Gone]:
    def read(reading: Reading) -> Talk | Gone:
        try:
            session = sessions.get(reading.connection, session_id)
        except NotFound as error:
            return Gone(error.line)
        found = list(reversed(runs.latest(reading.connection, TURNS_SHOWN, session_id)))
        return Talk(
            session=clean_record(session),
            workspace=session.workspace or os.getcwd(),  # noqa: PTH109
            turns=tuple(_turn(reading, run) for run in found),
            asks=_asks(reading, found),
            model=model_before(reading.connection, session_id, reading.config),
        )

    return read


def request(talk: Talk, text: str) -> RunRequest:
    """One more message in this session, for the gate to judge."""
    return RunRequest(
        workspace=talk.workspace,
        agent=talk.session.agent,
        model=talk.model,
        task_type="chat",
        task=text,
        session_id=talk.session.id,
    )


def _asks(reading: Reading, found: list[runs.Run]) -> tuple[Asked, ...]:
    run = next((run for run in reversed(found) if run.open), None)
    if run is None or run.live:
        return asked_of_run(reading, run.id) if run is not None else ()
    asked = approvals.of_run(reading.connection, run.id)
    return (asked_of(asked),) if asked is not None and asked.state == "open" else ()


def _turn(reading: Reading, run: runs.Run) -> Turn:
    told = [] if run.open else _text(reading.home.run_folder(run.id) / "result.txt")
    checks = _checks(run.verdict)
    return Turn(
        run=clean_record(run),
        task=tuple(clean_whole(run.task or run.job or "", TASK_CHARS)),
        answer=tuple(told),
        checks=tuple(clean_record(check) for check in checks if not check.ok or check.warning),
        passed=sum(check.ok for check in checks),
        estimate=_estimate(run.estimate),
        used=None if run.open else _used(reading.connection, run.id),
    )


def _checks(text: str) -> tuple[Check, ...]:
    try:
        return msgspec.json.decode(text, type=Judgement).checks
    except (msgspec.DecodeError, UnicodeError):
        return ()


def _estimate(text: str | None) -> Estimate | None:
    try:
        return None if text is None else msgspec.json.decode(text, type=Estimate)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _used(connection: Connection, run_id: int) -> TurnUsage | None:
    booked = responses.of_run(connection, run_id)
    if not booked:
        return None
    return TurnUsage(
        input_tokens=sum(one.input_tokens + one.cache_read_tokens + one.cache_write_tokens for one in booked),
        cached_tokens=sum(one.cache_read_tokens for one in booked),
        output_tokens=sum(one.output_tokens for one in booked),
        cost_microusd=sum(one.cost_microusd or 0 for one in booked),
        responses=len(booked),
        unpriced=sum(one.cost_microusd is None for one in booked),
        basis=max((one.basis for one in booked), key=BASES.index),
        confidence=max((one.confidence for one in booked), key=CONFIDENCES.index),
    )


def _text(path: Path) -> list[str]:
    """An answer, cleaned; empty where none is kept."""
    try:
        info = path.stat()
    except OSError:
        return []
    return _read(path, info.st_mtime_ns, info.st_size)


@lru_cache(maxsize=4 * TURNS_SHOWN)
def _read(path: Path, _mtime_ns: int, size: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - ANSWER_BYTES))
            text = file.read(ANSWER_BYTES).decode(errors="replace")
    except OSError:
        return []
    lines = [clean(line, max(1, len(line))) for line in text.replace("\r\n", "\n").expandtabs(4).rstrip().split("\n")]
    return [f"(the last {ANSWER_BYTES // 1024} KiB of {size:,} bytes)", *lines] if size > ANSWER_BYTES else lines
