"""Is `quarterdeck.toml` good, and what does it say? If not: file, line, what is wrong, and the nearest right word."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from engine.config.locate import line_of
from engine.config.model import Config
from engine.config.rules import RULES, Check, Problem
from state.errors import ConfigError


def load(path: Path, checks: tuple[Check, ...] = ()) -> Config:
    """Read a configuration; a file that is not there is an empty one. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", "check the file") from None
    return parse(text, path, checks)


def parse(text: str, path: Path, checks: tuple[Check, ...] = ()) -> Config:
    """Decode a configuration text. `path` is only what errors call it. Raises ConfigError."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(path, text, str(error)), "mend that line") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or brackets within brackets
        raise ConfigError(f"{path}: not TOML that can be read: {error}", "mend it") from None
    for problem in _unknown_keys(tree, Config, ()):
        raise _at(path, text, problem)
    try:
        config = msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        raise _at(path, text, _mistyped(tree, str(error))) from None
    for check in (*RULES, *checks):
        for problem in check(config):
            raise _at(path, text, problem)
    return config


def _at(path: Path, text: str, problem: Problem) -> ConfigError:
    where = ".".join(problem.path)
    return ConfigError(f"{path}:{line_of(text, problem.path)}: {where}: {problem.text}", problem.fix)


def _syntax(path: Path, text: str, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    if not found:
        return f"{path}:{len(text.rstrip().splitlines()) or 1}: not TOML: {message}"
    return f"{path}:{found.group(1)}: not TOML: {message[: found.start()].strip()} (column {found.group(2)})"


def _unknown_keys(tree: Any, kind: Any, path: tuple[str, ...]) -> Iterable[Problem]:
    """Every key that no field reads, with the nearest one that is."""
    if not isinstance(tree, dict):
        return
    if get_origin(kind) is dict:
        for key, value in tree.items():
            yield from _unknown_keys(value, get_args(kind)[1], (*path, key))
    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        return
    fields = {item.name: item.type for item in msgspec.structs.fields(kind)}
    for key, value in tree.items():
        if key in fields:
            yield from _unknown_keys(value, fields[key], (*path, key))
        else:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.4)
            known = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(fields)}"
            yield Problem((*path, key), "unknown key", known)


def _mistyped(tree: Any, message: str) -> Problem:
    """Where a validation error is: `... - at `$.job[...].every`` names dict entries only as `[...]`."""
    what, _, where = message.partition(" - at `$")
    where = where.rstrip("`")
    for section, entries in tree.items():
        if where.startswith(f".{section}[...]") and isinstance(entries, dict):
            for name, entry in entries.items():
                kind = get_args({f.name: f.type for f in msgspec.structs.fields(Config)}[section])[1]
                try:
                    msgspec.convert(entry, kind, strict=True)
                except msgspec.ValidationError as error:
                    inner, _, rest = str(error).partition(" - at `$")
                    return Problem((section, name, *_keys(rest.rstrip("`"))), inner)
    return Problem(_keys(where), what)


def _keys(where: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[A-Za-z0-9_]+", where.replace("[...]", "")))


__all__ = ["Check", "Problem", "load", "parse"]
