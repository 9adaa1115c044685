"""On which line of a TOML text does a key stand? Good enough to point an operator at it."""

import contextlib
import re
import tomllib
from collections.abc import Iterator

_HEADER = re.compile(r"^\s*\[\[?\s*(.+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_LONG_QUOTES = re.compile(r"\"{3}|'{3}")
_SEGMENT = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line (from 1) of the key or table at `path`, else of the nearest table above it, else 1."""
    best, best_depth = 1, 0
    for number, here, _ in _places(text):
        depth = len(here) if here == path[: len(here)] else 0
        if depth > best_depth:
            best, best_depth = number, depth
    return best


def tables(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """The line and the path of every `[table]`."""
    return [(number, here) for number, here, header in _places(text) if header]


def _places(text: str) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Every line with a table or a key, its path, and whether it is a table."""
    table: tuple[str, ...] = ()
    for number, line in _plain_lines(text):
        header, key = _HEADER.match(line), _KEY.match(line)
        if key:
            yield number, table + _segments(key.group(1)), False
        elif header:
            table = _segments(header.group(1))
            yield number, table, True


def _plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without those that begin inside a string of several lines."""
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not inside:
            yield number, line
        for quotes in _LONG_QUOTES.findall(line if inside else line.partition(" #")[0]):
            inside = "" if quotes == inside else inside or quotes


def _segments(dotted: str) -> tuple[str, ...]:
    return tuple(_bare(segment) for segment in _SEGMENT.findall(dotted))


def _bare(segment: str) -> str:
    if segment.startswith('"'):
        with contextlib.suppress(tomllib.TOMLDecodeError):
            return str(tomllib.loads(f"name = {segment}")["name"])
    return segment.strip("\"'")
