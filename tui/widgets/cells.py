"""What is a line made of, before it is drawn? Spans of cleaned text, each with a tone; and how wide each may be."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

from msgspec import Struct
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.theme import Palette, Tone

_WORDS = re.compile(r"\s*\S+|\s+")

Span = tuple[str, Tone]
Cell = tuple[Span, ...]
"""One cell of a table, or a whole line. Its text must be clean: nothing here looks at it again."""

GAP = 1
"""Empty cells between two columns."""


class Column(Struct, frozen=True):
    """One column of a table. `width` is fixed, except for columns that take what is left."""

    title: str
    width: int
    align: Literal["left", "right"] = "left"
    drop: int = 0
    """The highest goes first when it gets narrow; 0 stays."""
    grows: bool = False
    """Takes what is left, shared where several do; `width` is then the least it needs."""
    letter: str = ""
    """With shift it orders the rows by this column; it stands in the title. Without one, nothing does."""


class Placed(Struct, frozen=True):
    """A column that fits: which one, from which cell on, how wide."""

    index: int
    x: int
    width: int


def span(text: str, tone: Tone = "text") -> Cell:
    return ((text, tone),)


def place(columns: Sequence[Column], width: int) -> tuple[Placed, ...]:
    """Which columns fit into so many cells, and where. Columns are dropped whole, never squeezed."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and _need(columns, kept) > width:
        loser = max(kept, key=lambda index: (columns[index].drop, index))
        if columns[loser].drop == 0:
            break
        kept.remove(loser)
    spare, growing = max(0, width - _need(columns, kept)), sum(columns[index].grows for index in kept)
    placed, x = [], 0
    for index in kept:
        more = -(-spare // growing) if columns[index].grows else 0
        spare, growing = spare - more, growing - columns[index].grows
        wide = columns[index].width + more
        wide = max(0, min(wide, width - x))
        placed.append(Placed(index=index, x=x, width=wide))
        x += wide + GAP
    return tuple(placed)


def cut(cell: Cell, width: int, align: str = "left") -> Cell:
    """The cell in exactly so many columns of the terminal; what is too long ends in `…`."""
    needed = sum(_cells(text) for text, _ in cell)
    if needed == width:
        return cell
    if needed < width:
        blank: Span = (" " * (width - needed), "text")
        return (blank, *cell) if align == "right" else (*cell, blank)
    out: list[Span] = []
    room = width
    for text, tone in cell:
        size = _cells(text)
        if size >= room:
            cropped = set_cell_size(text, max(0, room - 1)) + "…" if room else ""
            out.append((cropped, tone))
            break
        out.append((text, tone))
        room -= size
    return tuple(out)


def emphasised(cell: Cell, places: Iterable[int]) -> Cell:
    """The cell with the characters at these places standing out."""
    chosen = frozenset(places)
    out: list[Span] = []
    at = 0
    for text, tone in cell:
        for here, group in groupby(range(at, at + len(text)), chosen.__contains__):
            numbers = list(group)
            out.append((text[numbers[0] - at : numbers[-1] + 1 - at], "bold" if here else tone))
        at += len(text)
    return tuple(out)


def wrap(cell: Cell, width: int, indent: int = 0) -> list[Cell]:
    """The cell over as many lines as it needs, broken at blanks, the later ones indented.

    A word that is longer than a line is broken too: nothing is left out.
    """
    if line_width(cell) <= width:
        return [cell]
    lines: list[list[Span]] = [[]]
    room = width
    for word, tone in _words(cell, max(2, width - indent)):
        size = _cells(word)
        if size > room and lines[-1] and room < width - indent:
            lines.append([(" " * indent, "text")])
            room, word = width - indent, word.lstrip()
            size = _cells(word)
        lines[-1].append((word, tone))
        room -= size
    return [tuple(line) for line in lines]


def _words(cell: Cell, longest: int) -> Iterable[Span]:
    """Each with the blanks before it, in pieces of at most so many cells."""
    for text, tone in cell:
        for word in _WORDS.findall(text):
            pieces = [word] if _cells(word) <= longest else chop_cells(word, longest)
            yield from ((piece, tone) for piece in pieces)


def strip(cells: Iterable[Cell], width: int, palette: Palette, over: Style | None = None) -> Strip:
    """The spans as one line of the terminal, `over` laid over all of it.

    Blanks take the tone before them, and what has one tone becomes one segment: each change of style costs 40 bytes.
    """
    runs: list[tuple[list[str], Tone]] = []
    for text, tone in (span for cell in cells for span in cell if span[0]):
        if runs and (tone == runs[-1][1] or not text.strip()):
            runs[-1][0].append(text)
        else:
            runs.append(([text], tone))
    segments = [Segment("".join(texts), _style(palette, tone, over)) for texts, tone in runs]
    return Strip(segments).adjust_cell_length(width, segments[-1].style if segments else _style(palette, "text", over))


def line_width(cell: Cell) -> int:
    return sum(_cells(text) for text, _ in cell)


def _style(palette: Palette, tone: Tone, over: Style | None) -> Style:
    style = palette.ground + palette.style(tone)
    return style if over is None else style + over


def _need(columns: Sequence[Column], kept: Sequence[int]) -> int:
    return sum(columns[index].width for index in kept) + GAP * (len(kept) - 1)


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
