"""Is any process of a run left after its keeper died, and how is it ended?

A run leaves two traces: the session of its child, and a key in the environment of all its processes; what descends
from either belongs to it. Where the key is lost with the run's folder, the place of that folder, which is in the
environment too, tells as much. A process that left the session, lost its parent and emptied its environment is found in
the run's control group, where the kernel let the keeper make one; elsewhere it leaves no trace. While the keeper lives,
it holds such ones everywhere, hence this is asked only when it has died.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.execution import cgroup
from engine.execution.tree import Stat, below, end_all, living
from state.errors import StateError

KEY = "QUARTERDECK_RUN_KEY"
"""In the environment of a run's processes: random, and another one at each start."""
PLACE = "QUARTERDECK_USAGE"
"""In the same environment: a file in the folder of the run."""
PROGRAMS = ("keep.py", "keeper.py")
"""What a keeper runs; the second in versions before this one."""
END_S = 2.0
"""How long one call tries to end what is left."""
LOOKS = 20
"""Looks that must find nothing where processes fork all the time."""
EMPTY = 5
"""Looks in turn that must find an environment empty: one opened just before an exec reads as such after it."""
IN_EXEC_S = 0.5
"""How long one may be in exec, which takes less than a thousandth of that on a machine with nothing else to do."""


class _Kept(Struct, frozen=True):
    """What `keeper.json` says of the child."""

    boot_id: str
    child_pid: int | None = None
    child_start_ticks: int | None = None
    cgroup: str | None = None
    """The folder of the group in which the kernel holds all of it, where that could be had."""


def run_key(folder: Path) -> str:
    """The key of this run's processes; empty when they were given none. Raises StateError when that is not known."""
    path = folder / "launch.json"
    try:  # Not msgspec: arguments that are no UTF-8 are carried as lone surrogates, which it refuses.
        return str(json.loads(path.read_bytes())["env"].get(KEY, ""))
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path} is damaged: {error!r}") from error


def remains(folder: Path, key: str) -> set[int]:
    """The living processes of a run whose keeper is dead; without a `key`, what names its folder. A keeper that was
    not known because its folder is gone is one of them.

    Never this process or one above it. After another boot there are none."""
    kept = _kept(folder)
    if kept is not None and kept.boot_id != boot_id():
        return set()
    table = living()
    marked = {pid for pid in table if _is_marked(_environment(pid), folder, key)} | _group(kept)
    if not folder.exists():
        marked |= {pid for pid in table if _keeps(pid, folder)}
    for pid in _ours(marked, table):
        table.pop(pid, None)
    roots = (marked | (_session(kept, table) if kept is not None else set())) & table.keys()
    return roots | below(roots, table)


def gone(folder: Path, key: str) -> bool:
    """Whether it is proven that nothing is left. A look during which anyone forked may have missed a process."""
    for _ in range(LOOKS):
        newest = _newest()
        if remains(folder, key):
            return False
        if newest == _newest():
            break
        if _fleeting(folder, key) is not None:
            return False
    return True


def end_remains(folder: Path, key: str) -> set[int]:
    """End what is left, and say which have ended; `gone` says whether all have. Takes `END_S` at most."""
    until = time.monotonic() + END_S
    hit = end_all(lambda: _held(folder, key), lambda: time.monotonic() > until or gone(folder, key))
    if (kept := _kept(folder)) is not None and cgroup.is_ours(kept.cgroup):
        cgroup.remove(kept.cgroup)
    return hit - living().keys()


def keepers(folder: Path) -> list[int]:
    """Our processes whose command lines are that of a keeper of this run."""
    return [pid for pid in living() if _is_mine(pid) and _keeps(pid, folder)]


def boot_id() -> str:
    """Differs after every boot: pids and start ticks from before mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _kept(folder: Path) -> _Kept | None:
    """None when it cannot be read, which `follow` says: then the key alone tells."""
    try:
        return msgspec.json.decode((folder / "keeper.json").read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None


def _group(kept: _Kept | None) -> set[int]:
    return cgroup.members(kept.cgroup) if kept is not None and cgroup.is_ours(kept.cgroup) else set()


def _session(kept: _Kept, table: dict[int, Stat]) -> set[int]:
    """The members of the child's session. A pid is not given anew while a session bears it."""
    leader = kept.child_pid
    if leader is None or (leader in table and table[leader][3] != kept.child_start_ticks):
        return set()
    return {pid for pid, stat in table.items() if stat[2] == leader}


def _is_marked(environment: list[bytes], folder: Path, key: str) -> bool:
    """Whether a process was started with this key; without one, whether for the run in this folder."""
    if key:
        return f"{KEY}={key}".encode() in environment
    mark = f"{PLACE}=".encode()
    named = (Path(os.fsdecode(entry[len(mark) :])).parent for entry in environment if entry.startswith(mark))
    return any(_same_place(one, folder) for one in named)


def _is_mine(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}").stat().st_uid == os.getuid()
    except OSError:  # It ended meanwhile.
        return False


def _keeps(pid: int, folder: Path) -> bool:
    """Whether this process is a keeper of the run in `folder`: its command line ends with the two."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # It ended meanwhile.
        return False
    if len(words) < 3 or Path(os.fsdecode(words[-3])).name not in PROGRAMS:
        return False
    return _same_place(Path(os.fsdecode(words[-2])), folder)


def _same_place(one: Path, folder: Path) -> bool:
    """Whether two paths name one run folder, which need not be there any more, by whichever way to the state folder."""
    return one.name == folder.name and os.path.realpath(one.parent) == os.path.realpath(folder.parent)


def _environment(pid: int) -> list[bytes]:
    """As it was started with. One that is just in exec has none for a moment: it is looked at again."""
    empty = 0
    until = time.monotonic() + IN_EXEC_S
    try:
        while empty < EMPTY and time.monotonic() < until:
            with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123
                content = file.read()
            if content:
                return content.split(b"\0")
            empty = 0 if _in_exec(pid) else empty + 1
    except OSError:  # It ended meanwhile, is another user's or the kernel's.
        pass
    return []


def _in_exec(pid: int) -> bool:
    """Whether its new memory has no place for an environment yet (`env_end`, field 51). Raises OSError for what runs
    no program, as the kernel's threads."""
    Path(f"/proc/{pid}/exe").readlink()
    busy = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[48] == b"0"
    time.sleep(IN_EXEC_S / 1000 if busy else 0)
    return busy


def _ours(marked: set[int], table: dict[int, Stat]) -> set[int]:
    """This process and those above it; when one of a run started us, what we started bears its mark too."""
    me = os.getpid()
    mine = {me} | (below({me}, table) if me in marked else set())
    while me in table:
        me = table[me][1]
        mine.add(me)
    return mine


def _held(folder: Path, key: str) -> set[int]:
    fleeting = _fleeting(folder, key)
    if fleeting is not None:
        with contextlib.suppress(OSError):  # It was quicker.
            os.kill(fleeting, signal.SIGSTOP)
    return remains(folder, key)


def _fleeting(folder: Path, key: str) -> int | None:
    """The newest process of all, if it is marked: one that forks and exits in turn is gone before a look has come
    to it, and the next one in its place."""
    if _is_marked(_environment(os.getpid()), folder, key):
        return None
    for _ in range(LOOKS):
        pid = _newest()
        if _is_marked(_environment(pid), folder, key):
            return pid
    return None


def _newest() -> int:
    """The pid that was given last, to a process or a thread."""
    return int(Path("/proc/loadavg").read_bytes().split()[-1])
