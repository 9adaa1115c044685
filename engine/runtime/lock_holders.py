"""Does a run hold the engine's lock? Whoever can open a file can lock it, and a run may read what its operator can.

It could keep every engine from starting. So one that does is ended, and said to be."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from engine.contract.outcome import KeeperAlive
from engine.execution.follow import cancel, find_alive, tell
from engine.execution.remains import boot_id
from engine.execution.tree import below, living
from state.home import Home


class LockHolder(Struct, frozen=True):
    """A process of a run that holds the lock."""

    run_id: int
    process: KeeperAlive
    """Not its keeper: the process itself, told apart from a later one with the same pid."""
    keeper: KeeperAlive


def holding_runs(home: Home, rightful_pid: int | None = None) -> list[LockHolder]:
    """Every process of a run that holds the lock; not the one that says in it that it does, which a run that is held
    to its scope cannot. Reads /proc."""
    lock, table = _identity(home.lock), living()
    if lock is None:
        return []
    named = _named(lock[1])
    return [
        LockHolder(run_id, KeeperAlive(pid, table[pid][3], boot_id()), keeper)
        for run_id, keeper in _keepers(home)
        for pid in sorted(below({keeper.pid}, table))
        if pid != rightful_pid and (pid in named or _locks(pid, lock))
    ]


def end(holders: list[LockHolder]) -> None:
    """The processes at once, so that the lock is free, and then their runs."""
    for held in holders:
        tell(held.process, signal.SIGKILL)
        cancel(held.keeper)


def _keepers(home: Home) -> Iterator[tuple[int, KeeperAlive]]:
    for folder in home.runs.glob("[0-9]*"):
        alive = find_alive(folder)
        if alive is not None and folder.name.isdecimal():
            yield int(folder.name), alive


def _identity(path: str | Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _named(inode: int) -> set[int]:
    """Who has locked a file of this number, as the kernel tells: also of processes that let nobody look at them."""
    try:
        rows = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return set()
    fields = [row.split() for row in rows]
    return {int(row[4]) for row in fields if row[1:2] == ["FLOCK"] and row[5].endswith(f":{inode}")}


def _locks(pid: int, lock: tuple[int, int]) -> bool:
    """Whether it holds the lock by a file that it has open, which whoever locked it may have left to it."""
    files = Path(f"/proc/{pid}/fd")
    try:
        numbers = os.listdir(files)  # noqa: PTH208
    except OSError:
        return False
    return any(_identity(files / number) == lock and _is_locked(pid, number) for number in numbers)


def _is_locked(pid: int, number: str) -> bool:
    try:
        return "FLOCK" in Path(f"/proc/{pid}/fdinfo/{number}").read_text()
    except OSError:
        return False
