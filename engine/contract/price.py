"""What does a model cost? The terms of one model as a price list told them: exact, whole, and kept with usage for ever.

Also the wire format between the engine and the child that reads the price list. Money is in dollars as decimal text,
as price lists write it: no unit that we could choose loses nothing (some rates have 18 decimals).
"""

from decimal import Decimal

from msgspec import Struct

DAY_MS = 86_400_000


class ModelName(Struct, frozen=True):
    """A model as a log names it."""

    name: str
    provider: str = ""
    """Who served it where that is known, else empty."""


class Rate(Struct, frozen=True, omit_defaults=True):
    """Dollars per million tokens; of a fee, dollars per thousand."""

    base: Decimal
    above: tuple[tuple[int, Decimal], ...] = ()
    """`(n, rate)`, ascending: the rate of every token of a request whose whole prompt (uncached input, cache reads and
    writes) is longer than n tokens."""


class Rates(Struct, frozen=True, omit_defaults=True):
    """What a request's parts cost. Without a rate of its own a cache write of an hour costs what one of five minutes
    does, any other cache write or read what uncached input does, and reasoning what other output does."""

    input: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    """Of five minutes."""
    cache_write_1h: Rate | None = None
    output: Rate | None = None
    reasoning: Rate | None = None
    web_search: Rate | None = None
    request: Rate | None = None
    """A fee for the request itself."""


class Terms(Struct, frozen=True, omit_defaults=True):
    """Rates and when they hold."""

    rates: Rates
    factor: str = ""
    """Empty for the standard rates; else a word of `Response.factors` (`batch`, `fast`, `flex`, `priority`), and the
    rates given here replace the standard ones."""
    from_ms: int | None = None
    """When they came into force."""
    day_from_ms: int | None = None
    """With `day_until_ms`: the time of day, UTC, in milliseconds from midnight, may run past it; the end is out."""
    day_until_ms: int | None = None

    def hold_at(self, at_ms: int) -> bool:
        """Whether they are in force at this moment."""
        if self.from_ms is not None and at_ms < self.from_ms:
            return False
        if self.day_from_ms is None or self.day_until_ms is None:
            return True
        now_ms = at_ms % DAY_MS
        if self.day_until_ms < self.day_from_ms:
            return now_ms >= self.day_from_ms or now_ms < self.day_until_ms
        return self.day_from_ms <= now_ms < self.day_until_ms


class Price(Struct, frozen=True, omit_defaults=True):
    """What one model costs."""

    origin: str
    """Who says so: the price list and its version (`genai-prices 0.2.3`), `config` or `local`."""
    provider: str
    """The provider that was matched."""
    model: str
    """The model that was matched: price lists match loosely, so it may be another name than the log's."""
    terms: tuple[Terms, ...]
    """Of the standard ones that hold the last counts, else the first; of those of a factor the first, rate by rate."""
    context_window: int | None = None
    """Tokens."""
    multipliers: tuple[tuple[str, Decimal], ...] = ()
    """`(word, times)`: what a word of `Response.factors` does to every rate per token, fees apart."""
