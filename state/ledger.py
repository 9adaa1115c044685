"""How much of each budget is held, committed and overrun in each window?

Rules: a reservation belongs to the window in which its run was admitted; it is closed once; what a run used beyond
its reservation, and what observed sessions used, is overrun: recorded, never hidden. Tokens, integers.
"""

from msgspec import Struct

from state.database import Connection, row
from state.spend import Span, pieces


class Book(Struct, frozen=True):
    """The books of one budget in one window, in tokens."""

    held: int
    """Unspent part of open reservations."""
    committed: int
    """Usage that a reservation covered."""
    overrun: int
    """Usage that nothing covered."""

    @property
    def taken(self) -> int:
        return self.held + self.committed + self.overrun


class Filter(Struct, frozen=True):
    """Whose usage a budget counts; None means anyone's."""

    lane: str | None = None
    agent: str | None = None
    job: str | None = None
    source: str | None = None


_RESERVED = (
    "SELECT coalesce(sum(held), 0), coalesce(sum(committed), 0),"
    " coalesce(sum(overrun + iif(state = 'settled', max(0, used - committed - overrun), 0)), 0)"
    " FROM (SELECT r.held, r.committed, r.overrun, r.state,"
    " (SELECT coalesce(sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens + u.output_tokens), 0)"
    " FROM usage u WHERE u.run_id = r.run_id) AS used"
    " FROM reservations r JOIN runs n ON n.id = r.run_id"
    " WHERE r.budget = ? AND n.requested_ms >= ? AND n.requested_ms < ?)"
)
"""By the instant of admission, not the window noted then: a budget whose window or zone was edited loses no run.

What is booked for a run after its settlement is overrun of that same window.
"""


def book(connection: Connection, budget: str, window_start_ms: int, window_end_ms: int, scope: Filter) -> Book:
    """What is taken of a budget in the window that starts then, observed sessions included."""
    held, committed, overrun = connection.execute(_RESERVED, (budget, window_start_ms, window_end_ms)).fetchone()
    return Book(
        held=held,
        committed=committed,
        overrun=overrun + _uncovered(connection, budget, window_start_ms, window_end_ms, scope),
    )


def _uncovered(connection: Connection, budget: str, start_ms: int, end_ms: int, scope: Filter) -> int:
    """Tokens that no reservation of this budget stands for: observed ones, and runs older than the budget."""
    part, parameters = pieces(Span(start_ms, end_ms))
    found = connection.execute(
        "SELECT coalesce(sum(t.input_tokens + t.cache_read_tokens + t.cache_write_tokens + t.output_tokens), 0)"
        f" FROM ({part}) t JOIN generations g ON g.id = t.generation_id JOIN sessions s ON s.id = g.session_id"
        " WHERE (? IS NULL OR s.lane = ?) AND (? IS NULL OR s.agent = ?) AND (? IS NULL OR s.job = ?)"
        " AND (? IS NULL OR g.source = ?)"
        " AND NOT EXISTS (SELECT 1 FROM reservations r WHERE r.run_id = t.run_id AND r.budget = ?)",
        (*parameters, *_twice(scope.lane, scope.agent, scope.job, scope.source), budget),
    ).fetchone()
    return int(found[0])


def _twice(*values: str | None) -> list[str | None]:
    return [value for value in values for _ in range(2)]


def reserve(
    tx: Connection, run_id: int, budget: str, window_start_ms: int, window_end_ms: int, limit_tokens: int, tokens: int
) -> None:
    """Hold tokens for a run. The caller has checked, in this same transaction, that they are free."""
    tx.execute(
        "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?, 0, 0, 'open')",
        (run_id, budget, window_start_ms, window_end_ms, limit_tokens, tokens),
    )


def settle(tx: Connection, run_id: int, used_tokens: int) -> None:
    """Close a run's reservations: what was covered is committed, the rest is overrun, nothing stays held."""
    tx.execute(
        "UPDATE reservations SET committed = min(held, ?), overrun = max(? - held, 0), held = 0, state = 'settled'"
        " WHERE run_id = ? AND state = 'open'",
        (used_tokens, used_tokens, run_id),
    )


class Held(Struct, frozen=True):
    tokens: int


def held_by(connection: Connection, run_id: int) -> int:
    """The largest amount that any budget still holds for this run."""
    found = row(
        connection, Held, "SELECT coalesce(max(held), 0) AS tokens FROM reservations WHERE run_id = ?", (run_id,)
    )
    return found.tokens if found else 0
