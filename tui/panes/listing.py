"""Which of the rows are shown, and in which order? What the operator said of both holds until it is said otherwise."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from tui.lists.order import Order, Values, arranged, first_way
from tui.lists.sift import Sieve, sieve

R = TypeVar("R")


class Listing(Generic[R]):
    """The rows of one pane, a filter and an order. `words`: a line for each cell of a row. `worth`: what a row is worth
    in the column of this title; None where that is unknown."""

    def __init__(self, words: Callable[[R], str], worth: Callable[[R, str], Any]) -> None:
        self._words, self._worth = words, worth
        self.rows: Sequence[R] = ()
        self.text = ""
        self.order: Order | None = None
        self._told = 0
        self._said, self._values = Values(), Values()

    def take(self, rows: Sequence[R]) -> None:
        self.rows = rows

    def told(self) -> None:
        """What rows say or are worth may have changed, though they have not."""
        self._told += 1

    @property
    def sieve(self) -> Sieve:
        return sieve(self.text)

    def shown(self) -> Sequence[R]:
        """Those that the filter leaves, in their order."""
        left = self._left()
        if self.order is None:
            return left
        return arranged(left, self._worths(left, self.order.by), self.order.down)

    def order_by(self, title: str) -> None:
        """By this column; when it is that already, the other way round."""
        if self.order is not None and self.order.by == title:
            self.order = self.order.reversed
        else:
            self.order = Order(title, first_way(self._worths(self.rows, title)))

    def order_by_next(self, titles: Sequence[str]) -> None:
        """By the column after the one it is; after the last one as the rows came."""
        here = titles.index(self.order.by) if self.order is not None and self.order.by in titles else -1
        self.order = None
        if here + 1 < len(titles):
            self.order_by(titles[here + 1])

    def _left(self) -> Sequence[R]:
        wanted = self.sieve
        if not wanted.words:
            return self.rows
        said = self._said.of(self.rows, self._told, self._words)
        return [row for row, cells in zip(self.rows, said, strict=True) if wanted.lets_through(cells)]

    def _worths(self, rows: Sequence[R], title: str) -> list[Any]:
        return self._values.of(rows, (title, self._told), lambda row: self._worth(row, title))
