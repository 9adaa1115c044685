"""Every event there is, the newest last. Standing at the end, the list follows."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo
from typing import Any

from state.events import Event
from tui import actions
from tui.panes.copies import Copies
from tui.panes.messages import RunOpened, SessionOpened, ask
from tui.panes.pane import Pane
from tui.reading.event_log import COLUMNS, LEVELS, EventLog, event_cells, event_log, event_words
from tui.theme import Palette
from tui.widgets.cells import Cell


class EventsPane(Pane[Event]):
    """The log of the engine's acts. Read only while it is looked at: it is long."""

    BINDINGS = actions.bindings("events")

    CONTEXT = "events"
    COLUMNS = COLUMNS
    TEACHING = (
        "Nothing has happened yet. Whatever the engine does or refuses, and what becomes of runs and jobs,",
        "is told here in one line each; {list.open} opens the run or the session that a line is about.",
    )

    ON_ROW = Pane.ON_ROW | {"open"}

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.zone: tzinfo | None = None
        self.read = event_log()
        """The reading to be watched while this pane is shown."""

    def take(self, log: EventLog) -> None:
        self.show(log.rows)

    def key(self, row: Event) -> Hashable:
        return row.id

    def cells(self, row: Event) -> Sequence[Cell]:
        return event_cells(row, self.zone, self.now_ms)

    def words(self, row: Event) -> str:
        return event_words(row).casefold()

    def worth(self, row: Event, title: str) -> Any:
        match title:
            case "time":
                return row.id
            case "kind":
                return row.kind
            case "run":
                return row.run_id
            case _:
                return row.job

    def can(self, action: str, row: Event) -> bool:
        return action != "open" or row.run_id is not None or row.session_id is not None

    def copies(self, row: Event) -> Copies:
        run = () if row.run_id is None else (("run id", str(row.run_id)),)
        return (("what happened", row.text), *run)

    def note(self) -> Cell:
        """Whether it follows, and what the letters mean. How many are below is told beside the number of rows."""
        if self.table.cursor < len(self.table.rows) - 1 and self.listing.order is None:
            return (("end follows the newest", "accent"),)
        return (("   ".join(f"{letter} {said}" for letter, (said, _) in LEVELS.items()), "dim"),)

    def on_table_cursor_moved(self) -> None:
        super().on_table_cursor_moved()
        self.draw_title()

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        row = self.table.selected
        if row is not None and row.run_id is not None:
            await ask(self.app, RunOpened(row.run_id))
        elif row is not None and row.session_id is not None:
            await ask(self.app, SessionOpened(row.session_id))

    def _show_filtered(self, from_top: bool = False) -> None:
        """In the order of time the end is followed, from where it is stood at."""
        at_end = self.table.cursor >= len(self.table.rows) - 1
        super()._show_filtered(from_top)
        if at_end and self.listing.order is None:
            self.table.move_to(len(self.table.rows) - 1)
