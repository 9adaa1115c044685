"""Which paths may a live run write? A claim lives exactly as long as its run is not settled."""

from msgspec import Struct

from state.database import Connection, rows


class Claim(Struct, frozen=True):
    """A live run's hold on a path."""

    run_id: int
    path: str
    """Absolute and resolved; may end in a glob."""
    claimed_ms: int
    agent: str


def live(connection: Connection) -> list[Claim]:
    """Every claim that holds now."""
    sql = (
        "SELECT c.run_id, c.path, c.claimed_ms, r.agent FROM claims c JOIN runs r ON r.id = c.run_id ORDER BY c.run_id"
    )
    return rows(connection, Claim, sql)


def claim(tx: Connection, run_id: int, paths: tuple[str, ...], at_ms: int) -> None:
    tx.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", [(run_id, path, at_ms) for path in paths])


def release(tx: Connection, run_id: int) -> None:
    tx.execute("DELETE FROM claims WHERE run_id = ?", (run_id,))
