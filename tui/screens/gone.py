"""What happened while no console was open? One line for each, the newest last; enter opens what a line is about."""

from collections.abc import Sequence

from textual.app import ComposeResult

from state.events import Event
from tui import actions
from tui.panes.messages import RunOpened, SessionOpened, ask
from tui.reading.event_log import COLUMNS, event_cells
from tui.reading.gone import GoneBy, counts
from tui.screens.screen import DeckScreen
from tui.text import age, stamp
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, wrap
from tui.widgets.lines import Lines
from tui.widgets.table import Table


class GoneScreen(DeckScreen):
    """The sums above, the list below."""

    DEFAULT_CSS = """
    GoneScreen { padding: 0 1; }
    GoneScreen > .-title { height: auto; margin-bottom: 1; }
    GoneScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("gone")
    CONTEXTS = ("gone",)

    def __init__(self, palette: Palette, told: GoneBy) -> None:
        super().__init__(palette)
        self.told = told
        self.table: Table[Event] = Table(COLUMNS, lambda row: row.id, self._cells, palette)
        self._title = Lines(palette, classes="-title")
        self._said = Lines(palette, classes="-said")

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.table
        yield self._said

    def on_mount(self) -> None:
        self.table.show(self.told.rows)
        self.table.focus()

    def on_resize(self) -> None:
        lines = self._title_lines(max(20, self.size.width - 2))
        self._title.styles.height = len(lines)
        self._title.show(lines)

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.table.refresh_changed()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.show([((line, tone),)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.table.selected
        if action == "open" and (row is None or (row.run_id is None and row.session_id is None)):
            return False
        return super().check_action(action, parameters)

    def on_table_cursor_moved(self) -> None:
        self.refresh_bindings()

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        row = self.table.selected
        if row is not None and row.run_id is not None:
            await ask(self.app, RunOpened(row.run_id))
        elif row is not None and row.session_id is not None:
            await ask(self.app, SessionOpened(row.session_id))

    def action_back(self) -> None:
        self.dismiss()

    def _cells(self, row: Event) -> Sequence[Cell]:
        return event_cells(row, self.deck.zone, self.now_ms)

    def _title_lines(self, width: int) -> list[Cell]:
        told, zone = self.told, self.deck.zone
        since = f"   {stamp(told.since_ms, zone)} to {stamp(told.until_ms, zone)[11:]}"
        head: Cell = (("While you were gone", "bold"), (f"{since}, {age(told.since_ms, told.until_ms)}", "dim"))
        return [head, *wrap(((counts(told), "text"),), width)]
