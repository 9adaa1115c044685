"""Go: one line at the bottom that leads anywhere, or runs any `qd` verb. What could come stands above it; remembers."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui import actions
from tui.actions.keymap import Keymap
from tui.places.history import History
from tui.places.lines import SHOWN, Known, Offer, offers
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines

_KEYS = (
    "{prompt.run} does it, {prompt.complete} takes the marked one, {prompt.next} and {prompt.previous} mark another,"
    " {prompt.earlier} and {prompt.later} are earlier lines",
    "{prompt.run} does it, {prompt.complete} takes the marked one, {prompt.earlier} is the line before",
    "{prompt.run} does it, {prompt.complete} takes the marked one",
)
"""As much as there is room for."""
_NAME = 26
"""Cells of an offer before what it is, where it needs no more."""


class _PromptLine(LineInput):
    """The line itself; going right at its end completes."""

    def passes_on(self, key: str) -> bool:
        return key == "right"


class Prompt(ModalScreen[None]):
    """The line. `run` gets what was entered; the history belongs to the app and outlives us."""

    BINDINGS = [*actions.bindings("prompt"), actions.beyond("suspend")]
    CONTEXTS = ("prompt",)
    CSS = f"""
    Prompt {{ align: left bottom; background: transparent; }}
    Prompt > Vertical {{ height: auto; background: $background; }}
    Prompt .-offers {{ height: {SHOWN}; border-top: none; }}
    Prompt.-none .-offers {{ display: none; }}
    Prompt Horizontal {{ height: 1; }}
    Prompt .-mark {{ width: 1; }}
    Prompt LineInput, Prompt LineInput:focus {{ width: 1fr; background: $background; }}
    """

    def __init__(self, palette: Palette, history: History, known: Known, run: Callable[[str], None]) -> None:
        super().__init__()
        self._palette, self._history, self._known, self._run = palette, history, known, run
        self._at = len(history.lines)
        self._rule = Lines(palette)
        self._list = Lines(palette, classes="-offers")
        self._offers: list[Offer] = []
        self._chosen = 0
        self._input = _PromptLine()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._rule
            yield self._list
            with Horizontal():
                yield Lines(self._palette, [((":", "accent"),)], classes="-mark")
                yield self._input

    def on_mount(self) -> None:
        self.set_focus(self._input)
        self._offer("")

    def on_resize(self) -> None:
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._keys.means("enter", "prompt.run"):
            self.action_run()

    def action_run(self) -> None:
        line = self._input.value
        self._history.add(line)
        self.dismiss()
        if line.strip():
            self._run(line.strip())

    @property
    def _keys(self) -> Keymap:
        found: Keymap = self.app.keymap  # type: ignore[attr-defined]
        return found

    def action_complete(self) -> None:
        """Take the offer that is marked."""
        at_end = self._input.cursor_position == len(self._input.value)
        if not (self._offers and at_end):
            self._input.action_cursor_right()
            return
        line = self._offers[self._chosen].line
        self._put(line if line[-1] in "/!~" else f"{line} ")

    def action_choose(self, by: int) -> None:
        """Mark another offer."""
        if self._offers:
            self._chosen = (self._chosen + by) % len(self._offers)
            self._draw()

    def action_earlier(self) -> None:
        self._recall(-1)

    def action_later(self) -> None:
        self._recall(1)

    def action_back(self) -> None:
        self.dismiss()

    def _recall(self, by: int) -> None:
        lines = self._history.lines
        self._at = max(0, min(len(lines), self._at + by))
        self._put(lines[self._at] if self._at < len(lines) else "")

    def _put(self, line: str) -> None:
        self._input.value = line
        self._input.cursor_position = len(line)

    def _offer(self, typed: str) -> None:
        self._offers, self._chosen = offers(typed, self._known), 0
        self.set_class(not self._offers, "-none")
        self._draw()

    def _draw(self) -> None:
        """The offers stand right above the line, so that the first one is the nearest."""
        width = self.size.width
        told = next(line for line in map(self._keys.told, _KEYS) if width > len(line) or line.count(",") == 1)
        self._rule.show([((told, "dim"),)])
        lines = [_line(offer, number == self._chosen) for number, offer in enumerate(self._offers)]
        self._list.show([*([()] * (SHOWN - len(lines))), *lines])


def _line(offer: Offer, chosen: bool) -> Cell:
    mark: Cell = (("> ", "accent"),) if chosen else (("  ", "dim"),)
    return (*mark, (offer.line.ljust(_NAME), "accent" if chosen else "text"), (f" {offer.about}", "dim"))
