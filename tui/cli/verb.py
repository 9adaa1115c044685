"""What is a verb? Its arguments, and a function from them to an output that is printed as text or as JSON."""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from msgspec import Struct

from engine.contract.clock import iso
from state.database import Connection, open_reader
from state.errors import UsageError
from state.home import Home


class Output(Struct, frozen=True):
    """What a verb answers."""

    data: Any
    """Plain values, snake_case keys, times as UTC ISO text: the stable JSON contract."""
    text: str
    ok: bool = True


class Context:
    """What a verb works with."""

    def __init__(self, home: Home, options: argparse.Namespace) -> None:
        self.home = home
        self.options = options

    @property
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def reader(self) -> Connection | None:
        """The state, read-only; None when there is none yet."""
        return open_reader(self.home)

    def workspace(self) -> str:
        """The folder that the operator names, else the one they stand in."""
        return os.path.abspath(os.path.expanduser(self.options.workspace or "."))  # noqa: PTH100, PTH111


class Following(Struct, frozen=True):
    """Whether an engine keeps the state up to date, and when it was last written."""

    live: bool
    seen_ms: int | None
    """None: there is none yet."""

    @property
    def view(self) -> dict[str, Any]:
        """As the JSON contract names it."""
        return {"live": self.live, "seen_at": iso(self.seen_ms)}

    def note(self, now_ms: int) -> str:
        """How old an answer from it is; empty while an engine follows."""
        from tui.text import ago

        if self.live or self.seen_ms is None:
            return ""
        return f"No engine follows: this was seen {ago(self.seen_ms, now_ms)}. qd usage brings it up to date."


def following(home: Home) -> Following:
    """What is read from the state now is as old as this."""
    from engine.runtime.lease import holder

    return Following(holder(home) is not None, _written_ms(home))


def _written_ms(home: Home) -> int | None:
    """Who only reads makes an empty log beside the database."""
    files = (home.database, home.database.with_name(f"{home.database.name}-wal"))
    found = [path.stat() for path in files if path.exists()]
    return max((one.st_mtime_ns // 1_000_000 for one in found if one.st_size), default=None)


def noted(text: str, note: str) -> str:
    """A text with a remark below it, where there is one."""
    return f"{text}\n\n{note}" if note else text


class Verb(Struct, frozen=True):
    """A verb's two halves."""

    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], Output]


class Parser(argparse.ArgumentParser):
    """One line for a mistake, and exit code 2, instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", f"see: {self.prog} --help")


class Page(Struct, frozen=True):
    """What a text is printed on."""

    width: int | None
    """Columns; None for as many as it takes."""
    short: bool
    """Whether a figure may be shortened to fit: what a program may read stays exact."""


def page() -> Page:
    """A terminal has its own width, or the one that COLUMNS tells; a file or a pipe only that one."""
    terminal = sys.stdout.isatty()
    told = os.environ.get("COLUMNS", "")
    if terminal or (told.isascii() and told.isdigit() and int(told)):
        return Page(shutil.get_terminal_size().columns, terminal)
    return Page(None, False)


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For verbs that take none."""


def listed(values: Iterable[str] | None) -> tuple[str, ...]:
    """Names given by repeating an option or with commas, in order, once each."""
    names = [name.strip() for value in values or () for name in value.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def table(header: Sequence[str], rows: Sequence[Sequence[object]], right: Iterable[int] = ()) -> str:
    """Aligned columns; the columns whose numbers are in `right` are right-aligned."""
    from tui.clean import clean

    cells = [[clean(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    flush_right = set(right)

    def line(row: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column in flush_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    return "\n".join(line(row) for row in cells)


def exact(number: int) -> str:
    """`1,234`"""
    return f"{number:,}"


def fitted(tables: Iterable[str], width: int | None) -> str:
    """The first of these that is no wider, else the last."""
    made = ""
    for made in tables:
        if width is None or max(len(line) for line in made.splitlines()) <= width:
            break
    return made


def declared_key(name: str) -> str:
    """Of a value of the route: its key in the configuration, whose values carry their units."""
    return name.replace("_microusd", "_usd").removesuffix("_s")


def local(at_ms: int | None) -> str:
    """A time for a person: in the machine's zone, to the minute."""
    return "-" if at_ms is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at_ms / 1000))


def times(record: dict[str, Any]) -> dict[str, Any]:
    """The same record with every `..._ms` instant as `..._at`, UTC ISO text."""
    return {
        (f"{key.removesuffix('_ms')}_at" if key.endswith("_ms") else key): (
            iso(value) if key.endswith("_ms") else value
        )
        for key, value in record.items()
    }
