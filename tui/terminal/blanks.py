"""How is a row of blanks sent? As one order to erase so many cells: most of a screen is blank.

Erasing is as old as the VT220, but some terminals erase in their own background (GNU screen), and all without lines and
inversion. There the blanks are sent as they are.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

LEAST = 16
"""Fewer blanks are not longer than the order."""
_PARTS = re.compile(rf"\x1b\[([0-9;]*)m|( {{{LEAST},}})")
_DRAWN = {3, 4, 5, 6, 7, 8, 9, 21, 53}
"""Attributes that show on a blank, or might."""


class Ink(Struct, frozen=True):
    """What a blank would be drawn with."""

    drawn: bool = False
    """It is more than a background."""
    back: bool = False
    """It has a background of its own."""

    def over(self, other: "Ink") -> "Ink":
        return Ink(self.drawn or other.drawn, self.back or other.back)


def erases_in_colour(environ: Mapping[str, str]) -> bool:
    """Whether this terminal erases in the background that is set."""
    return not environ.get("TERM", "").startswith("screen")


def shortened(frame: str, in_colour: bool) -> str:
    """The frame with its blanks as orders; what else is in it stays as it is."""
    if " " * LEAST not in frame or "\x1b]" in frame or "\x1bP" in frame:
        return frame
    ink = Ink()

    def part(found: re.Match[str]) -> str:
        nonlocal ink
        blanks = found.group(2)
        if blanks is None:
            ink = _after(ink, found.group(1))
            return found.group()
        if ink.drawn or (ink.back and not in_colour):
            return found.group()
        return f"\x1b[{len(blanks)}X\x1b[{len(blanks)}C"

    return _PARTS.sub(part, frame)


@lru_cache(1024)
def _after(ink: Ink, parameters: str) -> Ink:
    """What is drawn with after `CSI parameters m`."""
    numbers = [int(number or 0) for number in parameters.split(";")]
    while numbers:
        number = numbers.pop(0)
        if number in (38, 48, 58) and numbers:
            del numbers[: 2 if numbers[0] == 5 else 4]
        ink = Ink() if number == 0 else ink.over(_ink(number))
    return ink


def _ink(number: int) -> Ink:
    return Ink(drawn=number in _DRAWN, back=40 <= number <= 48 or 100 <= number <= 107)
