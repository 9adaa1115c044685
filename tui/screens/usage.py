"""Where do tokens go, live? The last hour and the last day, budgets and windows, and who uses them."""

from datetime import tzinfo

from textual.app import ComposeResult

from tui import actions
from tui.lists.fresh import Fresh
from tui.reading import changes
from tui.reading.live_usage import EVERY_MS, LiveUsage, live_usage
from tui.reading.views import BudgetBoard
from tui.screens.screen import DeckScreen
from tui.screens.usage_lines import figures, usage_lines
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell
from tui.widgets.lines import Lines, Page


class UsageScreen(DeckScreen):
    """One page that follows live; only cells that differ are drawn again."""

    DEFAULT_CSS = """
    UsageScreen { padding: 0 1; }
    UsageScreen > .-title { height: 1; }
    UsageScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("usage")
    CONTEXTS = ("usage",)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.page = Page(palette, [(("reading what was used", "dim"),)])
        self._said = Lines(palette, classes="-said")
        self._usage: LiveUsage | None = None
        self._board: BudgetBoard | None = None
        self._fresh = Fresh()

    def compose_body(self) -> ComposeResult:
        title: Cell = (("who uses tokens, how fast, and what is left; all figures follow", "dim"),)
        yield Lines(self.palette, [title], classes="-title")
        yield self.page
        yield self._said

    def on_mount(self) -> None:
        self.page.focus()

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(live_usage, EVERY_MS)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(LiveUsage() as usage):
                self._usage = usage
                self._fresh.take(figures(usage))
                self._draw()
            case changes.BudgetsChanged(board):
                self._board = board
                self._draw()
            case changes.ConfigChanged():
                self._draw()
            case changes.StateUnreadable(line):
                self.flash(line, "bad")
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self._fresh.age()
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.show([((line, tone),)])

    def action_back(self) -> None:
        self.deck.feed.unwatch()
        self.dismiss()

    @property
    def _zone(self) -> tzinfo | None:
        return self.deck.zone

    def _draw(self) -> None:
        width = self.page.size.width
        if self._usage is None or not width:
            return
        room = (width, self.app.size.height)
        self.page.show(usage_lines(self._usage, self._board, room, self.now_ms, self._zone, self._fresh))
