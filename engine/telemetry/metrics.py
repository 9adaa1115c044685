"""What do plain usage numbers say about pace, projection, caching, context and subscription windows?

Pure functions: no clock, no database. Tokens may be micro-dollars throughout; where a function says tokens it only
means that its numbers are of one kind.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.usage import RateLimit

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
BLOCK_MS = 5 * HOUR_MS
NEAR_MIN = 60
"""How long the present pace is taken to go on."""
PACE_HALF_LIFE_MIN, MEAN_HALF_LIFE_MIN = 60.0, 2 * 24 * 60.0
LASTING_MIN, FADED_MIN = 10, 20
"""Minutes that count in full for a burn that lasts, and those from which on they do not count: a quarter of an hour."""
TREND_STEP = 0.05
TREND_LEAST = 4

Trend = Literal["rising", "falling", "steady"]
WindowSource = Literal["log", "prices", "config", "unknown"]
"""Who says how large a context window is: the client's log, the price table, or the operator."""
WindowState = Literal["current", "reset", "undated"]
"""`current`: the figure holds. `reset`: its window has ended, and nothing has been logged since. `undated`: the log
tells neither its end nor its length."""


def ewma_per_minute(minutes: Sequence[int], half_life_min: float = 5.0, elapsed_share: float = 1.0) -> float:
    """Tokens per minute, recent minutes weighing more; idle minutes are zeros, and no minutes give 0.

    The last element is the current minute, of which `elapsed_share` (0 to 1) has passed. With complete minutes
    weighing 2^(-age / half life), age 0 for the latest complete one, and the current one weighing its share:
    rate = sum(weight * tokens of complete minutes) + tokens of the current one, over the sum of the weights.
    A steady rate is thereby found exactly, however few minutes there are. Before the first complete minute its
    tokens count as a whole minute's: a burst of a second is not a rate.
    """
    if not minutes:
        return 0.0
    decay = 0.5 ** (1 / half_life_min)
    spent, weight, total = float(minutes[-1]), min(1.0, max(0.0, elapsed_share)), 1.0
    for tokens in reversed(minutes[:-1]):
        spent += total * tokens
        weight += total
        total *= decay
    return spent / max(1.0, weight)


def lasting_per_minute(minutes: Sequence[int], elapsed_share: float = 1.0) -> float:
    """Tokens per minute of a burn that lasts: those of the last quarter of an hour without the largest of its minutes.

    One burst is no burn: alone it gives 0. The last element is the current minute, of which `elapsed_share` has passed;
    what is older than ten minutes counts less and less, from twenty on not at all, so that nothing jumps when it
    leaves. Minutes that are not given were idle. A steady rate is found exactly; more in any minute never gives less.
    """
    weights = [min(1.0, (FADED_MIN - age) / (FADED_MIN - LASTING_MIN)) for age in range(FADED_MIN)]
    spent = [weight * tokens for weight, tokens in zip(weights, reversed(minutes), strict=False)]
    if not spent:
        return 0.0
    known = sum(weights) - 1 + min(1.0, max(0.0, elapsed_share))
    return max(0.0, sum(spent) - max(spent)) / (known - 1)


class Hour(Struct, frozen=True):
    """What was spent in one clock hour, or in as much of it as has passed."""

    tokens: int
    start_ms: int
    minutes: float = 60.0
    """How much of it has passed; more than 0."""


class Course(Struct, frozen=True):
    """How spending goes: what a projection rests on. The same for every budget that counts the same usage."""

    pace: float
    """Tokens per minute of late: what is an hour old weighs half, or those of a burn that lasts, if they are more."""
    mean: float
    """Tokens per minute over days: what is two days old weighs half."""
    spread: float
    """Standard deviation of the tokens of an hour, idle ones included."""
    error: float = 0.0
    """Standard error of the mean, in tokens of an hour: large where few hours are known."""
    fresh: float = 0.0
    """As much of the pace as only the last quarter of an hour speaks for: it may be over as soon as it came."""


def course(hours: Sequence[Hour], now_ms: int, lasting: float = 0.0) -> Course:
    """What these hours, idle ones included, say at `now_ms`, at which the last of them ends; `lasting` is what
    `lasting_per_minute` says of its last minutes.

    Weights halve with age, every hour for the pace and every two days for the rest, instead of being cut off at an
    age: so nothing jumps when the clock hour turns, or when a burst becomes an hour or a day old.
    """
    pace, _ = _weighted([hour.tokens / hour.minutes for hour in hours], _weights(hours, now_ms, PACE_HALF_LIFE_MIN))
    weights = _weights(hours, now_ms, MEAN_HALF_LIFE_MIN)
    mean, _ = _weighted([hour.tokens / hour.minutes for hour in hours], weights)
    _, spread = _weighted([float(hour.tokens) for hour in hours], weights)
    error = spread * math.sqrt(sum(weight * weight for weight in weights)) / (sum(weights) or 1.0)
    return Course(max(pace, lasting), mean, spread, error, max(0.0, lasting - pace))


def _weights(hours: Sequence[Hour], now_ms: int, half_life_min: float) -> list[float]:
    """The integral of 2^(-age / half life) over each hour."""

    def older(at_ms: float) -> float:
        return float(0.5 ** ((now_ms - at_ms) / MINUTE_MS / half_life_min))

    return [older(hour.start_ms + hour.minutes * MINUTE_MS) - older(hour.start_ms) for hour in hours]


def _weighted(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    whole = sum(weights)
    if not whole:
        return 0.0, 0.0
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / whole
    square = sum((value - mean) ** 2 * weight for value, weight in zip(values, weights, strict=True)) / whole
    return mean, math.sqrt(square)


class Projection(Struct, frozen=True):
    """What a budget window will hold at its end, and when it is full."""

    low: int
    likely: int
    high: int
    runs_out_ms: int | None = None
    """When the limit is reached at the likely rate; None without a limit, and when not before the window ends."""


def project(spent: int, now_ms: int, window_end_ms: int, going: Course, limit: int | None = None) -> Projection:
    """Tokens at the end of a budget window: the pace goes on for an hour, after that it is the mean.

    The band is one standard deviation to either side, past hours taken as independent of each other: it grows with the
    root of the hours that are left, and with each of them by as much as the mean may be wrong. Below it is wider by a
    burn that is fresh. No figure falls when more time is left, so a longer window over the same usage never projects
    less than a shorter one in it.
    """
    left_min = max(0, window_end_ms - now_ms) / MINUTE_MS
    near_min = min(NEAR_MIN, left_min)
    near, whole = going.pace * near_min, going.pace * near_min + going.mean * (left_min - near_min)
    fresh = going.fresh * near_min
    below = max(0.0, near - fresh - _deviation(going, near_min), whole - fresh - _deviation(going, left_min))
    near_ms = min(window_end_ms, now_ms + NEAR_MIN * MINUTE_MS)
    out_ms = None if limit is None else runs_out_at(limit, spent, now_ms, near_ms, going.pace)
    if limit is not None and out_ms is None and near_ms < window_end_ms:
        out_ms = runs_out_at(limit, spent + round(near), near_ms, window_end_ms, going.mean)
    return Projection(
        low=spent + math.floor(below),
        likely=spent + round(whole),
        high=spent + math.ceil(whole + _deviation(going, left_min)),
        runs_out_ms=out_ms,
    )


def _deviation(going: Course, minutes: float) -> float:
    hours = minutes / 60
    return math.hypot(going.spread * math.sqrt(hours), going.error * hours)


def runs_out_at(limit: int, spent: int, now_ms: int, window_end_ms: int, rate_per_min: float) -> int | None:
    """When spending at this rate reaches the limit: `now_ms` if it has, None if not before the window ends."""
    if spent >= limit:
        return now_ms
    if rate_per_min <= 0:
        return None
    wait_ms = (limit - spent) / rate_per_min * MINUTE_MS
    return now_ms + math.ceil(wait_ms) if wait_ms < window_end_ms - now_ms else None


def cache_hit_ratio(input_tokens: int, cache_read_tokens: int, cache_write_tokens: int) -> float | None:
    """The part of all input that was read from the cache; None without input. `input_tokens` is uncached only."""
    prompt = input_tokens + cache_read_tokens + cache_write_tokens
    return cache_read_tokens / prompt if prompt else None


def trend(ratios: Sequence[float | None]) -> Trend:
    """Whether ratios, oldest first, go up or down: the median of the later half is more than 5 points away from that
    of the earlier half (a middle one belongs to neither), so that one cold start does not make a trend. Unknown
    ones are left out; below four there is none."""
    known = [ratio for ratio in ratios if ratio is not None]
    half = len(known) // 2
    if len(known) < TREND_LEAST:
        return "steady"
    step = median(known[-half:]) - median(known[:half])
    if step > TREND_STEP:
        return "rising"
    return "falling" if step < -TREND_STEP else "steady"


def context_fill(context_tokens: int | None, window: int | None) -> float | None:
    """How full the context is, 1 for full; None where either is unknown. Above 1 the window is not the true one."""
    if context_tokens is None or window is None or window <= 0:
        return None
    return context_tokens / window


class ContextWindow(Struct, frozen=True):
    """A context window and who says so."""

    tokens: int | None
    source: WindowSource


def context_window(logged: int | None, configured: int | None, priced: int | None) -> ContextWindow:
    """The log knows the session's own window, the operator knows better than a table of models."""
    told: tuple[tuple[int | None, WindowSource], ...] = ((logged, "log"), (configured, "config"), (priced, "prices"))
    for tokens, source in told:
        if tokens is not None and tokens > 0:
            return ContextWindow(tokens, source)
    return ContextWindow(None, "unknown")


class Block(Struct, frozen=True):
    """Five hours as a Claude subscription counts them."""

    start_ms: int
    """The hour (UTC) in which its first response came."""
    end_ms: int
    """Not part of it."""
    first_ms: int
    last_ms: int
    responses: int


def block_with(current: Block | None, at_ms: int) -> Block:
    """The block of a response that comes next: the current one with it, or a new one.

    A block starts with its first response, floored to the hour, and lasts five hours; the first response after its
    end starts the next one. A gap of five hours always lies across an end, so it needs no rule of its own.
    Raises `ValueError` for a response from before the current block: what is older needs `blocks`.
    """
    if current is not None and at_ms < current.start_ms:
        raise ValueError("a response from before its block")
    if current is None or at_ms >= current.end_ms:
        start_ms = at_ms - at_ms % HOUR_MS
        return Block(start_ms, start_ms + BLOCK_MS, at_ms, at_ms, 1)
    return replace(
        current,
        first_ms=min(current.first_ms, at_ms),
        last_ms=max(current.last_ms, at_ms),
        responses=current.responses + 1,
    )


def blocks(times_ms: Iterable[int]) -> list[Block]:
    """Every block that these responses open, oldest first; the times in any order."""
    found: list[Block] = []
    for at_ms in sorted(times_ms):
        block = block_with(found[-1] if found else None, at_ms)
        if found and found[-1].start_ms == block.start_ms:
            found[-1] = block
        else:
            found.append(block)
    return found


class SubscriptionWindow(Struct, frozen=True):
    """What is known now about a subscription window that a client logged."""

    name: str
    state: WindowState
    used_percent: float | None
    """None once it is reset: what other machines used since is not in our logs."""
    window_minutes: int | None
    resets_at_ms: int | None
    """When it ends; None once it is reset."""
    left_ms: int | None
    logged_ms: int
    plan: str | None


def subscription_windows(limits: Iterable[RateLimit], now_ms: int) -> tuple[SubscriptionWindow, ...]:
    """The latest of each name, by name. One whose log tells no end ends its length after it was logged at the
    latest; one without a length either keeps its figure."""
    latest: dict[str, RateLimit] = {}
    for limit in limits:
        known = latest.get(limit.name)
        if known is None or limit.at_ms >= known.at_ms:
            latest[limit.name] = limit
    return tuple(_window(latest[name], now_ms) for name in sorted(latest))


def _window(limit: RateLimit, now_ms: int) -> SubscriptionWindow:
    ends_ms = limit.resets_at_ms
    if ends_ms is None and limit.window_minutes is not None:
        ends_ms = limit.at_ms + limit.window_minutes * MINUTE_MS
    state: WindowState = "undated" if ends_ms is None else "current" if now_ms < ends_ms else "reset"
    resets_at_ms = limit.resets_at_ms if state == "current" else None
    return SubscriptionWindow(
        name=limit.name,
        state=state,
        used_percent=None if state == "reset" else limit.used_percent,
        window_minutes=limit.window_minutes,
        resets_at_ms=resets_at_ms,
        left_ms=None if resets_at_ms is None else resets_at_ms - now_ms,
        logged_ms=limit.at_ms,
        plan=limit.plan,
    )
