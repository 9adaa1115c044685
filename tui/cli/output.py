"""What has a run put out? The bytes of its standard output, and what its agent tells in them while it works."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from engine.adapters.registry import adapter
from engine.contract.adapter import Reader
from engine.contract.progress import Progress, TurnOver
from engine.contract.route import Route
from engine.runtime.places import is_held, spoken_to, start_of
from state import runs
from state.database import Connection
from state.home import Home

MOST_BYTES = 64 * 1024
"""Of a longer output the head and the tail, half of this each."""
STDOUT = "stdout.log"
STDERR = "stderr.log"
_BEGUN = ("running", "ending", "settled")
_TURNS = 200
"""Runs of a session, the last ones, among which the next turn of a program is looked for."""


class Kept(Struct, frozen=True):
    """What is left of an output."""

    text: str
    cut: bool
    """The middle is left out here."""


def kept_output(home: Home, connection: Connection, run: runs.Run) -> Kept | None:
    """Its standard output as text; None where none is kept."""
    start = start_of(home, run)
    try:
        with (spoken_to(home, run) / STDOUT).open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            if _is_shared(run):
                end = min(end, _next_turn(home, connection, run) or end)
            return _read(file, start, max(start, end))
    except OSError:
        return None


def kept_errors(home: Home, run: runs.Run) -> Kept | None:
    """Its standard error as text; None where none is kept. Of a program that is held for several runs it is all that
    this one has put out: no turn has its own."""
    try:
        with (spoken_to(home, run) / STDERR).open("rb") as file:
            return _read(file, 0, os.fstat(file.fileno()).st_size)
    except OSError:
        return None


def _read(file: BinaryIO, start: int, end: int) -> Kept:
    size = end - start
    file.seek(start)
    if size <= MOST_BYTES:
        return Kept(file.read(size).decode(errors="replace"), False)
    head = file.read(MOST_BYTES // 2)
    file.seek(end - MOST_BYTES // 2)
    tail = file.read(MOST_BYTES // 2)
    between = f"\n[... {size - MOST_BYTES} bytes left out ...]\n"
    return Kept(head.decode(errors="replace") + between + tail.decode(errors="replace"), True)


def _is_shared(run: runs.Run) -> bool:
    """Whether turns after this one go to the same file."""
    if run.client_id is not None or run.route is None:
        return run.client_id is not None
    return is_held(msgspec.json.decode(run.route, type=Route))


def _next_turn(home: Home, connection: Connection, run: runs.Run) -> int | None:
    """Where the turn after this one begins in the output of their program; None when there is none."""
    client = run.client_id or run.id
    turns = [one for one in runs.latest(connection, _TURNS, run.session_id) if one.client_id == client]
    later = [one for one in turns if one.id > run.id]
    return start_of(home, later[-1]) if later else None


class Live:
    """Follows what the agent of one run tells, from its beginning."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._reader: Reader | None = None
        self._file: tuple[Path, int] | None = None
        self._over = False

    @property
    def used_tokens(self) -> int | None:
        """What it has told of its usage so far, in tokens of all kinds; None when nothing."""
        used = self._reader.usage if self._reader is not None else None
        if used is None:
            return None
        return used.input_tokens + used.output_tokens + used.cache_read_tokens + used.cache_write_tokens

    def told(self, run: runs.Run) -> Iterator[Progress]:
        """What has come since the last look."""
        reader = self._found(run)
        while reader is not None and not self._over:
            new = reader.poll()
            if new is None:
                return
            for one in new:
                yield one
                self._over = isinstance(one, TurnOver) and _is_shared(run)
                if self._over:  # what comes then is another run's
                    return

    def _found(self, run: runs.Run) -> Reader | None:
        """One that is started afresh writes a new file."""
        folder = spoken_to(self._home, run)
        try:
            file = (folder, (folder / STDOUT).stat().st_ino) if run.state in _BEGUN else self._file
        except OSError:
            return self._reader
        if file is not None and file != self._file:
            self._file = file
            self._reader = adapter(run.adapter).reader(folder, start_of(self._home, run))
        return self._reader
