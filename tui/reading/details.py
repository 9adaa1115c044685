"""What does the console read of one thing, for its own page: a session, a run?

A reading takes an open connection and returns frozen, cleaned values, like those of the panes in `views`.
"""

from collections.abc import Callable, Mapping
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.contract.outcome import EndRecord, Stop
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart
from engine.scopes.violations import Changes
from state import approvals, fallbacks, ledger, receipts, responses, runs, sessions
from state.database import Connection
from state.errors import NotFound
from tui.clean import clean, clean_block, clean_record
from tui.reading.asked import Asked, asked_of_run
from tui.reading.reported import RawUsage, reported
from tui.reading.snapshot import Gone, Reading
from tui.reading.tools_seen import ToolSeen, tools_seen

if TYPE_CHECKING:
    from tui.reading.figures import ConversationFigures
    from tui.reading.run_words import Over

RUNS_SHOWN = 500
TAIL_BYTES = 32 * 1024
HEAD_BYTES = 2048
"""Of an answer, what its first paragraph is sought in."""
GENERATIONS_SHOWN = 6


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
    tools: tuple[ToolSeen, ...] | None = None
    """What it used, in its order; None where that is not known."""
    over: "Over | None" = None
    """A limit of its own that it went over."""
    said: str = ""
    """Of its answer the first paragraph; of what a program printed, the last line."""


def session_detail(session_id: int) -> Callable[[Reading], SessionDetail | Gone]:
    def read(reading: Reading) -> SessionDetail | Gone:
        from tui.reading import figures

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
    tail = _tail(folder / "result.txt" if _answered(run, folder) else folder / "stdout.log")
    receipt = receipts.of_run(connection, run.id)
    following = runs.resumption(connection, run.id)
    generation = sessions.generation(connection, run.generation_id) if run.generation_id else None
    session = sessions.get(connection, run.session_id) if run.session_id else None
    return RunDetail(
        run=clean_record(run),
        verdict=decoded(run.verdict, Judgement),
        parts=decoded(receipt.parts, tuple[ReceiptPart, ...]) or () if receipt else (),
        estimate=decoded(run.estimate, Estimate),
        everything_tokens=receipt.everything_tokens if receipt else None,
        cache_break=decoded(receipt.cache_break, CacheBreak) if receipt else None,
        decided=_decisions(receipt.decided) if receipt else (),
        changes=decoded(run.changes, Changes),
        stop=decoded(run.stop_reason, Stop),
        children=_children(connection, run.id),
        next_run=following.id if following else None,
        again=fallbacks.successor(connection, run.id),
        end=decoded(run.end_record, EndRecord),
        asks=asked_of_run(reading, run.id) if run.live else (),
        asked=tuple(one.state for one in approvals.permissions(connection, run.id)),
        tools=tools_seen(reading.home, run),
        over=_over(run),
        usage=tuple(clean_record(row) for row in responses.of_run(connection, run.id)),
        raw=reported(run.raw_usage),
        held=ledger.held_by(connection, run.id, "tokens") or 0,
        generation=generation.number if generation else None,
        session_title=clean_record(session).title if session else None,
        tail=tuple(tail),
        said="" if run.open else _said(run, folder, tail),
        errors=tuple(_tail(folder / "stderr.log")),
    )


def _over(run: runs.Run) -> "Over | None":
    from tui.reading.run_words import over_cap

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


def _said(run: runs.Run, folder: Path, tail: list[str]) -> str:
    """A model answers with what matters first; a program prints what came of it last."""
    if run.adapter == "command":
        return next((line.strip() for line in reversed(tail) if line.strip()), "")
    try:
        with (folder / "result.txt").open("rb") as file:
            text = file.read(HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    first = takewhile(str.strip, dropwhile(lambda line: not line.strip(), clean_block(text)))
    return " ".join(line.strip() for line in first)


def decoded(text: str | None, kind: Any) -> Any:
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
