"""`qd --plain`: the console for who listens or pipes. Lines of text and nothing else; it ends when nobody reads."""

import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress

from textual.message import Message

from state.errors import QuarterdeckError, UsageError
from state.home import Home
from tui.clean import clean
from tui.console.looking import LookingLink
from tui.link import Link
from tui.options import Flags, here
from tui.plain.lines import Reader
from tui.reading.feed import Feed
from tui.terminal.ascii import as_ascii

LINE_CAP = 2000
_NOBODY = (errno.EPIPE, errno.EIO)
"""The reader of a pipe has gone, or the terminal."""
_ENDING = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class Mailbox:
    """What was told and not yet read out, from any thread: of each kind the newest, so that a listener who is slow is
    told how things are, and not all that they have been."""

    def __init__(self) -> None:
        self._told: dict[type[Message], Message] = {}
        self._lock = threading.Lock()
        self.wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def post(self, message: Message) -> bool:
        with self._lock:
            self._told[type(message)] = message
        self.wake()
        return True

    def wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b".")

    def taken(self) -> list[Message]:
        with suppress(BlockingIOError):
            os.read(self.wakes, 4096)
        with self._lock:
            told, self._told = list(self._told.values()), {}
        return told


def run_plain(home: Home, flags: Flags, seconds: float | None = None) -> int:
    """Read out until we are told to end, until nobody reads, or for so long; each is a good end."""
    if sys.stdout is None:
        raise UsageError("qd --plain: there is nowhere to read it out to: standard output is closed")
    said = here(flags, home)
    mailbox, ended = Mailbox(), threading.Event()

    def end(*_: object) -> None:
        ended.set()
        mailbox.wake()

    over = threading.Timer(seconds or 0.0, end)
    before = {number: signal.signal(number, end) for number in _ENDING}
    feed = Feed(home, mailbox.post, said.refresh_s)
    link = (LookingLink if said.read_only else Link)(home, mailbox.post)
    marks = ", read-only" if said.read_only else ""
    try:
        _say([f"quarterdeck on {socket.gethostname()}{marks}"], said.ascii)
        if seconds is not None:
            over.start()
        feed.start()
        link.attach()
        _read_out(mailbox, ended, said.ascii)
    except OSError as error:
        # Keep the interpreter from writing there once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno not in _NOBODY:
            raise QuarterdeckError(f"cannot write: {error.strerror}") from None
    finally:
        over.cancel()
        feed.stop()
        link.leave()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _read_out(mailbox: Mailbox, ended: threading.Event, ascii_only: bool) -> None:
    reader = Reader()
    look = select.poll()
    look.register(mailbox.wakes, select.POLLIN)
    look.register(sys.stdout.fileno(), 0)
    while not ended.is_set():
        if any(file == sys.stdout.fileno() for file, _ in look.poll()):
            return
        for message in mailbox.taken():
            _say(reader.take(message, time.time_ns() // 1_000_000), ascii_only)


def _say(lines: list[str], ascii_only: bool) -> None:
    """The way out: whatever was told, a line is a line."""
    if not lines:
        return
    safe = [clean(line, LINE_CAP) for line in lines]
    sys.stdout.write("".join(f"{as_ascii(line) if ascii_only else line}\n" for line in safe))
    sys.stdout.flush()
