"""One line to type in, with the house's manners: no blink, no border, and every key in the order in which it came.

Textual lets editing keys bubble up to the app before they act, while letters act at once: of `ab`, backspace, `c` typed
fast (or sent by a slow link in one go) it makes `a` instead of `ac`. Here editing keys act where letters do.
"""

from inspect import isawaitable

from textual import events
from textual.binding import Binding
from textual.suggester import Suggester
from textual.widgets import Input


def _editing() -> dict[str, str]:
    """Key to action of what a stock line can do, apart from actions with arguments."""
    found: dict[str, str] = {}
    for binding in Input.BINDINGS:
        if isinstance(binding, Binding) and "(" not in binding.action:
            found |= {key.strip(): binding.action for key in binding.key.split(",")}
    return found


class LineInput(Input):
    """A stock line that takes keys in order."""

    DEFAULT_CSS = """
    LineInput, LineInput:focus { height: 1; border: none; padding: 0; background: $panel; }
    """
    EDITING = _editing()

    def __init__(self, value: str = "", hint: str = "", suggester: Suggester | None = None) -> None:
        super().__init__(value, hint, compact=True, select_on_focus=False, suggester=suggester)
        self.cursor_blink = False

    async def on_key(self, event: events.Key) -> None:
        action = self.EDITING.get(event.key)
        if action is None or self.passes_on(event.key):
            return
        event.stop()
        event.prevent_default()
        done = getattr(self, f"action_{action}")()
        if isawaitable(done):
            await done

    def passes_on(self, key: str) -> bool:
        """Keys that mean something else to whoever holds this line."""
        return False
