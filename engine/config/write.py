"""How does an edit made from the keyboard get into `quarterdeck.toml`? With its comments kept, whole or not at all.

A new entry is appended and a dropped one cut out as text: tomlkit moves or loses the comments around a table. Whatever
was done, the result must say exactly what was asked for, or nothing is written.
"""

import contextlib
import fcntl
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.config.load import Check, parse
from engine.config.locate import tables
from engine.config.model import Config
from state.errors import ConfigError, NotFound
from state.files import write_private

Tree = dict[str, Any]
Change = Callable[[str, Tree], Iterator[str]]
"""Turns the tree into the wanted one, and gives texts that may say so, the best first."""


def put_entry(path: Path, section: str, name: str, values: dict[str, Any], checks: tuple[Check, ...] = ()) -> Config:
    """Add or replace the keys of `[section.name]`; a value of None removes its key.

    Raises ConfigError when the result would not load, or when the file changed meanwhile; then it is left alone.
    """
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def change(text: str, tree: Tree) -> Iterator[str]:
        known = name in tree.get(section, {})
        entry = tree.setdefault(section, {}).setdefault(name, {})
        entry.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del entry[key]
        yield _inserted(text, section, name, values) if known else _appended(text, section, name, entry)
        yield _updated(text, section, name, values)

    return _edit(path, change, checks)


def drop_entry(path: Path, section: str, name: str, checks: tuple[Check, ...] = ()) -> Config:
    """Remove `[section.name]`. Raises NotFound, or ConfigError as `put_entry` does."""

    def change(text: str, tree: Tree) -> Iterator[str]:
        if name not in tree.get(section, {}):
            raise NotFound(f"there is no {section.replace('_', ' ')} '{name}' in {path}")
        del tree[section][name]
        if not tree[section]:
            del tree[section]
        yield _cut_out(text, (section, name))
        yield _dropped(text, section, name)

    return _edit(path, change, checks)


def _edit(path: Path, change: Change, checks: tuple[Check, ...]) -> Config:
    try:
        with _locked(path):
            before = _read(path)
            parse(before, path)
            after = _like(before, _changed(path, change, before))
            config = parse(after, path, checks)
            if _read(path) != before:
                raise ConfigError(f"{path} changed meanwhile; nothing was written", "try again")
            real = path.resolve()  # it may be a link into a folder of dotfiles
            write_private(real, after.encode(), mode=real.stat().st_mode & 0o777 if real.exists() else 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", "check its folder and permissions") from None
    return config


def _changed(path: Path, change: Change, before: str) -> str:
    """The first way to write the change that says what is wanted."""
    from tomlkit.exceptions import TOMLKitError

    wanted = tomllib.loads(before)
    with contextlib.suppress(TOMLKitError, ValueError, KeyError, TypeError, AttributeError):
        for after in change(before, wanted):
            if _says(after, wanted):
                return after
    raise ConfigError(f"{path} cannot be edited the way it is written; nothing was written", "edit it by hand")


def _says(text: str, wanted: Tree) -> bool:
    """An empty section says the same as none."""
    try:
        text.encode()
        tree = tomllib.loads(text)
    except ValueError:
        return False
    return {key: tree[key] for key in tree if tree[key] != {}} == {
        key: wanted[key] for key in wanted if wanted[key] != {}
    }


def _updated(text: str, section: str, name: str, values: dict[str, Any]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    table: Any = document.setdefault(section, tomlkit.table(is_super_table=True))
    inline = isinstance(table, tomlkit.items.InlineTable)
    entry: Any = table.setdefault(name, tomlkit.inline_table() if inline else tomlkit.table())
    for key, value in values.items():
        if value is None:
            entry.pop(key, None)
        else:
            entry[key] = value
    return tomlkit.dumps(document)


def _inserted(text: str, section: str, name: str, values: dict[str, Any]) -> str:
    """New keys come after the last one of the table: tomlkit puts them behind the comments of the next."""
    import tomlkit

    known = tomllib.loads(text)[section][name]
    lines = _updated(text, section, name, {key: values[key] for key in values if key in known}).split("\n")
    new = {key: value for key, value in values.items() if key not in known and value is not None}
    if new:
        start, end = next(_spans("\n".join(lines), lambda table: table == (section, name)), (0, 0))
        lines.insert(_last_said(lines, start, end), tomlkit.dumps(new).rstrip("\n"))
    return "\n".join(lines)


def _spans(text: str, wanted: Callable[[tuple[str, ...]], bool]) -> Iterator[tuple[int, int]]:
    """First line (from 1) and line after the last of the tables that are wanted, the last table first."""
    starts = [*tables(text), (len(text.split("\n")) + 1, ())]
    return ((start, end) for (start, table), (end, _) in reversed(list(pairwise(starts))) if wanted(table))


def _last_said(lines: list[str], start: int, end: int) -> int:
    """The last line of a table that is neither blank nor a comment."""
    said = (number for number in range(end - 1, start, -1) if not re.match(r"\s*(#|$)", lines[number - 1]))
    return next(said, start)


def _appended(text: str, section: str, name: str, entry: Tree) -> str:
    import tomlkit

    table = tomlkit.table(is_super_table=True)
    table.append(name, entry)
    new = tomlkit.dumps({section: table})
    kept = text.rstrip()
    return f"{kept}\n\n{new}" if kept else new


def _dropped(text: str, section: str, name: str) -> str:
    import tomlkit

    document: Any = tomlkit.parse(text)
    del document[section][name]
    return tomlkit.dumps(document)


def _cut_out(text: str, gone: tuple[str, str]) -> str:
    """Cut out the table and those below it. What stands before the next table, after a blank line, belongs to that."""
    lines = text.split("\n")
    for start, end in _spans(text, lambda table: table[:2] == gone):
        last = _last_said(lines, start, end)
        while last < end - 1 and lines[last].strip():
            last += 1
        del lines[start - 1 : last]
    kept = "\n".join(lines).strip("\n")
    return f"{kept}\n" if kept else ""


def _like(before: str, after: str) -> str:
    """With the line ends of a file from Windows, if it was one."""
    windows = "\r\n" in before and before.count("\r\n") == before.count("\n")
    return re.sub(r"\r?\n", "\r\n", after) if windows else after


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.parent / f".{path.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read(path: Path) -> str:
    """As it is, line ends included. Raises ConfigError when it is no UTF-8."""
    try:
        return path.read_bytes().decode() if path.exists() else ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {path}: {error}", "check the file") from None
