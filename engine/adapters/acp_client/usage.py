"""What did a turn use, by what the agent says of it? None where that is not known, never zero.

Agents differ, as measured: `_meta.quota.model_usage` counts the calls that an agent makes on the side, too;
`PromptResponse.usage` does not, and OpenCode's is that of the last request alone. A turn that was cancelled is told
as zero, though its request is billed; what then stands beside it are the calls on the side.
"""

from collections.abc import Mapping
from typing import Any

from engine.contract.launch import RunUsage

LAST_REQUEST_ONLY = "opencode"
"""In the name of an agent that tells no more than its last request."""
_MOST = 10**12
_INPUT = ("inputTokens", "input_tokens")
_OUTPUT = ("outputTokens", "output_tokens")
_READ = ("cachedReadTokens", "cachedInputTokens", "cached_input_tokens")
_WRITE = ("cachedWriteTokens", "cacheWriteInputTokens", "cached_write_tokens")
_THOUGHT = ("thoughtTokens", "reasoningOutputTokens")
_TOTAL = ("totalTokens",)


def of_turn(
    agent: str, usage: Any, meta: Any, *, used_tools: bool, cancelled: bool, cost_microusd: int | None
) -> RunUsage | None:
    """From a prompt's response; `meta` is its `_meta`."""
    by_model = _by_model(meta)
    if cancelled and not any(_counts(usage) or ()):
        return None
    if by_model is None and used_tools and LAST_REQUEST_ONLY in agent.lower():
        return None
    counts = [_counts(one) for one in (by_model or [usage])]
    known = [count for count in counts if count is not None]
    if not known or not any(any(count) for count in known):
        return None
    put_in, out, read, write = (min(_MOST, sum(row)) for row in zip(*known, strict=True))
    return RunUsage(put_in, out, read, write, cost_microusd)


def models_of(meta: Any) -> tuple[str, ...]:
    """The models that worked in a turn, as they are told."""
    rows = _rows(meta)
    return tuple(row["model"] for row in rows if isinstance(row.get("model"), str))


def microusd(cost: Any) -> int | None:
    """Of an amount in dollars; None for none, and for zero, which agents tell of what they have no price for."""
    amount = cost.get("amount") if isinstance(cost, Mapping) else None
    if not isinstance(amount, int | float) or isinstance(amount, bool) or cost.get("currency") != "USD":
        return None
    return round(amount * 1_000_000) if 0 < amount < _MOST else None


def _rows(meta: Any) -> list[Mapping[str, Any]]:
    quota = meta.get("quota") if isinstance(meta, Mapping) else None
    rows = quota.get("model_usage") if isinstance(quota, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _by_model(meta: Any) -> list[Any] | None:
    return [row.get("token_count") for row in _rows(meta)] or None


def _counts(told: Any) -> tuple[int, int, int, int] | None:
    """Input without what was cached, output with reasoning, cache reads and writes."""
    if not isinstance(told, Mapping):
        return None
    put_in, out = _count(told, _INPUT), _count(told, _OUTPUT)
    if put_in is None or out is None:
        return None
    read, write = _count(told, _READ) or 0, _count(told, _WRITE) or 0
    thought, total = _count(told, _THOUGHT) or 0, _count(told, _TOTAL)
    apart = total is not None and total == put_in + out + read + write + thought
    return put_in, out + (thought if apart else 0), read, write


def _count(told: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    value = next((told[name] for name in names if name in told), None)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
