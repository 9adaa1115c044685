"""What must a program be able to read in order to run at all, where it may not read everything?

The system's folders, those of the program and its interpreters, and those of every program on the search path. Never
the user's home as a whole, nor any folder that holds what is private. Reads the disk.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
)
"""Of the devices in /dev only those that every program takes for granted: disks are there, too."""
SETTINGS = (".gitconfig", ".config/git/config", ".config/git/ignore", ".config/git/attributes")
"""In the user's home: git ends at once when its settings are there and cannot be read. Its passwords are elsewhere."""
_RESOLVER = Path("/etc/resolv.conf")
_OF_PREFIX = ("bin", "sbin", "shims", "libexec")
"""Folders of programs that belong to the folder above them."""
_HOPS_MAX = 16
_INTERPRETERS_MAX = 4
_FIRST_LINE = 256


def readable(programs: Sequence[str], search: str, home: Path, private: Iterable[Path]) -> tuple[str, ...]:
    """Absolute paths, most of which are there. `search` is a PATH; `private` are folders of which nothing is meant."""
    guard = _Guard((Path("/"), Path("/run"), home, home / ".local", home / ".config", *private))
    found: dict[str, None] = dict.fromkeys(SYSTEM)
    found |= dict.fromkeys(str(home / name) for name in SETTINGS)
    folders = [Path(os.path.normpath(part)) for part in search.split(os.pathsep) if part.startswith("/")]
    for path in (_resolver(), *(folder / "program" for folder in folders), *_files(programs, search)):
        for place in _with_base(guard.place_of(path)):
            found[str(place)] = None
    return tuple(path for path in found if not _is_system(path) or path in SYSTEM)


class _Guard:
    """Widens the path of a program to the folder that it belongs to, but never to one that holds what is private."""

    def __init__(self, private: tuple[Path, ...]) -> None:
        self._private = (*private, *(path.resolve() for path in private))

    def place_of(self, file: Path) -> Path:
        """The widest that is allowed: its package, its folder, or just the file."""
        return next((one for one in (_package(file), file.parent) if not self._holds_private(one)), file)

    def _holds_private(self, folder: Path) -> bool:
        places = {folder, folder.resolve()}
        return any(place == path or place in path.parents for path in self._private for place in places)


def _package(file: Path) -> Path:
    packages = [folder for folder in file.parents if folder.name == "node_modules"]
    if packages:
        return packages[-1]
    return file.parent.parent if file.parent.name in _OF_PREFIX else file.parent


def _files(programs: Sequence[str], search: str) -> Iterator[Path]:
    """Each program, all links on the way to it, and the same of its interpreters."""
    for program in programs:
        name: str | None = program
        for _ in range(_INTERPRETERS_MAX):
            found = shutil.which(name, path=search) if name else None
            if found is None:
                break
            hops = list(_hops(Path(found)))
            yield from hops
            name = _interpreter(hops[-1])


def _hops(path: Path) -> Iterator[Path]:
    """A file and what its links lead to, one after the other; the last one without any link in its path."""
    for _ in range(_HOPS_MAX):
        yield path
        if not path.is_symlink():
            break
        target = path.parent / path.readlink()
        path = target.parent.resolve() / target.name
    yield path.resolve()


def _interpreter(file: Path) -> str | None:
    """By which program it is run, when it is a script; of `env`, what that looks for."""
    try:
        with file.open("rb") as opened:
            line = opened.read(_FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return None
    words = os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else None


def _with_base(folder: Path) -> Iterator[Path]:
    """With the installation that a virtual environment was made from."""
    yield folder
    try:
        lines = (folder / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home" and value.strip().startswith("/"):
            yield Path(value.strip()).resolve().parent


def _resolver() -> Path:
    """Where the addresses of name servers are told: replaced by rename, so that its folder counts."""
    return _RESOLVER.resolve()


def _is_system(path: str) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for folder in SYSTEM)
