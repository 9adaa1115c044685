"""Are you sure? Names exactly what will happen, and does not take a key that was meant for something else."""

import time
from collections.abc import Callable, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui import actions
from tui.actions import show_key
from tui.actions.keymap import UNBOUND, Keymap, is_typed
from tui.theme import Palette
from tui.widgets.cells import Cell, wrap
from tui.widgets.form import Field, Form
from tui.widgets.lines import Lines

WIDTH, FRAME = 76, 6
"""Cells of the dialog, and those of them that its frame takes."""
DEAF_S = 0.3
"""For so long after it is on screen nothing is done: the key may have been typed before the dialog was there."""
BURST_S = 0.03
"""A key to do it that comes so soon after another one was not pressed but pasted."""

_YES = next(action for action in actions.ACTIONS if action.name == "confirm.yes")

Act = Callable[[str], None]


class Confirm(ModalScreen[None]):
    """A question with one answer key. With `ask`, a reason can be typed that goes along."""

    BINDINGS = [*actions.bindings("confirm"), actions.beyond("suspend")]
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
        self._keys = Lines(palette)
        self._keys.styles.height = 2
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
        self._keys.show([(), self._hint])
        self.call_after_refresh(self._note_shown)

    def on_key(self, event: events.Key) -> None:
        """Of a dialog without a line to type in: every key that means nothing here."""
        if event.key not in self._keymap.of(_YES):
            self._last_key = self.clock()

    def on_form_edited(self) -> None:
        self._last_key = self.clock()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._yes == "enter" or self._keymap.means("enter", _YES.name):
            self.action_yes()

    @property
    def _keymap(self) -> Keymap:
        found: Keymap = self.app.keymap  # type: ignore[attr-defined]
        return found

    @property
    def _yes(self) -> str:
        """The key to do it: of several the first one that is no letter of the reason."""
        keys = self._keymap.of(_YES)
        if self._form is None:
            return next(iter(keys), "")
        return next((key for key in keys if not is_typed(key.split()[0])), "enter" if keys else "")

    @property
    def _hint(self) -> Cell:
        yes, no = show_key(self._yes) or UNBOUND, self._keymap.named("back")
        return ((yes, "accent"), (" do it   ", "dim"), (no, "accent"), (" leave it as it is", "dim"))

    def action_yes(self) -> None:
        """Do it, unless the key came too early to have been meant, or in one go with others."""
        said = next(iter(self._form.values.values())) if self._form is not None else ""
        if not self._meant(self.clock()):
            said = "that key came too early to have been meant; press it again"
            self._keys.show([((said, "warn"),), self._hint])
            return
        self.dismiss()
        self._act(said)

    def _meant(self, now: float) -> bool:
        before, self._last_key = self._last_key, now
        if not self._on_screen(now):
            return False
        return self._shown_at is not None and now - self._shown_at >= DEAF_S and now - before >= BURST_S

    def _on_screen(self, now: float) -> bool:
        """Whether it can be seen by now. While a terminal does not read, callbacks after a frame come without one."""
        if not getattr(self.app, "seen", True):
            self._shown_at = None
        elif self._shown_at is None:
            self._shown_at = now
        return self._shown_at is not None

    def _note_shown(self) -> None:
        self._on_screen(self.clock())

    def action_back(self) -> None:
        self.dismiss()
