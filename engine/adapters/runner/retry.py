"""Is a server asked again, and when? Decided without a clock."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from engine.adapters.runner.job import Retries

PASSING = frozenset({408, 409, 425, 429})
"""Below 500: what may be otherwise in a while."""
SERVES_NOBODY = frozenset({401, 402, 403, 404}) | PASSING
"""Not the fault of this request: another model may serve it."""


def may_pass(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the same request may be answered in a while: as the server says, else by the status."""
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    return status in PASSING or status >= 500


def unavailable(status: int) -> bool:
    """Whether the model is not to be had, rather than the request wrong."""
    return status in SERVES_NOBODY or status >= 500


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """How long the server wants us to wait, given the seconds since 1970; None when it says nothing readable."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = headers.get(name, "").strip()
        if told.isascii() and told.replace(".", "", 1).isdecimal():
            return float(told) * unit_s
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def pause_s(retries: Retries, tried: int, after_s: float | None, spent_s: float, chance: float) -> float | None:
    """How long to wait before asking again; None when it is not asked any more.

    `tried`: how often it was asked by now. `chance`, from 0 to 1, spreads what many runs would do at once.
    """
    if tried > retries.most:
        return None
    own_s = min(retries.longest_s, retries.first_s * 2.0 ** (tried - 1)) * (0.5 + chance / 2)
    pause = own_s if after_s is None else after_s + own_s * chance / 2
    return pause if spent_s + pause <= retries.total_s else None
