"""Are you sure? Names exactly what will happen, and does not take an Enter that was meant for something else."""

import time
from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui import actions
from tui.theme import Palette
from tui.widgets.cells import Cell
from tui.widgets.form import Field, Form
from tui.widgets.lines import Lines

DEAF_S = 0.3
"""For so long Enter does nothing: it may have been typed before the dialog was there."""

Act = Callable[[str], None]


class Confirm(ModalScreen[None]):
    """A question with one answer key. With `ask`, a reason can be typed that goes along."""

    BINDINGS = actions.bindings("confirm")
    CSS = """
    Confirm { align: center middle; background: transparent; }
    Confirm > Vertical {
        width: 76; max-width: 96%; height: auto; padding: 0 2; border: solid $accent; background: $background;
    }
    Confirm Lines { height: auto; }
    Confirm Form { margin: 1 0 0 0; }
    """
    clock = staticmethod(time.monotonic)

    def __init__(self, palette: Palette, title: str, what: Sequence[str], act: Act, ask: str = "") -> None:
        super().__init__()
        self._palette, self._act = palette, act
        self._opened = self.clock()
        lines: list[Cell] = [((title, "bold"),), (), *(((line, "text"),) for line in what)]
        self._lines = Lines(palette, lines)
        self._lines.styles.height = len(lines)
        self._hint: list[Cell] = [
            (("enter", "accent"), (" do it   ", "dim"), ("esc", "accent"), (" leave it as it is", "dim")),
        ]
        self._keys = Lines(palette, [(), *self._hint])
        self._keys.styles.height = 1 + len(self._hint)
        self._form = Form(palette, (Field(ask, hint="goes on record with it; may stay empty"),)) if ask else None

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._lines
            if self._form is not None:
                yield self._form
            yield self._keys

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()

    def action_yes(self) -> None:
        """Do it, unless the key came too early to have been meant; after a reason was typed, it was."""
        said = next(iter(self._form.values.values())) if self._form is not None else ""
        if not said and self.clock() - self._opened < DEAF_S:
            self._keys.show([(("that enter came too early to have been meant; press it again", "warn"),), *self._hint])
            return
        self.dismiss()
        self._act(said)

    def action_back(self) -> None:
        self.dismiss()
