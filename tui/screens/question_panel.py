"""What waits for an answer, above the line of a talk: never out of sight, and all of it can be read there."""

from collections.abc import Sequence
from datetime import tzinfo

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.actions.keymap import Keymap
from tui.reading.asked import Asked
from tui.screens.question import question_lines
from tui.theme import Palette
from tui.widgets.cells import Cell, wrap
from tui.widgets.lines import Lines, Page

_INDENT = 11
_HEAD = 1
_KEYS = "{question.approve} allows, {question.deny} denies"
LEAST = 4
"""Lines of a question that are in sight however small the screen is."""


class QuestionPanel(Vertical):
    """The oldest question; the others come when it is answered. Not there while nothing is asked."""

    DEFAULT_CSS = """
    QuestionPanel { height: auto; display: none; }
    QuestionPanel > Page { height: 1fr; }
    """

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.page = Page(palette)
        self._head = Lines(palette)
        self._shown: int | None = None
        """The question that the page stands on."""

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.page

    def take(self, asks: Sequence[Asked], width: int, room: int, now_ms: int, zone: tzinfo | None) -> None:
        """`room`: how many lines it may have."""
        self.display = bool(asks)
        if asks:
            self._show(asks, width, room, now_ms, zone)
        else:
            self._shown = None

    def _show(self, asks: Sequence[Asked], width: int, room: int, now_ms: int, zone: tzinfo | None) -> None:
        lines = question_lines(asks[0], now_ms, zone)
        parts = [part for line in lines for part in wrap(line, width, _INDENT)]
        height = max(LEAST, min(len(parts), room - _HEAD))
        self.styles.height = _HEAD + height
        self.page.show(parts)
        if self._shown != asks[0].id:
            self._shown = asks[0].id
            self.page.action_end(-1)
        keymap: Keymap = self.app.keymap  # type: ignore[attr-defined]
        self._head.show([_head_line(len(asks), self.page.has_focus, len(parts) > height, keymap)])


def _head_line(number: int, focused: bool, long: bool, keymap: Keymap) -> Cell:
    keys = keymap.told(_KEYS if focused else f"{{session.other}}, then {_KEYS}")
    more = f" (1 of {number})" if number > 1 else ""
    return ((f"it asks: {keys}", "warn"), (more, "warn"), (keymap.told("  {page.down}: rest") if long else "", "dim"))
