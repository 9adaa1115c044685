"""How is the database opened, and how is it written? One connection writes; everybody else reads.

Measured rules behind this: SQLite before 3.51.3 can corrupt a WAL when two processes write or checkpoint at once,
a deferred transaction that reads and then writes fails at once whatever its timeout, and a reader that stays in a
transaction makes the WAL grow without bound.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from state.errors import LeaseLost, NotWritten, StateError, StateNewer, Unstorable
from state.home import Home, prepare
from state.query import Connection, insert, row, rows

SQLITE_VERSION = sqlite3.sqlite_version_info

SCHEMA_VERSION = 5
"""The number of the newest migration; kept here so that a reader need not import the migrations."""

BUSY_TIMEOUT_S = 5.0
_PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,  # a full disk too, where not even the index of the log of writes can grow
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)
_OPTIONS: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False}


class Database:
    """The one write connection. Every write is a `transaction()`, fenced by the epoch of our lease."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.epoch: int | None = None
        self._durable = True

    @contextmanager
    def transaction(self, durable: bool = True) -> Iterator[Connection]:
        """A write that happens as a whole or not at all.

        `durable=False`: the machine may lose it, whole, when its power fails; for what can be read again.
        Raises LeaseLost when another engine has taken over since: a paused engine that wakes up changes nothing.
        Raises NotWritten when it can be tried again, as on a full disk.
        """
        with _passing():
            if durable != self._durable:
                self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._fence()
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.rollback()  # does nothing where SQLite has rolled back itself, as on a full disk
                raise

    def _fence(self) -> None:
        if self.epoch is None:
            return
        row = self.connection.execute("SELECT epoch FROM lease").fetchone()
        if row is None or row[0] != self.epoch:
            raise LeaseLost("another engine has taken over this state folder")

    def take_lease(self, pid: int, version: str, at_ms: int) -> int:
        """Become the only one whose writes count. Returns the new epoch."""
        with self.transaction() as tx:
            row = tx.execute("SELECT epoch FROM lease").fetchone()
            epoch = (row[0] if row else 0) + 1
            tx.execute("INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?)", (epoch, pid, version, at_ms))
        self.epoch = epoch
        return epoch

    def checkpoint(self) -> None:
        """Move what the log of writes holds into the database now, between two transactions rather than at the end of
        one: it takes as long as a transaction itself. Raises NotWritten."""
        with _passing():
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.connection.close()


@contextmanager
def _passing() -> Iterator[None]:
    """Raises NotWritten for what is no fault of the statement, and may be over when it is tried again."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code not in _PASSING:
            raise
        if code == sqlite3.SQLITE_FULL:
            raise NotWritten("the disk is full", "make room; what was asked for was not done") from error
        raise NotWritten(f"the database cannot be written: {error}", "try again") from error


@contextmanager
def storing() -> Iterator[None]:
    """Raises Unstorable where what is written does not fit: what others have logged may be anything."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError) as error:
        raise Unstorable(
            f"a value cannot be stored: {error}", "look at this log; its other lines may be wrong too"
        ) from error


def open_writer(home: Home) -> Database:
    """Open for writing and bring the schema up to date. Only the holder of the engine's lock may call this."""
    prepare(home)
    old_umask = os.umask(0o077)
    try:
        with _closed_on_error(sqlite3.connect(home.database, **_OPTIONS)) as connection:
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "cache_size = -16000",
                "temp_store = MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
            _migrate(home, connection)
    except sqlite3.Error as error:
        raise StateError(f"cannot open {home.database}: {error}", "restore a backup or move the file aside") from None
    finally:
        os.umask(old_umask)
    return Database(connection)


def open_reader(home: Home) -> Connection | None:
    """Open read-only, or None when there is no database yet. Never creates, migrates or checkpoints."""
    if not os.access(home.database, os.F_OK):
        return None
    if not os.access(home.database, os.R_OK):
        raise StateError(f"cannot read {home.database}", "check its owner and permissions")
    try:
        with _closed_on_error(sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True, **_OPTIONS)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StateNewer(f"{home.database} was written by a newer Quarterdeck", "upgrade this one")
    except sqlite3.Error as error:
        raise StateError(f"cannot read {home.database}: {error}", "restore a backup or move the file aside") from None
    if version < SCHEMA_VERSION:
        connection.close()
        return None
    return connection


def data_version(connection: Connection) -> int:
    """A number that moves when another connection has committed. Costs 2 microseconds."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


@contextmanager
def _closed_on_error(connection: Connection) -> Iterator[Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _migrate(home: Home, connection: Connection) -> None:
    """Apply what is missing, one process at a time: without the lock, four at once lost 6 of 60 races."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StateNewer(f"{home.database} was written by a newer Quarterdeck", "upgrade this one")
    from sqlite_utils import Database as Tables

    from state.schema import MIGRATIONS

    with (home.state / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tables = Tables(connection, execute_plugins=False)
        for number in range(connection.execute("PRAGMA user_version").fetchone()[0], len(MIGRATIONS)):
            connection.execute("BEGIN IMMEDIATE")
            try:
                MIGRATIONS[number](tables)
                connection.execute(f"PRAGMA user_version = {number + 1}")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


__all__ = [
    "SCHEMA_VERSION",
    "Connection",
    "Database",
    "data_version",
    "insert",
    "open_reader",
    "open_writer",
    "row",
    "rows",
]
