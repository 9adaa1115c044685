"""What became of the last key? One line that leaves by itself, and what stands in its place otherwise."""

from textual.timer import Timer

from tui.theme import Palette, Tone
from tui.widgets.cells import Cell
from tui.widgets.lines import Lines

FLASH_S = 8.0


class Flash(Lines):
    """A line above the keys. Its timer ends with it: a quiet screen sends nothing."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette, classes="-said")
        self._standing: Cell = ()
        self._timer: Timer | None = None

    def flash(self, line: str, tone: Tone = "text") -> None:
        """Say this for some seconds; an empty line ends what is said."""
        self._end_timer()
        if line:
            self._timer = self.set_timer(FLASH_S, self.clear)
        self.show([((line, tone),) if line else self._standing])

    def stand(self, line: Cell) -> None:
        """What is said when nothing has just happened."""
        self._standing = line
        if self._timer is None:
            self.show([line])

    def clear(self) -> None:
        """It has been read."""
        self._end_timer()
        self.show([self._standing])

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
