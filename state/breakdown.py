"""Who uses the tokens: which model, lane, agent and source, minute by minute and over any span?

One query answers for all four at once: a screen that follows live asks several times a second.
"""

from typing import NamedTuple

from state.database import Connection
from state.rollups import HOUR_MS, MINUTE_MS, SUMMED, Sums
from state.spend import Span, pieces


class Mix(NamedTuple):
    """What a sum is of. None where nobody said: a session that another tool's log tells of has no agent of ours."""

    model: str | None
    lane: str
    agent: str | None
    source: str


BY = Mix._fields
_LABELS = "m.name, coalesce(r.lane, s.lane), coalesce(r.agent, s.agent), g.source"
_JOINS = (
    " JOIN generations g ON g.id = t.generation_id JOIN sessions s ON s.id = g.session_id"
    " LEFT JOIN runs r ON r.id = t.run_id LEFT JOIN models m ON m.id = t.model_id"
)
_JOINS_OF_LANE = _JOINS.removesuffix(" LEFT JOIN models m ON m.id = t.model_id")
_TOKENS = "t.input_tokens + t.cache_read_tokens + t.cache_write_tokens + t.output_tokens"


def sums(connection: Connection, span: Span) -> dict[Mix, Sums]:
    """Of every mix that has any usage in the span."""
    part, parameters = pieces(span)
    sql = f"SELECT {_LABELS}, {', '.join(f'sum(t.{name})' for name in SUMMED)} FROM ({part}) t{_JOINS}"
    found = connection.execute(f"{sql} GROUP BY 1, 2, 3, 4", parameters)
    return {Mix(*row[:4]): Sums(*row[4:]) for row in found}


def per_minute(connection: Connection, since_ms: int, until_ms: int) -> dict[Mix, list[int]]:
    """Tokens of each minute from `since_ms`, a whole minute, on; silent minutes are 0."""
    first, end = since_ms // MINUTE_MS, -(-until_ms // MINUTE_MS)
    found: dict[Mix, list[int]] = {}
    sql = f"SELECT t.at, {_LABELS}, sum({_TOKENS}) FROM usage_minutes t{_JOINS} WHERE t.at >= ? AND t.at < ?"
    for minute, model, lane, agent, source, tokens in connection.execute(f"{sql} GROUP BY 1, 2, 3, 4, 5", (first, end)):
        found.setdefault(Mix(model, lane, agent, source), [0] * (end - first))[minute - first] += tokens
    return found


def per_hour(connection: Connection, since_ms: int, until_ms: int) -> list[int]:
    """Tokens of each hour (UTC) from `since_ms`, a whole hour, on; silent hours are 0."""
    first, end = since_ms // HOUR_MS, -(-until_ms // HOUR_MS)
    hours = [0] * max(1, end - first)
    sql = f"SELECT t.at, sum({_TOKENS}) FROM usage_hours t WHERE t.at >= ? AND t.at < ? GROUP BY 1"
    for hour, tokens in connection.execute(sql, (first, end)):
        hours[hour - first] = tokens
    return hours


def by_lane(connection: Connection, since_ms: int) -> list[tuple[str, int]]:
    """Tokens since then, from its minute on, of each lane that used any, the largest first."""
    sql = (
        f"SELECT coalesce(r.lane, s.lane), sum({_TOKENS}) AS used FROM usage_minutes t{_JOINS_OF_LANE} WHERE t.at >= ?"
    )
    found = connection.execute(f"{sql} GROUP BY 1 ORDER BY used DESC, 1", (since_ms // MINUTE_MS,))
    return [(lane, used) for lane, used in found if used]
