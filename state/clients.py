"""Which agents' programs are held over several turns of a conversation, and how far is each one's output dealt with?

A client has the number of the run that started it, in whose folder it lives. One that has not ended waits for its next
turn, or is in the middle of one.
"""

from msgspec import Struct

from state.database import Connection, row, rows


class Client(Struct, frozen=True):
    """A program that is kept after its answer."""

    id: int
    """Of the run that started it."""
    generation_id: int
    spec: str
    """What it was started with: another run may be its next turn only when it would be started with the same."""
    started_ms: int
    offset: int
    """How far its output has been dealt with: there the next turn begins."""
    ended_ms: int | None


def begin(tx: Connection, client_id: int, generation_id: int, spec: str, at_ms: int) -> None:
    """It has been started; when the same run had started one before, that one is forgotten."""
    sql = "INSERT OR REPLACE INTO clients (id, generation_id, spec, started_ms, offset) VALUES (?, ?, ?, ?, 0)"
    tx.execute(sql, (client_id, generation_id, spec, at_ms))


def deal(tx: Connection, client_id: int, offset: int) -> None:
    """Its output has been dealt with that far."""
    tx.execute("UPDATE clients SET offset = ? WHERE id = ?", (offset, client_id))


def end(tx: Connection, client_id: int, at_ms: int) -> None:
    """It is not there any more."""
    tx.execute("UPDATE clients SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL", (at_ms, client_id))


def get(connection: Connection, client_id: int) -> Client | None:
    return row(connection, Client, "SELECT * FROM clients WHERE id = ?", (client_id,))


def live(connection: Connection) -> list[Client]:
    """Every one that has not ended, the oldest first."""
    return rows(connection, Client, "SELECT * FROM clients WHERE ended_ms IS NULL ORDER BY id")


def of_generation(connection: Connection, generation_id: int) -> list[Client]:
    """Those that hold this conversation."""
    sql = "SELECT * FROM clients WHERE generation_id = ? AND ended_ms IS NULL ORDER BY id"
    return rows(connection, Client, sql, (generation_id,))
