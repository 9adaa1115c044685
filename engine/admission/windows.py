"""In which window of a budget does an instant lie? Calendar windows of a zone, and blocks of five hours."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
BLOCK_MS = 5 * HOUR_MS


def window_of(kind: str, zone: ZoneInfo, now_ms: int, busy_hours_ms: Sequence[int] = ()) -> tuple[int, int]:
    """The window around `now_ms`: its start and its end, which is not part of it, in milliseconds, UTC.

    `run` has no length. `5h` begins with the first busy hour, and the next one with the first busy hour after its end;
    where none is current, with this hour. `busy_hours_ms` are in order, and begin after five idle hours. `hour`, `day`,
    `week` (from Monday) and `month` are those of the zone.
    """
    if kind == "run":
        return now_ms, now_ms
    if kind == "5h":
        return _block(now_ms, busy_hours_ms)
    local = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone)
    if kind == "hour":  # always 60 minutes, though a clock that is set back reads the same hour twice
        shift_ms = (local.utcoffset() or timedelta(0)) // timedelta(milliseconds=1)
        start_ms = now_ms - (now_ms + shift_ms) % HOUR_MS
        return start_ms, start_ms + HOUR_MS
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


def _block(now_ms: int, busy_hours_ms: Sequence[int]) -> tuple[int, int]:
    start_ms: int | None = None
    for hour_ms in busy_hours_ms:
        if hour_ms <= now_ms and (start_ms is None or hour_ms >= start_ms + BLOCK_MS):
            start_ms = hour_ms
    if start_ms is None or now_ms >= start_ms + BLOCK_MS:
        start_ms = now_ms - now_ms % HOUR_MS
    return start_ms, start_ms + BLOCK_MS


def _ms(label: datetime, zone: ZoneInfo) -> int:
    return round(label.replace(tzinfo=zone).timestamp() * 1000)
