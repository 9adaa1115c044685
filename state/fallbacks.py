"""Which runs found their model unavailable, and has another one been taken for them?"""

from state.database import Connection

KIND = "unavailable"
"""Of the event that says so."""


def marked(connection: Connection, after_id: int) -> list[tuple[int, int]]:
    """Runs that are to be done again with another model, each after the id of its event, oldest first."""
    sql = "SELECT id, run_id FROM events WHERE id > ? AND kind = ? AND run_id IS NOT NULL ORDER BY id"
    return [(found[0], found[1]) for found in connection.execute(sql, (after_id, KIND))]


def successor(connection: Connection, run_id: int) -> int | None:
    """The run that does this one again."""
    sql = "SELECT max(id) FROM runs WHERE falls_back_from = ?"
    found: int | None = connection.execute(sql, (run_id,)).fetchone()[0]
    return found
