"""Where do tokens go just now? What the monitoring screen reads: the last hour by minutes, the last day by hours, and
who uses them: by model, lane, agent and source."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from engine.telemetry import metrics
from state import breakdown
from state.breakdown import BY, Mix
from state.rollups import Sums
from state.spend import Span
from tui.clean import clean
from tui.reading.snapshot import Reading
from tui.reading.views import midnight_ms
from tui.text import HOUR_MS, MINUTE_MS

DAY_HOURS = 24
EVERY_MS = 15_000
"""A pace falls although nobody writes."""


class Share(Struct, frozen=True):
    """One label of a breakdown, and what it has used."""

    label: str | None
    """None: nobody said."""
    burn: int
    """Tokens per minute, exponentially weighted."""
    hour: int
    """Tokens of the last hour."""
    today: Sums


class LiveUsage(Struct, frozen=True):
    """All of it. The newest minute and hour are not over yet."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    burn: int
    today: Sums
    shares: Mapping[str, tuple[Share, ...]]
    """By what: `model`, `lane`, `agent`, `source`; who used most today comes first."""


def live_usage(reading: Reading) -> LiveUsage:
    """By minutes, in the zone's today."""
    now_ms, connection = reading.now_ms, reading.connection
    minutes_end = now_ms - now_ms % MINUTE_MS + MINUTE_MS
    hours_end = now_ms - now_ms % HOUR_MS + HOUR_MS
    since_ms = midnight_ms(now_ms, reading.zone)
    by_minute = breakdown.per_minute(connection, minutes_end - HOUR_MS, minutes_end)
    today = breakdown.sums(connection, Span(since_ms))
    elapsed = now_ms % MINUTE_MS / MINUTE_MS
    minutes = _added(by_minute.values())
    return LiveUsage(
        minutes=minutes,
        hours=tuple(breakdown.per_hour(connection, hours_end - DAY_HOURS * HOUR_MS, hours_end)),
        burn=_burn(minutes, elapsed),
        today=_summed(today.values()),
        shares={name: _shares(place, by_minute, today, elapsed) for place, name in enumerate(BY)},
    )


def _shares(
    place: int, by_minute: Mapping[Mix, list[int]], today: Mapping[Mix, Sums], elapsed: float
) -> tuple[Share, ...]:
    """By one part of the mix. What was used before midnight still has a pace."""
    minutes: dict[str | None, list[list[int]]] = {}
    spent: dict[str | None, list[Sums]] = {}
    for mix, row in by_minute.items():
        minutes.setdefault(mix[place], []).append(row)
    for mix, one in today.items():
        spent.setdefault(mix[place], []).append(one)
    found = [_share(label, minutes.get(label, []), spent.get(label, []), elapsed) for label in {**minutes, **spent}]
    return tuple(sorted(found, key=lambda share: (-share.today.tokens, -share.hour, share.label or "")))


def _share(label: str | None, minutes: list[list[int]], spent: list[Sums], elapsed: float) -> Share:
    added = _added(minutes)
    named = None if label is None else clean(label)
    return Share(label=named, burn=_burn(added, elapsed), hour=sum(added), today=_summed(spent))


def _burn(minutes: tuple[int, ...], elapsed: float) -> int:
    return round(metrics.ewma_per_minute(minutes, elapsed_share=elapsed))


def _added(rows: Iterable[list[int]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True))) or (0,) * 60


def _summed(parts: Iterable[Sums]) -> Sums:
    return Sums(*map(sum, zip(*parts, strict=True)))
