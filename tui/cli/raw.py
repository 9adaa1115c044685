"""What did each run of ours report, and what was booked for it? Side by side, so that a difference is seen."""

from collections.abc import Iterator
from typing import Any

import msgspec

from state import responses, runs, sessions
from state.database import Connection
from state.spend import Span
from tui.cli.sums import booked_view, cost_cell
from tui.cli.verb import table

MOST_RUNS = 200

_INPUT = ("input_tokens", "prompt_tokens", "input")
_OUTPUT = ("output_tokens", "completion_tokens", "output")
"""Names under which agents report."""


def metadata(run: runs.Run) -> dict[str, Any]:
    """How a run was put together: what a comparison of runs is about. `None` where it is not known."""
    return {
        "session_reused": _flag(run.reused),
        "task_session_reused": _flag(run.task_session_reused),
        "prompt_chars": run.prompt_chars,
        "instructions_chars": run.instructions_chars,
        "has_instructions_file": _flag(run.has_instructions_file),
        "skill_set_hash": run.skill_set_hash,
        "skill_count": run.skill_count,
        "context_fetch_mode": run.context_fetch_mode,
    }


def reported(run: runs.Run) -> Any:
    """The usage as the agent itself reported it; None when it reported none."""
    return None if run.raw_usage is None else msgspec.json.decode(run.raw_usage)


def raw_runs(connection: Connection, span: Span) -> list[dict[str, Any]]:
    """The newest runs that were asked for within the span, of one source or of all; refused ones used nothing."""
    found: list[dict[str, Any]] = []
    for run in _newest_first(connection):
        if run.requested_ms < span.since_ms or len(found) == MOST_RUNS:
            break
        if run.requested_ms < span.until_ms and run.state != "refused" and _is_of(connection, run, span.source):
            found.append(_row(connection, run))
    return found


def _newest_first(connection: Connection) -> Iterator[runs.Run]:
    """Every run, in lists that get longer until one is not full: most questions end in the first."""
    seen, limit = 0, 2 * MOST_RUNS
    while True:
        some = runs.latest(connection, limit)
        yield from some[seen:]
        if len(some) < limit:
            return
        seen, limit = len(some), limit * 4


def _is_of(connection: Connection, run: runs.Run, source: str | None) -> bool:
    if source is None:
        return True
    return run.generation_id is not None and sessions.generation(connection, run.generation_id).source == source


def _row(connection: Connection, run: runs.Run) -> dict[str, Any]:
    booked = booked_view(responses.of_run(connection, run.id))
    basis, confidence = (booked.pop("basis"), booked.pop("confidence")) if booked else (None, None)
    return {
        "run": run.id,
        "session": run.session_id,
        "agent": run.agent,
        "trigger": run.trigger,
        "task_type": run.task_type,
        **metadata(run),
        "raw": reported(run),
        "booked": booked,
        "basis": basis,
        "confidence": confidence,
    }


def raw_table(rows: list[dict[str, Any]]) -> str:
    """The same for a person: reported against booked."""
    if not rows:
        return "No runs."
    cells = [
        (
            row["run"],
            row["agent"],
            row["trigger"],
            _named(row["raw"], _INPUT),
            _named(row["booked"], _INPUT),
            _named(row["raw"], _OUTPUT),
            _named(row["booked"], _OUTPUT),
            cost_cell(row["booked"]) if row["booked"] else "-",
            row["basis"] or "-",
        )
        for row in rows
    ]
    header = ("run", "agent", "trigger", "raw in", "booked", "raw out", "booked", "cost", "basis")
    return table(header, cells, right=(0, 3, 4, 5, 6, 7))


def _named(counts: Any, names: tuple[str, ...]) -> str:
    """The first of these that is told, as a cell."""
    found = next((counts[name] for name in names if name in counts), None) if isinstance(counts, dict) else None
    return f"{found:,}" if isinstance(found, int) else "-"


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
