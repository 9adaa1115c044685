"""What was spent, in any span of time and by whatever one asks? Every view of usage is this query.

A span is answered from the coarsest roll-ups that fit it: whole days, whole hours at their edges, and single responses
for what is left. So five million responses cost no more than the days they fell on.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from state.database import Connection
from state.rollups import DAY_MS, HOUR_MS, MINUTE_MS, OF_USAGE, SUMMED, UNITS, Sums

EVER = 1 << 62
_ALL_UNITS = (DAY_MS, HOUR_MS, MINUTE_MS, 1)
BLOCK_HOURS = 5
"""A subscription's block: it begins with the hour of the first response and lasts five."""


class Group(NamedTuple):
    """Sums over the responses that share a label; None is the label of those that have none."""

    label: str | None
    sums: Sums


class Span(NamedTuple):
    """The responses of [since, until), of one source or of all. Milliseconds since the epoch."""

    since_ms: int = 0
    until_ms: int = EVER
    source: str | None = None


_NAMED = {
    "session": "CAST(g.session_id AS TEXT)",
    "model": "m.name",
    "lane": "coalesce(r.lane, s.lane)",
    "agent": "coalesce(r.agent, s.agent)",
    "job": "coalesce(r.job, s.job)",
    "task_type": "r.task_type",
    "trigger": "r.trigger",
    "source": "g.source",
}
_TIMED = ("hour", "day", "month", "block")
GROUPS = ("day", "hour", "month", "block", *_NAMED)
"""What one can ask by. Hours, days and months are those of a zone; a block lasts five hours."""

_SUM = ", ".join(f"sum(t.{name})" for name in SUMMED)
_JOINS = (
    " JOIN generations g ON g.id = t.generation_id JOIN sessions s ON s.id = g.session_id"
    " LEFT JOIN runs r ON r.id = t.run_id LEFT JOIN models m ON m.id = t.model_id"
)
_NOTHING = Sums()


def totals(connection: Connection, span: Span = Span()) -> Sums:  # noqa: B008 - it cannot change
    """Sums over every response of a span."""
    part, parameters = pieces(span)
    found = connection.execute(
        f"SELECT {_SUM} FROM ({part}) t JOIN generations g ON g.id = t.generation_id WHERE {_SOURCE}",
        (*parameters, span.source, span.source),
    ).fetchone()
    return _NOTHING if found[0] is None else Sums(*found)


def by(connection: Connection, group: str, span: Span = Span(), zone: tzinfo = UTC) -> list[Group]:  # noqa: B008
    """Sums of a span, one for each label there is, in the order of labels or of time."""
    if group in _TIMED:
        return _by_time(connection, group, span, zone)
    part, parameters = pieces(span)
    sql = f"SELECT {_NAMED[group]}, {_SUM} FROM ({part}) t{_JOINS} WHERE {_SOURCE} GROUP BY 1 ORDER BY 1"
    rows = connection.execute(sql, (*parameters, span.source, span.source))
    return [Group(label, Sums(*sums)) for label, *sums in rows]


_SOURCE = "(? IS NULL OR g.source = ?)"


def pieces(span: Span) -> tuple[str, list[int]]:
    """A union of table parts that covers the span exactly, and its parameters. Its rows have `start_ms`, generation,
    run, model and the columns of `Sums`."""
    return _union(_ALL_UNITS, span)


def parts(span: Span) -> list[tuple[str, list[int]]]:
    """The same one by one, each with its parameters: summed one after the other they cost a third of their union."""
    return _parts(_ALL_UNITS, span)


def _union(units: tuple[int, ...], span: Span) -> tuple[str, list[int]]:
    found = _parts(units, span) or [(f"{_PART[units[0]]} AND 0", [0, 0])]
    return " UNION ALL ".join(part for part, _ in found), [value for _, values in found for value in values]


def _parts(units: tuple[int, ...], span: Span) -> list[tuple[str, list[int]]]:
    return [
        (_PART[unit], [start, end] if unit > 1 else [start // MINUTE_MS, (end - 1) // MINUTE_MS, start, end])
        for unit, start, end in _cover(units, span.since_ms, span.until_ms)
    ]


_DIMENSIONS = "generation_id, run_id, model_id"
_PART = {
    unit: f"SELECT at * {unit} AS start_ms, {_DIMENSIONS}, {', '.join(SUMMED)} FROM {table} WHERE at >= ? AND at < ?"
    for table, unit in UNITS.items()
} | {
    # Single responses of a minute or two, found by the conversations that were active then.
    1: f"SELECT at_ms / {MINUTE_MS} * {MINUTE_MS} AS start_ms, generation_id, ifnull(run_id, 0) AS run_id,"
    f" ifnull(model_id, 0) AS model_id, {OF_USAGE} FROM usage"
    " WHERE generation_id IN (SELECT generation_id FROM usage_minutes WHERE at BETWEEN ? AND ?)"
    " AND at_ms >= ? AND at_ms < ? GROUP BY 1, 2, 3, 4"
}


def _cover(units: tuple[int, ...], since_ms: int, until_ms: int) -> Iterator[tuple[int, int, int]]:
    """(unit, first, end) in that unit: the coarsest in the middle, finer ones and single responses at the edges."""
    if since_ms >= until_ms:
        return
    unit, finer = units[0], units[1:]
    first, end = -(-since_ms // unit), until_ms // unit
    if first >= end:
        if finer:
            yield from _cover(finer, since_ms, until_ms)
        return
    yield unit, first, end
    if finer:
        yield from _cover(finer, since_ms, first * unit)
        yield from _cover(finer, end * unit, until_ms)


def _by_time(connection: Connection, group: str, span: Span, zone: tzinfo) -> list[Group]:
    """By hour, and by minute in those hours in which a new day begins: zones are off by quarters of an hour, too."""
    found = _by_unit(connection, HOUR_MS, span)
    label_of = _blocks(found, zone) if group == "block" else _LABELS[group](zone)
    merged: dict[str, Sums] = {}
    for at_ms, sums in found:
        label = label_of(at_ms)
        if group == "block" or label_of(at_ms + HOUR_MS - 1) == label:
            merged[label] = _plus(merged[label], sums) if label in merged else sums
            continue
        within = Span(max(at_ms, span.since_ms), min(at_ms + HOUR_MS, span.until_ms), span.source)
        for minute_ms, part in _by_unit(connection, MINUTE_MS, within):
            label = label_of(minute_ms)
            merged[label] = _plus(merged[label], part) if label in merged else part
    return [Group(label, sums) for label, sums in merged.items()]


def _by_unit(connection: Connection, unit: int, span: Span) -> list[tuple[int, Sums]]:
    """(start, sums) of each unit in which anything was used, in order."""
    part, parameters = _union(tuple(finer for finer in (HOUR_MS, MINUTE_MS, 1) if finer <= unit), span)
    sql = (
        f"SELECT t.start_ms / {unit}, {_SUM} FROM ({part}) t JOIN generations g ON g.id = t.generation_id"
        f" WHERE {_SOURCE} GROUP BY 1 ORDER BY 1"
    )
    rows = connection.execute(sql, (*parameters, span.source, span.source))
    return [(at * unit, Sums(*sums)) for at, *sums in rows]


def _plus(one: Sums, other: Sums) -> Sums:
    return Sums(*(mine + yours for mine, yours in zip(one, other, strict=True)))


def _local(at_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, zone)


def _hour(zone: tzinfo) -> Callable[[int], str]:
    """`2026-11-01T01:00`; an hour that the clock shows twice tells its offset."""

    def label(at_ms: int) -> str:
        local = _local(at_ms, zone).replace(minute=0)
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        return local.isoformat(timespec="minutes") if twice else local.strftime("%Y-%m-%dT%H:%M")

    return label


_LABELS: dict[str, Callable[[tzinfo], Callable[[int], str]]] = {
    "hour": _hour,
    "day": lambda zone: lambda at_ms: _local(at_ms, zone).strftime("%Y-%m-%d"),
    "month": lambda zone: lambda at_ms: _local(at_ms, zone).strftime("%Y-%m"),
}


def _blocks(hours: list[tuple[int, Sums]], zone: tzinfo) -> Callable[[int], str]:
    starts: dict[int, int] = {}
    start = -EVER
    for at_ms, _ in hours:
        if at_ms >= start + BLOCK_HOURS * HOUR_MS:
            start = at_ms
        starts[at_ms] = start
    return lambda at_ms: _local(starts[at_ms], zone).isoformat(timespec="minutes")


def per_minute(connection: Connection, since_ms: int, until_ms: int) -> list[int]:
    """Tokens of each minute from `since_ms`, a whole minute, on; silent minutes are 0."""
    first = since_ms // MINUTE_MS
    minutes = [0] * max(1, -(-until_ms // MINUTE_MS) - first)
    sql = (
        "SELECT at, sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens)"
        " FROM usage_minutes WHERE at >= ? AND at < ? GROUP BY at"
    )
    for minute, tokens in connection.execute(sql, (first, first + len(minutes))):
        minutes[minute - first] = tokens
    return minutes


def unpriced(connection: Connection, span: Span = Span()) -> dict[str, int]:  # noqa: B008
    """Responses without a price, by the model that is to blame; `unknown` where the log names none."""
    return {
        group.label or "unknown": group.sums.unpriced for group in by(connection, "model", span) if group.sums.unpriced
    }
