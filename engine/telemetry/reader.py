"""The reader process: what is in the logs, newest first, and then what changes? `python -m engine.telemetry.reader`

Speaks the protocol of `engine.contract.usage` on stdin and stdout, one JSON object a line. It ends when stdout is
closed and, while it follows, when stdin ends: then the engine is gone or wants it gone.
"""

import contextlib
import fcntl
import os
import queue
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from engine.contract.usage import CatchUp, CaughtUp, Gone, Progress, ReaderSetup, Unreadable
from engine.telemetry.catalog import Survey, folder_of, is_read, missing, stamp, survey, survey_path
from engine.telemetry.collector import let_rows_pass
from engine.telemetry.crew import Crew, Finished, Helper, Line, Lost, read_file
from engine.telemetry.outlet import HOLD_S, Outlet
from engine.telemetry.source import LogFile
from engine.telemetry.watcher import Changed, NotWatched, Watcher

SWEEP_S = 5.0
PROGRESS_S = 0.2
PIPE_BYTES = 1024 * 1024

Event = Changed | NotWatched | CatchUp | Line | Finished | Lost
Stamp = tuple[int, int, int, int]


class Reader:
    """Reads every log once, then what changes. `send` writes one line; `events` brings changes and requests."""

    def __init__(self, setup: ReaderSetup, send: Callable[[bytes], None], events: "queue.Queue[Event]") -> None:
        self._setup = setup
        self._outlet = Outlet(send)
        self._events = events
        self._cursors = {cursor.path: cursor for cursor in setup.cursors}
        self._looked: dict[str, Stamp] = {}
        self._why: dict[str, str] = {}
        self._live: dict[str, LogFile] = {}
        self._reading: set[str] = set()
        self._tokens: deque[str] = deque()
        self._watcher = Watcher(events.put)
        self._archive = survey(setup.roots)
        self._stale = sorted(filter(self._is_stale, self._archive.files), key=lambda file: -file.mtime_ns)
        self._queued = {file.path: stamp(file) for file in self._stale}
        self._crew: Crew | None = None
        self._done: deque[Finished | Lost] = deque()
        self._progress = Progress(0, 0, 0, 0, scanning=True)
        self._next_progress = self._next_sweep = 0.0

    def fork(self) -> None:
        """Get helpers if there is much to read. Only before this process has a thread."""
        wanted = Crew.wanted(sum(file.size for file in self._stale), len(self._stale))
        if wanted:
            self._crew = Crew(wanted, self._stale, self._cursors, self._archive)

    def run(self) -> None:
        """Until everything is read or, when following, for ever."""
        self._outlet.send(self._archive.discovered())
        self._take_stock(self._archive)
        self._watch()
        self._first_scan()
        while self._setup.follow:
            waiting = not (self._live or self._tokens)
            self._take_events(max(0.0, self._next_sweep - time.monotonic()) if waiting else 0)
            self._read_live()
            if self._tokens:
                self._catch_up()

    def _first_scan(self) -> None:
        files, stale = self._archive.files, self._stale
        self._progress = Progress(
            files_done=len(files) - len(stale),
            files_total=len(files),
            bytes_done=sum(file.size for file in files) - sum(file.size for file in stale),
            bytes_total=sum(file.size for file in files),
            scanning=True,
        )
        waiting = deque(range(len(stale)))
        if self._crew is not None:
            self._scan_with(self._crew, waiting)
        while waiting:
            file = stale[waiting.popleft()]
            self._give_way()
            self._reading.add(file.path)
            self._read(file, self._give_way)
            self._reading.discard(file.path)
            self._count_done(file)
        self._queued.clear()
        self._progress = msgspec.structs.replace(self._progress, scanning=False)
        self._outlet.send(self._progress)

    def _scan_with(self, crew: Crew, waiting: deque[int]) -> None:
        """Give each helper a file after the other, until none is left or no helper."""
        for helper in crew.helpers:
            helper.listen(self._events.put)
            self._give(helper, waiting)
        while crew.helpers:
            self._take_events(HOLD_S)
            if time.monotonic() >= self._outlet.due_at:
                self._outlet.flush()
            self._read_live()
            while self._done:
                event = self._done.popleft()
                number = event.number
                if number is not None:
                    if isinstance(event, Lost):
                        self._report(Unreadable(self._stale[number].path, "reading it ended unexpectedly"))
                    self._end_of(self._stale[number], event)
                if isinstance(event, Lost):
                    crew.helpers.remove(event.helper)
                else:
                    self._give(event.helper, waiting)
        self._outlet.flush()

    def _give(self, helper: Helper, waiting: deque[int]) -> None:
        while waiting:
            number = waiting.popleft()
            file = self._stale[number]
            if file.path not in self._looked:  # else it has changed meanwhile, and its turn came earlier
                self._reading.add(file.path)
                helper.give(number)
                return
            self._count_done(file)
        helper.dismiss()

    def _end_of(self, file: LogFile, event: Finished | Lost) -> None:
        if isinstance(event, Lost) or not event.again:
            self._looked[file.path] = stamp(file)
        if isinstance(event, Finished) and event.cursor is not None:
            self._cursors[file.path] = event.cursor
        self._reading.discard(file.path)
        self._count_done(file)

    def _give_way(self) -> None:
        """A session that is written right now does not wait for the rest of the scan."""
        self._take_events(0)
        self._read_live()

    def _catch_up(self) -> None:
        """One sweep answers every request that came before it."""
        tokens = tuple(self._tokens)
        self._tokens.clear()
        for file in self._sweep().files:
            self._read(file)
        for token in tokens:
            self._outlet.send(CaughtUp(token))

    def _count_done(self, file: LogFile) -> None:
        done = self._progress
        self._progress = Progress(
            done.files_done + 1, done.files_total, done.bytes_done + file.size, done.bytes_total, scanning=True
        )
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_S
            self._outlet.send(self._progress)

    def _take_events(self, wait_s: float) -> None:
        """Note what has come, waiting at most so long for the first; sweep when it is time."""
        try:
            event = self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait()
            while True:
                self._note(event)
                event = self._events.get_nowait()
        except queue.Empty:
            pass
        if self._setup.follow and time.monotonic() >= self._next_sweep:
            self._want(self._sweep())
            self._watch()

    def _note(self, event: Event) -> None:
        match event:
            case Changed(paths):
                for path in paths:
                    self._want(survey_path(self._setup.roots, path))
            case NotWatched(folder, why):
                self._report(Unreadable(folder, why))
            case CatchUp(token):
                self._tokens.append(token)
            case Line(helper, line):
                self._outlet.hold(line)
                helper.taken()
            case Finished() | Lost():
                self._done.append(event)

    def _want(self, found: Survey) -> None:
        for problem in found.unreadable:
            self._report(problem)
        for file in found.files:
            if self._is_stale(file) and self._queued.get(file.path) != stamp(file):
                self._live[file.path] = file

    def _read_live(self) -> None:
        live, self._live = self._live, {}
        for file in live.values():
            if file.path in self._reading:
                self._live[file.path] = file  # its turn comes when the scan is through with it
            else:
                self._read(file)

    def _sweep(self) -> Survey:
        found = self._archive = survey(self._setup.roots)
        self._take_stock(found)
        return found

    def _take_stock(self, found: Survey) -> None:
        """Tell what cannot be read, and what is not there any more; its cursor is of no use then."""
        self._next_sweep = time.monotonic() + SWEEP_S
        for problem in found.unreadable:
            self._report(problem)
        gone = missing(found, self._setup.roots, self._cursors)
        for path in gone:
            del self._cursors[path]
            self._looked.pop(path, None)
        if gone:
            self._outlet.send(Gone(gone))

    def _watch(self) -> None:
        if self._setup.follow:
            # A client that keeps its database beside much else has no folder of its own for it.
            self._watcher.keep((folder_of(root), bool(root.folder)) for root in self._setup.roots)

    def _is_stale(self, file: LogFile) -> bool:
        looked = self._looked.get(file.path)
        if looked is not None:
            return looked != stamp(file)
        return not is_read(file, self._cursors.get(file.path))

    def _read(self, file: LogFile, between: Callable[[], None] = lambda: None) -> None:
        if not self._is_stale(file):
            return
        self._looked[file.path] = stamp(file)
        for found in read_file(file, self._cursors.get(file.path), self._archive, self._outlet.encoder):
            if found.cursor is None:
                self._report(msgspec.json.decode(found.line, type=Unreadable))
                if found.again:
                    del self._looked[file.path]
                continue
            self._cursors[file.path] = found.cursor
            self._outlet.hold(found.line + b"\n")
            if not self._queued or time.monotonic() >= self._outlet.due_at:
                self._outlet.flush()
            self._why.pop(file.path, None)
            between()

    def _report(self, problem: Unreadable) -> None:
        if self._why.get(problem.path) != problem.why:
            self._why[problem.path] = problem.why
            self._outlet.send(problem)


def _write(line: bytes) -> None:
    left = memoryview(line)
    try:
        while left:
            left = left[os.write(1, left) :]
    except BrokenPipeError:
        os._exit(0)


def _listen(follow: bool, events: "queue.Queue[Event]") -> None:
    decoder = msgspec.json.Decoder(CatchUp)
    for line in sys.stdin.buffer:
        try:
            events.put(decoder.decode(line))
        except msgspec.DecodeError as error:
            sys.stderr.write(f"not a request: {error}\n")
            os._exit(2)
    if follow:
        os._exit(0)  # at once, even if the main thread waits for a pipe that nobody empties


def _leave_with_stdout() -> None:
    """Nothing is written while nothing changes, so a closed stdout must be asked for."""
    poll = select.poll()
    poll.register(1, 0)
    poll.poll()
    os._exit(0)


def main() -> None:
    """Read the setup from stdin, then do what it says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the console's to answer
    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=ReaderSetup)
    os.nice(10)
    let_rows_pass()
    with contextlib.suppress(OSError):  # fewer, longer writes of the engine; where it is not allowed, more of them
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    events: queue.Queue[Event] = queue.Queue()
    reader = Reader(setup, _write, events)
    reader.fork()
    threading.Thread(target=_listen, args=(setup.follow, events), name="stdin", daemon=True).start()
    threading.Thread(target=_leave_with_stdout, name="stdout", daemon=True).start()
    reader.run()
    os._exit(0)  # no wait for threads that only end with the process


if __name__ == "__main__":
    main()
