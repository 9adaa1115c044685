"""In which order do rows stand? By one of their columns, up or down; what is unknown comes last either way."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

R = TypeVar("R")

UP, DOWN = "^", "v"
"""What stands in the head beside the title: the smallest first, or the largest."""


class Order(Struct, frozen=True):
    """Which column, by its title, and which way."""

    by: str
    down: bool

    @property
    def mark(self) -> str:
        return DOWN if self.down else UP

    @property
    def reversed(self) -> "Order":
        return Order(self.by, not self.down)


class Values:
    """What has been found out about rows, so that those that are still there are not asked again."""

    def __init__(self) -> None:
        self._by: Any = None
        self._known: dict[int, tuple[Any, Any]] = {}
        """By the identity of the row, which is kept with its value: while it is here, no other has that."""

    def of(self, rows: Sequence[R], by: Any, value: Callable[[R], Any]) -> list[Any]:
        """One for each row. `by` names what is asked for, with all else that it depends on."""
        known = self._known if by == self._by else {}
        fresh: dict[int, tuple[Any, Any]] = {}
        found = []
        for row in rows:
            one = known.get(id(row))
            if one is None:
                one = (row, _comparable(value(row)))
            fresh[id(row)] = one
            found.append(one[1])
        self._by, self._known = by, fresh
        return found


def arranged(rows: Sequence[R], values: Sequence[Any], down: bool) -> list[R]:
    """Those that are worth the same stay in the order in which they were."""
    told = [number for number, value in enumerate(values) if value is not None]
    told.sort(key=values.__getitem__, reverse=down)
    unknown = [row for row, value in zip(rows, values, strict=True) if value is None]
    return [*(rows[number] for number in told), *unknown]


def first_way(values: Sequence[Any]) -> bool:
    """Whether the largest comes first when a column is chosen: of numbers it does, a text begins with its A."""
    return next((not isinstance(value, str) for value in values if value is not None), False)


def _comparable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
