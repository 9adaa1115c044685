"""What did that command print? A page to scroll, as plain as it came."""

from collections.abc import Sequence

from textual.app import ComposeResult

from tui import actions
from tui.screens.screen import DeckScreen
from tui.text import plural
from tui.theme import Palette
from tui.widgets.cells import Cell, wrap
from tui.widgets.lines import Lines, Page


class Result(DeckScreen):
    """The output of one `qd` verb."""

    DEFAULT_CSS = """
    Result { padding: 0 1; }
    Result > .-title { height: 2; }
    """
    BINDINGS = actions.bindings("result")
    CONTEXTS = ("result",)

    def __init__(self, palette: Palette, line: str, exit_code: int, out: Sequence[str], err: Sequence[str]) -> None:
        super().__init__(palette)
        self.about = f"qd {line.removeprefix('qd ')}"
        self._exit_code = exit_code
        self._page = Page(palette)
        self._body: list[Cell] = [((text, "text"),) for text in out]
        self._body += [((text, "bad"),) for text in err]

    def compose_body(self) -> ComposeResult:
        title: Cell = ((plural(len(self._body), "line"), "dim"),)
        if self._exit_code != 0:
            title = (*title, (f"   exit code {self._exit_code}", "bad"))
        yield Lines(self.palette, [title], classes="-title")
        yield self._page

    def on_resize(self) -> None:
        width = max(20, self.size.width - 2)
        self._page.show([part for line in self._body for part in wrap(line, width)])

    def action_back(self) -> None:
        self.dismiss()
