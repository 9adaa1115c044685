"""How fast do tokens go, how does the cache serve, how full is a context, and does the client say the same as we do?

The arithmetic is `engine.telemetry.metrics`; here is what it is fed with. Imported when first needed, since the first
paint must not wait for it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from engine.config.model import Config
from engine.telemetry import metrics
from state import board, logs, prices, responses, sessions, spend
from state.database import Connection
from tui.text import DAY_MS, HOUR_MS, MINUTE_MS

RATIOS = 12
"""Responses that a cache trend rests on."""
TRENDS_MOST = 40
"""Sessions whose last responses are looked at for it; the reading must stay within milliseconds."""


class Pace(Struct, frozen=True):
    """How fast tokens go."""

    minutes: tuple[int, ...]
    """Tokens of each of the last 60 minutes, oldest first; the last one is not over yet."""
    per_minute: int
    """Exponentially weighted."""


class CacheFigures(Struct, frozen=True):
    """How much of its input a conversation had from the cache."""

    ratio: float
    trend: metrics.Trend | None
    """Over its last responses; None where they are too few, or too long ago to matter."""


class ConversationFigures(Struct, frozen=True):
    """What one generation's page says of its context and its cache."""

    window: metrics.ContextWindow
    fill: float | None
    ratio: float | None
    trend: metrics.Trend | None
    ratios: tuple[float, ...]
    """Of the last responses, oldest first."""
    client: logs.ClientTotals | None
    """What the client itself says last."""
    difference: tuple[int, int, int, int] | None
    """That, less what is booked here and what its log repeats from others: input, cache read and write, output."""
    repeats: tuple[tuple[int, int], ...]
    """(session, responses) that its log repeats and that are counted there."""
    log_gone: bool
    """Every log that its last responses were read from is deleted."""


def pace(connection: Connection, now_ms: int) -> Pace:
    """Of all usage, over the last hour."""
    end_ms = now_ms - now_ms % MINUTE_MS + MINUTE_MS
    minutes = spend.per_minute(connection, end_ms - HOUR_MS, end_ms)
    elapsed = (now_ms % MINUTE_MS) / MINUTE_MS
    return Pace(tuple(minutes), round(metrics.ewma_per_minute(minutes, elapsed_share=elapsed)))


def cache_board(connection: Connection, rows: Iterable[board.BoardRow], now_ms: int) -> dict[int, CacheFigures]:
    """By session, for those that had any input. A trend is told of those that were active within a day, the newest
    ones: what rests has none."""
    found: dict[int, CacheFigures] = {}
    left = TRENDS_MOST
    for row in rows:
        ratio = metrics.cache_hit_ratio(row.input_tokens, row.cache_read_tokens, row.cache_write_tokens)
        if ratio is None:
            continue
        trend = None
        if left and row.last_active_ms >= now_ms - DAY_MS:
            left -= 1
            standing = sessions.get(connection, row.id).generation_id
            trend = _trend(_ratios(responses.of_generation(connection, standing, RATIOS))) if standing else None
        found[row.id] = CacheFigures(ratio, trend)
    return found


def conversation(connection: Connection, config: Config, generation: sessions.Generation) -> ConversationFigures:
    """What there is to say about one generation."""
    latest = responses.of_generation(connection, generation.id, RATIOS)
    ratios = _ratios(latest)
    window = metrics.context_window(generation.context_window, *_windows_told(connection, config, generation.model))
    client = logs.client_totals(connection, generation.id)
    read = {response.log: bool(response.log_gone) for response in latest if response.log is not None}
    return ConversationFigures(
        window=window,
        fill=metrics.context_fill(generation.context_tokens, window.tokens),
        ratio=metrics.cache_hit_ratio(*_parts(generation)[:3]),
        trend=_trend(ratios),
        ratios=tuple(ratios),
        client=client,
        difference=_difference(client, generation, logs.copied(connection, generation.id)) if client else None,
        repeats=tuple(logs.copied_from(connection, generation.id)),
        log_gone=bool(read) and all(read.values()),
    )


def _difference(
    client: logs.ClientTotals, generation: sessions.Generation, copied: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    uncached, read, written, output = (
        said - ours - repeated for said, ours, repeated in zip(_parts(client), _parts(generation), copied, strict=True)
    )
    return uncached, read, written, output


def _parts(of: logs.ClientTotals | sessions.Generation | responses.BookedResponse) -> tuple[int, int, int, int]:
    return of.input_tokens, of.cache_read_tokens, of.cache_write_tokens, of.output_tokens


def _windows_told(connection: Connection, config: Config, model: str | None) -> tuple[int | None, int | None]:
    """The context window of a model by the operator, and by the price list."""
    if model is None:
        return None, None
    own = [price.context_window for name, price in config.prices.items() if model in (name, name.partition("/")[2])]
    known = [found.context_window for found in prices.known_models(connection) if found.name == model]
    return max(filter(None, own), default=None), max(filter(None, known), default=None)


def _ratios(latest: Sequence[responses.BookedResponse]) -> list[float]:
    """Of the responses that had any input, oldest first; given newest first."""
    told = [metrics.cache_hit_ratio(*_parts(response)[:3]) for response in reversed(latest)]
    return [ratio for ratio in told if ratio is not None]


def _trend(ratios: Sequence[float]) -> metrics.Trend | None:
    return metrics.trend(ratios) if len(ratios) >= metrics.TREND_LEAST else None
