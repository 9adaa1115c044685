"""On which line of a TOML text does a key stand? Good enough to point an operator at it."""

import re
from collections.abc import Iterator

_HEADER = re.compile(r"^\s*\[\[?\s*(.+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_LONG_QUOTES = re.compile(r"\"{3}|'{3}")
_SEGMENT = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line (from 1) of the key or table at `path`, else of the nearest table above it, else 1."""
    best, best_depth = 1, 0
    table: tuple[str, ...] = ()
    for number, line in _plain_lines(text):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header and not key:
            table = _segments(header.group(1))
            here = table
        elif key:
            here = table + _segments(key.group(1))
        else:
            continue
        depth = len(here) if here == path[: len(here)] else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def _plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without those that begin inside a string of several lines."""
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not inside:
            yield number, line
        for quotes in _LONG_QUOTES.findall(line if inside else line.partition(" #")[0]):
            inside = "" if quotes == inside else inside or quotes


def _segments(dotted: str) -> tuple[str, ...]:
    return tuple(segment.strip("\"'") for segment in _SEGMENT.findall(dotted))
