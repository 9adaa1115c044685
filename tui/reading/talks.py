"""What was said in a session, run by run, and how is one more message asked for? Read in the feed's thread, together
with what the session has been through."""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.contract.orders import RunRequest
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart
from state import approvals, receipts, responses, runs, sessions
from state.database import Connection
from state.usage import BASES, CONFIDENCES
from tui.clean import clean, clean_record, clean_whole
from tui.reading import able
from tui.reading.asked import Asked, asked_of, asked_of_run
from tui.reading.details import Judgement, SessionDetail, decoded, session_detail
from tui.reading.model_before import model_before
from tui.reading.snapshot import Gone, Reading

TURNS_SHOWN = 12
RESPONSES_SHOWN = 20
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
    parts: tuple[ReceiptPart, ...] = ()
    """What its prompt carried."""
    cache_break: CacheBreak | None = None


class Talk(Struct, frozen=True):
    """Some runs of a session one after the other, oldest first, and what it has been through in all."""

    detail: SessionDetail
    workspace: str
    """As it is, for the next request; what is shown is the session's."""
    turns: tuple[Turn, ...]
    asks: tuple[Asked, ...]
    """What the live run waits to be allowed, or what has to be allowed before the next can start."""
    latest: tuple[responses.BookedResponse, ...]
    """The last responses of the conversation that it stands in, oldest first."""
    model: str | None
    """Which the last run was told in so many words; None where its agent says."""
    no_talk: str = ""
    """Why nothing can be said in it; empty when it can."""
    no_attach: str = ""
    """Why its program cannot be opened on it; empty when it may be."""

    @property
    def session(self) -> sessions.Session:
        return self.detail.session

    @property
    def open(self) -> runs.Run | None:
        """The run of which anything may still become."""
        return next((run for run in self.detail.runs if run.open), None)


def talk(session_id: int, upto_run_id: int | None = None) -> Callable[[Reading], Talk | Gone]:
    """With the last runs, or with those up to the named one where that is older than these."""

    def read(reading: Reading) -> Talk | Gone:
        detail = session_detail(session_id)(reading)
        if isinstance(detail, Gone):
            return detail
        session = sessions.get(reading.connection, session_id)
        ids = window([run.id for run in detail.runs], upto_run_id)
        return Talk(
            detail=detail,
            workspace=session.workspace or os.getcwd(),  # noqa: PTH109
            turns=tuple(_turn(reading, runs.get(reading.connection, run_id)) for run_id in ids),
            asks=_asks(reading, next((run for run in detail.runs if run.open), None)),
            latest=_latest(reading.connection, session.generation_id),
            model=model_before(reading.connection, session_id, reading.config),
            no_talk=able.no_talk(session.agent, reading.config),
            no_attach=able.no_attach_now(reading, session),
        )

    return read


def _latest(connection: Connection, generation_id: int | None) -> tuple[responses.BookedResponse, ...]:
    if generation_id is None:
        return ()
    found = responses.of_generation(connection, generation_id, RESPONSES_SHOWN)
    return tuple(clean_record(one) for one in reversed(found))


def window(newest_first: Sequence[int], upto: int | None) -> list[int]:
    """The runs that are read, oldest first: the last ones, unless an older one is wanted."""
    last = newest_first[:TURNS_SHOWN]
    if upto in newest_first and upto not in last:
        at = newest_first.index(upto)
        last = newest_first[at : at + TURNS_SHOWN]
    return list(reversed(last))


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


def _asks(reading: Reading, run: runs.Run | None) -> tuple[Asked, ...]:
    if run is None or run.live:
        return asked_of_run(reading, run.id) if run is not None else ()
    asked = approvals.of_run(reading.connection, run.id)
    return (asked_of(asked),) if asked is not None and asked.state == "open" else ()


def _turn(reading: Reading, run: runs.Run) -> Turn:
    told = [] if run.open else _text(reading.home.run_folder(run.id) / "result.txt")
    checks = _checks(run.verdict)
    receipt = receipts.of_run(reading.connection, run.id)
    return Turn(
        run=clean_record(run),
        task=tuple(clean_whole(run.task or run.job or "", TASK_CHARS)),
        answer=tuple(told),
        checks=tuple(clean_record(check) for check in checks if not check.ok or check.warning),
        passed=sum(check.ok for check in checks),
        estimate=_estimate(run.estimate),
        used=None if run.open else _used(reading.connection, run.id),
        parts=decoded(receipt.parts, tuple[ReceiptPart, ...]) or () if receipt else (),
        cache_break=decoded(receipt.cache_break, CacheBreak) if receipt else None,
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
