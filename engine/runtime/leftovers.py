"""Has a turn left processes behind in the program that is kept after it? Such a program is not kept: they would go on
to write where the run holds its claims no more.

What a program needs for itself, as the servers of its tools, is there before its first turn begins to work. A program
of which that is not known, as one that another engine started, has just itself.
"""

import asyncio
import time
from pathlib import Path

from engine.execution.follow import find_alive
from engine.execution.tree import Stat, below, living

SETTLE_S = 1.0
"""How long what a program has started for itself in passing may be there after its answer."""
_STEP_S = 0.05

Process = tuple[int, int]
"""Its pid and start ticks."""


class Leftovers:
    """Of every program that is kept: what is its own."""

    def __init__(self) -> None:
        self._own: dict[int, frozenset[Process]] = {}

    def own(self, client_id: int, folder: Path) -> None:
        """What is there now, before its first turn works, is its own."""
        self._own.setdefault(client_id, _kept(folder))

    def forget(self, client_id: int) -> None:
        self._own.pop(client_id, None)

    async def after_turn(self, client_id: int, folder: Path) -> int:
        """How many processes the turn has left. What is gone in a moment is none of them."""
        until = time.monotonic() + SETTLE_S
        while left := len(await asyncio.to_thread(_kept, folder) - self._own.get(client_id, frozenset())):
            if time.monotonic() > until:
                return left
            await asyncio.sleep(_STEP_S)
        return 0


def _kept(folder: Path) -> frozenset[Process]:
    """All that its keeper keeps, but for the program itself."""
    keeper = find_alive(folder)
    if keeper is None:
        return frozenset()
    table: dict[int, Stat] = living()
    return frozenset((pid, table[pid][3]) for pid in below({keeper.pid}, table) if pid != keeper.child_pid)
