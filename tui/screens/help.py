"""Which keys are there? Those that work now come first; enter does what the line says, as the key itself would."""

from typing import Any

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Input

from tui import actions
from tui.actions.keymap import NO_KEY, Keymap
from tui.screens.help_lines import HelpLine, help_lines
from tui.screens.screen import DeckScreen
from tui.theme import Palette, Tone
from tui.widgets.cells import Column
from tui.widgets.flash import Flash
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines
from tui.widgets.table import Table

Live = dict[str, tuple[str, Any]]
"""By the name of an action: what to run, and the widget that does it."""

_LEAST_WIDTH = 40


def live(screen: Screen[Any]) -> Live:
    """What can be done on a screen now."""
    names = {action.name for action in actions.ACTIONS}
    active = (one for one in screen.active_bindings.values() if one.enabled and one.binding.key != NO_KEY)
    return {one.binding.id: (one.binding.action, one.node) for one in active if one.binding.id in names}


class _Keys(Table[HelpLine]):
    """Its cursor goes from one explanation to the next."""

    def action_cursor(self, step: int) -> None:
        ahead = range(self.cursor + step, len(self.rows) if step > 0 else -1, step)
        last = len(self.rows) - 1 if step > 0 else 0
        self.move_to(next((row for row in ahead if self.rows[row].stops), last))
        if step < 0 and self.cursor == 0:
            self.move_to(next((row for row, line in enumerate(self.rows) if line.stops), 0))


class Help(DeckScreen):
    """One list, with a line to find something in it."""

    DEFAULT_CSS = """
    Help { padding: 0 1; }
    Help > .-title { height: 1; }
    Help > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("help")
    CONTEXTS = ("help",)

    def __init__(self, palette: Palette, live: Live, keymap: Keymap) -> None:
        super().__init__(palette)
        self.table = _Keys(
            (Column("", _LEAST_WIDTH, grows=True),), lambda row: row.key, lambda row: (row.cell,), palette
        )
        self.found = ""
        self._live, self._keymap = live, keymap
        self._title = Lines(palette, classes="-title")
        self._said = Flash(palette)

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.table
        yield self._said

    def on_mount(self) -> None:
        self.table.focus()

    def on_resize(self) -> None:
        super().on_resize()
        self._draw()

    async def action_filter(self) -> None:
        """Open the line; typing narrows at once, enter keeps it, esc drops it."""
        if self.query(Input):
            return
        line = LineInput(self.found, "find a key, or what it does")
        await self.mount(line, after=self._title)
        self.set_focus(line)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.found = event.value.strip()
        self._draw()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._keymap.means("enter", "filter.keep"):
            await self._end_filter()

    async def action_keep(self) -> None:
        await self._end_filter()

    async def on_table_row_chosen(self) -> None:
        self.action_run()

    def action_run(self) -> None:
        """Close this page, and do what the line says on the one below."""
        line = self.table.selected
        if line is None or not line.action:
            return
        if line.action not in self._live:
            self.flash("that works elsewhere: at the end of its line stands where", "warn")
            return
        action, node = self._live[line.action]
        self.dismiss()
        self.app.call_next(self.app.run_action, action, node)

    async def action_back(self) -> None:
        if self.query(Input) or self.found:
            self.found = ""
            await self._end_filter()
        else:
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "run" and self.query(Input):
            return False
        if action == "keep" and not self.query(Input):
            return False
        return super().check_action(action, parameters)

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    async def _end_filter(self) -> None:
        self.set_focus(self.table)
        await self.query(Input).remove()
        self._draw()

    def _draw(self) -> None:
        width = max(_LEAST_WIDTH, self.size.width - 2)
        read_only = self.deck.read_only
        self.table.show(help_lines(width, self._keymap, self._live, self.found, read_only))
        if self.table.cursor == 0 or not (self.table.selected and self.table.selected.stops):
            self.table.move_to(0)
            self.table.action_cursor(1)
        does = "{help.run} does what the line says, {help.filter} finds one"
        said = f"only lines with {self.found}" if self.found else self._keymap.told(does)
        self._title.show([((said, "warn" if self.found else "dim"),)])
