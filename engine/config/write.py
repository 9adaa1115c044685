"""How does an edit made from the keyboard get into `quarterdeck.toml`? With its comments kept, whole or not at all."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.config.load import Check, parse
from engine.config.model import Config
from state.errors import ConfigError, NotFound
from state.files import write_private


def put_entry(path: Path, section: str, name: str, values: dict[str, Any], checks: tuple[Check, ...] = ()) -> Config:
    """Add or replace the keys of `[section.name]`; a value of None removes its key.

    Raises ConfigError when the result would not load, or when the file changed meanwhile; then it is left alone.
    """

    def change(document: Any) -> None:
        import tomlkit

        table = document.setdefault(section, tomlkit.table(is_super_table=True))
        entry = table.setdefault(name, tomlkit.table())
        for key, value in values.items():
            if value is None:
                entry.pop(key, None)
            else:
                entry[key] = list(value) if isinstance(value, tuple) else value

    return _edit(path, change, checks)


def drop_entry(path: Path, section: str, name: str, checks: tuple[Check, ...] = ()) -> Config:
    """Remove `[section.name]`. Raises NotFound, or ConfigError as `put_entry` does."""

    def change(document: Any) -> None:
        if name not in document.get(section, {}):
            raise NotFound(f"there is no {section.replace('_', ' ')} '{name}' in {path}")
        del document[section][name]
        if not document[section]:
            del document[section]

    return _edit(path, change, checks)


def _edit(path: Path, change: Callable[[Any], None], checks: tuple[Check, ...]) -> Config:
    import tomlkit

    try:
        with _locked(path):
            before = _read(path)
            parse(before, path)
            document = tomlkit.parse(before)
            change(document)
            after = tomlkit.dumps(document)
            config = parse(after, path, checks)
            if _digest(_read(path)) != _digest(before):
                raise ConfigError(f"{path} changed meanwhile; nothing was written", "try again")
            write_private(path, after.encode(), mode=path.stat().st_mode & 0o777 if path.exists() else 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}", "check its folder and permissions") from None
    return config


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
