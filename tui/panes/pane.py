"""What is every pane? A title, a list under the keyboard, a filter in place, and a text that teaches while empty."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui import actions
from tui.actions import Context
from tui.theme import Palette
from tui.widgets.cells import Cell, Column
from tui.widgets.lines import Lines
from tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.widgets import Input

R = TypeVar("R")


class Pane(Vertical, Generic[R]):
    """One board of the overview. Subclasses say what a row is, how it looks, and what can be done with it."""

    DEFAULT_CSS = """
    Pane { height: 1fr; }
    Pane > .-title { height: 1; }
    Pane > .-teaching { height: auto; display: none; padding: 0 0 0 1; }
    Pane.-empty > .-teaching { display: block; }
    Pane.-empty > Table { height: 1; }
    """

    CONTEXT: ClassVar[Context]
    COLUMNS: ClassVar[tuple[Column, ...]]
    TEACHING: ClassVar[tuple[str, ...]]
    """What this is, how it gets filled, with which key."""

    class FilterChanged(Message):
        """The list shows other rows now."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(id=self.CONTEXT)
        self.all_rows: Sequence[R] = ()
        self.filter_text = ""
        self.now_ms = 0
        self.known = False
        """Whether the feed has told us anything yet: an unread list is not an empty one."""
        self.palette = palette
        self.title_line = Lines(palette, classes="-title")
        self.table: Table[R] = Table(self.COLUMNS, self.key, self.cells, palette)
        teaching: list[Cell] = [((line, "dim"),) for line in self.TEACHING]
        self.teaching = Lines(palette, teaching, classes="-teaching")
        self.teaching.styles.height = len(teaching)

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table
        yield self.teaching

    def key(self, row: R) -> Hashable:
        """What makes a row the same row when it moves."""
        raise NotImplementedError

    def cells(self, row: R) -> Sequence[Cell]:
        """One cell for each of COLUMNS."""
        raise NotImplementedError

    def words(self, row: R) -> str:
        """The text that the filter looks in."""
        return " ".join(text for cell in self.cells(row) for text, _ in cell)

    def note(self) -> Cell:
        """What the title says at its right end, beside the number of rows."""
        return ()

    def number(self, rows: Sequence[R]) -> int:
        """How many of them the title counts."""
        return len(rows)

    def show(self, rows: Sequence[R]) -> None:
        """Take what the feed read."""
        self.all_rows, self.known = rows, True
        self._show_filtered()

    def tick(self, now_ms: int) -> None:
        """The time has moved on: ages may look different."""
        self.now_ms = now_ms
        self.table.refresh_changed()
        self.draw_title()

    def draw_title(self) -> None:
        digit, title = next((digit, title) for digit, name, title in actions.PANES if name == self.CONTEXT)
        focused = self.has_focus_within
        shown, whole = self.number(self.table.rows), self.number(self.all_rows)
        number = f"{shown:,} of {whole:,}" if self.filter_text else f"{whole:,}" if self.known else "…"
        number += self._cut_off()
        cell: Cell = (
            (f"{digit} ", "accent" if focused else "dim"),
            (title, "accent" if focused else "head"),
            (f"  {number}", "dim"),
        )
        if self.filter_text and not self.query("Input"):
            cell = (*cell, (f"  /{self.filter_text}", "warn"))
        note = self.note()
        self.title_line.show([(*cell, ("  ", "dim"), *note) if note else cell])

    def _cut_off(self) -> str:
        """`, 3 shown` when more rows are listed than there is room for; of all lines, where the title counts fewer."""
        rows, room = self.table.rows, max(0, self.table.size.height - 1)
        if not self.table.size.height or len(rows) <= room:
            return ""
        return f", {room} shown" if self.number(rows) == len(rows) else f", {room} of {len(rows):,} lines shown"

    def on_mount(self) -> None:
        self.draw_title()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw_title)

    def on_descendant_focus(self) -> None:
        self.draw_title()

    def on_descendant_blur(self) -> None:
        self.draw_title()

    def on_table_cursor_moved(self) -> None:
        self.refresh_bindings()

    def step_inside(self, by: int) -> bool:
        """Go to another list of the same pane. Returns whether there was one to go to."""
        return False

    async def action_filter(self) -> None:
        """Open the filter; typing narrows at once, enter keeps it, esc drops it."""
        if self.query("Input"):
            return
        from tui.widgets.line_input import LineInput

        line = LineInput(self.filter_text, "filter")
        await self.mount(line, after=self.title_line)
        self.screen.set_focus(line)

    def on_input_changed(self, event: "Input.Changed") -> None:
        event.stop()
        self.filter_text = event.value.casefold().strip()
        self._show_filtered()

    async def on_input_submitted(self, event: "Input.Submitted") -> None:
        event.stop()
        await self.close_filter(keep=True)

    async def close_filter(self, keep: bool = False) -> bool:
        """Put the filter line away. Returns whether there was anything to put away."""
        had = self.filtering
        if not keep:
            self.filter_text = ""
        self.screen.set_focus(self.table)
        await self.query("Input").remove()
        self._show_filtered()
        return had

    @property
    def filtering(self) -> bool:
        """Whether there is a filter, or a line to type one in."""
        return bool(self.filter_text) or bool(self.query("Input"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.table.selected is None and action in (
            "open",
            "edit",
            "reset",
            "stop",
            "fire",
            "pause",
            "assign",
            "delete",
        ):
            return False
        return actions.permit(self.app, (self.CONTEXT,), action)

    def _show_filtered(self) -> None:
        wanted = self.filter_text
        rows = [row for row in self.all_rows if wanted in self.words(row).casefold()] if wanted else self.all_rows
        self.set_class(self.known and not self.all_rows, "-empty")
        self.table.show(rows)
        self.draw_title()


AnyPane = Pane[Any]
