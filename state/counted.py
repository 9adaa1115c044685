"""Whose usage does a budget count, and how much of it does no reservation of that budget stand for?

That is what observed sessions used, and what runs used that hold nothing in it: those that are older than the budget.
"""

from itertools import pairwise

from msgspec import Struct
from msgspec.structs import asdict

from state.database import Connection
from state.rollups import HOUR_MS, MINUTE_MS
from state.spend import BLOCK_HOURS, Span, parts

_GRID_HOURS = 24 * BLOCK_HOURS
_LOOKS_BACK_HOURS = (0, 6 * _GRID_HOURS)
"""So far back are five idle hours looked for. Where there are none in a month, blocks begin to be counted at an instant
that only moves by whole blocks."""


class Filter(Struct, frozen=True):
    """Whose usage a budget counts; None means anyone's."""

    lane: str | None = None
    agent: str | None = None
    job: str | None = None
    source: str | None = None
    task_type: str | None = None
    model: str | None = None


class Uncovered(Struct, frozen=True):
    """Usage that a budget counts and that no reservation of it stands for."""

    tokens: int
    microusd: int
    unpriced: int
    """Responses without a price, among all that it counts."""


_GENERATION = " JOIN generations g ON g.id = t.generation_id"
_OWNER = f"{_GENERATION} JOIN sessions s ON s.id = g.session_id LEFT JOIN runs n ON n.id = t.run_id"
_MODEL = " LEFT JOIN models m ON m.id = t.model_id"
_COLUMNS = {
    "lane": (_OWNER, "coalesce(n.lane, s.lane)"),
    "agent": (_OWNER, "coalesce(n.agent, s.agent)"),
    "job": (_OWNER, "coalesce(n.job, s.job)"),
    "task_type": (_OWNER, "n.task_type"),
    "source": (_GENERATION, "g.source"),
    "model": (_MODEL, "m.name"),
}
"""Of each part of a filter, what must be joined to the roll-ups, and what is compared."""


def uncovered(connection: Connection, budget: str, scope: Filter, start_ms: int, end_ms: int) -> Uncovered:
    """Of the responses of [start, end). A run whose reservation is in tokens only is not covered in money."""
    joins, condition, values = _narrowed(scope)
    tokens = microusd = unpriced = 0
    for part, parameters in parts(Span(start_ms, end_ms)):
        found = connection.execute(
            f"{_SUMS} FROM ({part}) t{_COVERED}{joins} WHERE true{condition}", (*parameters, budget, budget, *values)
        ).fetchone()
        tokens, microusd, unpriced = tokens + found[0], microusd + found[1], unpriced + found[2]
    return Uncovered(tokens, microusd, unpriced)


_TOKENS = "t.input_tokens + t.cache_read_tokens + t.cache_write_tokens + t.output_tokens"
_SUMS = (
    f"SELECT coalesce(sum(iif(ct.run_id IS NULL, {_TOKENS}, 0)), 0),"
    " coalesce(sum(iif(cm.run_id IS NULL, t.cost_microusd, 0)), 0), coalesce(sum(t.unpriced), 0)"
)
_COVERED = "".join(
    f" LEFT JOIN reservations {name} ON {name}.run_id = nullif(t.run_id, 0) AND {name}.budget = ?"
    f" AND {name}.unit = '{unit}'"
    for name, unit in (("ct", "tokens"), ("cm", "microusd"))
)
"""A join costs a third of asking whether there is one."""


def _narrowed(scope: Filter) -> tuple[str, str, list[str]]:
    """Joins, conditions and their parameters. Only what is asked for is joined: a month has many rows."""
    asked = {name: value for name, value in asdict(scope).items() if value is not None}
    needed = {_COLUMNS[name][0] for name in asked}
    if _OWNER in needed:
        needed.discard(_GENERATION)
    conditions = "".join(f" AND {_COLUMNS[name][1]} = ?" for name in asked)
    return "".join(sorted(needed)), conditions, list(asked.values())


def spent_by_hour(connection: Connection, scope: Filter, unit: str, since_ms: int, until_ms: int) -> dict[int, int]:
    """What was used in each whole hour from `since_ms` on, by the instant at which the hour begins; idle ones are not
    there."""
    joins, condition, values = _narrowed(scope)
    amount = _TOKENS if unit == "tokens" else "t.cost_microusd"
    found = connection.execute(
        f"SELECT t.at, sum({amount}) FROM usage_hours t{joins} WHERE t.at >= ? AND t.at <= ?{condition} GROUP BY 1",
        (since_ms // HOUR_MS, until_ms // HOUR_MS, *values),
    )
    return {at * HOUR_MS: spent for at, spent in found if spent}


def spent_by_minute(connection: Connection, scope: Filter, unit: str, until_ms: int, minutes: int) -> list[int]:
    """What was used in each of the last minutes, oldest first; the last one holds the instant `until_ms`."""
    joins, condition, values = _narrowed(scope)
    amount = _TOKENS if unit == "tokens" else "t.cost_microusd"
    last = until_ms // MINUTE_MS
    found = connection.execute(
        f"SELECT t.at, sum({amount}) FROM usage_minutes t{joins} WHERE t.at > ? AND t.at <= ?{condition} GROUP BY 1",
        (last - minutes, last, *values),
    )
    spent = dict(found.fetchall())
    return [spent.get(at, 0) or 0 for at in range(last - minutes + 1, last + 1)]


def busy_hours(connection: Connection, budget: str, scope: Filter, since_ms: int) -> list[int]:
    """The hours, in milliseconds and in order, with usage that the budget counts or with admissions to it.

    Those since then, and those before it back to five idle hours: where a block begins depends on the block before it,
    but never on what came before a pause of that length, nor on how far anyone looks back.
    """
    first = since_ms // HOUR_MS // _GRID_HOURS * _GRID_HOURS
    hours: list[int] = []
    for back in _LOOKS_BACK_HOURS:
        hours = _hours(connection, budget, scope, first - back)
        if any(later - earlier >= BLOCK_HOURS for earlier, later in pairwise([first - back, *hours])):
            break
    return [hour * HOUR_MS for hour in hours]


def _hours(connection: Connection, budget: str, scope: Filter, since: int) -> list[int]:
    joins, condition, values = _narrowed(scope)
    sql = (
        "SELECT at FROM (SELECT DISTINCT at FROM usage_hours WHERE at >= ?) h"
        f" WHERE EXISTS (SELECT 1 FROM usage_hours t{joins} WHERE t.at = h.at{condition})"
        " UNION SELECT at / 4 FROM budget_sums WHERE budget = ? AND at >= ? ORDER BY 1"
    )
    return [hour for (hour,) in connection.execute(sql, (since, *values, budget, since * 4))]
