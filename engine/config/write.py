"""How does an edit made from the keyboard get into `quarterdeck.toml`? With its comments kept, whole or not at all.

A new entry is appended and a dropped one cut out as text: tomlkit moves or loses the comments around a table. Whatever
was done, the result must say exactly what was asked for, or nothing is written.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from engine.config.load import Check, parse
from engine.config.locate import tables
from engine.config.model import Config
from state.errors import ConfigError, NotFound
from state.files import write_private

Tree = dict[str, Any]
Entry = tuple[str, str, Mapping[str, Any] | None]
"""Section, name, and the keys that it shall have beside those it has; None takes the whole entry out."""
Change = Callable[[str, Tree], Iterator[str]]
"""Turns the tree into the wanted one, and gives texts that may say so, the best first."""
CHANGED_SINCE = "the configuration has been edited since"


class Written(NamedTuple):
    """An edit that was made."""

    config: Config
    before: str | None
    """The whole text; None where there was no file."""
    after: str


class Left(NamedTuple):
    """An entry as an edit has left it."""

    section: str
    name: str
    sha256: str
    """Of its own lines; of none, where it was taken out."""


def put_entry(path: Path, section: str, name: str, values: dict[str, Any], checks: tuple[Check, ...] = ()) -> Config:
    """Add or replace the keys of `[section.name]`; a value of None removes its key.

    Raises ConfigError when the result would not load, or when the file changed meanwhile; then it is left alone.
    """
    return write(path, [(section, name, values)], checks).config


def drop_entry(path: Path, section: str, name: str, checks: tuple[Check, ...] = ()) -> Config:
    """Remove `[section.name]`. Raises NotFound, or ConfigError as `put_entry` does."""
    return write(path, [(section, name, None)], checks).config


def write(path: Path, entries: Sequence[Entry], checks: tuple[Check, ...] = ()) -> Written:
    """Make all these edits or none. Raises as `put_entry` and `drop_entry` do."""
    changes = [
        _drop(path, section, name) if values is None else _put(section, name, values)
        for section, name, values in entries
    ]
    return _edit(path, changes, checks)


def left_by(entries: Sequence[Entry], after: str) -> tuple[Left, ...]:
    """How an edit that has made this text has left each of its entries."""
    names = dict.fromkeys((section, name) for section, name, _ in entries)
    return tuple(Left(*name, sha256_of(_lines_of(after, name))) for name in names)


def put_back(
    path: Path, before: str | None, after_sha256: str, left: Sequence[Left] = (), checks: tuple[Check, ...] = ()
) -> None:
    """Make the file say what it said before an edit; where it has been edited elsewhere since, only of the entries that
    the edit has changed. Raises ConfigError when that cannot be; then it is left alone. Done twice, it is done once."""
    with _writing(path):
        text = _restored(path, before, after_sha256, left, checks)
        real = path.resolve()
        if text is None:
            real.unlink(missing_ok=True)
        elif not path.exists() or text != _read(path):
            write_private(real, text.encode(), mode=real.stat().st_mode & 0o777 if real.exists() else 0o600)


def why_not_back(
    path: Path, before: str | None, after_sha256: str, left: Sequence[Left] = (), checks: tuple[Check, ...] = ()
) -> str:
    """Why `put_back` would refuse; empty when it would not. Raises ConfigError when the file cannot be read."""
    try:
        _restored(path, before, after_sha256, left, checks)
    except ConfigError as error:
        return str(error)
    return ""


def _restored(
    path: Path, before: str | None, after_sha256: str, left: Sequence[Left], checks: tuple[Check, ...]
) -> str | None:
    """The text with the edit taken back; None for no file. Raises ConfigError."""
    now = _read(path) if path.exists() else None
    if now == before or sha256_of(now) == after_sha256:
        return before
    if now is None or not left:
        raise ConfigError(CHANGED_SINCE, "edit it by hand")
    parse(now, path)
    text = now
    for entry in left:
        text = _entry_restored(text, entry, before or "")
    parse(text, path, checks)
    return text


def _entry_restored(now: str, left: Left, before: str) -> str:
    """The text in which the lines of one entry are as they were. Raises ConfigError."""
    name = left[:2]
    mine, old, wanted = _lines_of(now, name), _lines_of(before, name), tomllib.loads(now)
    was = tomllib.loads(before).get(left.section, {}).get(left.name)
    if mine == old and wanted.get(left.section, {}).get(left.name) == was:
        return now
    if bool(mine) != (left.name in wanted.get(left.section, {})) or sha256_of(mine) != left.sha256:
        raise ConfigError(f"[{left.section}.{left.name}] has been edited since", "edit it by hand")
    if bool(old) != (was is not None):
        raise ConfigError(CHANGED_SINCE, "edit it by hand")
    wanted.setdefault(left.section, {}).pop(left.name, None)
    if was is not None:
        wanted[left.section][left.name] = was
    for text in _with_lines(now, name, old, before):
        if _says(text, wanted):
            return text
    raise ConfigError(CHANGED_SINCE, "edit it by hand")


def _with_lines(now: str, name: tuple[str, str], old: str, before: str) -> Iterator[str]:
    """The text with these lines as those of the entry: in their place, where they stood before, else at the end."""
    lines, blocks = now.split("\n"), _blocks(now, name)
    for first, last in blocks:
        del lines[first:last]
    if blocks and not old:
        yield "\n".join(_closed(lines, blocks[-1][0]))
    elif blocks:
        at = blocks[-1][0]
        yield "\n".join([*lines[:at], *old.split("\n"), *lines[at:]])
    else:
        (first, last), said = _blocks(before, name)[-1], before.split("\n")
        if lines[:first] == said[:first]:
            apart = [""] if lines[first:] and lines[first].strip() else []
            yield "\n".join([*lines[:first], *old.split("\n"), *apart, *lines[first:]])
        after = said[last:]
        if after and lines[-len(after) :] == after:
            yield "\n".join([*lines[: -len(after)], *old.split("\n"), *after])
        kept = now.rstrip("\n")  # blanks are somebody's
        yield f"{kept}\n\n{old}\n"


def _closed(lines: list[str], at: int) -> list[str]:
    """Without the blank line that kept apart what has gone."""
    blank = at > 0 and not lines[at - 1].strip() and (at >= len(lines) or not lines[at].strip())
    return lines[: at - 1] + lines[at:] if blank else lines


def _lines_of(text: str, name: tuple[str, str]) -> str:
    """The entry as it is written, with its comments; empty where it has no table of its own."""
    lines = text.split("\n")
    return "\n".join("\n".join(lines[first:last]) for first, last in reversed(_blocks(text, name)))


def sha256_of(text: str | None) -> str:
    return hashlib.sha256((text or "").encode()).hexdigest()


def _put(section: str, name: str, given: Mapping[str, Any]) -> Change:
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}

    def change(text: str, tree: Tree) -> Iterator[str]:
        known = name in tree.get(section, {})
        entry = tree.setdefault(section, {}).setdefault(name, {})
        entry.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del entry[key]
        yield _inserted(text, section, name, values) if known else _appended(text, section, name, entry)
        yield _updated(text, section, name, values)

    return change


def _drop(path: Path, section: str, name: str) -> Change:
    def change(text: str, tree: Tree) -> Iterator[str]:
        if name not in tree.get(section, {}):
            raise NotFound(f"there is no {section.replace('_', ' ')} '{name}' in {path}")
        del tree[section][name]
        if not tree[section]:
            del tree[section]
        yield _cut_out(text, (section, name))
        yield _dropped(text, section, name)

    return change


def _edit(path: Path, changes: Sequence[Change], checks: tuple[Check, ...]) -> Written:
    with _writing(path):
        existed = path.exists()
        before = after = _read(path)
        parse(before, path)
        for change in changes:
            after = _like(before, _changed(path, change, after))
        config = parse(after, path, checks)
        if _read(path) != before:
            raise ConfigError(f"{path} changed meanwhile; nothing was written", "try again")
        real = path.resolve()  # it may be a link into a folder of dotfiles
        write_private(real, after.encode(), mode=real.stat().st_mode & 0o777 if real.exists() else 0o600)
    return Written(config, before if existed else None, after)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Nobody else edits it meanwhile. Raises ConfigError for what the system refuses."""
    try:
        with _locked(path):
            yield
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", "check its folder and permissions") from None


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
    """Cut out the table and those below it."""
    lines = text.split("\n")
    for first, last in _blocks(text, gone):
        del lines[first:last]
    kept = "\n".join(lines).strip("\n")
    return f"{kept}\n" if kept else ""


def _blocks(text: str, name: tuple[str, str]) -> list[tuple[int, int]]:
    """First line (from 0) and the one after the last of the table and those below it, the last one first. What stands
    before the next table, after a blank line, belongs to that."""
    lines, found = text.split("\n"), []
    for start, end in _spans(text, lambda table: table[:2] == name):
        last = _last_said(lines, start, end)
        while last < end - 1 and lines[last].strip():
            last += 1
        found.append((start - 1, last))
    return found


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
