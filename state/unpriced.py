"""Which responses have no price, and what becomes of them when their model gets one?"""

from collections.abc import Sequence

from msgspec import Struct

from state import rollups
from state.database import Connection, rows


class Unpriced(Struct, frozen=True):
    """A response that has no price, with all that a price depends on. Tokens."""

    id: int
    generation_id: int
    run_id: int
    at_ms: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int
    reasoning_tokens: int | None
    factors: str | None


def models(connection: Connection) -> list[int]:
    """The models of which some response has no price."""
    sql = "SELECT id FROM models m WHERE EXISTS (SELECT 1 FROM usage WHERE cost_microusd IS NULL AND model_id = m.id)"
    return [number for (number,) in connection.execute(sql)]


def responses(connection: Connection, model_id: int, after_id: int, limit: int) -> list[Unpriced]:
    """Responses of a model that have no price, in the order of their ids."""
    columns = ", ".join(name for name in Unpriced.__struct_fields__ if name != "run_id")
    return rows(
        connection,
        Unpriced,
        f"SELECT {columns}, ifnull(run_id, 0) AS run_id FROM usage"
        " WHERE cost_microusd IS NULL AND model_id = ? AND id > ? ORDER BY id LIMIT ?",
        (model_id, after_id, limit),
    )


def price(tx: Connection, model_id: int, price_id: int | None, costs: Sequence[tuple[Unpriced, int]]) -> None:
    """Give responses the price that they lacked; `costs` are micro-dollars."""
    tx.executemany(
        "UPDATE usage SET price_id = ?, cost_microusd = ? WHERE id = ?",
        [(price_id, cost, one.id) for one, cost in costs],
    )
    repriced = [
        rollups.Repriced(one.id, one.generation_id, one.run_id, model_id, one.at_ms, cost) for one, cost in costs
    ]
    rollups.add_costs(tx, repriced)
