"""How does what is painted reach a terminal that may have stopped reading? It waits here, and nothing waits for it.

The terminal is opened a second time for writing, without blocking: the description that we were started with is shared
with the shell. Whoever paints asks `behind` and paints no more until it is told that everything has gone out.
"""

import asyncio
import os
import select
import threading
import time
from collections.abc import Callable

_CHUNK = 64 * 1024
MOST = 1024 * 1024
"""Bytes kept for a terminal that does not read; what comes on top is dropped."""


def open_again(file: int) -> int:
    """The terminal behind `file`, for writing without waiting. Raises OSError.

    By its name, or as the terminal that controls us, where the name belongs to somebody else, as after `su`.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(os.ttyname(file), flags)
    except OSError:
        return os.open("/dev/tty", flags)


class Writer:
    """Bytes on their way out. `write` may be called from any thread, everything else from the loop's.

    `clear` is called when everything has gone out after the terminal was behind, `gone` when there is none any more.
    """

    def __init__(
        self, file: int, loop: asyncio.AbstractEventLoop, clear: Callable[[], object], gone: Callable[[], object]
    ) -> None:
        self._file, self._loop = file, loop
        self._clear, self._gone = clear, gone
        self._pending = bytearray()
        self._lock = threading.Lock()
        self._lost = False
        self.behind = False
        """Whether the terminal has not taken all of it yet."""

    def write(self, text: str) -> None:
        """Take a text. It goes out with the next `flush`, at the latest when the loop comes around."""
        with self._lock:
            if self._lost or len(self._pending) > MOST:
                return
            first = not self._pending
            self._pending += text.encode("utf-8", "replace")
        if first:
            self._loop.call_soon_threadsafe(self.flush)

    def flush(self) -> None:
        """Hand out as much as the terminal takes now."""
        try:
            left = self._push()
        except OSError:
            self._lose()
            return
        if left and not self.behind:
            self.behind = True
            self._loop.add_writer(self._file, self.flush)
        elif not left and self.behind:
            self._rest()
            self._clear()

    def drain(self, patience_s: float) -> bool:
        """Wait until all has gone out, but not for ever. Returns whether it has."""
        until = time.monotonic() + patience_s
        try:
            while self._push():
                left_s = until - time.monotonic()
                if left_s <= 0 or not select.select([], [self._file], [], left_s)[1]:
                    return False
        except OSError:
            self._lost = True
        return not self._lost

    def drop(self) -> None:
        """Forget what has not gone out."""
        with self._lock:
            self._pending.clear()

    def close(self) -> None:
        self._rest()
        self._lost = True
        os.close(self._file)

    def _push(self) -> int:
        """How many bytes are left. Raises OSError, when there is no terminal any more."""
        with self._lock:
            try:
                while self._pending and not self._lost:
                    del self._pending[: os.write(self._file, self._pending[:_CHUNK])]
            except BlockingIOError:
                pass
            return len(self._pending)

    def _lose(self) -> None:
        if self._lost:
            return
        self._lost = True
        self.drop()
        self._rest()
        self._gone()

    def _rest(self) -> None:
        if self.behind:
            self.behind = False
            self._loop.remove_writer(self._file)
