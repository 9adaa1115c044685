"""What is said when the disk or the database fails where nobody expected it: which thing it is, and what to do."""

import sqlite3

from state.errors import StateError
from state.home import Home

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SHUT = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


def told(error: sqlite3.Error | OSError, home: Home) -> StateError:
    """The same as one of our errors."""
    if isinstance(error, sqlite3.Error):
        return _of_database(error, home)
    what = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return StateError(f"the system refused: {what}", "see: qd doctor")
    return StateError(f"cannot use {error.filename}: {what}", "check its owner and permissions, see: qd doctor")


def is_outside(error: sqlite3.Error) -> bool:
    """Whether the database itself is sound, and something keeps us from it."""
    return _code(error) in _BUSY + _SHUT


def _of_database(error: sqlite3.Error, home: Home) -> StateError:
    if _code(error) in _BUSY:
        return StateError(f"another program holds the database {home.database}", "try again, see: qd doctor")
    if _code(error) in _SHUT:
        return StateError(f"cannot use {home.database}: {error}", "check its owner and permissions, see: qd doctor")
    return StateError(f"cannot use {home.database}: {error}", "see: qd doctor")


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 where Python itself complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
