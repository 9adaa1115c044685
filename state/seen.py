"""Until when was a console open, and what had happened by then? A bookmark: whoever looks last leaves it.

Every console moves it along while it is there, so that one that is cut off leaves it too, and the last of several
counts without anybody counting them.
"""

import contextlib
from typing import NamedTuple

import msgspec

from state.files import write_private
from state.home import Home


class Seen(NamedTuple):
    """The last moment of a console."""

    at_ms: int
    event_id: int
    """The newest event by then: ids give the order, whatever clocks do."""


def read(home: Home) -> Seen | None:
    """None when no console was ever left, or the mark cannot be read."""
    try:
        at_ms, event_id = msgspec.json.decode(home.seen.read_bytes(), type=tuple[int, int])
    except (OSError, msgspec.DecodeError):
        return None
    return Seen(at_ms, event_id)


def write(home: Home, seen: Seen) -> None:
    """Move the mark. A console that may not write here leaves none."""
    with contextlib.suppress(OSError):
        write_private(home.seen, msgspec.json.encode(seen))
