"""Which files may an agent read and write through us? Beneath the workspace, never through a link.

What it does by itself is not seen here: that is held by the kernel, and checked afterwards. When in doubt, it is
denied.
"""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from engine.scopes.within import Way, covered, ways

READ_MOST = 16 * 1024 * 1024
"""Bytes of a file that is read."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Denied(Exception):
    """It lies outside of what the run may touch."""


class Scope:
    """The workspace, and what of it may be read and written."""

    def __init__(self, workspace: str, can_read: Sequence[str], can_write: Sequence[str]) -> None:
        self._given = Path(workspace)
        self._root = Path(os.path.realpath(workspace))
        roots = (workspace, str(self._root))
        self._can_read = ways(can_read or (".",), *roots)
        self._can_write = ways(can_write, *roots)

    def read(self, path: str) -> str:
        """The text of a file; empty for one that is not there yet and may be written. Raises Denied, OSError, and
        FileNotFoundError for one that is not there and never will be."""
        names = self._names(path)
        if not self._covered(self._can_read + self._can_write, names):
            raise Denied(f"{path} lies outside of what it may read")
        try:
            return self._read(names)
        except FileNotFoundError:
            if self._covered(self._can_write, names):
                return ""
            raise

    def write(self, path: str, text: str) -> None:
        """Raises Denied and OSError. Folders on the way to it are made."""
        names = self._names(path)
        if not self._covered(self._can_write, names):
            raise Denied(f"{path} lies outside of what it may write")
        folder = self._walk(names[:-1], make=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | _FILE
            with os.fdopen(_opened(names[-1], flags, folder), "wb") as file:
                info = _regular(file.fileno(), path)
                if info.st_nlink > 1:
                    raise Denied(f"{path} has other names, which may lie elsewhere")
                file.truncate()
                file.write(text.encode("utf-8", "replace"))
        finally:
            os.close(folder)

    def may_write(self, path: str) -> bool:
        """Whether this is one file within what it may write, with no link on the way."""
        try:
            names = self._names(path)
        except Denied:
            return False
        if not self._covered(self._can_write, names):
            return False
        places = [self._root.joinpath(*names[:length]) for length in range(1, len(names) + 1)]
        try:
            found = [place.lstat() for place in places if os.path.lexists(place)]
        except OSError:
            return False
        if any(stat.S_ISLNK(info.st_mode) for info in found):
            return False
        return len(found) < len(places) or (stat.S_ISREG(found[-1].st_mode) and found[-1].st_nlink == 1)

    def _names(self, path: str) -> tuple[str, ...]:
        """Below the workspace. Raises Denied."""
        parts = path.split("/")
        if "\0" in path or ".." in parts or not path.startswith("/"):
            raise Denied(f"{path!r} is no absolute path without ..")
        for root in (self._given, self._root):
            beneath = path.removeprefix(f"{root}/")
            names = tuple(part for part in beneath.split("/") if part not in ("", "."))
            if beneath != path and names:
                return names
        raise Denied(f"{path} lies outside of the workspace")

    def _covered(self, patterns: Sequence[Way], names: tuple[str, ...]) -> bool:
        return covered(patterns, names, self._folders(names[:-1]))

    def _folders(self, names: tuple[str, ...]) -> int:
        """How many of these, from the first on, are folders that exist, and no links to one."""
        for count in range(len(names)):
            try:
                info = self._root.joinpath(*names[: count + 1]).lstat()
            except OSError:
                return count
            if not stat.S_ISDIR(info.st_mode):
                return count
        return len(names)

    def _read(self, names: tuple[str, ...]) -> str:
        folder = self._walk(names[:-1])
        try:
            with os.fdopen(_opened(names[-1], os.O_RDONLY | _FILE, folder), "rb") as file:
                _regular(file.fileno(), names[-1])
                content = file.read(READ_MOST + 1)
        finally:
            os.close(folder)
        if len(content) > READ_MOST:
            raise OSError(errno.EFBIG, f"it is longer than {READ_MOST:,} bytes")
        return content.decode("utf-8", "replace")

    def _walk(self, names: Sequence[str], make: bool = False) -> int:
        """The folder below the workspace, opened. Raises Denied at a link."""
        folder = os.open(self._root, _FOLDER)
        for name in names:
            try:
                if make:
                    _make(name, folder)
                inner = _opened(name, _FOLDER, folder)
            finally:
                os.close(folder)
            folder = inner
        return folder


def _make(name: str, folder: int) -> None:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return


def _opened(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, 0o666, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and _is_link(name, folder):
            raise Denied(f"{name} is a link, which may lead elsewhere") from error
        raise


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode)


def _regular(descriptor: int, path: str) -> os.stat_result:
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        raise Denied(f"{path} is no file")
    return info
