"""What did the operator do, and what of it can be undone?"""

from msgspec import Struct

from state.database import Connection, insert, row, rows


class Entry(Struct, frozen=True):
    """One act of the operator."""

    id: int
    at_ms: int
    verb: str
    subject: str
    undo: str | None
    """JSON of what takes it back; None when nothing can."""
    undone_ms: int | None


def add(tx: Connection, at_ms: int, verb: str, subject: str, undo: str | None = None) -> int:
    return insert(tx, "journal", {"at_ms": at_ms, "verb": verb, "subject": subject, "undo": undo})


def last_undoable(connection: Connection) -> Entry | None:
    """The newest act that can be taken back and has not been."""
    sql = "SELECT * FROM journal WHERE undo IS NOT NULL AND undone_ms IS NULL ORDER BY id DESC LIMIT 1"
    return row(connection, Entry, sql)


def mark_undone(tx: Connection, entry_id: int, at_ms: int) -> None:
    tx.execute("UPDATE journal SET undone_ms = ? WHERE id = ?", (at_ms, entry_id))


def latest(connection: Connection, limit: int) -> list[Entry]:
    return rows(connection, Entry, "SELECT * FROM journal ORDER BY id DESC LIMIT ?", (limit,))
