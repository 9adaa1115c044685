"""Which subscription windows does a `token_count` of Codex tell, in terms of the contract?"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.contract.usage import RateLimit
from engine.telemetry.rows import BadRow, decode

# The year 5138: above it a time is damage.
_LATEST_S = 10**11
_LONGEST_MINUTES = 10**7


class _Limits(Struct):
    primary: Any = None
    secondary: Any = None
    plan_type: Any = None
    limit_id: Any = None
    """Newer versions log one set per limit; the plain one is `codex`."""


_LIMITS = msgspec.json.Decoder(_Limits | None)


def limits_of(logged: Raw, at_ms: int) -> Iterator[RateLimit]:
    """The windows that can be understood; anything else is no loss to the counts beside it."""
    try:
        limits = decode(_LIMITS, logged)
    except BadRow:
        return
    if limits is None:
        return
    plan = limits.plan_type if isinstance(limits.plan_type, str) else None
    whose = f"{limits.limit_id}:" if isinstance(limits.limit_id, str) and limits.limit_id != "codex" else ""
    for slot, window in (("primary", limits.primary), ("secondary", limits.secondary)):
        used = _number(window.get("used_percent"), 10**6) if isinstance(window, dict) else None
        if used is not None:
            yield RateLimit(whose + slot, at_ms, used, _minutes(window), _resets_at_ms(window, at_ms), plan)


def _minutes(window: dict[str, Any]) -> int | None:
    minutes = _number(window.get("window_minutes"), _LONGEST_MINUTES)
    return None if minutes is None else round(minutes)


def _resets_at_ms(window: dict[str, Any], at_ms: int) -> int | None:
    """Seconds since the epoch; older versions told the seconds that were left."""
    at_s = _number(window.get("resets_at"), _LATEST_S)
    if at_s is not None:
        return round(at_s * 1000)
    left_s = _number(window.get("resets_in_seconds"), _LATEST_S)
    return None if left_s is None else at_ms + round(left_s * 1000)


def _number(value: Any, most: int) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= most and isfinite(value) else None
