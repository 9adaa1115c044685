"""How is another program's SQLite database read while that program writes it?

Opened with `mode=ro`, for one short snapshot per batch, so that a checkpoint of the client never waits for us. Not
`immutable`: that ignores its locks and its write-ahead log. A read-only reader of a database in WAL mode needs `-shm`
and `-wal` beside it; where the client is not running, SQLite makes them (empty) and leaves them, as for any reader.
They are not removed: the client may have begun to use them. Where it cannot make them, the database is unreadable.

Every failure is an `OSError` of one line. Rows are followed by `rowid`; see `Place` for what keeps that exact.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch
from engine.telemetry.source import LogFile

C = TypeVar("C")

BATCH_ROWS = 500
BUSY_S = 0.2


class Place(Struct, frozen=True, omit_defaults=True):
    """How far a table is read.

    SQLite gives the number of a deleted last row to the next one, and VACUUM numbers rows anew. So rows are passed by
    name as well: as long as the row at an anchor has its old name, everything since is behind it.
    """

    last: int = 0
    """The rowid of the last row that was read."""
    anchors: tuple[tuple[int, str], ...] = ()
    """Rowids and names of rows that were read, the closer to the end the more of them."""

    def moved(self, rowid: int, name: str) -> "Place":
        """The place after reading up to this row."""
        by_distance: dict[int, tuple[int, str]] = {}
        for anchor in (*self.anchors, (rowid, name)):
            by_distance.setdefault((rowid - anchor[0]).bit_length(), anchor)
        return Place(rowid, tuple(by_distance.values()))


class Foreign:
    """An open database. Text comes as bytes: nobody promises that it is UTF-8."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ask(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one at a time."""
        yield from self._connection.execute(sql, parameters)

    def columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns; none if there is no such table."""
        return frozenset(row[1].decode("utf-8", "replace") for row in self.ask(f'PRAGMA table_info("{table}")'))

    def is_empty(self) -> bool:
        """Whether nothing was ever made in it: the client has only just created the file."""
        return not any(self.ask("SELECT 1 FROM sqlite_master LIMIT 1"))

    def head(self) -> str:
        """What tells a migrated or replaced database: SQLite's count of schema changes, and the client's version."""
        ((changes,),) = self.ask("PRAGMA schema_version")
        ((version,),) = self.ask("PRAGMA user_version")
        return f"{changes}:{version}"

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the database for several queries. Writers in WAL mode go on meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def found_again(self, place: Place, table: str, name: str) -> Place:
        """The furthest point up to which the table still is what was read. `name`: SQL for the name of a row."""
        for index in range(len(place.anchors) - 1, -1, -1):
            rowid, known = place.anchors[index]
            for (now,) in self.ask(f"SELECT {name} FROM {table} WHERE rowid = ?", rowid):
                if as_text(now) == known:
                    return Place(rowid, place.anchors[: index + 1])
        return Place()


@contextmanager
def opened(path: str) -> Iterator[Foreign]:
    """A database for reading. Raises `OSError`, here and wherever it is used inside."""
    Path(path).stat()  # a file that is gone is gone, not damaged
    try:
        with closing(_connected(path)) as connection:
            connection.text_factory = bytes
            yield Foreign(connection)
    except sqlite3.Error as error:
        raise OSError(f"cannot read the database: {error}") from None


def _connected(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)


def as_text(value: Any) -> str:
    """A column as text, whatever its type is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def goes_on(file: LogFile, cursor: Cursor, head: str) -> bool:
    """Whether a cursor is of the database that is there now."""
    return (cursor.device, cursor.inode, cursor.head_hash) == (file.device, file.inode, head)


class TableReading(Protocol):
    """One read of one database, in batches."""

    restarted: bool

    def read_some(self, table: str) -> bool:
        """Read some more rows of a table; whether there may be more."""

    def batch(self, *, ended: bool) -> LogBatch:
        """What was read since the batch before."""


def read_tables(
    file: LogFile,
    cursor: Cursor | None,
    carries: "msgspec.json.Decoder[C]",
    tables_of: Callable[[Foreign], tuple[str, ...]],
    start: Callable[[Foreign, str, C | None], TableReading],
) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of the database; the last one always, for its cursor. `start` is given
    the carry of the cursor where that is of this database. Raises `OSError`."""
    with opened(file.path) as database:
        with database.snapshot():
            head = database.head()
            tables = tables_of(database)
        known = _remembered(cursor, carries) if cursor and goes_on(file, cursor, head) else None
        reading = start(database, head, known)
        reading.restarted = cursor is not None and known is None
        for table in tables:
            while reading.read_some(table):
                yield reading.batch(ended=False)
        yield reading.batch(ended=True)


def _remembered(cursor: Cursor, carries: "msgspec.json.Decoder[C]") -> C | None:
    try:
        return carries.decode(cursor.carry)
    except msgspec.DecodeError:
        return None


def cursor_of(file: LogFile, head: str, carry: bytes, read_rows: int, *, ended: bool) -> Cursor:
    """The cursor after a batch. Its size is no file's while there is more to read."""
    return Cursor(
        path=file.path,
        device=file.device,
        inode=file.inode,
        size=file.size if ended else 0,
        mtime_ns=file.mtime_ns,
        offset=read_rows,
        head_hash=head,
        carry=carry.decode(),
    )
