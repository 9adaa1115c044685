"""Are you sure? Names exactly what will happen, and does not take an Enter that was meant for something else."""

import time
from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui import actions
from tui.theme import Palette
from tui.widgets.cells import Cell, wrap
from tui.widgets.form import Field, Form
from tui.widgets.lines import Lines

WIDTH, FRAME = 76, 6
"""Cells of the dialog, and those of them that its frame takes."""
DEAF_S = 0.3
"""For so long after it is on screen Enter does nothing: it may have been typed before the dialog was there."""
BURST_S = 0.03
"""An Enter that comes so soon after another key was not pressed but pasted."""

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
        self._shown_at: float | None = None
        """None until it is on screen."""
        self._last_key = -BURST_S
        self._what: list[Cell] = [((title, "bold"),), (), *(((line, "text"),) for line in what)]
        self._lines = Lines(palette)
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

    def on_mount(self) -> None:
        width = min(WIDTH, self.app.size.width * 96 // 100) - FRAME
        lines = [part for line in self._what for part in wrap(line, width, 2)]
        self._lines.styles.height = len(lines)
        self._lines.show(lines)
        self.call_after_refresh(self._note_shown)

    def on_key(self, event: events.Key) -> None:
        """Of a dialog without a line to type in: every key that means nothing here."""
        if event.key != "enter":
            self._last_key = self.clock()

    def on_form_edited(self) -> None:
        self._last_key = self.clock()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()

    def action_yes(self) -> None:
        """Do it, unless the key came too early to have been meant, or in one go with others."""
        said = next(iter(self._form.values.values())) if self._form is not None else ""
        if not self._meant(self.clock()):
            self._keys.show([(("that enter came too early to have been meant; press it again", "warn"),), *self._hint])
            return
        self.dismiss()
        self._act(said)

    def _meant(self, now: float) -> bool:
        before, self._last_key = self._last_key, now
        return self._shown_at is not None and now - self._shown_at >= DEAF_S and now - before >= BURST_S

    def _note_shown(self) -> None:
        self._shown_at = self.clock()

    def action_back(self) -> None:
        self.dismiss()
