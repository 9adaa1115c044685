"""Who is the engine of this state folder? At most one process, for as long as it holds a lock that dies with it."""

import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from engine import __version__
from engine.execution.tree import stat_of
from state.errors import EngineUnavailable
from state.home import Home

if TYPE_CHECKING:
    from engine.runtime.lock_holders import LockHolder

_SAID_BYTES = 256
"""Always as many, so that one write replaces all: who looks must not find half of it."""
_PATIENCE_S = 0.5
"""Consoles that look who holds the lock hold it, shared, for microseconds."""


class Holder(Struct, frozen=True):
    """The live engine."""

    pid: int
    version: str
    started_ms: int
    ready: bool
    """False while it is still opening its state."""


def holder(home: Home) -> Holder | None:
    """Who holds the lock now; None when nobody does, or a run that has no right to it."""
    try:
        descriptor = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        said = _said(os.read(descriptor, 4096))
    finally:
        os.close(descriptor)
    is_left = said is not None and stat_of(said.pid) is None
    return None if is_left and _holding_runs(home) else said


def newer(one: str, other: str) -> bool:
    """Whether version `one` comes after `other`."""
    return _numbers(one) > _numbers(other)


class Lease:
    """The lock, held. Released by `release()` or by the death of the process, whichever comes first."""

    def __init__(self, home: Home, at_ms: int) -> None:
        """Raises EngineUnavailable, with the holder's pid, when another engine lives: it is never taken over. Where it
        is a run that holds the lock, that is ended."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(home.lock, flags, 0o600)
        self._started_ms = at_ms
        deadline = time.monotonic() + _PATIENCE_S
        while not self._taken():
            if time.monotonic() > deadline:
                os.close(self._descriptor)
                raise _taken_already(home)
            time.sleep(0.01)
        self._say(ready=False)

    def ready(self) -> None:
        """Let consoles know that orders are read from now on."""
        self._say(ready=True)

    def release(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _say(self, *, ready: bool) -> None:
        said = Holder(pid=os.getpid(), version=__version__, started_ms=self._started_ms, ready=ready)
        os.pwrite(self._descriptor, msgspec.json.encode(said).ljust(_SAID_BYTES), 0)


def _taken_already(home: Home) -> EngineUnavailable:
    from engine.runtime.lock_holders import end

    other = holder(home)
    runs = _holding_runs(home, other.pid if other else None)
    if runs:
        end(runs)
        who = ", ".join(dict.fromkeys(f"run {one.run_id} (pid {one.process.pid})" for one in runs))
        return EngineUnavailable(f"{who} held the lock of the engine, and is ended for that", "ask again")
    who = f"pid {other.pid}, version {other.version}" if other else "its pid is not known yet"
    return EngineUnavailable(
        f"an engine already runs for {home.state} ({who})", "use it, or end it with: qd engine stop"
    )


def _holding_runs(home: Home, rightful_pid: int | None = None) -> "list[LockHolder]":
    from engine.runtime.lock_holders import holding_runs  # with all that it needs: a console seldom does

    return holding_runs(home, rightful_pid)


def _said(content: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(content, type=Holder)
    except msgspec.DecodeError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def consoles_attached(home: Home) -> int:
    """How many consoles live: each holds a lock on a file of its own. What dead ones left is removed."""
    attached = 0
    for path in home.consoles.glob("*.console"):
        if _attached(path):
            attached += 1
        else:
            for left in (path, *home.previews.glob(f"{path.stem}.*")):
                left.unlink(missing_ok=True)
    return attached


def _attached(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
