"""How does one speak to a client that a keeper holds open? Its input, its turns, and the word that nothing more comes.

From the run's folder alone, so that any process of the owner can, not only the one that started it."""

import contextlib
import errno
import fcntl
import os
import select
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.contract.outcome import KeeperAlive, Turn
from engine.execution.follow import tell
from engine.execution.input import NAME
from engine.execution.limits import ASKING
from state.errors import Refused, StateError
from state.files import write_private

SAY_S = 5.0
"""How long a keeper may leave its FIFO full, which it empties at once until it holds 64 MiB."""
_STEP_S = 0.01


def say(folder: Path, data: bytes) -> None:
    """Put `data` into the input of the client in this run, whole and not mixed with what others say. Blocks for
    `SAY_S` at most. Raises Refused when nobody takes it, StateError when only a part of it was taken in that time."""
    until = time.monotonic() + SAY_S
    left = memoryview(data)
    with _opened(folder) as fifo:
        _lock(fifo, until)
        while left:
            try:
                left = left[os.write(fifo, left) :]
            except BlockingIOError:
                _await_room(fifo, until, len(data) - len(left), len(data))
            except BrokenPipeError as error:
                raise _closed(folder) from error


def hang_up(alive: KeeperAlive) -> bool:
    """Have the keeper close its client's input once all that was said is forwarded; False when it is not alive."""
    return tell(alive, signal.SIGUSR1)


def start_turn(folder: Path, timeout_s: float) -> None:
    """From now on the client has this long to answer. Raises OSError."""
    _set_turn(folder, busy=True, in_s=timeout_s)


def end_turn(folder: Path, linger_s: float) -> None:
    """It has answered; when it waits for longer than this, it is to leave. Raises OSError."""
    _set_turn(folder, busy=False, in_s=linger_s)


def pause_silence(folder: Path, waits: bool) -> None:
    """While it waits for somebody's word, it may be silent; from its end on silence is counted anew. Raises OSError."""
    if waits:
        (folder / ASKING).touch(0o600)
    else:
        (folder / ASKING).unlink(missing_ok=True)


def _set_turn(folder: Path, busy: bool, in_s: float) -> None:
    turn = Turn(busy, time.clock_gettime(time.CLOCK_BOOTTIME) + in_s)
    write_private(folder / "turn.json", msgspec.json.encode(turn))


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        fifo = os.open(folder / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise Refused(f"the run in {folder} takes no input") from error
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise _closed(folder) from error
        raise StateError(f"cannot open {folder / NAME}: {error.strerror}") from error
    try:
        if not stat.S_ISFIFO(os.fstat(fifo).st_mode):
            raise StateError(f"{folder / NAME} is no FIFO")
        yield fifo
    finally:
        os.close(fifo)


def _lock(fifo: int, until: float) -> None:
    """More than a page is not written in one piece."""
    while True:
        try:
            fcntl.flock(fifo, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise StateError("something else is being said to this run; try again") from error
        time.sleep(_STEP_S)


def _await_room(fifo: int, until: float, taken: int, size: int) -> None:
    poll = select.poll()
    poll.register(fifo, select.POLLOUT)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise StateError(f"the run's input is full: {taken:,} of {size:,} bytes were taken in {SAY_S:g} s")


def _closed(folder: Path) -> Refused:
    return Refused(f"the run in {folder} takes no more input: its client has closed it, or its keeper is gone")
