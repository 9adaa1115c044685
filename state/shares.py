"""Who used what a budget counts? The largest users of a span, by agent, session, job or run."""

from msgspec import Struct
from msgspec.structs import astuple

from state.counted import Filter
from state.database import Connection, rows
from state.spend import Span, pieces


class Share(Struct, frozen=True):
    """One user and what it used, in the unit that was asked for."""

    id: int | None
    """Of a session or a run."""
    label: str | None
    """None: nobody said."""
    amount: int


_JOINS = (
    " JOIN generations g ON g.id = t.generation_id JOIN sessions s ON s.id = g.session_id"
    " LEFT JOIN runs r ON r.id = t.run_id LEFT JOIN models m ON m.id = t.model_id"
)
_SCOPE = {
    "lane": "coalesce(r.lane, s.lane)",
    "agent": "coalesce(r.agent, s.agent)",
    "job": "coalesce(r.job, s.job)",
    "source": "g.source",
    "task_type": "r.task_type",
    "model": "m.name",
}
"""In the order of `Filter`."""
_AMOUNTS = {
    "tokens": "sum(t.input_tokens + t.cache_read_tokens + t.cache_write_tokens + t.output_tokens)",
    "microusd": "sum(t.cost_microusd)",
}
_BY = {
    "agent": ("NULL", "coalesce(r.agent, s.agent, g.source)", "true"),
    "session": ("s.id", "coalesce(s.title, s.job)", "true"),
    "job": ("NULL", "coalesce(r.job, s.job)", "coalesce(r.job, s.job) IS NOT NULL"),
    "run": ("r.id", "coalesce(nullif(r.task, ''), r.job)", "r.id IS NOT NULL"),
}
"""Id and label of each user, and which of them count."""
GROUPS = tuple(_BY)


def largest(connection: Connection, group: str, unit: str, scope: Filter, span: Span, limit: int) -> list[Share]:
    """Those that used most, the largest first; who used nothing is not there."""
    number, label, counts = _BY[group]
    part, parameters = pieces(span)
    narrowed = " AND ".join(f"(? IS NULL OR {column} = ?)" for column in _SCOPE.values())
    sql = (
        f"SELECT {number} AS id, {label} AS label, {_AMOUNTS[unit]} AS amount FROM ({part}) t{_JOINS}"
        f" WHERE {counts} AND {narrowed} GROUP BY 1, 2 HAVING amount > 0 ORDER BY amount DESC, 1, 2 LIMIT ?"
    )
    wanted = [value for one in astuple(scope) for value in (one, one)]
    return rows(connection, Share, sql, (*parameters, *wanted, limit))
