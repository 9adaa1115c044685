"""What may a reading of the state look at, and what does it return where there is nothing?"""

from datetime import tzinfo
from typing import Any

from msgspec import Struct

from state.database import Connection
from state.home import Home


class Reading(Struct, frozen=True):
    """What a reading may look at."""

    home: Home
    connection: Connection
    now_ms: int
    config: Any
    """The configuration in force."""
    boards: Any
    """The module `engine.runtime.boards`."""
    zone: tzinfo | None


class Gone(Struct, frozen=True):
    """What was asked for is not there (any more)."""

    line: str
