"""Can two patterns be walked to their ends together? The product of two rows of atoms, whatever an atom stands for.

The same walk serves characters in a segment and segments in a path. An atom stands for one thing out of a set; one that
`skips` may stand for none, one that `loops` for any number of any things. Only the pairs of places that can be reached
are kept, a row of them as the bits of an integer: the walk is polynomial, and fast, whatever the patterns are.
"""

from collections.abc import Callable

from msgspec import Struct

Meets = Callable[[int, int], int]
"""Of one's atom and bits for atoms of the other: the bits of those that share a thing with it."""


class Atoms(Struct, frozen=True):
    """What the walk needs to know of a pattern."""

    count: int
    skips: int
    """Bits of the atoms that may stand for nothing."""
    loops: int
    """Bits of the atoms that stand for any number of anything; they skip as well."""


def walk(one: Atoms, other: Atoms, meets: Meets) -> list[int] | None:
    """For each place in one, the places in the other reached beside it; None when the ends are not reached together."""
    row = skipped(1, other)
    rows = []
    for place in range(one.count):
        if one.loops >> place & 1:
            row = _from_lowest(row, other)  # it takes whatever the other one asks for
        rows.append(row)
        both = meets(place, row)
        onward = (both << 1) | (both & other.loops)
        if one.skips >> place & 1:
            onward |= row
        row = skipped(onward & (2 << other.count) - 1, other)
        if not row:
            return None
    rows.append(row)
    return rows if row >> other.count & 1 else None


def skipped(row: int, other: Atoms) -> int:
    """With the places reached by letting the other one's atoms stand for nothing."""
    while (further := row | (row & other.skips) << 1) != row:
        row = further
    return row


def _from_lowest(row: int, other: Atoms) -> int:
    return (2 << other.count) - 1 & -(row & -row)


def trace(rows: list[int], one: Atoms, other: Atoms, meets: Meets) -> list[tuple[int, int]]:
    """The pairs of atoms that met on one way to the ends, in order: one pair for each thing that both stand for."""
    place, beside = one.count, other.count
    pairs: list[tuple[int, int]] = []
    while place or beside:
        step = _before(rows, place, beside, one, other, meets)
        if step[2]:
            pairs.append((min(place, step[0]), min(beside, step[1])))
        place, beside = step[:2]
    return pairs[::-1]


def _before(rows: list[int], place: int, beside: int, one: Atoms, other: Atoms, meets: Meets) -> tuple[int, int, bool]:
    """From where this pair of places was reached, and whether a thing was taken on the way."""
    up, left = place - 1, beside - 1
    if left >= 0 and other.skips >> left & 1 and rows[place] >> left & 1:
        return place, left, False
    if up >= 0 and one.skips >> up & 1 and rows[up] >> beside & 1:
        return up, beside, False
    if up >= 0 and left >= 0 and rows[up] >> left & 1 and meets(up, 1 << left):
        return up, left, True
    if up >= 0 and other.loops >> beside & 1 and rows[up] >> beside & 1 and meets(up, 1 << beside):
        return up, beside, True
    return place, left, True  # one's atom at this place loops, and took what the other asked for
