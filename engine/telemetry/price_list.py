"""What does the price list say about these models? `python -m engine.telemetry.price_list`

The only module that imports genai-prices, which costs half a second and 40 MB: a niced child that is asked for many
models at once and ends. A JSON list of `ModelName` on stdin, on stdout one of `Price` or null, in the same order.
Nothing is downloaded: the list is the one in the installed package. Warnings go to stderr.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal

import genai_prices
import msgspec
from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from engine.contract.price import ModelName, Price, Rate, Rates, Terms

ORIGIN = f"genai-prices {genai_prices.__version__}"
LONGEST_NAME = 200
"""No model is called so; a longer one is not worth matching against thousands of patterns."""

_KEYS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "web_searches_kcount": "web_search",
    "requests_kcount": "request",
}
"""Of the list's keys those that a log of tokens can be priced by; of two for one rate the later counts."""
FACTOR_OF = {
    ("processing", "batch"): "batch",
    ("speed", "fast"): "fast",
    ("service_tier", "fast"): "fast",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
}
"""What the list's conditions are called in `Response.factors`."""
_IN_THE_US = ("geo:us", Decimal("1.1"))
"""What the list tells in no numbers: Anthropic's inference in the US only costs a tenth more for every kind of token
(its page on prices, "Data residency"); a log names it only where it was asked for and given."""
_FAST = {"claude-opus-4-6": ("fast", Decimal(6)), "claude-opus-4-7": ("fast", Decimal(6))}
"""What the list has dropped with the offer: the first fast mode, at six times every rate per token (Anthropic's page on
fast mode, as of early 2026)."""
_FREE = Rates(input=Rate(Decimal(0)), output=Rate(Decimal(0)))


def price_of(asked: ModelName) -> Price | None:
    """The list's price, or None where it does not know the model, or has no rate for its tokens."""
    found = find(asked)
    return found and priced(*found)


def priced(provider: Provider, model: ModelInfo) -> Price | None:
    """An entry of the list in our terms."""
    terms = (*_standard(model), *(_special(model) if _is_own(provider, model) else ()))
    if not any(each.rates.input for each in terms if not each.factor):
        return None
    return Price(
        ORIGIN, provider.id, model.id, terms, model.context_window, tuple(_multipliers(provider, model, terms))
    )


def find(asked: ModelName) -> tuple[Provider, ModelInfo] | None:
    """The entry that genai-prices matches. Its match is loose (`gpt-5-codex` is `gpt-5`): the entry is part of the
    price, and shown."""
    snapshot = get_snapshot()
    for name, provider in spellings(asked, snapshot):
        try:
            return snapshot.find_provider_model(name, None, provider, None)
        except LookupError:
            continue
    return None


def spellings(asked: ModelName, snapshot: DataSnapshot) -> Iterator[tuple[str, str | None]]:
    """What to look for, best first: the name as logged, then without what is known to be no part of it.

    That is a client's option in brackets (`claude-sonnet-5-5[1m]`), Gemini's `models/`, and a leading `provider/`,
    which then is the provider where no other is known. An unknown provider is left out.
    """
    name = asked.name.strip()
    if not name or len(name) > LONGEST_NAME:
        return
    provider = asked.provider.strip() or None
    if provider and not find_provider_by_id(snapshot.providers, provider):
        provider = None
    plain = re.sub(r"\[[^\[\]]*\]$", "", name)
    for spelling in dict.fromkeys((name, plain.removeprefix("models/"))):
        yield spelling, provider
    before, slash, rest = plain.partition("/")
    if slash and provider in (None, before) and find_provider_by_id(snapshot.providers, before):
        yield rest, before


def _multipliers(provider: Provider, model: ModelInfo, terms: tuple[Terms, ...]) -> Iterator[tuple[str, Decimal]]:
    if provider.id == "anthropic":
        yield _IN_THE_US
        if model.id in _FAST and not any(each.factor == "fast" for each in terms):
            yield _FAST[model.id]


def _is_own(provider: Provider, model: ModelInfo) -> bool:
    """A model of another provider's has that one's special terms no more than genai-prices grants them."""
    return any(model is own for own in provider.models)


def _standard(model: ModelInfo) -> Iterator[Terms]:
    if isinstance(model.prices, ModelPrice):
        free = not model.prices.__dict__ and model.id.endswith(":free")  # else an empty entry is an unknown price
        yield Terms(_FREE if free else _rates(model.prices))
        return
    for entry in model.prices:
        yield _terms(entry.prices, "", entry.constraint)


def _special(model: ModelInfo) -> Iterator[Terms]:
    """Only what hangs on one condition that a log tells; rates that change nothing are left out."""
    for variant in model.price_variants or ():
        words = {FACTOR_OF.get(condition, "") for condition in variant.when.items()}
        rates = _rates(variant.prices)
        if len(variant.when) == 1 and words != {""} and rates != Rates():
            yield _terms(variant.prices, words.pop(), variant.constraint)


def _terms(prices: ModelPrice, factor: str, constraint: StartDateConstraint | TimeOfDateConstraint | None) -> Terms:
    match constraint:
        case StartDateConstraint(start_date=day):
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return Terms(_rates(prices), factor, from_ms=int(start.timestamp()) * 1000)
        case TimeOfDateConstraint(start_time=start_time, end_time=end_time):
            return Terms(_rates(prices), factor, day_from_ms=_day_ms(start_time), day_until_ms=_day_ms(end_time))
        case None:
            return Terms(_rates(prices), factor)


def _day_ms(at: time) -> int:
    """Milliseconds from midnight, UTC; a time without a zone is UTC."""
    moment = datetime(2000, 1, 2, at.hour, at.minute, at.second, at.microsecond, at.tzinfo or UTC).astimezone(UTC)
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1000 + moment.microsecond // 1000


def _rates(prices: ModelPrice) -> Rates:
    found = {ours: _rate(value) for key, ours in _KEYS.items() if (value := prices.__dict__.get(key)) is not None}
    return Rates(**found)


def _rate(value: Decimal | TieredPrices) -> Rate:
    if isinstance(value, TieredPrices):
        return Rate(value.base, tuple((tier.start, tier.price) for tier in value.tiers))
    return Rate(value)


def main() -> None:
    """Answer what stdin asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the console's to answer
    os.nice(5)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[ModelName, ...])
    sys.stdout.buffer.write(msgspec.json.encode([price_of(name) for name in asked]))


if __name__ == "__main__":
    main()
