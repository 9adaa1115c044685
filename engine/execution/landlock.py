"""How does a process give up, for itself and all that it starts, what it may not touch? By Landlock, through ctypes.

Not covered by it: looking at a file's size, mode and times, changing the latter two, and the network. Standard library
alone, as all that a keeper imports."""

import ctypes
import errno
import os
import stat

from engine.execution.job import Rules

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ = EXECUTE | READ_FILE | READ_DIR
_MAKE = MAKE_CHAR | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK | MAKE_SYM
_WRITE = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | _MAKE | REFER | TRUNCATE | IOCTL_DEV
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The others are of folders; a rule for a file that names one is refused."""
_SINCE = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
"""By the version that brought them; the rest is in all."""
_SCOPES = 0b11
"""Since version 6: no signals and no abstract sockets out of it."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
"""In /dev: every program takes them for granted."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_MACHINES = ("x86_64", "aarch64")
_NO_NEW_PRIVILEGES, _DROP = 38, 24
_SEES_ALL = (21, 38)
"""CAP_SYS_ADMIN and CAP_PERFMON: with them root reads the environment of any process in /proc, Landlock or not."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The version of the kernel's interface; 0 where there is none."""
    if os.uname().machine not in _MACHINES:
        return 0
    try:
        return _call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def known(version: int) -> int:
    """The rights to files that this version of the interface knows."""
    late = sum(right for since, right in _SINCE if since > version)
    return (_READ | _WRITE) & ~late


def restrict(rules: Rules) -> None:
    """From now on and for ever, of this thread and what it starts. Raises OSError, whose text says why, when that is
    not possible or a path that may be written is gone; one that may be read is left out then."""
    version = abi()
    if version == 0:
        raise OSError("this kernel has no Landlock")
    handled = known(version) & (_WRITE | (_READ if rules.read is not None else 0))
    ruleset = _create(version, handled)
    try:
        for path in rules.write:
            _allow(ruleset, path, handled)
        for path in (*rules.read, "/proc") if rules.read is not None else ():
            _allow_if_there(ruleset, path, handled & _READ)
        for name in DEVICES:
            _allow_if_there(ruleset, f"/dev/{name}", handled & (WRITE_FILE | READ_FILE | READ_DIR | IOCTL_DEV))
        _enforce(ruleset, blind=rules.read is not None)
    finally:
        os.close(ruleset)


def _create(version: int, handled: int) -> int:
    attributes = _Ruleset(handled, 0, _SCOPES)
    size = 8 if version < 4 else 16 if version < 6 else 24
    return _call(_CREATE, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _allow(ruleset: int, path: str, rights: int) -> None:
    """For this file, or this folder and all below it."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights &= ~0 if stat.S_ISDIR(os.fstat(place).st_mode) else _OF_FILES
            rule = _Beneath(rights, place)
            _call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.byref(rule), ctypes.c_uint32(0))
        finally:
            os.close(place)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from error


def _allow_if_there(ruleset: int, path: str, rights: int) -> None:
    try:
        _allow(ruleset, path, rights)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise


def _enforce(ruleset: int, blind: bool) -> None:
    for capability in _SEES_ALL if blind and os.geteuid() == 0 else ():
        _control(_DROP, capability)
    _control(_NO_NEW_PRIVILEGES, 1)
    _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))


def _control(option: int, value: int) -> None:
    """prctl. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(ctypes.c_int(option), *map(ctypes.c_ulong, (value, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)
