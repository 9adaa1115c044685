"""What is given up when the disk is full, so that how runs ended can still be written?

A file of nothing in the state folder. Without it, and room for as much again, the disk counts as full.
"""

import contextlib
import os
from pathlib import Path

from state.home import Home

SIZE = 1024 * 1024
_FREE = 4 * SIZE
"""It is made anew once there is more room than just for it: a disk at its brink is full."""


def carried(home: Home) -> bool:
    """Whether it is there."""
    return _file(home).exists()


def take(home: Home) -> bool:
    """See to it that it is there; False when there is no room for it."""
    if carried(home):
        return True
    if _free(home) < _FREE:
        return False
    aside = _file(home).with_name(".ballast")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, SIZE)
        aside.rename(_file(home))
    except OSError:
        aside.unlink(missing_ok=True)
    return carried(home)


def has_room(home: Home) -> bool:
    """Whether something new may be begun: it would have to be written how that ends."""
    return take(home) and _free(home) >= SIZE


def drop(home: Home) -> None:
    """Give its room to what has to be written."""
    with contextlib.suppress(OSError):
        _file(home).unlink(missing_ok=True)


def _free(home: Home) -> int:
    """Bytes that this user may still write there."""
    disk = os.statvfs(home.state)
    return disk.f_bavail * disk.f_frsize


def _file(home: Home) -> Path:
    return home.state / "ballast"
