"""How did it go lately? One line of one colour: eight heights, and a baseline for nothing."""

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
NOTHING = "·"


def spark(values: Sequence[int], width: int) -> str:
    """The values in at most `width` cells, the newest at the right end; several values share a cell by their sum."""
    if width <= 0 or not values:
        return ""
    share = -(-len(values) // width)
    head = len(values) % share
    groups = [values[:head]] if head else []
    groups += [values[start : start + share] for start in range(head, len(values), share)]
    sums = [sum(group) for group in groups]
    top = max(sums)
    return "".join(_glyph(value, top) for value in sums)


def _glyph(value: int, top: int) -> str:
    if value <= 0:
        return NOTHING
    return _HEIGHTS[min(len(_HEIGHTS) - 1, value * len(_HEIGHTS) // (top + 1))]
