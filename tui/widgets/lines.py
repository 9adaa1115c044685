"""Lines of styled text: a few fixed ones that repaint only where they changed, and a page of them that scrolls."""

from collections.abc import Sequence

from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui import actions
from tui.theme import Palette
from tui.widgets.cells import Cell, cut, strip, wrap
from tui.widgets.differing import differing
from tui.widgets.focus import QuietFocus


class Lines(Widget):
    """As many lines as the style gives it; without focus, without scrolling."""

    DEFAULT_CSS = """
    Lines { height: 1; width: 1fr; }
    """

    def __init__(
        self, palette: Palette, lines: Sequence[Cell] = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: tuple[Cell, ...] = tuple(lines)
        self._palette = palette

    def show(self, lines: Sequence[Cell]) -> None:
        """Take other lines; what is the same is not drawn again."""
        old, self.lines = self.lines, tuple(lines)
        for y in range(max(len(old), len(self.lines))):
            _refresh_parts(self, y, _cut_at(old, y, self.size.width), _cut_at(self.lines, y, self.size.width))

    def render_line(self, y: int) -> Strip:
        """A line, cut to the width; nothing below the last one."""
        width = self.size.width
        cells = (cut(self.lines[y], width),) if y < len(self.lines) else ()
        return strip(cells, width, self._palette)


class TitleLines(Lines):
    """What a screen is, and beside it in a few words what for: on a second line where the first has no room."""

    DEFAULT_CSS = """
    TitleLines { height: 2; }
    """

    def __init__(self, palette: Palette, title: str, beside: str) -> None:
        super().__init__(palette)
        self._said: Cell = ((title, "bold"), (f"   {beside}", "dim"))

    def on_resize(self, event: events.Resize) -> None:
        self.show(wrap(self._said, event.size.width, 2)[:2])


class Wrapped:
    """Lines broken to a width. Those at the beginning that stay are not broken again: a text that grows is cheap."""

    def __init__(self) -> None:
        self._lines: list[Cell] = []
        self._parts: list[list[Cell]] = []
        self._width = 0

    def take(self, lines: Sequence[Cell], width: int, indent: int) -> list[Cell]:
        """All of them, broken."""
        if width != self._width:
            self._lines, self._width = [], width
        same = 0
        for old, new in zip(self._lines, lines, strict=False):
            if old != new:
                break
            same += 1
        self._parts[same:] = [wrap(line, width, indent) for line in lines[same:]]
        self._lines = list(lines)
        return [part for parts in self._parts for part in parts]


class Page(QuietFocus, ScrollView, can_focus=True):
    """Any number of lines; the keyboard scrolls. Standing at its end, it follows what is added."""

    BINDINGS = actions.bindings("page")

    DEFAULT_CSS = """
    Page { scrollbar-size: 0 0; height: 1fr; overflow-x: hidden; }
    """

    def __init__(
        self, palette: Palette, lines: Sequence[Cell] = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: tuple[Cell, ...] = tuple(lines)
        self._palette = palette
        self._drawn: dict[int, Cell] = {}
        self._at_end, self._follows = True, False

    def show(self, lines: Sequence[Cell], follow: bool = False) -> None:
        """Take other lines; with `follow`, a page that shows its end goes on to show it, also in another size."""
        self.lines, self._follows = tuple(lines), follow
        self.virtual_size = Size(self.size.width, len(self.lines))
        self._keep_end()
        for y, old in list(self._drawn.items()):
            if (new := self._line(y)) != old:
                self._drawn[y] = new
                _refresh_parts(self, y, old, new)

    def render_line(self, y: int) -> Strip:
        line = self._drawn[y] = self._line(y)
        return strip((line,), self.size.width, self._palette)

    def on_resize(self, event: events.Resize) -> None:
        self._drawn.clear()
        self.virtual_size = Size(event.size.width, len(self.lines))
        self._keep_end()
        self.refresh()  # it may have been drawn before it was told its size

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._at_end = round(new_value) >= len(self.lines) - self.size.height

    def action_line(self, step: int) -> None:
        self._scroll(step)

    def action_page(self, step: float) -> None:
        self._scroll(int(step * max(2, self.size.height - 1)))

    def action_end(self, step: int) -> None:
        self._scroll(step * len(self.lines))

    def _scroll(self, by: int) -> None:
        last = max(0, len(self.lines) - self.size.height)
        self.scroll_to(y=max(0, min(last, round(self.scroll_y) + by)), animate=False, force=True)

    def _keep_end(self) -> None:
        if self._follows and self._at_end:
            self.scroll_to(y=max(0, len(self.lines) - self.size.height), animate=False, force=True)

    def _line(self, y: int) -> Cell:
        number = y + round(self.scroll_y)
        return cut(self.lines[number], self.size.width) if number < len(self.lines) else ()


def _cut_at(lines: Sequence[Cell], y: int, width: int) -> Cell:
    return cut(lines[y], width) if y < len(lines) else ()


def _refresh_parts(widget: Widget, y: int, old: Cell, new: Cell) -> None:
    """Only the cells that differ."""
    for x, width in differing(old, new):
        widget.refresh(Region(x, y, width, 1))
