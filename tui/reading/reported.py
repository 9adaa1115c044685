"""What did an agent itself report of its usage? Its own object, in the parts that we book, for a look side by side.

Clients name the parts differently and mean different things by them (some count cache reads into input): the numbers
are shown as they came, never added to ours.
"""

from typing import Any

import msgspec
from msgspec import Struct

from tui.clean import clean

_NAMES: dict[str, tuple[str, ...]] = {
    "input": ("input_tokens", "prompt_tokens", "inputTokens", "input"),
    "cache_read": (
        "cache_read_input_tokens",
        "cached_input_tokens",
        "cache_read_tokens",
        "cacheReadInputTokens",
        "cached",
    ),
    "cache_write": (
        "cache_creation_input_tokens",
        "cache_write_tokens",
        "cache_write_input_tokens",
        "cacheCreationInputTokens",
    ),
    "output": ("output_tokens", "completion_tokens", "outputTokens", "output"),
    "cost_usd": ("total_cost_usd", "cost_usd", "costUSD", "cost"),
}
_BESIDE_MOST = 6


class RawUsage(Struct, frozen=True):
    """The numbers as reported; None where the agent did not say."""

    input: int | None
    cache_read: int | None
    cache_write: int | None
    output: int | None
    cost_microusd: int | None
    beside: tuple[str, ...]
    """What else it reported, as `name value`."""


def reported(text: str | None) -> RawUsage | None:
    """The usage in that JSON; None where nothing, or nothing readable, was reported."""
    try:
        told = msgspec.json.decode(text or "null")
    except (msgspec.DecodeError, UnicodeError):
        return None
    if not isinstance(told, dict):
        return None
    inner = told.get("usage")
    flat: dict[str, Any] = {**told, **inner} if isinstance(inner, dict) else told
    found = {part: _first(flat, names) for part, names in _NAMES.items()}
    used = {name for names in _NAMES.values() for name in names} | {"usage"}
    beside = [clean(f"{name} {value}", 60) for name, value in flat.items() if name not in used and _plain(value)]
    return RawUsage(
        input=_whole(found["input"]),
        cache_read=_whole(found["cache_read"]),
        cache_write=_whole(found["cache_write"]),
        output=_whole(found["output"]),
        cost_microusd=_whole(None if found["cost_usd"] is None else found["cost_usd"] * 1_000_000),
        beside=tuple(beside[:_BESIDE_MOST]),
    )


def _first(flat: dict[str, Any], names: tuple[str, ...]) -> int | float | None:
    return next((flat[name] for name in names if _is_number(flat.get(name))), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _plain(value: Any) -> bool:
    """Worth a word: a number that is not zero, or a short text."""
    return (_is_number(value) and value != 0) or (isinstance(value, str) and 0 < len(value) <= 40)
