"""What is drawn again when the keyboard comes or goes? Only what looks different then, not all of a widget."""

from textual import events
from textual.widget import Widget


class QuietFocus(Widget):
    """Mixed in before the widget's own base."""

    def on_focus(self, event: events.Focus) -> None:
        event.prevent_default()
        self._take_focus(True)
        if isinstance(self.parent, Widget):
            self.parent.post_message(events.DescendantFocus(self))

    def on_blur(self, event: events.Blur) -> None:
        event.prevent_default()
        self._take_focus(False)
        if isinstance(self.parent, Widget):
            self.parent.post_message(events.DescendantBlur(self))

    def refresh_focus(self) -> None:
        """Draw again what tells whether the keyboard is here; nothing does, unless a subclass says so."""

    def _take_focus(self, has: bool) -> None:
        self.has_focus = has
        self.refresh_focus()
