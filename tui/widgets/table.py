"""A list of any length under the keyboard: draws only the lines that are visible, and only those that changed."""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import actions
from tui.lists.order import Order
from tui.theme import Palette
from tui.widgets.cells import GAP, Cell, Column, Placed, cut, place, strip
from tui.widgets.focus import QuietFocus

R = TypeVar("R")

_BETWEEN: Cell = ((" " * GAP, "text"),)
MARK = "*"
_MARKED: Cell = ((MARK + " " * (GAP - 1), "warn"),)
"""In a row that is marked, where a blank is otherwise: behind the first column, when that has none."""
_IS_MARKED: Cell = (("", "warn"),)
SLIP_S = 1.0
"""So long after another row came under the cursor by itself, a key may have been meant for the one before it: that is
how long somebody looks, and what a slow link takes."""


class Table(QuietFocus, ScrollView, Generic[R], can_focus=True):
    """Rows of fixed columns. The cursor stays on its row, told by key, wherever the row moves; until somebody moves it
    from the top, it stays there."""

    BINDINGS = actions.bindings("table")

    DEFAULT_CSS = """
    Table { scrollbar-size: 0 0; height: 1fr; overflow-x: hidden; }
    """

    clock = staticmethod(time.monotonic)

    class RowChosen(Message):
        """A row was clicked while the cursor was on it."""

    class CursorMoved(Message):
        """The cursor is on another row now, or the row under it changed."""

    class Scrolled(Message):
        """Other rows are out of sight now."""

    def __init__(
        self,
        columns: Sequence[Column],
        key: Callable[[R], Hashable],
        draw: Callable[[R], Sequence[Cell]],
        palette: Palette,
    ) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.rows: Sequence[R] = ()
        self.cursor = 0
        self._moved = False
        """Whether somebody has moved the cursor from the top: it stays there until then, whichever row that is."""
        self._slipped_s = -SLIP_S
        """When another row came under the cursor without anybody moving it."""
        self.order: Order | None = None
        """How the rows are ordered, where that is said; for the head."""
        self.orderable = False
        """Whether the letters of the columns do anything here."""
        self.marked: frozenset[Hashable] = frozenset()
        """Keys of the rows that are marked."""
        self._key, self._draw, self._palette = key, draw, palette
        self._placed: tuple[Placed, ...] = ()
        self._placed_in = -1
        self._drawn: dict[int, tuple[Cell, ...]] = {}

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[R], from_top: bool = False) -> None:
        """Take other rows, with `from_top` as a list that was just opened; lines that look as before are not drawn
        again."""
        before = self.selected
        sought = None if before is None else self._key(before)
        resized = len(rows) != len(self.rows)
        self.rows = rows
        self._moved = self._moved and not from_top and bool(rows)
        self.cursor = self._find(sought) if self._moved else 0
        if resized:
            self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.keep_visible()
        self.refresh_changed()
        if before != self.selected:
            if not from_top:
                self._note_slip(sought)
            self.post_message(self.CursorMoved())

    def _note_slip(self, before: Hashable | None) -> None:
        """It is the same row, if it only looks different now."""
        here = self.selected
        if before is not None and here is not None and self._key(here) != before:
            self._slipped_s = self.clock()

    def slipped(self) -> bool:
        """Whether a key that comes now may have been meant for the row that was here a moment ago. Asked once: whoever
        has been told so means the row that is here."""
        slipped_s, self._slipped_s = self._slipped_s, -SLIP_S
        return self.clock() < slipped_s + SLIP_S

    @property
    def above(self) -> int:
        """How many rows are scrolled out of sight at the top."""
        return round(self.scroll_y)

    @property
    def below(self) -> int:
        """How many rows have no room at the bottom; none while nothing is shown at all."""
        return max(0, len(self.rows) - self.above - self.size.height + 1) if self.size.height else 0

    def refresh_changed(self) -> None:
        """Draw again what looks different now: after new rows, or because time has passed."""
        for y in list(self._drawn):
            self._redraw(y)

    def render_line(self, y: int) -> Strip:
        """The head, or the row that is scrolled to this line."""
        width = self.size.width
        self._fit(width)
        cells = self._drawn[y] = self._cells_at(y)
        spaced = self._spaced_head(cells) if y == 0 else self._spaced(cells)
        return strip(spaced, width, self._palette, self._over(y))

    def refresh_focus(self) -> None:
        self._refresh_row(self.cursor)
        self._redraw(0)

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, as far as there are rows."""
        row = max(0, min(row, len(self.rows) - 1))
        self._moved = row > 0
        if row == self.cursor:
            return
        old, self.cursor = self.cursor, row
        for changed in (old, row):
            self._refresh_row(changed)
        self.keep_visible()
        self.post_message(self.CursorMoved())

    def keep_visible(self) -> None:
        """Scroll just as far as the cursor needs."""
        room, top = max(1, self.size.height - 1), round(self.scroll_y)
        wanted = min(max(top, self.cursor - room + 1), self.cursor)
        wanted = max(0, min(wanted, len(self.rows) - room))
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())

    def use_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size.width)
        self._drawn.clear()
        self.virtual_size = Size(event.size.width, len(self.rows) + 1)
        self.keep_visible()
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + round(self.scroll_y)
        if event.y < 1 or row >= len(self.rows):
            return
        if row == self.cursor and event.chain > 1:
            self.post_message(self.RowChosen())
        self.move_to(row)

    def action_cursor(self, step: int) -> None:
        self.move_to(self.cursor + step)

    def action_page(self, step: float) -> None:
        self.move_to(self.cursor + int(step * max(2, self.size.height - 2)))

    def action_end(self, step: int) -> None:
        self.move_to(0 if step < 0 else len(self.rows) - 1)

    def _fit(self, width: int) -> None:
        """Place the columns: a line may be asked for before the size is told, and would be drawn twice."""
        if width != self._placed_in:
            self._placed, self._placed_in = place(self.columns, width), width

    def _find(self, sought: Hashable | None) -> int:
        """Where the row with this key is now; a row that has gone leaves the cursor where it was."""
        last = max(0, len(self.rows) - 1)
        if sought is None:
            return min(self.cursor, last)
        if self.cursor <= last and self.rows and self._key(self.rows[self.cursor]) == sought:
            return self.cursor
        keys = (number for number, row in enumerate(self.rows) if self._key(row) == sought)
        return next(keys, min(self.cursor, last))

    def _cells_at(self, y: int) -> tuple[Cell, ...]:
        if y == 0:
            head = tuple(cut(self._head(c, p.width), p.width, c.align) for c, p in self._columns())
            return head if self._gap() is None or self.order is None else (*head, ((self.order.mark, "accent"),))
        row = y - 1 + round(self.scroll_y)
        if row >= len(self.rows):
            return ()
        cells = self._draw(self.rows[row])
        cut_cells = tuple(cut(cells[p.index], p.width, c.align) for c, p in self._columns())
        if self.marked and self._key(self.rows[row]) in self.marked:
            cut_cells = (*cut_cells, _IS_MARKED)
        return (*cut_cells, (("", "cursor"),)) if row == self.cursor else cut_cells

    def _head(self, column: Column, width: int) -> Cell:
        """The title: with the mark of the order, and with the letter of the column where the keyboard is."""
        title = column.title
        if self.order is not None and self.order.by == title:
            room = width - len(title)
            mark = "" if room < 1 else f"{' ' * (room > 1)}{self.order.mark}"
            return ((f"{title}{mark}", "accent"),)
        shows = self.orderable and self.has_focus
        at = title.casefold().find(column.letter.casefold()) if column.letter and shows else -1
        if at < 0:
            return ((title, "dim"),)
        return ((title[:at], "dim"), (title[at], "text"), (title[at + 1 :], "dim"))

    def _gap(self) -> int | None:
        """The gap in which the mark of the order stands, where the title of the column leaves it no room: behind the
        column, of the last one before it."""
        for number, (column, placed) in enumerate(self._columns()):
            if self.order is not None and column.title == self.order.by and placed.width <= len(column.title):
                return min(number, len(self._placed) - 2) if len(self._placed) > 1 else None
        return None

    def _columns(self) -> list[tuple[Column, Placed]]:
        return [(self.columns[placed.index], placed) for placed in self._placed]

    def _spaced_head(self, cells: tuple[Cell, ...]) -> list[Cell]:
        """With the mark of the order in the gap, where it has no room in its column."""
        spaced = self._spaced(cells[: len(self._placed)])
        if (gap := self._gap()) is not None and len(cells) > len(self._placed):
            spaced[2 * gap + 1] = cells[-1]
        return spaced

    def _spaced(self, cells: tuple[Cell, ...]) -> list[Cell]:
        spaced = [part for cell in cells for part in (cell, _BETWEEN)][:-1]
        if _IS_MARKED in cells[-2:]:
            _mark(spaced)
        return spaced

    def _over(self, y: int) -> Style | None:
        if y == 0 or not self.rows or y - 1 + round(self.scroll_y) != self.cursor:
            return None
        return self._palette.cursor if self.has_focus else self._palette.cursor_off

    def _refresh_row(self, row: int) -> None:
        y = row + 1 - round(self.scroll_y)
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _redraw(self, y: int) -> None:
        """Draw again what of this line looks different now."""
        old = self._drawn.get(y)
        if old is None or (new := self._cells_at(y)) == old:
            return
        self._drawn[y] = new
        self._refresh_line_parts(y, old, new)

    def _refresh_line_parts(self, y: int, old: tuple[Cell, ...], new: tuple[Cell, ...]) -> None:
        """Only the cells that differ, when the line keeps its shape; else all of it."""
        columns = len(self._placed)
        if len(old) != len(new) or old[columns:] != new[columns:]:
            self.refresh(Region(0, y, self.size.width, 1))
            return
        for placed, before, after in zip(self._placed, old, new, strict=False):
            if before != after:
                self.refresh(Region(placed.x, y, placed.width, 1))


def _mark(spaced: list[Cell]) -> None:
    """Before a number that leaves room for it, else behind the first column."""
    text, tone = spaced[0][0]
    if text[:1] == " ":
        spaced[0] = ((MARK, "warn"), (text[1:], tone), *spaced[0][1:])
    else:
        spaced[1] = _MARKED
