"""How is a file opened so that it lies within the workspace, whatever its path says and whoever changes the tree
meanwhile? Name by name from the workspace's folder on, and no link is followed, not even one within it: what a pattern
says of a path then holds of the file."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

MOST_NAMES = 128
# A sandbox may let a file be read and not the folders on the way to it: those are only gone through.
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotAllowed(Exception):
    """The tool does not do this; its text says why, to the model."""


def names_of(path: str, workspace: str) -> tuple[str, ...]:
    """The names from the workspace on. Raises NotAllowed for a path that leads out of it."""
    if path.startswith("/"):
        if path != workspace and not path.startswith(workspace.rstrip("/") + "/"):
            raise NotAllowed(f"{path} lies outside the workspace")
        path = path[len(workspace) :]
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if ".." in names or "\0" in path or len(names) > MOST_NAMES:
        raise NotAllowed(f"{path!r} is no plain path within the workspace")
    return names


class Workspace:
    """The folder beneath which everything is opened."""

    def __init__(self, root: str) -> None:
        self.root = root

    def folders(self, names: Sequence[str]) -> int:
        """How many of these names, from the first on, are folders that exist."""
        for count in range(len(names)):
            try:
                with self.folder(names[: count + 1]):
                    pass
            except NotAllowed:
                return count
        return len(names)

    @contextmanager
    def folder(self, names: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of this folder, to open things in. Raises NotAllowed."""
        descriptor = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                inner = _inner(descriptor, name, make=make)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def entries(self, names: Sequence[str]) -> dict[str, str]:
        """What is in this folder, by name: `/` for a folder, `@` for a link, else nothing. Raises NotAllowed."""
        with self.folder(names) as folder:
            try:
                listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            except OSError as error:
                raise NotAllowed(f"{'/'.join(names) or '.'}: {error.strerror}") from None
        try:
            with os.scandir(listed) as found:
                return {entry.name: _mark(entry) for entry in sorted(found, key=lambda entry: entry.name)}
        finally:
            os.close(listed)

    def read(self, names: Sequence[str], most: int) -> bytes:
        """A regular file of at most this size. Raises NotAllowed."""
        with self.folder(names[:-1]) as folder:
            return read_in(folder, names[-1], most)

    def write(self, names: Sequence[str], data: bytes) -> bool:
        """Replace or make a file, and the folders on the way; whether it is a new one. Raises NotAllowed."""
        with self.folder(names[:-1], make=True) as folder:
            mode = _mode(folder, names[-1])
            try:
                _replace(folder, names[-1], data, mode)
            except PermissionError:  # the sandbox may allow this one file, and none beside it
                _overwrite(folder, names[-1], data)
            except OSError as error:
                raise NotAllowed(f"{names[-1]} cannot be written: {error.strerror}") from None
            return mode is None


def read_in(folder: int, name: str, most: int) -> bytes:
    """The same, of a folder that is open. Raises NotAllowed."""
    try:
        descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    except OSError as error:
        raise _refusal(folder, name, error) from None
    try:
        info = os.fstat(descriptor)
        _check_kind(name, info)
        if info.st_size > most:
            raise NotAllowed(f"{name} has {info.st_size:,} bytes, and no more than {most:,} are read")
        return _all(descriptor, info.st_size)
    finally:
        os.close(descriptor)


def _all(descriptor: int, size: int) -> bytes:
    """What it had when it was opened."""
    data = b""
    while len(data) < size and (chunk := os.read(descriptor, size - len(data))):
        data += chunk
    return data


def _check_kind(name: str, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise NotAllowed(f"{name} is no file")
    if info.st_dev in _of_the_kernel():
        raise NotAllowed(f"{name} is the kernel's, no file of the workspace")


def _of_the_kernel() -> set[int]:
    """The devices of what looks like files and shows processes, keys in their environment among them."""
    found = set()
    for place in ("/proc", "/sys"):
        with contextlib.suppress(OSError):
            found.add(Path(place).stat().st_dev)
    return found


def _mark(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else ""


def _inner(folder: int, name: str, *, make: bool) -> int:
    try:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
            return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        raise _refusal(folder, name, error) from None


def _refusal(folder: int, name: str, error: OSError) -> NotAllowed:
    with contextlib.suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return NotAllowed(f"{name} is a link, and links are not followed")
    return NotAllowed(f"{name}: {error.strerror}")


def _mode(folder: int, name: str) -> int | None:
    """Of the file that is there; None when there is none. Raises NotAllowed for what is no file."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotAllowed(f"{name}: {error.strerror}") from None
    if stat.S_ISLNK(info.st_mode):
        raise NotAllowed(f"{name} is a link, and links are not followed")
    _check_kind(name, info)
    return stat.S_IMODE(info.st_mode)


def _replace(folder: int, name: str, data: bytes, mode: int | None) -> None:
    """Aside, then by rename: other names of the same file keep what they had."""
    aside = f".qd-{secrets.token_hex(8)}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(descriptor, mode)
        os.replace(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside, dir_fd=folder)
        raise


def _overwrite(folder: int, name: str, data: bytes) -> None:
    """In its place, when it has just this name."""
    try:
        descriptor = os.open(name, os.O_WRONLY | _FILE, dir_fd=folder)
    except OSError as error:
        raise _refusal(folder, name, error) from None
    with os.fdopen(descriptor, "wb") as file:
        info = os.fstat(descriptor)
        _check_kind(name, info)
        if info.st_nlink != 1:
            raise NotAllowed(f"{name} has other names, which may lie elsewhere")
        file.truncate()
        file.write(data)
