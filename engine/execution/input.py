"""How does a child that is held open get its input? First a file, then what others write to a FIFO, without waiting.

Standard library alone, as all that a keeper imports."""

import os
import select

NAME = "input"
"""The FIFO in the run's folder."""
MOST = 64 * 1024 * 1024
"""What is held for a child that does not take it; more stays with those who write it."""
CHUNK = 64 * 1024
_STEP = 1024 * 1024
"""What is taken or forwarded before the child's output gets its turn."""


class Input:
    """From `file` and then `fifo` to the child's standard input; whoever waits asks `wanted` what for."""

    def __init__(self, file: int, fifo: int, sink: int) -> None:
        self.open = True
        self._file = file
        self._fifo = fifo
        self._sink = sink
        self._first = b""
        self._then = bytearray()
        self._left = True
        self._ends = False
        self._dry = False
        for fd in (fifo, sink):
            os.set_blocking(fd, False)

    def wanted(self) -> dict[int, int]:
        """What `poll` is to wait for. That a child has closed its end is told without being asked for."""
        if not self.open:
            return {}
        room = select.POLLIN if len(self._then) < MOST else 0
        return {self._fifo: room, self._sink: select.POLLOUT if self._left or self._then else 0}

    def end(self) -> None:
        """Nothing more comes: close it when all that was written by now is forwarded."""
        self._ends = True
        self._dry = False
        self.move()

    def move(self, happened: int = 0) -> None:
        """Take and forward what goes without waiting."""
        if not self.open:
            return
        try:
            self._take()
            self._left = not self._forward()
        except BlockingIOError:
            self._left = True
        except BrokenPipeError:
            happened = select.POLLERR
        if happened & select.POLLERR or (self._ends and self._dry and not self._left):
            self.close()

    def close(self) -> None:
        """What is not forwarded by now is lost; who writes to the FIFO is told that nobody reads."""
        if self.open:
            self.open = False
            for fd in (self._file, self._fifo, self._sink):
                os.close(fd)
            self._then.clear()

    def _take(self) -> None:
        most = min(MOST, len(self._then) + _STEP)
        try:
            while len(self._then) < most:
                self._then += os.read(self._fifo, CHUNK)
        except BlockingIOError:
            self._dry = True

    def _forward(self) -> bool:
        """Whether nothing is left. Raises BlockingIOError when the child takes no more now, BrokenPipeError when it
        never will."""
        forwarded = 0
        while self._first or self._refill():
            if forwarded >= _STEP:
                return False
            written = os.write(self._sink, self._first)
            self._first = self._first[written:]
            forwarded += written
        return True

    def _refill(self) -> bool:
        """Take the next piece, in order; False when there is none."""
        self._first = os.read(self._file, CHUNK)
        if not self._first:
            self._first = bytes(self._then[:CHUNK])
            del self._then[:CHUNK]
        return bool(self._first)


def open_input(folder: int, file: int) -> tuple[int, Input]:
    """The child's end, and ours. Both ends of the FIFO are held: it does not end when a writer leaves. Raises
    OSError."""
    os.mkfifo(NAME, 0o600, dir_fd=folder)
    fifo = os.open(NAME, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    source, sink = os.pipe()
    return source, Input(file, fifo, sink)


def remove_fifo(folder: int) -> None:
    """Who reads all files of a folder would wait for it for ever."""
    try:
        os.unlink(NAME, dir_fd=folder)
    except OSError:  # The folder is gone.
        return
