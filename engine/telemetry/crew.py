"""Who reads when there is much to read? Forked helpers of the reader, each with one file at a time, on every core.

A helper is forked before the reader has any thread, so it knows the files and cursors without being told. It is given
the number of a file, sends what it finds as lines that are ready for the engine, and at the end of the file the cursor.
"""

import gc
import os
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

import msgspec

from engine.contract.usage import Cursor, Unreadable
from engine.telemetry.catalog import SOURCES, wire_path
from engine.telemetry.source import Archive, LogFile

WORTH_BYTES = 32 * 1024 * 1024
"""Less than this is read sooner than helpers are ready."""
MOST = 4
_AHEAD = 8
"""Messages that a helper may be ahead of the engine."""

_FRAME = struct.Struct("<BI")
_LINE, _END = 0, 1
_TASK = struct.Struct("<I")


class Line(NamedTuple):
    """A message for the engine, encoded."""

    helper: "Helper"
    line: bytes


class Finished(NamedTuple):
    """A helper has read this file, up to this cursor; None where nothing could be read."""

    helper: "Helper"
    number: int
    cursor: Cursor | None
    again: bool


class _End(NamedTuple):
    cursor: Cursor | None
    again: bool


class Lost(NamedTuple):
    """A helper ended unexpectedly, with the file that it was at."""

    helper: "Helper"
    number: int | None


class Read(NamedTuple):
    """A line for the engine."""

    line: bytes
    cursor: Cursor | None
    """How far the file is read; None: it is told that it could not be."""
    again: bool = False
    """It is worth another try though the file stays as it is: it was locked, or closed to us."""


def read_file(file: LogFile, cursor: Cursor | None, archive: Archive, encoder: msgspec.json.Encoder) -> Iterator[Read]:
    """What there is to tell about a file. One that breaks its reader harms no other one."""
    try:
        for batch in SOURCES[file.root.source].read(file, cursor, archive):
            yield Read(encoder.encode(batch), batch.cursor)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Read(encoder.encode(Unreadable(wire_path(file.path), error.strerror or str(error))), None, again=True)
    except Exception as error:  # the boundary: what one damaged log provokes must not stop the others
        yield Read(encoder.encode(Unreadable(wire_path(file.path), f"{type(error).__name__}: {error}")), None)


class Helper:
    """One forked process."""

    def __init__(self, files: Sequence[LogFile], cursors: Mapping[str, Cursor], archive: Archive) -> None:
        tasks_in, self._tasks = os.pipe()
        self._results, results_out = os.pipe()
        self.number: int | None = None
        self._room = threading.BoundedSemaphore(_AHEAD)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._tasks)
            os.close(self._results)
            _serve(tasks_in, results_out, files, cursors, archive)
        os.close(tasks_in)
        os.close(results_out)

    def listen(self, tell: Callable[[Line | Finished | Lost], None]) -> None:
        """Start to pass on what it sends, from a thread."""
        threading.Thread(target=self._pass_on, args=(tell,), name=f"helper {self.pid}", daemon=True).start()

    def give(self, number: int) -> None:
        """Let it read this file next."""
        self.number = number
        os.write(self._tasks, _TASK.pack(number))

    def taken(self) -> None:
        """One of its lines has reached the engine."""
        self._room.release()

    def dismiss(self) -> None:
        """Let it end."""
        os.close(self._tasks)

    def _pass_on(self, tell: Callable[[Line | Finished | Lost], None]) -> None:
        with os.fdopen(self._results, "rb", buffering=1 << 18) as results:
            while len(frame := results.read(_FRAME.size)) == _FRAME.size:
                kind, length = _FRAME.unpack(frame)
                payload = results.read(length)
                number = self.number
                if len(payload) < length or number is None:
                    break
                if kind == _LINE:
                    self._room.acquire()
                    tell(Line(self, payload))
                else:
                    self.number = None
                    end = msgspec.json.decode(payload, type=_End)
                    tell(Finished(self, number, end.cursor, end.again))
        os.waitpid(self.pid, 0)
        tell(Lost(self, self.number))


class Crew:
    """The helpers of one scan. Fork it before any thread is started."""

    def __init__(self, size: int, files: Sequence[LogFile], cursors: Mapping[str, Cursor], archive: Archive) -> None:
        gc.freeze()  # so that a collection in a helper does not copy what they share
        self.helpers = [Helper(files, cursors, archive) for _ in range(size)]

    @staticmethod
    def wanted(total_bytes: int, files: int) -> int:
        """How many helpers this much is worth: one a core but for the one that books. The reader itself is one."""
        spare = len(os.sched_getaffinity(0)) - 1
        return min(spare, files, MOST) if total_bytes >= WORTH_BYTES and spare > 1 else 0


def _serve(
    tasks: int, results: int, files: Sequence[LogFile], cursors: Mapping[str, Cursor], archive: Archive
) -> NoReturn:
    encoder = msgspec.json.Encoder()
    try:
        while len(task := os.read(tasks, _TASK.size)) == _TASK.size:
            file = files[_TASK.unpack(task)[0]]
            last, again = cursors.get(file.path), False
            for found in read_file(file, last, archive, encoder):
                last, again = found.cursor or last, found.again
                _send(results, _LINE, found.line + b"\n")
            _send(results, _END, encoder.encode(_End(last, again)))
    finally:
        os._exit(0)  # never back into the reader's own code, whatever happened; it sees that we are gone


def _send(results: int, kind: int, payload: bytes) -> None:
    left = memoryview(_FRAME.pack(kind, len(payload)) + payload)
    while left:
        left = left[os.write(results, left) :]
