"""How are sums kept, so that a pane never adds up five million responses? By minute, hour and day, and per generation.

Each roll-up has one row per (time, generation, run, model), with 0 for no run and no model; times are whole minutes,
hours and days since the epoch, UTC. They are moved in the transaction that books a response, by exactly what it moves;
so are the totals of the run that the response is of, and its ledger where that is settled.
"""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

from state import run_totals

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000

UNITS = {"usage_minutes": MINUTE_MS, "usage_hours": HOUR_MS, "usage_days": DAY_MS}
"""Table to the length of its unit."""


class Sums(NamedTuple):
    """What is summed over responses. Tokens, and micro-dollars."""

    responses: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_microusd: int = 0
    """Of those that have a price."""
    unpriced: int = 0
    """Responses without one."""
    partial: int = 0
    """Responses whose finished figure the client never wrote."""
    inferred: int = 0
    """Responses that a rule had to decide."""

    @property
    def tokens(self) -> int:
        """Every token, once."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.output_tokens


SUMMED = Sums._fields
_COMPUTED = {
    "responses": "count(*)",
    "cost_microusd": "sum(ifnull(cost_microusd, 0))",
    "unpriced": "sum(cost_microusd IS NULL)",
    "partial": "sum(confidence = 1)",
    "inferred": "sum(confidence = 2)",
}
OF_USAGE = ", ".join(f"{_COMPUTED.get(name, f'sum(ifnull({name}, 0))')} AS {name}" for name in SUMMED)
"""`SUMMED` as computed from rows of `usage`, in that order."""

_ADDED = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMMED)
_FRESH = (
    "CREATE TEMP TABLE IF NOT EXISTS fresh (at INTEGER, generation_id INTEGER, run_id INTEGER, model_id INTEGER,"
    f" {', '.join(SUMMED)})"
)
_COLLECT = (
    f"INSERT INTO fresh SELECT at_ms / {MINUTE_MS}, generation_id, ifnull(run_id, 0), ifnull(model_id, 0), {OF_USAGE}"
    " FROM usage WHERE id > ? GROUP BY 1, 2, 3, 4"
)
_OF_FRESH = ", ".join(f"sum({name})" for name in SUMMED)
_ADD = {
    table: f"INSERT INTO {table} SELECT at / {unit // MINUTE_MS}, generation_id, run_id, model_id, {_OF_FRESH}"
    f" FROM fresh WHERE true GROUP BY 1, 2, 3, 4 ON CONFLICT DO UPDATE SET {_ADDED}"
    for table, unit in UNITS.items()
}


def add_new(tx: Connection, after_id: int) -> None:
    """Add every response whose row was inserted after this id."""
    add_sums(tx, after_id)
    at_ms = 0
    for run_id, minute, *sums in tx.execute(
        f"SELECT run_id, max(at), {_OF_FRESH} FROM fresh WHERE run_id != 0 GROUP BY 1"
    ).fetchall():
        at_ms = max(at_ms, minute * MINUTE_MS)
        _move_run(tx, run_id, sums)
    if at_ms:
        run_totals.correct_moved(tx, at_ms)


def add_sums(tx: Connection, after_id: int) -> None:
    """Add them to the roll-ups and to their generations: summed by minute first, for all that is coarser."""
    tx.execute(_FRESH)
    tx.execute("DELETE FROM fresh")
    tx.execute(_COLLECT, (after_id,))
    for statement in _ADD.values():
        tx.execute(statement)
    for generation_id, *sums in tx.execute(f"SELECT generation_id, {_OF_FRESH} FROM fresh GROUP BY 1").fetchall():
        _move_generation(tx, generation_id, sums)


def take(tx: Connection, usage_id: int, sign: int) -> None:
    """Add (1) or take away (-1) one response as its row stands now: before and after it is changed.

    A row that has a hash is only ever taken away to be put back, for the same run or another one.
    """
    generation_id, run_id, model_id, at_ms, comes_back, *sums = tx.execute(
        "SELECT generation_id, ifnull(run_id, 0), ifnull(model_id, 0), at_ms, key_hash IS NOT NULL,"
        f" {OF_USAGE} FROM usage WHERE id = ?",
        (usage_id,),
    ).fetchone()
    moved = [sign * number for number in sums]
    marks = ", ".join("?" * (4 + len(moved)))
    for table, unit in UNITS.items():
        tx.execute(
            f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET {_ADDED}",
            (at_ms // unit, generation_id, run_id, model_id, *moved),
        )
        if sign < 0:
            tx.execute(
                f"DELETE FROM {table} WHERE (at, generation_id, run_id, model_id) = (?, ?, ?, ?) AND responses = 0",
                (at_ms // unit, generation_id, run_id, model_id),
            )
    _move_generation(tx, generation_id, moved)
    if run_id:
        _move_run(tx, run_id, moved)
    if sign > 0 or not comes_back:
        run_totals.correct_moved(tx, at_ms)


def _move_run(tx: Connection, run_id: int, sums: Sequence[int]) -> None:
    moved = Sums(*sums)
    run_totals.move(tx, run_id, moved.tokens, moved.cost_microusd, moved.unpriced)


def _move_generation(tx: Connection, generation_id: int, sums: list[int]) -> None:
    tx.execute(
        f"UPDATE generations SET {', '.join(f'{name} = {name} + ?' for name in SUMMED)} WHERE id = ?",
        (*sums, generation_id),
    )


class Repriced(NamedTuple):
    """A response that had no price and has one now."""

    usage_id: int
    generation_id: int
    run_id: int
    model_id: int
    at_ms: int
    cost_microusd: int


def add_costs(tx: Connection, repriced: Sequence[Repriced]) -> None:
    """Add what responses cost that were counted as unpriced."""
    for table, unit in UNITS.items():
        moved: dict[tuple[int, int, int, int], list[int]] = {}
        for one in repriced:
            costs = moved.setdefault((one.at_ms // unit, one.generation_id, one.run_id, one.model_id), [])
            costs.append(one.cost_microusd)
        tx.executemany(
            f"UPDATE {table} SET cost_microusd = cost_microusd + ?, unpriced = unpriced - ?"
            " WHERE (at, generation_id, run_id, model_id) = (?, ?, ?, ?)",
            [(sum(costs), len(costs), *place) for place, costs in moved.items()],
        )
    tx.executemany(
        "UPDATE generations SET cost_microusd = cost_microusd + ?, unpriced = unpriced - 1 WHERE id = ?",
        [(one.cost_microusd, one.generation_id) for one in repriced],
    )
    of_runs = [one for one in repriced if one.run_id]
    for one in of_runs:
        run_totals.move(tx, one.run_id, 0, one.cost_microusd, -1)
    if of_runs:
        run_totals.correct_moved(tx, max(one.at_ms for one in of_runs))
