"""Is this still the file that was read? What was read is kept for as long as its stamp stays."""

import os
import time
from pathlib import Path

Stamp = tuple[int, int, int, int, int]
_SETTLED_NS = 100_000_000
"""A file that changed this recently may change again under the same stamp: clocks of file systems tick slowly."""


def stamp_of(info: os.stat_result) -> Stamp:
    """The change time is in it because a tool can set every other one back, over other content of the same length."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def settled(stamp: Stamp) -> bool:
    """Whether an equal stamp will mean equal content."""
    return time.time_ns() - max(stamp[3:]) > _SETTLED_NS


def stamp(path: Path) -> Stamp | None:
    """None when there is no file to look at."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return None
