"""Where the kernel lets us: a control group of its own for a run, in which all of it is found and ended at once.

Only version 2, also in a hybrid hierarchy, and only below our own group. Nothing here raises: a run does not depend on
it. Standard library alone, as all that a keeper imports."""

import contextlib
import ctypes
import os
import signal

_OURS = "quarterdeck-"
_OCTAL = ("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")

_CLONE3 = 435
_INTO_CGROUP = 1 << 33
_CLONE_ARGUMENTS = "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup"


class _CloneArguments(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in _CLONE_ARGUMENTS.split())


def own() -> str | None:
    """The folder of this process's group; None when there is none that we can see."""
    with contextlib.suppress(OSError, StopIteration):
        place = next(line[3:].rstrip("\n") for line in _lines("/proc/self/cgroup") if line.startswith("0::"))
        for root, point in _mounts():
            if (place + "/").startswith(root + "/") and "/.." not in place:
                return (point + place[len(root) :]).rstrip("/")
    return None


def make(name: str) -> str | None:
    """A new group below our own; its folder, None where that is not for us to do."""
    parent = own()
    if parent is None:
        return None
    try:
        os.mkdir(f"{parent}/{_OURS}{name}")  # noqa: PTH102
    except OSError:
        return None
    return f"{parent}/{_OURS}{name}"


def fork_into(path: str) -> int:
    """As `os.fork`, but the child is born in the group: to move it there would take the kernel 20 ms. Raises OSError.

    What Python does after a fork for its threads is left out: this process has one, and the child soon execs."""
    group = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _CloneArguments(flags=_INTO_CGROUP, exit_signal=signal.SIGCHLD, cgroup=group)
        libc = ctypes.PyDLL(None, use_errno=True)
        pid = libc.syscall(ctypes.c_long(_CLONE3), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
        if pid < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(pid)
    finally:
        os.close(group)


def is_ours(path: str | None) -> bool:
    """Whether this can only be a group that a keeper made: a record may be damaged, or a lie."""
    if not path or os.path.normpath(path) != path or not os.path.basename(path).startswith(_OURS):  # noqa: PTH119
        return False
    try:
        return any(path.startswith(f"{point}/") for _, point in _mounts())
    except OSError:
        return False


def members(path: str | None) -> set[int]:
    """The processes in this group and below it; zombies may be among them."""
    found: set[int] = set()
    for folder, _, _ in os.walk(path) if path else ():
        with contextlib.suppress(OSError, ValueError):
            found.update(int(line) for line in _lines(f"{folder}/cgroup.procs"))
    return found - {0}  # One of another namespace.


def kill(path: str | None) -> None:
    """End all in it; what forks meanwhile, too. Not there before Linux 5.14."""
    if path:
        with contextlib.suppress(OSError):
            _write(f"{path}/cgroup.kill", "1")


def remove(path: str | None) -> None:
    """It and all groups that its processes made in it, when nothing lives there."""
    for folder, _, _ in os.walk(path, topdown=False) if path else ():
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106


def _mounts() -> list[tuple[str, str]]:
    """Where hierarchies of version 2 are to be seen: which part of one, and the folder."""
    found = []
    for line in _lines("/proc/self/mountinfo"):
        fields, _, kind = line.partition(" - ")
        root, point = fields.split(" ")[3:5]
        if kind.startswith("cgroup2 "):
            found.append((_plain(root).rstrip("/"), _plain(point)))
    return found


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        return file.readlines()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _plain(point: str) -> str:
    for code, character in _OCTAL:
        point = point.replace(code, character)
    return point
