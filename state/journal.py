"""What did the operator do, and what of it can be undone?"""

from msgspec import Struct

from state.database import Connection, insert, row, rows

KEPT = 1000
"""Acts on record; the older ones go."""
KEPT_UNDO = 100
"""Of so many it is kept how to take them back: with it goes the whole text of a configuration."""


class Entry(Struct, frozen=True):
    """One act of the operator."""

    id: int
    at_ms: int
    verb: str
    subject: str
    undo: str | None
    """JSON of what takes it back; None when nothing can, or when the operator has gone past it."""
    undone_ms: int | None
    made_by: str
    """The console that it came from, in words."""

    @property
    def said(self) -> str:
        """The act, in words."""
        return f"{self.verb} {self.subject}"


def add(tx: Connection, at_ms: int, verb: str, subject: str, undo: str | None = None, made_by: str = "") -> int:
    entry = {"at_ms": at_ms, "verb": verb, "subject": subject, "undo": undo, "made_by": made_by}
    new = insert(tx, "journal", entry)
    tx.execute("DELETE FROM journal WHERE id <= ?", (new - KEPT,))
    tx.execute("UPDATE journal SET undo = NULL WHERE id <= ?", (new - KEPT_UNDO,))
    return new


def get(connection: Connection, entry_id: int) -> Entry | None:
    return row(connection, Entry, "SELECT * FROM journal WHERE id = ?", (entry_id,))


def last_undoable(connection: Connection) -> Entry | None:
    """The newest act that can be taken back and has not been."""
    return next(iter(standing(connection, 1)), None)


def standing(connection: Connection, limit: int) -> list[Entry]:
    """Acts that something would take back, and nothing has, the newest first."""
    sql = "SELECT * FROM journal WHERE undo IS NOT NULL AND undone_ms IS NULL ORDER BY id DESC LIMIT ?"
    return rows(connection, Entry, sql, (limit,))


def mark_undone(tx: Connection, entry_id: int, at_ms: int) -> None:
    tx.execute("UPDATE journal SET undone_ms = ? WHERE id = ?", (at_ms, entry_id))


def go_past(tx: Connection, entry_id: int) -> None:
    """It stays done: those before it are the next to be taken back."""
    tx.execute("UPDATE journal SET undo = NULL WHERE id = ?", (entry_id,))


def latest(connection: Connection, limit: int) -> list[Entry]:
    return rows(connection, Entry, "SELECT * FROM journal ORDER BY id DESC LIMIT ?", (limit,))
