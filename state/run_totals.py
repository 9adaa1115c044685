"""What has each run used? Its totals move with its responses, and its settled reservations with them.

A response that is booked anew is taken away before it is put back; the ledger is corrected when both have happened.
"""

from state import entries
from state.entries import Used
from state.errors import NotFound
from state.query import Connection


def of(connection: Connection, run_id: int) -> Used:
    """What a run used, as booked so far. Raises NotFound."""
    found = connection.execute(
        "SELECT used_tokens, used_microusd, unpriced FROM runs WHERE id = ?", (run_id,)
    ).fetchone()
    if found is None:
        raise NotFound(f"there is no run {run_id}", "see: qd run list")
    return Used(*found)


def so_far(connection: Connection, run_id: int) -> Used:
    """The same of a live run, with what it has told and nobody has booked yet. Raises NotFound."""
    booked = of(connection, run_id)
    told = connection.execute("SELECT told_tokens, told_microusd FROM runs WHERE id = ?", (run_id,)).fetchone()
    return Used(max(booked.tokens, told[0]), max(booked.microusd, told[1]), booked.unpriced)


def move(tx: Connection, run_id: int, tokens: int, microusd: int, unpriced: int) -> None:
    """Add to what a run used; `correct_moved` must follow in the same transaction."""
    tx.execute(
        "UPDATE runs SET used_tokens = used_tokens + ?, used_microusd = used_microusd + ?, unpriced = unpriced + ?"
        " WHERE id = ?",
        (tokens, microusd, unpriced, run_id),
    )
    tx.execute(_MOVED_RUNS)
    tx.execute("INSERT OR IGNORE INTO moved_runs VALUES (?)", (run_id,))


def correct_moved(tx: Connection, at_ms: int) -> None:
    """Correct the ledger of every run whose totals have moved since this was done last."""
    tx.execute(_MOVED_RUNS)
    for (run_id,) in tx.execute("SELECT run_id FROM moved_runs").fetchall():
        entries.correct(tx, run_id, of(tx, run_id), at_ms)
    tx.execute("DELETE FROM moved_runs")


_MOVED_RUNS = "CREATE TEMP TABLE IF NOT EXISTS moved_runs (run_id INTEGER PRIMARY KEY)"
