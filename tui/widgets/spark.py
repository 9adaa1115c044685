"""How did it go lately? One colour: a line of eight heights, or bars of several lines; a baseline for nothing."""

from collections.abc import Sequence

_HEIGHTS = "▁▂▃▄▅▆▇█"
_STEPS = len(_HEIGHTS)
NOTHING = "·"


def spark(values: Sequence[int], width: int) -> str:
    """The values in at most `width` cells, the newest at the right end; several values share a cell by their sum."""
    sums = fitted(values, width)
    top = max(sums, default=0)
    return "".join(_glyph(value, top) for value in sums)


def fitted(values: Sequence[int], width: int) -> list[int]:
    """As many sums of neighbours as there is room for; where some have fewer values, that is the oldest one."""
    if width <= 0 or not values:
        return []
    share = -(-len(values) // width)
    head = len(values) % share
    groups = [values[:head]] if head else []
    groups += [values[start : start + share] for start in range(head, len(values), share)]
    return [sum(group) for group in groups]


def bars(values: Sequence[int], width: int, height: int) -> list[str]:
    """The same `height` lines high, from the top; values have several cells each where there is room for it."""
    sums = fitted(values, width)
    wide, top = max(1, width // max(1, len(sums))), max(sums, default=0)
    return ["".join(_part(value, top, level, height) * wide for value in sums) for level in reversed(range(height))]


def _glyph(value: int, top: int) -> str:
    return NOTHING if value <= 0 else _HEIGHTS[min(_STEPS - 1, value * _STEPS // (top + 1))]


def _part(value: int, top: int, level: int, height: int) -> str:
    """What a bar shows in one line of several, the lowest of which is 0."""
    if value <= 0:
        return NOTHING if level == 0 else " "
    eighths = max(1, -(-value * _STEPS * height // top)) - level * _STEPS
    return " " if eighths <= 0 else _HEIGHTS[min(_STEPS, eighths) - 1]
