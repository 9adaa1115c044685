"""What did the engine do, in order; and what should stay on screen until it is over?"""

from msgspec import Struct

from state.database import Connection, row, rows

EVENTS_KEPT = 20_000


class Event(Struct, frozen=True):
    """One thing that happened, in one line. `id` gives the order, whatever clocks do."""

    id: int
    at_ms: int
    kind: str
    text: str
    run_id: int | None
    session_id: int | None
    job: str | None


class Notice(Struct, frozen=True):
    """A condition that holds now: a broken configuration, a scan under way."""

    key: str
    level: str
    """`info`, `warning` or `error`."""
    text: str
    at_ms: int


def add(
    tx: Connection,
    at_ms: int,
    kind: str,
    text: str,
    *,
    run_id: int | None = None,
    session_id: int | None = None,
    job: str | None = None,
) -> None:
    tx.execute("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?)", (at_ms, kind, text, run_id, session_id, job))


def latest(connection: Connection, limit: int, *, run_id: int | None = None) -> list[Event]:
    """The newest first."""
    if run_id is None:
        return rows(connection, Event, "SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,))
    return rows(connection, Event, "SELECT * FROM events WHERE run_id = ? ORDER BY id DESC LIMIT ?", (run_id, limit))


def after(connection: Connection, event_id: int, limit: int = EVENTS_KEPT) -> list[Event]:
    """The newest of those that came after this one, oldest first."""
    sql = "SELECT * FROM (SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?) ORDER BY id"
    return rows(connection, Event, sql, (event_id, limit))


def last_id(connection: Connection) -> int:
    """Of the newest event; 0 before the first."""
    return int(connection.execute("SELECT ifnull(max(id), 0) FROM events").fetchone()[0])


def trim(tx: Connection) -> None:
    tx.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (EVENTS_KEPT,))


def raise_notice(tx: Connection, notice: Notice) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO notices VALUES (?, ?, ?, ?)", (notice.key, notice.level, notice.text, notice.at_ms)
    )


def drop_notice(tx: Connection, key: str) -> None:
    tx.execute("DELETE FROM notices WHERE key = ?", (key,))


def notices(connection: Connection) -> list[Notice]:
    return rows(connection, Notice, "SELECT * FROM notices ORDER BY at_ms, key")


def notice(connection: Connection, key: str) -> Notice | None:
    return row(connection, Notice, "SELECT * FROM notices WHERE key = ?", (key,))
