"""The reader process: what is in the logs, newest first, and then what changes? `python -m engine.telemetry.reader`

Speaks the protocol of `engine.contract.usage` on stdin and stdout, one JSON object a line. It ends when stdout is
closed and, while it follows, when stdin ends: then the engine is gone or wants it gone.
"""

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

from engine.contract.usage import CatchUp, CaughtUp, Progress, ReaderMessage, ReaderSetup, Unreadable
from engine.telemetry.catalog import SOURCES, Survey, folder_of, survey, survey_path, wire_path
from engine.telemetry.source import LogFile
from engine.telemetry.watcher import Changed, NotWatched, Watcher

SWEEP_S = 3.0
PROGRESS_S = 0.2

Event = Changed | NotWatched | CatchUp
Stamp = tuple[int, int, int, int]


class Reader:
    """Reads every log once, then what changes. `send` writes one message; `events` brings changes and requests."""

    def __init__(self, setup: ReaderSetup, send: Callable[[ReaderMessage], None], events: "queue.Queue[Event]") -> None:
        self._setup = setup
        self._send = send
        self._events = events
        self._cursors = {cursor.path: cursor for cursor in setup.cursors}
        self._looked: dict[str, Stamp] = {}
        self._why: dict[str, str] = {}
        self._live: dict[str, LogFile] = {}
        self._reading: str | None = None
        self._tokens: deque[str] = deque()
        self._watcher = Watcher(events.put)
        self._archive = Survey()
        self._progress = Progress(0, 0, 0, 0, scanning=True)
        self._next_progress = self._next_sweep = 0.0

    def run(self) -> None:
        """Until everything is read or, when following, for ever."""
        first = self._sweep()
        self._send(first.discovered())
        self._watch()
        self._first_scan(first)
        while self._setup.follow:
            waiting = not (self._live or self._tokens)
            self._take_events(max(0.0, self._next_sweep - time.monotonic()) if waiting else 0)
            self._read_live()
            if self._tokens:
                self._catch_up()

    def _first_scan(self, first: Survey) -> None:
        stale = [file for file in first.files if self._is_stale(file)]
        read_bytes = sum(file.size for file in first.files) - sum(file.size for file in stale)
        self._progress = Progress(
            files_done=len(first.files) - len(stale),
            files_total=len(first.files),
            bytes_done=read_bytes,
            bytes_total=sum(file.size for file in first.files),
            scanning=True,
        )
        for file in sorted(stale, key=lambda file: -file.mtime_ns):
            self._give_way()
            self._reading = file.path
            self._read(file, self._give_way)
            self._reading = None
            self._count_done(file)
        self._progress = msgspec.structs.replace(self._progress, scanning=False)
        self._send(self._progress)

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
            self._send(CaughtUp(token))

    def _count_done(self, file: LogFile) -> None:
        done = self._progress
        self._progress = Progress(
            done.files_done + 1, done.files_total, done.bytes_done + file.size, done.bytes_total, scanning=True
        )
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + PROGRESS_S
            self._send(self._progress)

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

    def _want(self, found: Survey) -> None:
        for problem in found.unreadable:
            self._report(problem)
        self._live.update((file.path, file) for file in found.files if self._is_stale(file))

    def _read_live(self) -> None:
        live, self._live = self._live, {}
        for file in live.values():
            if file.path == self._reading:
                self._live[file.path] = file  # its turn comes when the scan is through with it
            else:
                self._read(file)

    def _sweep(self) -> Survey:
        self._next_sweep = time.monotonic() + SWEEP_S
        found = self._archive = survey(self._setup.roots)
        for problem in found.unreadable:
            self._report(problem)
        return found

    def _watch(self) -> None:
        if self._setup.follow:
            self._watcher.keep(folder_of(root) for root in self._setup.roots)

    def _is_stale(self, file: LogFile) -> bool:
        looked = self._looked.get(file.path)
        if looked is not None:
            return looked != _stamp(file)
        cursor = self._cursors.get(file.path)
        same = cursor and (cursor.device, cursor.inode, cursor.size, cursor.mtime_ns) == _stamp(file)
        return not same

    def _read(self, file: LogFile, between: Callable[[], None] = lambda: None) -> None:
        if not self._is_stale(file):
            return
        self._looked[file.path] = _stamp(file)
        try:
            source = SOURCES[file.root.source]
            for batch in source.read(file, self._cursors.get(file.path), self._archive):
                self._cursors[file.path] = batch.cursor
                self._send(batch)
                between()
            self._why.pop(file.path, None)
        except FileNotFoundError:
            self._looked.pop(file.path, None)
        except OSError as error:
            self._report(Unreadable(wire_path(file.path), error.strerror or str(error)))

    def _report(self, problem: Unreadable) -> None:
        if self._why.get(problem.path) != problem.why:
            self._why[problem.path] = problem.why
            self._send(problem)


def _stamp(file: LogFile) -> Stamp:
    return file.device, file.inode, file.size, file.mtime_ns


def _write(encoder: msgspec.json.Encoder, message: ReaderMessage) -> None:
    line = memoryview(encoder.encode(message) + b"\n")
    try:
        while line:
            line = line[os.write(1, line) :]
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
    os.nice(5)
    events: queue.Queue[Event] = queue.Queue()
    threading.Thread(target=_listen, args=(setup.follow, events), name="stdin", daemon=True).start()
    threading.Thread(target=_leave_with_stdout, name="stdout", daemon=True).start()
    encoder = msgspec.json.Encoder()
    Reader(setup, lambda message: _write(encoder, message), events).run()
    os._exit(0)  # no wait for threads that only end with the process


if __name__ == "__main__":
    main()
