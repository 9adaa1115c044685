"""What has an agent started for itself, and is it gone? An agent may be a thin program that ends at once and leaves the
one that does the work, and writes its conversation down, to end by itself.

Its keeper waits for none of that: what is left when we have ended, it ends.
"""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

_LOOK_S = 0.02


class Process(tuple[int, int]):
    """Its pid, and its start ticks: a later one may have the same pid."""

    __slots__ = ()

    @property
    def is_there(self) -> bool:
        """Whether it is, and no zombie."""
        found = _stat(self[0])
        return found is not None and found[0] not in "ZX" and found[3] == self[1]


def family(agent: int) -> tuple[Process, ...]:
    """All below the agent that is in its session. What its tools run is in one of its own, and none of it; so is all
    where nobody may look."""
    table = _living()
    session = table[agent][2] if agent in table else None
    found: list[int] = []
    todo = [agent]
    while todo:
        parent = todo.pop()
        below = [pid for pid, stat in table.items() if stat[1] == parent and stat[2] == session and pid not in found]
        found += below
        todo += below
    return tuple(Process((pid, table[pid][3])) for pid in found)


async def gone(processes: tuple[Process, ...], within_s: float) -> bool:
    """Whether all of them are, within this time."""
    until = time.monotonic() + within_s
    while any(process.is_there for process in processes):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


def _living() -> dict[int, tuple[str, int, int, int]]:
    with suppress(OSError):
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
        return {pid: stat for pid in pids if (stat := _stat(pid)) is not None}
    return {}


def _stat(pid: int) -> tuple[str, int, int, int] | None:
    """State, parent, session and start ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, IndexError):  # it has ended meanwhile
        return None
