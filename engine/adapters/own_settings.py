"""Has a run changed what its program does the next time? A program that renews its own login may write all of the
folder in which its settings lie, too, with what they have it run: hooks, servers, commands.

How they stood is noted as the run starts, in a file of its folder, by digests; who compares them when it has ended is
`engine.runtime.aftermath`. Of a file that its program writes by itself only those parts count that say what it does.
"""

import hashlib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from state.files import write_private

SEEN = "settings.seen"
"""In the folder of a run."""
LARGEST = 32 * 1024 * 1024
"""Bytes of a file that is looked into. Of a longer one only that it is one is known."""
MOST_FILES = 5_000
"""In one folder: beyond that, none of them is judged."""
EVERY = "*"
_NOTHING: tuple[Any, ...] = (None, False, "", [], {})


class Setting(Struct, frozen=True):
    """One file or folder that says what a program does."""

    path: str
    parts: tuple[str, ...] = ()
    """Keys of a JSON or TOML file, with dots between those that lie in each other and `*` for any; none: all of it."""
    but: tuple[str, ...] = ()
    """Keys at its top that do not count."""


class Seen(Struct, frozen=True):
    """How it stood."""

    setting: Setting
    digests: dict[str, str]
    """By part, or by name below the folder; empty where nothing is there."""


def noted(settings: Sequence[Setting]) -> dict[str, str]:
    """A file of a launch: how they stand now. Reads the disk."""
    return {SEEN: msgspec.json.encode(_look(settings)).decode()} if settings else {}


def changed(run_folder: Path) -> tuple[str, ...]:
    """What is not as it was noted, in words; from here on it is compared with what is there now. Reads the disk, and
    raises OSError where it cannot be noted anew."""
    try:
        before = msgspec.json.decode((run_folder / SEEN).read_bytes(), type=list[Seen])
    except (OSError, msgspec.MsgspecError):  # it has none, or never came to its start
        return ()
    after = _look([one.setting for one in before])
    said = tuple(word for was, now in zip(before, after, strict=True) for word in _differences(was, now))
    if said:
        write_private(run_folder / SEEN, msgspec.json.encode(after))
    return said


def _look(settings: Sequence[Setting]) -> list[Seen]:
    return [Seen(setting, _digests(setting)) for setting in settings]


def _differences(was: Seen, now: Seen) -> Iterator[str]:
    names = sorted(was.digests.keys() | now.digests.keys())
    path = _shown(was.setting.path)
    for name in names:
        if was.digests.get(name) != now.digests.get(name):
            yield f"{path} ({name})" if was.setting.parts and name else f"{path}/{name}" if name else path


def _shown(path: str) -> str:
    home = str(Path.home())
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") else path


def _digests(setting: Setting) -> dict[str, str]:
    path = Path(setting.path)
    if path.is_dir():
        return _below(path)
    content = _content(path)
    if content is None:
        return {}
    try:
        tree = _tree(path, content)
    except (msgspec.MsgspecError, ValueError, RecursionError):  # whoever cannot read it cannot tell its parts apart
        return {"": _digest(content)}
    if setting.parts:
        found = [one for part in setting.parts for one in _values(tree, part.split("."))]
        return {name: _of_value(value) for name, value in found if value not in _NOTHING}
    if setting.but and isinstance(tree, dict):
        tree = {name: value for name, value in tree.items() if name not in setting.but}
    return {} if tree in _NOTHING else {"": _of_value(tree)}


def _content(path: Path) -> bytes | None:
    """None where there is no file. What a run has put in its place need not be one: that is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None if isinstance(error, FileNotFoundError | NotADirectoryError) else str(error.errno).encode()
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > LARGEST:
            return f"{stat.S_IFMT(info.st_mode)} {info.st_size}".encode()
        return file.read(LARGEST)


def _tree(path: Path, content: bytes) -> Any:
    """Raises MsgspecError or ValueError."""
    if path.suffix == ".toml":
        return tomllib.loads(content.decode())
    return msgspec.json.decode(content) if path.suffix == ".json" else content.decode("utf-8", "backslashreplace")


def _values(tree: Any, names: Sequence[str], place: str = "") -> Iterator[tuple[str, Any]]:
    if not names:
        yield place, tree
    elif isinstance(tree, Mapping):
        for name in list(tree) if names[0] == EVERY else names[:1]:
            if name in tree:
                yield from _values(tree[name], names[1:], f"{place}.{name}" if place else name)


def _below(folder: Path) -> dict[str, str]:
    """Every file but what is hidden, by what changes whenever it is written."""
    found: dict[str, str] = {}
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*files, *(one for one in folders if Path(here, one).is_symlink())):
            if not name.startswith("."):
                path = Path(here, name)
                found[_storable(str(path.relative_to(folder)))] = _state(path)
        if len(found) > MOST_FILES:
            return {}
    return found


def _state(path: Path) -> str:
    try:
        info = path.lstat()
    except OSError:  # gone since its folder was listed
        return ""
    return f"{info.st_mode} {info.st_size} {info.st_mtime_ns} {info.st_ctime_ns}"


def _storable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _of_value(value: Any) -> str:
    return _digest(msgspec.json.encode(value, order="sorted"))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
