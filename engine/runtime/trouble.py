"""What keeps the engine from its work just now? Said once while it lasts, and once when it is over."""

import contextlib
import errno
import sys
import traceback

from engine.contract.clock import Clock
from state import ballast, events
from state.database import Database
from state.errors import NotWritten, Refused
from state.home import Home

QUIET_S = 90.0
"""After how long without trouble it counts as over: longer than anything waits until it is tried again."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Trouble:
    """Says what goes wrong in the engine's log, and as an event where one can be written."""

    def __init__(self, home: Home, database: Database, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._clock = clock
        self._said: dict[str, None] = {}
        self._last = 0.0

    def note(self, where: str, error: BaseException) -> None:
        """Say it, unless it is said already. On a full disk the ballast is dropped first."""
        if passes(error):
            ballast.drop(self._home)
        self._last = self._clock.monotonic()
        said = str(error) if passes(error) else f"{type(error).__name__}: {error}"
        text = f"{where}: {said}; it is tried again"
        if text in self._said:
            return
        self._said[text] = None
        with contextlib.suppress(OSError):  # the log may be on the same disk
            sys.stderr.write(f"{text}\n" if passes(error) else "".join(traceback.format_exception(error)))
            sys.stderr.flush()
        with contextlib.suppress(NotWritten), self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), "trouble", text)

    def check_room(self) -> None:
        """Raises Refused while the disk is full: then nothing new is begun."""
        if not ballast.has_room(self._home):
            raise Refused("the disk is full", f"make room where {self._home.state} is; nothing was done")

    def look(self) -> None:
        """Take the ballast up again where there is room, and say what is over. Raises NotWritten."""
        ballast.take(self._home)
        if not self._said or self._clock.monotonic() - self._last < QUIET_S:
            return
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), "trouble", f"over: {next(iter(self._said))}")
        self._said.clear()


def passes(error: BaseException) -> bool:
    """Whether it may be over when it is tried again, as a full disk."""
    return isinstance(error, NotWritten) or (isinstance(error, OSError) and error.errno in _FULL)
