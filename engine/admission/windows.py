"""In which window of a budget does an instant lie? Calendar windows in the operator's zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def window_of(kind: str, zone: ZoneInfo, now_ms: int) -> tuple[int, int]:
    """The `hour`, `day`, `week` (from Monday) or `month` around `now_ms`: its start and end in milliseconds, UTC."""
    local = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone)
    if kind == "hour":  # always 60 minutes, though a clock that is set back reads the same hour twice
        shift_ms = (local.utcoffset() or timedelta(0)) // timedelta(milliseconds=1)
        start_ms = now_ms - (now_ms + shift_ms) % 3_600_000
        return start_ms, start_ms + 3_600_000
    day = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    if kind == "week":
        day -= timedelta(days=day.weekday())
        end = day + timedelta(days=7)
    elif kind == "month":
        day = day.replace(day=1)
        end = (day + timedelta(days=32)).replace(day=1)
    else:
        end = day + timedelta(days=1)
    return _ms(day, zone), _ms(end, zone)


def _ms(label: datetime, zone: ZoneInfo) -> int:
    return round(label.replace(tzinfo=zone).timestamp() * 1000)
