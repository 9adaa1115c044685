"""In which window of a budget does an instant lie? Calendar windows in the operator's zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def window_of(kind: str, zone: ZoneInfo, now_ms: int) -> tuple[int, int]:
    """The `hour`, `day`, `week` (from Monday) or `month` around `now_ms`: its start and end in milliseconds, UTC."""
    if kind == "hour":
        start_ms = now_ms - now_ms % 3_600_000
        return start_ms, start_ms + 3_600_000
    day = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
    day = day.replace(hour=0, minute=0, second=0, microsecond=0)
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
