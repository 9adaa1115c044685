"""Which cells of a line look different now? Only those are drawn again: a cell costs a byte, a line as many as it is
wide."""

from collections.abc import Sequence

from rich.cells import get_character_cell_size

from tui.theme import Tone
from tui.widgets.cells import Cell

TOGETHER = 12
"""Two places so near each other are drawn as one: moving the cursor and setting a style costs about as much."""
_IN_NUMBERS = frozenset(".,$%~+-:<")
_DRAWN = tuple[str, Tone]


def differing(old: Cell, new: Cell) -> list[tuple[int, int]]:
    """(first cell, width) of each part of the line that differs, from the left. Both are cut to the same width."""
    if old == new:
        return []
    before, after = _grid(old), _grid(new)
    width = max(len(before), len(after))
    before += [(" ", "text")] * (width - len(before))
    after += [(" ", "text")] * (width - len(after))
    found: list[list[int]] = []
    for x in range(width):
        if before[x] != after[x]:
            if found and x - found[-1][1] <= TOGETHER:
                found[-1][1] = x
            else:
                found.append([x, x])
    return [_whole(first, last, (before, after)) for first, last in found]


def _grid(cell: Cell) -> list[_DRAWN]:
    """What is in each cell; the second half of a wide character is empty, and a combining mark is part of what it is
    on."""
    grid: list[_DRAWN] = []
    for text, tone in cell:
        if text.isascii():
            grid += [(character, tone) for character in text]
            continue
        for character in text:
            size = get_character_cell_size(character)
            if size == 0 and grid:
                grid[-1] = (grid[-1][0] + character, grid[-1][1])
            else:
                grid += [(character, tone), *[("", tone)] * (size - 1)]
    return grid


def _whole(first: int, last: int, grids: Sequence[list[_DRAWN]]) -> tuple[int, int]:
    """The same part with words and numbers in whole, as whoever reads along reads them, and wide characters too."""
    after, end = grids[1], len(grids[1])
    while first > 0 and _of_word(after[first - 1][0]) and _of_word(after[first][0]):
        first -= 1
    while last + 1 < end and _of_word(after[last][0]) and _of_word(after[last + 1][0]):
        last += 1
    while first > 0 and any(grid[first][0] == "" for grid in grids):
        first -= 1
    while last + 1 < end and any(grid[last + 1][0] == "" for grid in grids):
        last += 1
    return first, last - first + 1


def _of_word(character: str) -> bool:
    return character.isalnum() or character in _IN_NUMBERS
