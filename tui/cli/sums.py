"""How is what was used written down: as JSON, as money, and in the cells of a table?

A sum of money is unknown (`None`) when none of its responses has a price; where some have, it is the sum of those, and
`responses_unpriced` tells how many are missing from it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from state.responses import BookedResponse
from state.rollups import Sums
from state.usage import BASES, CONFIDENCES
from tui.text import money


def known_cost(cost_microusd: int, responses: int, unpriced: int) -> int | None:
    """What is known of a sum of money, in millionths of a dollar: never 0 for unknown."""
    return None if responses and unpriced >= responses else cost_microusd


def sums_view(sums: Sums) -> dict[str, int | None]:
    """Sums as the JSON contract names them."""
    return {
        "input_tokens": sums.input_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "cache_write_5m_tokens": sums.cache_write_5m_tokens,
        "cache_write_1h_tokens": sums.cache_write_1h_tokens,
        "output_tokens": sums.output_tokens,
        "reasoning_tokens": sums.reasoning_tokens,
        "tokens": sums.tokens,
        "responses": sums.responses,
        "cost_microusd": known_cost(sums.cost_microusd, sums.responses, sums.unpriced),
        "responses_unpriced": sums.unpriced,
    }


def booked_view(responses: Sequence[BookedResponse]) -> dict[str, Any] | None:
    """The sum over the responses of one run, with the weakest of their bases; None when nothing is booked."""
    if not responses:
        return None
    tokens = {
        name: sum(getattr(response, name) for response in responses)
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    }
    parts = {
        name: _sum_of_known(getattr(response, name) for response in responses)
        for name in ("cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens")
    }
    origins = dict.fromkeys(response.price_origin for response in responses if response.price_origin)
    return {
        **tokens,
        **parts,
        "tokens": sum(tokens.values()),
        "responses": len(responses),
        "cost_microusd": _sum_of_known(response.cost_microusd for response in responses),
        "responses_unpriced": sum(response.cost_microusd is None for response in responses),
        "price_origin": ", ".join(origins) or None,
        "basis": max((response.basis for response in responses), key=BASES.index),
        "confidence": max((response.confidence for response in responses), key=CONFIDENCES.index),
    }


def _sum_of_known(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def cost_cell(view: dict[str, Any]) -> str:
    """`$0.83`, `$0.83+` when responses without a price are missing from it, `-` when all are."""
    known = view["cost_microusd"] is not None
    return money(view["cost_microusd"], short=False) + ("+" if known and view["responses_unpriced"] else "")


def tally(counts: dict[str, int]) -> str:
    """`bad_json 2, too_long 1`."""
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
