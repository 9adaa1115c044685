"""How fast do tokens go, and whose are they? Two lines: figures, then the last hour by minutes."""

from tui.reading.views import Spend
from tui.text import percent, tokens
from tui.widgets.cells import Cell, Span, line_width
from tui.widgets.lines import Lines
from tui.widgets.spark import spark


class BurnLines(Lines):
    """Drawn again whenever there is another width for them, as after a pane had the whole screen."""

    _spend: Spend | None = None

    def take(self, spend: Spend) -> None:
        self._spend = spend
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._spend is not None and self.size.width:
            self.show(burn_lines(self._spend, self.size.width - 1))


def burn_lines(spend: Spend, width: int) -> list[Cell]:
    """The lanes' shares of the hour where there is room for them, the largest first."""
    title: list[Span] = [
        ("tok/min", "head"),
        (", last hour  ", "dim"),
        (tokens(spend.burn), "text"),
        (" (5 min)  ", "dim"),
        (tokens(max(spend.minutes, default=0)), "text"),
        (" at most", "dim"),
    ]
    whole = sum(number for _, number in spend.lanes)
    for lane, number in spend.lanes:
        piece: Cell = (("   ", "dim"), (lane, "dim"), (f" {percent(number / whole)}", "text"))
        if line_width((*title, *piece)) > width:
            break
        title += piece
    return [tuple(title), ((spark(spend.minutes, width), "accent"),)]
