"""A list of any length under the keyboard: draws only the lines that are visible, and only those that changed."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import actions
from tui.theme import Palette
from tui.widgets.cells import GAP, Cell, Column, Placed, cut, place, strip

R = TypeVar("R")

_BETWEEN: Cell = ((" " * GAP, "text"),)


class Table(ScrollView, Generic[R], can_focus=True):
    """Rows of fixed columns. The cursor stays on its row, told by key, wherever the row moves."""

    BINDINGS = actions.bindings("table")

    DEFAULT_CSS = """
    Table { scrollbar-size: 0 0; height: 1fr; overflow-x: hidden; }
    """

    class RowChosen(Message):
        """A row was clicked while the cursor was on it."""

    class CursorMoved(Message):
        """The cursor is on another row now, or the row under it changed."""

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
        self.keeps_first = False
        """A cursor on the first row stays on the first row, whichever that is."""
        self._key, self._draw, self._palette = key, draw, palette
        self._placed: tuple[Placed, ...] = ()
        self._drawn: dict[int, tuple[Cell, ...]] = {}

    @property
    def selected(self) -> R | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: Sequence[R]) -> None:
        """Take other rows. The cursor follows its row; lines that look as before are not drawn again."""
        before = self.selected
        sought = None if before is None else self._key(before)
        resized = len(rows) != len(self.rows)
        self.rows = rows
        self.cursor = 0 if self.keeps_first and self.cursor == 0 else self._find(sought)
        if resized:
            self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.keep_visible()
        self.refresh_changed()
        if before != self.selected:
            self.post_message(self.CursorMoved())

    @property
    def above(self) -> int:
        """How many rows are scrolled out of sight at the top."""
        return round(self.scroll_y)

    def refresh_changed(self) -> None:
        """Draw again what looks different now: after new rows, or because time has passed."""
        for y, old in list(self._drawn.items()):
            new = self._cells_at(y)
            if new != old:
                self._drawn[y] = new
                self._refresh_line_parts(y, old, new)

    def render_line(self, y: int) -> Strip:
        """The head, or the row that is scrolled to this line."""
        width = self.size.width
        cells = self._drawn[y] = self._cells_at(y)
        return strip(self._spaced(cells), width, self._palette, self._over(y))

    def move_to(self, row: int) -> None:
        """Put the cursor on a row, as far as there are rows."""
        row = max(0, min(row, len(self.rows) - 1))
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

    def use_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._placed = place(self.columns, event.size.width)
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

    def action_page(self, step: int) -> None:
        self.move_to(self.cursor + step * max(1, self.size.height - 2))

    def action_end(self, step: int) -> None:
        self.move_to(0 if step < 0 else len(self.rows) - 1)

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
            return tuple(cut(((c.title, "dim"),), p.width, c.align) for c, p in self._columns())
        row = y - 1 + round(self.scroll_y)
        if row >= len(self.rows):
            return ()
        cells = self._draw(self.rows[row])
        cut_cells = tuple(cut(cells[p.index], p.width, c.align) for c, p in self._columns())
        return (*cut_cells, (("", "cursor"),)) if row == self.cursor else cut_cells

    def _columns(self) -> list[tuple[Column, Placed]]:
        return [(self.columns[placed.index], placed) for placed in self._placed]

    def _spaced(self, cells: tuple[Cell, ...]) -> list[Cell]:
        return [part for cell in cells for part in (cell, _BETWEEN)][:-1]

    def _over(self, y: int) -> Style | None:
        if y == 0 or not self.rows or y - 1 + round(self.scroll_y) != self.cursor:
            return None
        return self._palette.cursor if self.has_focus else self._palette.cursor_off

    def _refresh_row(self, row: int) -> None:
        y = row + 1 - round(self.scroll_y)
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _refresh_line_parts(self, y: int, old: tuple[Cell, ...], new: tuple[Cell, ...]) -> None:
        """Only the cells that differ, when the line keeps its shape; else all of it."""
        if len(old) != len(new):
            self.refresh(Region(0, y, self.size.width, 1))
            return
        for placed, before, after in zip(self._placed, old, new, strict=False):
            if before != after:
                self.refresh(Region(placed.x, y, placed.width, 1))
