"""What do the tokens of a model cost, as far as is known here without asking anybody?

Before a run is admitted there is no time to ask a price list (a child process of half a second), so this goes by what
the engine has priced before. Not known are: a model of which no response was ever booked and no price is declared, the
model that an adapter takes by itself, and who will serve the run. What only some requests cost is left out: long
prompts, cache writes, fees, faster or slower service.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from engine.adapters.registry import is_free
from engine.admission.cost import Rate
from engine.config.model import Config, ModelPrice
from engine.contract.price import Price, Rates
from engine.runtime.pricing import declared_price
from engine.telemetry.prices import is_local, local_price
from state import prices
from state.database import Connection


def rate_of(connection: Connection, config: Config, adapter_name: str, model: str | None) -> Rate | None:
    """The rate by whoever has the say; None when it is not known. Raises NotFound for no adapter.

    What the operator declared wins; then the newest price that a list told; then nothing, where all who served the
    model are the operator's own. So a model that is served both ways is taken at a price.
    """
    if is_free(adapter_name, model):
        return _rate(local_price(adapter_name, "local"))
    if model is None:
        return None
    seen = [one for one in prices.known_models(connection) if one.name == model]
    price = _declared(config.prices, model, seen) or _listed(seen) or _local(model, seen)
    return None if price is None else _rate(price)


def _declared(declared: Mapping[str, ModelPrice], model: str, seen: Sequence[prices.KnownModel]) -> Price | None:
    """For one of the providers that served it, else for the model whoever serves it."""
    for provider, key in (*((one.provider, f"{one.provider}/{model}") for one in seen), ("", model)):
        if key in declared:
            return declared_price((model, provider), declared[key])
    return None


def _listed(seen: Sequence[prices.KnownModel]) -> Price | None:
    """The newest price that a list told. One that cannot be read (any more) is none; the engine asks for it anew."""
    told = [one for one in seen if one.price is not None and not is_local(one.name, one.provider)]
    for one in sorted(told, key=lambda one: one.price_id or 0, reverse=True):
        try:
            return msgspec.json.decode(one.price or "", type=Price)
        except msgspec.DecodeError:
            continue
    return None


def _local(model: str, seen: Sequence[prices.KnownModel]) -> Price | None:
    """Nothing, when all who served it are the operator's own."""
    if seen and all(is_local(one.name, one.provider) for one in seen):
        return local_price(model, seen[0].provider)
    return None


def _rate(price: Price) -> Rate | None:
    """None when the price leaves input or output out."""
    rates = _standard(price)
    if rates is None or rates.input is None or rates.output is None:
        return None
    read = rates.cache_read or rates.input
    return Rate(_whole(rates.input.base), _whole(rates.output.base), _whole(read.base), price.origin)


def _whole(dollars: Decimal) -> int:
    """As micro-dollars."""
    return round(dollars * 1_000_000)


def _standard(price: Price) -> Rates | None:
    """The newest of the standard rates, or those of a time of day that cost more: when a run will ask is not known."""
    standard = [terms for terms in price.terms if not terms.factor]
    whole_days = [terms for terms in standard if terms.day_from_ms is None]
    newest = sorted(whole_days, key=lambda terms: terms.from_ms or 0)[-1:]
    part_days = [terms for terms in standard if terms.day_from_ms is not None]
    return max((terms.rates for terms in newest + part_days), key=_input, default=None)


def _input(rates: Rates) -> Decimal:
    return Decimal(0) if rates.input is None else rates.input.base
