"""Which usage is that of our own runs? What a run told itself gives way to what its client's log tells."""

from state import rollups
from state.database import Connection
from state.usage import INSERT, UsageRow


def has_runs(connection: Connection, generation_id: int) -> bool:
    """Whether we ever ran anything in this conversation."""
    found = connection.execute("SELECT 1 FROM runs WHERE generation_id = ? LIMIT 1", (generation_id,)).fetchone()
    return found is not None


def run_at(connection: Connection, generation_id: int, at_ms: int) -> int | None:
    """Our run in this conversation at that instant: what a client logged meanwhile is what the run used."""
    found = connection.execute(
        "SELECT id FROM runs WHERE generation_id = ? AND started_ms <= ? AND (ended_ms IS NULL OR ended_ms >= ?)"
        " ORDER BY id DESC LIMIT 1",
        (generation_id, at_ms, at_ms),
    ).fetchone()
    return found[0] if found else None


def provisional_key(run_id: int) -> str:
    """The key of what a run's own output told of its usage, while no log has told it."""
    return f"run:{run_id}"


def book_run(tx: Connection, row: UsageRow) -> None:
    """Book what a run's own output told, under its provisional key; it may be taken away again, so it has no hash."""
    usage_id = tx.execute(INSERT, (None, *row)).lastrowid
    assert usage_id is not None, "it has just been inserted"
    rollups.take(tx, usage_id, 1)


def drop_provisional(tx: Connection, run_id: int) -> bool:
    """Take that row away again, now that the client's log tells. Returns whether there was one."""
    found = tx.execute(
        "SELECT id FROM usage WHERE run_id = ? AND key = ?", (run_id, provisional_key(run_id))
    ).fetchone()
    if found is None:
        return False
    rollups.take(tx, found[0], -1)
    tx.execute("DELETE FROM usage WHERE id = ?", found)
    return True


def logged_tokens(connection: Connection, run_id: int) -> int | None:
    """Tokens that a client's log tells of a run; None when no log has."""
    found = connection.execute(
        "SELECT sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens) FROM usage"
        " WHERE run_id = ? AND log_id IS NOT NULL",
        (run_id,),
    ).fetchone()[0]
    return None if found is None else int(found)


def last_by_others_ms(connection: Connection, generation_id: int, since_ms: int) -> int | None:
    """When somebody else than a run of ours last used this conversation since then, as its log tells."""
    sql = (
        "SELECT max(at_ms) FROM usage WHERE generation_id = ? AND at_ms >= ? AND run_id IS NULL AND log_id IS NOT NULL"
    )
    found: int | None = connection.execute(sql, (generation_id, since_ms)).fetchone()[0]
    return found
