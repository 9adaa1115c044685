"""How much is written when something is drawn again? What differs, and not the line before it nor the lines around it.

Textual cuts what it writes at the right end only: a digit at the end of a table costs the whole row before it, and two
of them cost it twice. And when a screen opens it writes all of it two or three times, while what is on it comes in.
Nothing public is there to be changed, hence its own updates are taken for what they hold.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

KNOWN_S = 1.0
"""So long a line counts as being on the terminal as it was written, when all lines are painted. Not for ever: what
another program wrote over it goes when the operator has a screen painted anew."""
GAP = 12
"""Fewer cells between two that differ are written again: to go over them is not shorter."""

Line = tuple[Segment, ...]
Part = tuple[int, int]
"""From which cell on, up to which one."""


class Known(NamedTuple):
    """A line as it was written."""

    line: Line = ()
    fresh: int = 0
    """So many cells of it, from the left, were written since `at_s`."""
    at_s: float = 0.0


class Painted:
    """What was painted last, line by line. It belongs to one taking of one terminal, of one size."""

    def __init__(self) -> None:
        self._lines: dict[int, Known] = {}
        self._taken: object = None
        self._trusting = False

    def forget(self) -> None:
        """The terminal may show anything."""
        self._lines.clear()

    def narrowed(self, update: RenderableType | None, taken: object, dialog: bool = False) -> Any:
        """What is to be written instead of what Textual would write. `taken` is another object each time that the
        terminal is taken.

        Of a part, and with `dialog` of the whole, all that was ever written counts as known: it is painted because
        something there or beneath it has changed, and not because somebody wants to see it anew.
        """
        if taken is not self._taken:
            self._taken = taken
            self.forget()
        self._trusting = dialog or isinstance(update, ChopsUpdate)
        if isinstance(update, ChopsUpdate):
            return _Narrow(update, self)
        return _Changed(update, self) if isinstance(update, LayoutUpdate) else update

    def parts(self, y: int, line: Line) -> list[Part]:
        """In which parts this line differs from what is there. From now on it is there."""
        known, now_s = self._known(y)
        self._lines[y] = Known(line, _width(line), now_s)
        return differing_parts(self._usable(known), line)

    def piece(self, y: int, x: int, piece: Strip) -> list[Part]:
        """The same for a piece of the line that begins at cell `x`; counted from there. Lines that are written piece by
        piece from the left are fresh as far as that."""
        end = x + piece.cell_length
        known, now_s = self._known(y)
        before = Strip(self._usable(known)).crop(x, end) if x < end else ()
        self._put(y, x, piece, known if known.fresh else known._replace(at_s=now_s))
        return differing_parts(tuple(before), tuple(piece))

    def _known(self, y: int) -> tuple[Known, float]:
        """What is known of a line, and what time it is."""
        known, now_s = self._lines.get(y, Known()), time.monotonic()
        return (known if now_s - known.at_s < KNOWN_S else known._replace(fresh=0)), now_s

    def _usable(self, known: Known) -> Line:
        """As much of it as need not be written again."""
        return known.line if self._trusting else tuple(Strip(known.line).crop(0, known.fresh))

    def _put(self, y: int, x: int, piece: Strip, known: Known) -> None:
        """The line with this piece in it; nothing is known of one with a hole."""
        whole, end = Strip(known.line), x + piece.cell_length
        if x > whole.cell_length:
            self._lines.pop(y, None)
            return
        left, right = whole.crop(0, x), whole.crop(end) if end < whole.cell_length else ()
        fresh = max(known.fresh, end) if x <= known.fresh else 0
        self._lines[y] = Known((*left, *piece, *right), fresh, known.at_s)


def differing_part(old: Line, new: Line) -> tuple[int, int]:
    """All of it where the widths differ; (0, 0) where nothing does."""
    width = _width(new)
    if _width(old) != width:
        return 0, width
    left = _width(_alike(old, new))
    if left == width:
        return 0, 0
    return left, width - _width(_alike(old[::-1], new[::-1]))


def differing_parts(old: Line, new: Line) -> list[Part]:
    """The parts of it that are worth a move of their own."""
    first, end = differing_part(old, new)
    if first == end:
        return []
    before, after = (_cells(Strip(line).crop(first, end)) for line in (old, new))
    if not len(before) == len(after) == end - first:  # of another width, or not counted alike
        return [(first, end)]
    parts: list[Part] = []
    for x, (was, cell) in enumerate(zip(before, after, strict=True), first):
        at = parts[-1][1] if parts else -1
        if was == cell and (cell[0] or at != x):
            continue
        if parts and x - at <= GAP:
            parts[-1] = (parts[-1][0], x + 1)
        else:
            parts.append((x, x + 1))
    return parts


class _Narrow(CompositorUpdate):
    """Parts of lines, each cut at both ends."""

    def __init__(self, update: ChopsUpdate, painted: Painted) -> None:
        self._update, self._painted = update, painted

    def render_segments(self, console: Console) -> str:
        out: list[str] = []
        for y, first, end in self._update.spans:
            chops = self._update.chops[y].items()
            for chop_end, (x, strip) in zip(self._update.chop_ends[y], chops, strict=False):
                if strip is not None and x < end and chop_end > first:
                    left, right = max(x, first), min(chop_end, end)
                    part = strip if (left, right) == (x, chop_end) else strip.crop(left - x, right - x)
                    for begin, stop in self._painted.piece(y, left, part):
                        out += (Control.move_to(left + begin, y).segment.text, part.crop(begin, stop).render(console))
        return "".join(out)


class _Changed(CompositorUpdate):
    """All lines, without what is there already."""

    def __init__(self, update: LayoutUpdate, painted: Painted) -> None:
        self._update, self._painted = update, painted

    def render_segments(self, console: Console) -> str:
        out: list[str] = []
        x = self._update.region.x
        for y, strips in enumerate(self._update.strips, self._update.region.y):
            line = tuple(chain.from_iterable(strips))
            for first, end in self._painted.parts(y, line):
                part = Strip(line).crop(first, end)
                out += (Control.move_to(x + first, y).segment.text, part.render(console))
        return "".join(out)


def _alike(old: Sequence[Segment], new: Sequence[Segment]) -> list[Segment]:
    """The segments at the beginning that are the same."""
    same: list[Segment] = []
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        same.append(after)
    return same


def _cells(line: Iterable[Segment]) -> list[tuple[str, Style | None]]:
    """What is in each cell, and its style; the second half of a wide character is empty. One without a width counts as
    a cell, so that there are too many: a line cannot be cut beside it."""
    return [
        (half, style)
        for text, style, _ in line
        for character in text
        for half in (character, "")[: cell_len(character) or 1]
    ]


def _width(line: Iterable[Segment]) -> int:
    return sum(segment.cell_length for segment in line)
