"""Which files of a workspace changed while a run was live? Two snapshots of what the file system says, compared.

Contents are not read: size, times, inode and mode tell. Not looked into are `.git` (git rewrites its index even on
`git status`), folders that another file system is mounted on (a network's, /proc) and folders that cannot be read.
All but the first are named in `why`, so that nobody takes what was not looked at for unchanged.
"""

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from state.errors import StateError
from state.files import write_private

LIMIT = 50_000
"""Entries, folders included, beyond which a workspace is not judged."""
NAMED = 3
"""Folders not looked into that are named; of the others, how many there are."""
_UNJUDGED = frozenset({".git"})


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One entry that is no folder. Of a link only its target counts, of a pipe, socket or device only which it is."""

    kind: Literal["file", "link", "other"]
    mode: int = 0
    inode: int = 0
    links: int = 0
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    target: bytes = b""


class Snapshot(Struct, frozen=True):
    """A workspace at one time."""

    complete: bool
    """False: nothing can be told from it."""
    why: str = ""
    """Why it is not complete; of a complete one, which folders were not looked into."""
    entries: dict[str, Entry] = {}
    """By path relative to the workspace; bytes that are no UTF-8 are lone surrogates, as everywhere in `os`."""
    skipped: tuple[str, ...] = ()
    """Folders that were not looked into, `.git` apart."""


class _Stored(Struct, frozen=True, array_like=True):
    """On disk: paths as bytes with NUL between them, since a file name need not be UTF-8."""

    complete: bool
    why: str
    paths: bytes
    entries: list[Entry]
    skipped: bytes


def take(root: Path, limit: int = LIMIT, leave_out: Collection[Path] = ()) -> Snapshot:
    """Note every entry below `root`, following no link. `leave_out` are folders whose changes are not the run's,
    such as our own state."""
    walk = _Walk(limit, {_identity(folder.stat()) for folder in leave_out if folder.is_dir()})
    try:
        walk.go(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
    except OSError as error:
        return Snapshot(complete=False, why=f"{_shown(str(root))}: {error.strerror}")
    if walk.left < 0:
        return Snapshot(complete=False, why=f"the workspace has more than {limit:,} entries")
    return Snapshot(True, walk.why(), walk.entries, tuple(sorted(walk.skipped)))


def changed(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The paths that were created, written, replaced, deleted, renamed (both names), given another mode or owner, or,
    of a link, another target. Sorted. Raises ValueError when one of the two is not complete.

    A file of the same size whose modification time was put back is told by its change time, which nobody can put
    back. So is another owner or extended attribute; a new hard link alone is not a change. Hence one that is
    written in place, has its time put back and is linked anew in the same run goes unseen, as does a write within
    one tick of a file system with coarse times. What was not looked into before or after is left out.
    """
    if not (before.complete and after.complete):
        raise ValueError("an incomplete snapshot cannot be compared")
    old, new = before.entries, after.entries
    differ = [path for path, entry in new.items() if (was := old.get(path)) != entry and _touched(was, entry)]
    differ += [path for path in old if path not in new]
    hidden = {*before.skipped, *after.skipped}
    return tuple(sorted(path for path in differ if not _below(path, hidden)))


def store(snapshot: Snapshot, path: Path) -> None:
    """Keep it in a private file: the engine may end before the run does. Raises OSError."""
    paths, skipped = (_joined(names) for names in (snapshot.entries, snapshot.skipped))
    stored = _Stored(snapshot.complete, snapshot.why, paths, list(snapshot.entries.values()), skipped)
    write_private(path, msgspec.msgpack.encode(stored))


def load(path: Path) -> Snapshot:
    """What `store` kept. Raises StateError when it is not there or damaged."""
    try:
        stored = msgspec.msgpack.decode(path.read_bytes(), type=_Stored)
        entries = dict(zip(_split(stored.paths), stored.entries, strict=True))
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"{path} is damaged: {error}") from error
    return Snapshot(stored.complete, stored.why, entries, _split(stored.skipped))


class _Walk:
    """One walk of a tree. A link that has taken the place of a folder since it was listed is not followed."""

    def __init__(self, limit: int, leave_out: set[tuple[int, int]]) -> None:
        self.left = limit
        self.entries: dict[str, Entry] = {}
        self.skipped: dict[str, str] = {}
        """Each folder not looked into, and why."""
        self._leave_out = leave_out
        self._device = 0
        self._todo: list[str] = []

    def go(self, root: int) -> None:
        """Walk from the open folder `root`, which is closed. Raises OSError when it cannot be listed."""
        try:
            self._device = os.fstat(root).st_dev
            self._list(root, "")
            while self._todo and self.left >= 0:
                self._enter(root, self._todo.pop())
        finally:
            os.close(root)

    def why(self) -> str:
        """The folders that were not looked into, in words."""
        named = [f"{_shown(path)} ({why})" for path, why in sorted(self.skipped.items())]
        more = [f"{len(named) - NAMED} more folders"] if len(named) > NAMED else []
        return f"not looked into: {', '.join(named[:NAMED] + more)}" if named else ""

    def _enter(self, root: int, path: str) -> None:
        if _below(path, self.skipped):
            return
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
        except FileNotFoundError:
            return  # deleted since its parent was listed
        except OSError as error:
            self.skipped[path] = error.strerror or str(error)
            return
        try:
            info = os.fstat(fd)
            if info.st_dev != self._device:
                self.skipped[path] = "another file system"
            elif _identity(info) not in self._leave_out:
                self._list(fd, path + "/")
        except OSError as error:
            self.skipped[path] = error.strerror or str(error)
        finally:
            os.close(fd)

    def _list(self, fd: int, prefix: str) -> None:
        with os.scandir(fd) as listing:
            for item in listing:
                self.left -= 1
                if self.left < 0:
                    return
                if not item.is_dir(follow_symlinks=False):
                    self._note(fd, prefix + item.name, item)
                elif item.name not in _UNJUDGED:
                    self._todo.append(prefix + item.name)

    def _note(self, fd: int, path: str, item: "os.DirEntry[str]") -> None:
        try:
            self.entries[path] = _entry(fd, item)
        except FileNotFoundError:
            return  # deleted since its folder was listed


def _entry(fd: int, item: "os.DirEntry[str]") -> Entry:
    info = item.stat(follow_symlinks=False)
    if stat.S_ISREG(info.st_mode):
        return Entry("file", info.st_mode, info.st_ino, info.st_nlink, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    if stat.S_ISLNK(info.st_mode):
        return Entry("link", target=os.fsencode(os.readlink(item.name, dir_fd=fd)))
    return Entry("other", info.st_mode, info.st_ino)


def _touched(before: Entry | None, after: Entry) -> bool:
    """Whether entries that differ do so in what counts: a change time alone is also set by another hard link."""
    if before is None or before.links == after.links:
        return True
    return msgspec.structs.replace(before, links=after.links, ctime_ns=after.ctime_ns) != after


def _below(path: str, folders: Collection[str]) -> bool:
    return bool(folders) and any(parent in folders for parent in _parents(path))


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _joined(names: Collection[str]) -> bytes:
    return os.fsencode("\0".join(names))


def _split(names: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(names).split("\0")) if names else ()


def _shown(path: str) -> str:
    """For `why`, which is stored as UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
