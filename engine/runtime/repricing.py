"""Which responses were booked before their model had a price, and what do they cost now that it has one?"""

from collections.abc import Iterator

from engine.contract.usage import Response
from engine.runtime.pricing import Model, PriceBook
from state import prices, unpriced
from state.database import Database
from state.unpriced import Unpriced

_AT_ONCE = 300


def unpriced_models(database: Database) -> set[Model]:
    """The models of which some response has no price."""
    return {(model.name, model.provider) for model in _unpriced(database)}


def reprice(database: Database, book: PriceBook) -> Iterator[None]:
    """Price what can be priced now; pauses after each transaction. A model that is not learned has its turn later."""
    for model in _unpriced(database):
        priced = book.known_price((model.name, model.provider))
        if priced is None or priced.price_id is None:
            continue
        after = 0
        while found := unpriced.responses(database.connection, model.id, after, _AT_ONCE):
            after = found[-1].id
            costs = [
                (one, cost)
                for one in found
                if (cost := priced.cost_microusd(_response(one, model.name, model.provider))) is not None
            ]
            if not costs:
                continue
            with database.transaction() as tx:
                unpriced.price(tx, model.id, priced.price_id, costs)
            yield


def _unpriced(database: Database) -> list[prices.KnownModel]:
    wanted = set(unpriced.models(database.connection))
    return [model for model in prices.known_models(database.connection) if model.id in wanted] if wanted else []


def _response(one: Unpriced, name: str, provider: str) -> Response:
    return Response(
        key="",
        at_ms=one.at_ms,
        model=name,
        input_tokens=one.input_tokens,
        cache_read_tokens=one.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens,
        output_tokens=one.output_tokens,
        cache_write_5m_tokens=one.cache_write_5m_tokens,
        cache_write_1h_tokens=one.cache_write_1h_tokens,
        reasoning_tokens=one.reasoning_tokens,
        provider=provider,
        factors=one.factors or "",
    )
