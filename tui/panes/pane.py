"""What is every pane? A title, a list under the keyboard, a filter, an order and marks, and a text that teaches while
empty."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui import actions
from tui.actions.action import Context
from tui.actions.keymap import UNBOUND, Keymap
from tui.lists.sift import likeness, title_words
from tui.panes.copies import Copies, Copying
from tui.panes.listing import Listing
from tui.panes.messages import CopyAsked, ManyAsked
from tui.text import plural
from tui.theme import Palette
from tui.widgets.cells import Cell, Column, emphasised, wrap
from tui.widgets.lines import Lines
from tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.widgets import Input

R = TypeVar("R")

_ENOUGH = 100
"""Lines in which any text that teaches has room."""


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
    """What this is, how it gets filled, with which key; `{list.new}` is the key of that action."""
    ON_ROW: ClassVar[frozenset[str]] = frozenset({"copy", "mark"})
    """Actions that need a row that they can be done with."""
    WITH_MANY: ClassVar[frozenset[str]] = frozenset()
    """Those of them that are done with every marked row."""

    class FilterChanged(Message):
        """The list shows other rows now."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(id=self.CONTEXT)
        self.listing: Listing[R] = Listing(self.words, self.worth)
        self.now_ms = 0
        self.known = False
        """Whether the feed has told us anything yet: an unread list is not an empty one."""
        self.palette = palette
        self.title_line = Lines(palette, classes="-title")
        self.table: Table[R] = Table(self.COLUMNS, self.key, self._drawn, palette)
        self.table.orderable = True
        self.teaching = Lines(palette, classes="-teaching")
        self._copying = Copying()
        self._told: Keymap | None = None
        """The keys that were told last."""

    @property
    def keys(self) -> Keymap:
        """Those in force."""
        found: Keymap = self.app.keymap  # type: ignore[attr-defined]
        return found

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
        """The text that the filter looks in: in lower case, a line for each cell."""
        return "\n".join("".join(text for text, _ in cell) for cell in self.cells(row)).casefold()

    def worth(self, row: R, title: str) -> Any:
        """What the row is worth in the column of this title, to be ordered by; None where that is unknown."""
        raise NotImplementedError

    def can(self, action: str, row: R) -> bool:
        """Whether it can be done with this row."""
        return True

    def copies(self, row: R) -> Copies:
        """What of it can be copied, and what that is called; the most useful first."""
        raise NotImplementedError

    @property
    def all_rows(self) -> Sequence[R]:
        """Those that the filter hides too."""
        return self.listing.rows

    @property
    def marked(self) -> list[R]:
        """The marked rows that are shown: nothing is done with what cannot be seen."""
        marked = self.table.marked
        return [row for row in self.table.rows if self.key(row) in marked] if marked else []

    def chosen(self, action: str) -> list[R]:
        """The rows that it would be done with: the marked ones where it can be done with many, else the cursor's."""
        here = self.table.selected
        rows = self.marked if action in self.WITH_MANY else []
        return [row for row in rows or ([] if here is None else [here]) if self.can(action, row)]

    def note(self) -> Cell:
        """What the title says at its right end, beside the number of rows."""
        return ()

    def number(self, rows: Sequence[R]) -> int:
        """How many of them the title counts."""
        return len(rows)

    def show(self, rows: Sequence[R]) -> None:
        """Take what the feed read."""
        self.listing.take(rows)
        self.known = True
        self._show_filtered()

    def narrow(self, text: str) -> None:
        """Show what this leaves; an empty text shows everything."""
        before, self.listing.text = self.listing.text, text.strip().casefold()
        self._show_filtered(from_top=self.listing.text not in ("", before))

    def tick(self, now_ms: int) -> None:
        """The time has moved on: ages may look different."""
        self.now_ms = now_ms
        self.tell_keys()
        self.table.refresh_changed()
        self.draw_title()

    def draw_title(self) -> None:
        title = next(title for _, name, title in actions.PANES if name == self.CONTEXT)
        key = self.keys.named(f"go.{self.CONTEXT}")
        focused = self.has_focus_within
        shown, whole = self.number(self.table.rows), self.number(self.all_rows)
        number = f"{shown:,} of {whole:,}" if self.listing.text else f"{whole:,}" if self.known else "…"
        number += self._out_of_sight()
        cell: Cell = (
            ("" if key == UNBOUND else f"{key} ", "accent" if focused else "dim"),
            (title, "accent" if focused else "head"),
            (f"  {number}", "dim"),
        )
        if marked := len(self.marked):
            cell = (*cell, (f"  {marked:,} marked", "warn"))
        if self.listing.text:
            cell = (*cell, (f"  {title_words(self.listing.text)}", "warn"))
        if self.listing.order is not None:
            cell = (*cell, (f"  by {self.listing.order.by} {self.listing.order.mark}", "accent"))
        note = self.note()
        self.title_line.show([(*cell, ("  ", "dim"), *note) if note else cell])

    def _out_of_sight(self) -> str:
        """`, 9 above, 2 below`: the lines of the list for which there is no room."""
        sides = ((self.table.above, "above"), (self.table.below, "below"))
        return "".join(f", {lines:,} {side}" for lines, side in sides if lines)

    def on_mount(self) -> None:
        self.tell_keys()

    def on_resize(self) -> None:
        self._teach()
        self.call_after_refresh(self.draw_title)

    def tell_keys(self) -> None:
        """Where the pane names keys, they are those in force."""
        if self._told is not self.keys:
            self._told = self.keys
            self.table.columns = tuple(map(self._lettered, self.COLUMNS))
            self.table.refresh_changed()
            self._teach()
            self.draw_title()

    def _lettered(self, column: Column) -> Column:
        """The letter stands out in the title for as long as it is the key."""
        name = f"sort.{column.letter.lower()}"
        keeps = not column.letter or self.keys.means(column.letter, name)
        return column if keeps else msgspec.structs.replace(column, letter="")

    @property
    def need(self) -> int:
        """Lines in which all of it has room: a title, a head, and every row, also those that a filter hides."""
        return 2 + (len(self.all_rows) or len(self._taught(_ENOUGH)))

    def _taught(self, height: int) -> list[Cell]:
        return teaching_lines([self.keys.told(line) for line in self.TEACHING], self.size.width - 2, height)

    def _teach(self) -> None:
        lines = self._taught(self.size.height - 2)
        self.teaching.show(lines)
        self.teaching.styles.height = len(lines)

    def on_descendant_focus(self) -> None:
        self.draw_title()

    def on_descendant_blur(self) -> None:
        self.draw_title()

    def on_table_cursor_moved(self) -> None:
        self.refresh_bindings()

    def on_table_scrolled(self) -> None:
        self.draw_title()

    def step_inside(self, by: int) -> bool:
        """Go to another list of the same pane. Returns whether there was one to go to."""
        return False

    async def action_filter(self) -> None:
        """Open the filter; typing narrows at once, enter keeps it, esc drops it."""
        from tui.widgets.line_input import LineInput

        if found := self.query(LineInput):
            self.screen.set_focus(found.first())
            return
        line = LineInput(self.listing.text, "text   !without   ~fuzzy   several: all of them")
        await self.mount(line, after=self.title_line)
        self.screen.set_focus(line)

    def on_input_changed(self, event: "Input.Changed") -> None:
        event.stop()
        self.narrow(event.value)

    async def on_input_submitted(self, event: "Input.Submitted") -> None:
        event.stop()
        if self.keys.means("enter", "filter.keep"):
            await self.close_filter(keep=True)

    async def action_keep(self) -> None:
        await self.close_filter(keep=True)

    async def close_filter(self, keep: bool = False) -> bool:
        """Put the filter line away, else the marks, else the filter. Returns whether there was anything to put away."""
        had = self.filtering
        if not self.query("Input") and self.table.marked:
            self.action_unmark()
            return had
        self.screen.set_focus(self.table)
        await self.query("Input").remove()
        if had:
            self.narrow(self.listing.text if keep else "")
        return had

    @property
    def filtering(self) -> bool:
        """Whether there is a filter, a line to type one in, or a mark."""
        return bool(self.listing.text) or bool(self.query("Input")) or bool(self.table.marked)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in self.ON_ROW and not self.chosen(action):
            return False
        if action == "keep" and not self.query("Input"):
            return False
        return actions.permit(self.app, (self.CONTEXT,), action)

    def action_sort_by(self, letter: str) -> None:
        """By the column of this letter."""
        title = next((column.title for column in self.COLUMNS if column.letter == letter), None)
        if title is not None:
            self.listing.order_by(title)
            self._show_filtered(from_top=True)

    def action_sort_next(self) -> None:
        self.listing.order_by_next([column.title for column in self.COLUMNS if column.letter])
        self._show_filtered(from_top=True)

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on to the next."""
        if (row := self.table.selected) is not None:
            self._mark(self.table.marked ^ {self.key(row)})
            self.table.move_to(self.table.cursor + 1)

    def action_mark_all(self) -> None:
        self._mark(self.table.marked | {self.key(row) for row in self.table.rows})

    def action_unmark(self) -> None:
        self._mark(frozenset())

    def action_copy(self) -> None:
        """The useful text of every marked row; without marks of the cursor's, pressed again the next text."""
        row = self.table.selected
        if many := self.marked:
            texts = [self.copies(one)[0][1] for one in many]
            self.post_message(CopyAsked(plural(len(texts), "row"), "\n".join(texts)))
        elif row is not None:
            self.post_message(self._copying.next(self.key(row), self.copies(row)))

    def _with_many(self, act: str, things: Sequence[tuple[str, Any]]) -> ManyAsked:
        """Those that it can be done with, by name and id; the others are counted."""
        return ManyAsked(act, tuple(things), len(self.marked) - len(things))

    def _mark(self, keys: frozenset[Hashable]) -> None:
        self.table.marked = keys
        self.table.refresh_changed()
        self.draw_title()
        self.refresh_bindings()

    def _drawn(self, row: R) -> Sequence[Cell]:
        """The cells; what a fuzzy filter found in them stands out."""
        cells = self.cells(row)
        if not (fuzzy := self.listing.sieve.fuzzy):
            return cells
        return [_found(cell, fuzzy) for cell in cells]

    def _show_filtered(self, from_top: bool = False) -> None:
        """`from_top`: there is a new order or filter, and the cursor goes to the top of it."""
        self.set_class(self.known and not self.all_rows, "-empty")
        self.table.order = self.listing.order
        self.table.show(self.listing.shown(), from_top=from_top)
        self.draw_title()


def _found(cell: Cell, letters: Sequence[str]) -> Cell:
    """The cell with the letters of a fuzzy filter standing out, where it has them."""
    text = "".join(part for part, _ in cell)
    if len(text.casefold()) != len(text):
        return cell
    return emphasised(cell, [at for word in letters for at in likeness(word, text.casefold()) or ()])


def teaching_lines(lines: Sequence[str], width: int, height: int) -> list[Cell]:
    """As many as there is room for; the last one, which has the key, comes before those that explain."""
    width, room = max(20, width), max(1, height)
    words = lines if max(map(len, lines)) <= width else (" ".join(lines[:-1]), lines[-1])
    *above, last = [wrap(((line, "dim"),), width) for line in words]
    explained = [part for lines in above for part in lines]
    return [*explained[: max(0, room - len(last))], *last][:room]


AnyPane = Pane[Any]
