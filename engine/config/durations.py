"""How long is `10m`? Durations are written the way operators say them, and kept in seconds."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 3660 * 86400.0
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """`90s`, `10m`, `1h30m` in seconds; a bare number counts as seconds. Raises ValueError, saying how to write one."""
    stripped = text.strip().lower()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", stripped):
        stripped += "s"
    parts = _PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise ValueError(f"'{text}' is no duration; write it like 90s, 10m or 1h30m")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if total > _LONGEST_S:
        raise ValueError(f"'{text}' is longer than ten years")
    return total


def say(duration_s: float) -> str:
    """The shortest exact way to write so many seconds: `10 min`, `1 h 30 min`, `45 s`, `200 ms`."""
    if duration_s < 1:
        return f"{duration_s * 1000:.0f} ms"
    if duration_s < 60:
        return f"{duration_s:g} s"
    whole = round(duration_s)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
