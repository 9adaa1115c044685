"""When do two names mean one file in this folder? Asked of the file system itself, never of its name.

A folder may fold case (`README` is `readme`, and `straße` is `STRASSE`) and may compose (one `é`, however it is
spelled). Where that cannot be asked, both are assumed: a conflict too many is cheaper than one too few.
"""

import fcntl
import os
import secrets
import struct
import unicodedata
from functools import lru_cache

from msgspec import Struct

FS_IOC_GETFLAGS = 0x80086601
FS_CASEFOLD_FL = 0x40000000
"""Of one folder: its file system folds case where this is set, and nowhere else."""
LAST_FOLDABLE = 0x30000
"""No code point from here on has a case or a decomposition."""
_IGNORED = frozenset(map(chr, (0xAD, 0x34F, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF)))
_IGNORED_RANGE = range(0xFE00, 0xFE10)


class Folding(Struct, frozen=True, array_like=True):
    """How names are compared in one folder."""

    case: bool = False
    compose: bool = False
    """Canonically equal names are one, and what prints nothing does not count."""

    def __or__(self, other: "Folding") -> "Folding":
        """What holds for names of which either rule may be the one."""
        return self if self == other else Folding(self.case or other.case, self.compose or other.compose)


EXACT = Folding()
ASSUMED = Folding(case=True, compose=True)


def fold(text: str, rule: Folding) -> str:
    """Equal for names that are one under this rule."""
    if rule.compose:
        text = "".join(char for char in unicodedata.normalize("NFD", text) if not _is_ignored(char))
    if rule.case:
        text = text.casefold()
    return unicodedata.normalize("NFD", text) if rule.compose else text


def _is_ignored(char: str) -> bool:
    return char in _IGNORED or ord(char) in _IGNORED_RANGE


class Foldings:
    """The rules found so far: one probe for a file system, and one more for its folders that are marked as folding."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bool], Folding] = {}

    def of(self, folder: str, device: int) -> Folding:
        """The rule of an existing folder."""
        key = (device, _is_marked(folder))
        if key not in self._known:
            found = probe(folder)
            if found is None:
                return ASSUMED
            self._known[key] = found
        return self._known[key]


def probe(folder: str) -> Folding | None:
    """Make a file of our own, look for it under its other names, and remove it. None when that cannot be done."""
    name = f".qd-probe-{secrets.token_hex(8)}-a\u00e9"
    path = f"{folder}/{name}"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError:
        return None
    try:
        case = os.path.lexists(f"{folder}/{name.upper()}")
        compose = os.path.lexists(f"{folder}/{unicodedata.normalize('NFD', name)}")
    finally:
        os.unlink(path)  # noqa: PTH108
    return Folding(case, compose)


def _is_marked(folder: str) -> bool:
    """Whether this folder folds though its neighbours may not (ext4, f2fs); False where no folder can be marked."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        flags = fcntl.ioctl(handle, FS_IOC_GETFLAGS, bytes(8))
    except OSError:
        return False
    finally:
        os.close(handle)
    return bool(struct.unpack("q", flags)[0] & FS_CASEFOLD_FL)


@lru_cache(maxsize=8)
def foldable(rule: Folding) -> tuple[tuple[int, str], ...]:
    """Every code point that this rule changes, with what it becomes."""
    every = ((code, fold(chr(code), rule)) for code in range(1, LAST_FOLDABLE) if not 0xD800 <= code < 0xE000)
    return tuple((code, folded) for code, folded in every if folded != chr(code))
