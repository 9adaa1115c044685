"""Which paths may a live run write or read, and since when? A claim lives until its run is settled.

Each has a fencing token, larger than every one before it: whoever looked at the claims up to a token need only look at
those made since. Released ones are kept while a run is live that may ask who else was at work meanwhile.
"""

from msgspec import Struct

from state.database import Connection, insert, rows


class Claim(Struct, frozen=True):
    """A run's hold on what its scope reaches."""

    token: int
    run_id: int
    agent: str
    mode: str
    """`w` to write, `r` to read."""
    workspace: str
    patterns: str
    """As asked for, a JSON list."""
    resolved: str | None
    """What they stand for, as JSON; None where only the patterns are known."""
    claimed_ms: int
    released_ms: int | None


_CLAIMS = (
    "SELECT c.token, c.run_id, r.agent, c.mode, c.workspace, c.patterns, c.resolved, c.claimed_ms, c.released_ms"
    " FROM claims c JOIN runs r ON r.id = c.run_id"
)


def claim(
    tx: Connection, run_id: int, mode: str, workspace: str, patterns: str, resolved: str | None, at_ms: int
) -> int:
    """Claim for a run; returns the token. The caller has checked, in this transaction, that nothing is in the way."""
    scope = {"mode": mode, "workspace": workspace, "patterns": patterns, "resolved": resolved}
    return insert(tx, "claims", {"run_id": run_id, **scope, "claimed_ms": at_ms})


def live(connection: Connection) -> list[Claim]:
    """Every claim that holds now, by token."""
    return rows(connection, Claim, f"{_CLAIMS} WHERE c.released_ms IS NULL ORDER BY c.token")


def newest_token(connection: Connection) -> int:
    """The last token given, whether its claim still holds or not; 0 before the first."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'claims'").fetchone()
    return int(found[0]) if found else 0


def held(connection: Connection, run_id: int) -> list[int]:
    """The tokens that a run still holds."""
    sql = "SELECT token FROM claims WHERE run_id = ? AND released_ms IS NULL ORDER BY token"
    return [token for (token,) in connection.execute(sql, (run_id,))]


def release(tx: Connection, run_id: int, at_ms: int) -> None:
    """Let go of all that a run holds."""
    tx.execute("UPDATE claims SET released_ms = ? WHERE run_id = ? AND released_ms IS NULL", (at_ms, run_id))


def during(connection: Connection, since_ms: int, until_ms: int, except_run_id: int) -> list[Claim]:
    """The claims of other runs that held at any time of a span, both ends included."""
    return rows(
        connection,
        Claim,
        f"{_CLAIMS} WHERE c.run_id != ? AND c.claimed_ms <= ? AND (c.released_ms IS NULL OR c.released_ms >= ?)"
        " ORDER BY c.token",
        (except_run_id, until_ms, since_ms),
    )


def trim(tx: Connection, before_ms: int) -> None:
    """Delete what was released before that instant, unless a run that is live now began before the release."""
    tx.execute(
        "DELETE FROM claims WHERE released_ms < min(?, (SELECT ifnull(min(ifnull(started_ms, requested_ms)), ?)"
        " FROM runs WHERE state NOT IN ('settled', 'refused', 'waiting')))",
        (before_ms, before_ms),
    )
