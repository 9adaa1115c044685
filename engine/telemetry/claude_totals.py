"""What does Claude Code itself say a session has used? Its `cost-state` rows, written at every exit since 2.1.329 or
somewhat earlier: running totals over all runs of the session, resumed ones included. Compared, never added."""

import msgspec
from msgspec import Struct

from engine.contract.usage import ClientTotals
from engine.telemetry.rows import BadRow, count, decode

KIND = "cost-state"

_MICRO = 1_000_000
# Beyond this a sum of money is damage.
_MOST_USD = 1e9


class _ModelUsage(Struct):
    inputTokens: int | None = None
    outputTokens: int | None = None
    cacheReadInputTokens: int | None = None
    cacheCreationInputTokens: int | None = None


class _Kind(Struct):
    type: str | None = None


class _CostState(Struct):
    totalCostUSD: float | None = None
    hasUnknownModelCost: bool | None = None
    modelUsage: dict[str, _ModelUsage] | None = None


_KIND = msgspec.json.Decoder(_Kind)
_STATE = msgspec.json.Decoder(_CostState)


def last_cost_state(rows: list[tuple[int, bytes]]) -> tuple[int, bytes] | None:
    """Offset and bytes of the last such row among lines that may be one. Damaged rows are none."""
    return next(((begin, line) for begin, line in reversed(rows) if _is_cost_state(line)), None)


def _is_cost_state(line: bytes) -> bool:
    try:
        return decode(_KIND, line).type == KIND
    except BadRow:
        return False


def client_totals(line: bytes, at_ms: int) -> ClientTotals:
    """The sums over all models. The cost is unknown while the client knows no price for one of them."""
    state = decode(_STATE, line)
    models = (state.modelUsage or {}).values()
    usd = None if state.hasUnknownModelCost else state.totalCostUSD
    if usd is not None and not 0 <= usd <= _MOST_USD:
        raise BadRow("bad_count")
    return ClientTotals(
        kind=KIND,
        at_ms=at_ms,
        input_tokens=sum(count(model.inputTokens) for model in models),
        cache_read_tokens=sum(count(model.cacheReadInputTokens) for model in models),
        cache_write_tokens=sum(count(model.cacheCreationInputTokens) for model in models),
        output_tokens=sum(count(model.outputTokens) for model in models),
        cost_microusd=None if usd is None else round(usd * _MICRO),
    )
