"""How does a run look among the sessions, that waits for the operator's word and has no session yet?"""

from collections.abc import Sequence
from typing import Any

from tui.panes.copies import Copies
from tui.reading.states import State, Unstarted
from tui.text import age
from tui.widgets.cells import Cell, span

LACKS = "it has no session yet"
_UNKNOWN: Cell = span("-", "dim")


def title(row: Unstarted) -> str:
    return row.run.task or f"run {row.run.id}"


def state(row: Unstarted) -> State:
    return State("!", "needs me", f"asks: {row.asks}")


def cells(row: Unstarted, now_ms: int, columns: Sequence[str]) -> tuple[Cell, ...]:
    """One for each of these columns: whatever a session has, and it has not, is unknown."""
    told = state(row)
    said: dict[str, Cell] = {
        "S": span(told.letter, told.tone),
        "agent": span(row.run.agent),
        "session": span(title(row)),
        "state": span(told.word, told.tone),
        "active": span(age(row.run.requested_ms, now_ms) if now_ms else "", "dim"),
        "why": span(told.why, told.tone),
        "lane": span(row.run.lane, "dim"),
        "model": span(row.run.model or "-", "dim"),
    }
    return tuple(said.get(column, _UNKNOWN) for column in columns)


def worth(row: Unstarted, column: str) -> Any:
    match column:
        case "S":
            return state(row).rank
        case "agent":
            return row.run.agent
        case "session":
            return title(row)
        case "active":
            return row.run.requested_ms
        case "model":
            return row.run.model
        case _:
            return None


def copies(row: Unstarted) -> Copies:
    return tuple(
        (what, text)
        for what, text in (
            ("run id", str(row.run.id)),
            ("what was asked", row.run.task),
            ("workspace", row.run.workspace),
        )
        if text
    )
