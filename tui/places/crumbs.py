"""How did I get here? The way from the overview to this page, in one line that fits."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tui.actions.action import Context
from tui.actions.together import PLACES
from tui.clean import clean
from tui.reading import changes
from tui.widgets.cells import Cell, Span, cut, line_width

BETWEEN = " > "
_TITLE, _LEAST = 100, 8
"""Cells that the name of a page may have where there is room, and those that are left of one on the way."""
_FROM = {
    **dict.fromkeys(("inbox", "usage", "gone", "help", "result"), "overview"),
    "session": "sessions",
    "job": "jobs",
    "budget": "budgets",
    "skill": "skills",
}
"""What is on the way to a page, from wherever it was opened; of the others it is the pane with the keyboard."""
_FILLED_IN: frozenset[Context] = frozenset({"sheet", "spawn"})
"""Pages whose own first line is their title."""


def trail(above: Sequence[Any], screen: Any, pane: str, latest: Mapping[Any, Any]) -> tuple[str, ...]:
    """The names of the pages `above` the overview, then of this one; before them the pane that it began in."""
    pages = [*above, screen]
    start = next((_FROM[context] for context in pages[0].CONTEXTS if context in _FROM), pane)
    return (PLACES[cast("Context", start)].lower(), *(name(page, latest) for page in pages))


def name(screen: Any, latest: Mapping[Any, Any]) -> str:
    """What a page is called: by the thing that it is about."""
    run, session = getattr(screen, "run_id", None), getattr(screen, "session_id", None)
    if run is not None:
        return f"run {run}"
    if session is not None:
        return _title(session, latest)
    if _FILLED_IN.intersection(screen.CONTEXTS):
        return "sheet"
    about = getattr(screen, "about", None)
    return clean(about, _TITLE) if about else PLACES[screen.CONTEXTS[0]].lower() if screen.CONTEXTS else "page"


def is_named(text: str, names: Sequence[str]) -> bool:
    """Whether the way says this already."""
    return clean(text, _TITLE) in names


def crumb_line(names: Sequence[str], width: int) -> Cell:
    """The last one whole as far as it can be; of the others so much as there is room for, then `…`."""
    parts = list(names)
    left_out = 0
    while len(parts) > (3 if left_out else 2) and _least(parts) > width:
        parts[1 : 3 if left_out else 2] = ["…"]
        left_out += 1
    room = width - len(BETWEEN) * (len(parts) - 1)
    widths = [line_width(((part, "dim"),)) for part in parts]
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    spans: list[Span] = []
    for number, (part, wide) in enumerate(zip(parts, widths, strict=True)):
        last = number == len(parts) - 1
        spans += cut(((part, "text" if last else "dim"),), wide)
        spans += [] if last else [(BETWEEN, "dim")]
    return tuple(spans)


def _least(parts: Sequence[str]) -> int:
    return sum(min(_LEAST, line_width(((part, "dim"),))) for part in parts) + len(BETWEEN) * (len(parts) - 1)


def _title(session_id: int, latest: Mapping[Any, Any]) -> str:
    known = latest.get(changes.SessionsChanged)
    rows = known.board.rows if known is not None else ()
    row = next((row for row in rows if row.id == session_id), None)
    said = (row.title or row.job) if row is not None else None
    return clean(said, _TITLE) if said else f"session {session_id}"
