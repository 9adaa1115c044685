"""How does what is booked for one conversation become another one's? Row by row, with every sum that rests on it."""

from state import logs, rollups, run_usage
from state.query import Connection


def move(tx: Connection, old: int, new: int) -> None:
    """Responses, links to copies and the client's own totals, from one generation to another.

    What was logged during a run of the new one is what that run used: its ledger follows, and what it told itself gives
    way.
    """
    runs = _responses(tx, old, new)
    tx.execute("UPDATE OR IGNORE copies SET generation_id = ? WHERE generation_id = ?", (new, old))
    tx.execute("DELETE FROM copies WHERE generation_id = ?", (old,))
    totals = logs.client_totals(tx, old)
    if totals is not None:
        logs.note_totals(tx, new, totals)
        tx.execute("DELETE FROM client_totals WHERE generation_id = ?", (old,))
    for run_id in runs:
        run_usage.drop_provisional(tx, run_id)


def _responses(tx: Connection, old: int, new: int) -> set[int]:
    """Returns the runs that they turned out to be of."""
    runs = set()
    found = tx.execute("SELECT id, at_ms, run_id FROM usage WHERE generation_id = ? ORDER BY id", (old,)).fetchall()
    for usage_id, at_ms, known in found:
        run_id = run_usage.run_at(tx, new, at_ms) if known is None else known
        rollups.take(tx, usage_id, -1)
        tx.execute("UPDATE usage SET generation_id = ?, run_id = ? WHERE id = ?", (new, run_id, usage_id))
        rollups.take(tx, usage_id, 1)
        if known is None and run_id is not None:
            runs.add(run_id)
    return runs
