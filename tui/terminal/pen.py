"""How are styles sent? Only as far as they differ from what the terminal draws with already.

Rich opens and closes the style of each segment: forty bytes for a word of four letters, most of which say the ground
again. What is written in one go begins and ends without a style, so that each stands for itself: one may be dropped.
"""

import re
from functools import lru_cache
from typing import NamedTuple

_PARTS = re.compile(r"\x1b\[([0-9;]*)m|(\x1b\[[0-9;]*[HC])|(\x1b\[[0-9]*X| +(?=\x1b|$))|([^\x1b]+|\x1b)")
"""A style, a move, blanks up to the next sequence, or anything else."""
_ON_BLANKS = frozenset(["3", "4", "5", "6", "7", "8", "9", "21", "53"])
"""Attributes that show on a blank, or might; a colour of the text does not."""
_OFF = {"22": {"1", "2"}, "23": {"3"}, "24": {"4", "21"}, "25": {"5", "6"}, "27": {"7"}, "28": {"8"}, "29": {"9"}}
_MORE = {"2": 4, "5": 2}
"""Numbers after 38, 48 and 58, by the first one: red, green and blue, or a place in a table."""


class Pen(NamedTuple):
    """What is drawn with; empty where it is the terminal's own."""

    text: str = ""
    ground: str = ""
    attributes: frozenset[str] = frozenset()


PLAIN = Pen()


def thrifty(frame: str) -> str:
    """What looks the same in fewer bytes."""
    if "\x1b]" in frame or "\x1bP" in frame:
        return frame
    out: list[str] = []
    held = wanted = PLAIN
    for style, move, blank, other in _PARTS.findall(frame):
        if other or blank:
            needed = _for_blanks(held, wanted) if blank else wanted
            out += (_change(held, needed), blank or other)
            held = needed
        elif move:
            out.append(move)
        else:
            wanted = _after(wanted, style)
    out.append(_change(held, PLAIN))
    return "".join(out)


@lru_cache(4096)
def _change(old: Pen, new: Pen) -> str:
    """The shortest order that makes the one the other."""
    if old == new:
        return ""
    anew = ";".join(["0", *_codes(PLAIN, new)])
    if old.attributes - new.attributes:
        return f"\x1b[{anew}m"
    return f"\x1b[{min(';'.join(_codes(old, new)), anew, key=len)}m"


def _codes(old: Pen, new: Pen) -> list[str]:
    """What is added to the one; nothing of it is taken away."""
    codes = sorted(new.attributes - old.attributes)
    if new.text != old.text:
        codes.append(new.text or "39")
    if new.ground != old.ground:
        codes.append(new.ground or "49")
    return codes


@lru_cache(4096)
def _for_blanks(held: Pen, wanted: Pen) -> Pen:
    """With what blanks may be drawn: the ground is what shows."""
    if (held.attributes | wanted.attributes) & _ON_BLANKS:
        return wanted
    return held._replace(ground=wanted.ground)


@lru_cache(4096)
def _after(pen: Pen, parameters: str) -> Pen:
    """The pen after `CSI parameters m`."""
    numbers = parameters.split(";")
    while numbers:
        number = numbers.pop(0) or "0"
        if number in ("38", "48", "58"):
            count = _MORE.get(numbers[0] if numbers else "", 0)
            number, numbers = ";".join([number, *numbers[:count]]), numbers[count:]
        pen = _with(pen, number)
    return pen


def _with(pen: Pen, code: str) -> Pen:
    first = code.partition(";")[0]
    number = int(first)
    if number == 0:
        return PLAIN
    if number == 38 or 30 <= number <= 39 or 90 <= number <= 97:
        return pen._replace(text="" if number == 39 else code)
    if number == 48 or 40 <= number <= 49 or 100 <= number <= 107:
        return pen._replace(ground="" if number == 49 else code)
    if first in _OFF:
        return pen._replace(attributes=pen.attributes - _OFF[first])
    return pen._replace(attributes=pen.attributes | {code})
