"""Which processes descend from whom, and how is a whole tree of them ended so that none can fork away?

Standard library alone, as all that a keeper imports."""

import os
import signal
import time
from collections.abc import Callable, Iterable

GIVE_UP_S = 10.0
"""For processes that not even SIGKILL ends: in the kernel, or another user's."""

Stat = tuple[str, int, int, int]


def stat_of(pid: int) -> Stat | None:
    """State, parent, session and start ticks of a process; None when there is none."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, IndexError):  # It ended meanwhile.
        return None
    finally:
        os.close(fd)


def living() -> dict[int, Stat]:
    """Every process that is not a zombie."""
    stats = ((int(name), stat_of(int(name))) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return {pid: stat for pid, stat in stats if stat is not None and stat[0] not in "ZX"}


def is_living(pid: int, start_ticks: int) -> bool:
    """Whether exactly this process is there, and no zombie."""
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX" and stat[3] == start_ticks


def below(roots: set[int], table: dict[int, Stat]) -> set[int]:
    """All descendants of `roots`, without them."""
    return set(descent(roots, table))


def descent(roots: set[int], table: dict[int, Stat]) -> list[int]:
    """The same in order: parents before their children."""
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat[1], []).append(pid)
    found: dict[int, None] = {}
    todo = list(roots)
    while todo:
        fresh = [pid for pid in children.get(todo.pop(), []) if pid not in found]
        found.update(dict.fromkeys(fresh))
        todo += fresh
    return list(found)


def children() -> set[int]:
    """Those of this process, without a look at all others."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123
            return {int(pid) for pid in file.read().split()}
    except OSError:  # A kernel without this file.
        return set()


def end_all(find: Callable[[], set[int]], none_left: Callable[[], bool]) -> set[int]:
    """End all that `find` finds, until none is left; stopped first, so that none can fork away. Returns their pids."""
    ended: set[int] = set()
    give_up = time.monotonic() + GIVE_UP_S
    while not none_left() and time.monotonic() < give_up:
        stopped: set[int] = set()
        while fresh := find() - stopped:
            send(fresh, signal.SIGSTOP)
            stopped |= fresh
        send(stopped, signal.SIGKILL)
        ended |= stopped
        time.sleep(0.005 if stopped else 0)
    return ended


def ask_to_end(root: int) -> dict[int, int]:
    """TERM and CONT to all below `root`: a stopped one takes no other signal. Their start ticks by pid.

    Children go on before their parents: the kernel hangs up on a stopped group whose parents have ended."""
    table = living()
    tree = descent({root}, table)
    send(tree, signal.SIGTERM)
    send(reversed(tree), signal.SIGCONT)
    return {pid: table[pid][3] for pid in tree}


def send(pids: Iterable[int], number: int) -> None:
    """To all of them that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:  # Gone, or another user's.
            continue
