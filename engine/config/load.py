"""Is `quarterdeck.toml` good, and what does it say? If not: file, line, what is wrong, and the nearest right word."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

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


def _mistyped(value: Any, message: str, kind: Any = Config, path: tuple[str, ...] = ()) -> Problem:
    """Where a validation error is: `... - at `$.job[...].every`` names dict entries only as `[...]`."""
    what, _, where = message.partition(" - at `$")
    before, entry_of, _ = where.rstrip("`").partition("[...]")
    keys = _keys(before)
    if entry_of:
        entries, entry_kind = _value_at(value, keys), get_args(_kind_at(keys, kind))[1]
        for name, entry in entries.items():
            try:
                msgspec.convert(entry, entry_kind, strict=True)
            except msgspec.ValidationError as error:
                return _mistyped(entry, str(error), entry_kind, (*path, *keys, name))
    return in_words(Problem((*path, *keys), what), _kind_at(keys, kind))


def _value_at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = value[int(key) if isinstance(value, list) else key]
    return value


def _keys(where: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[A-Za-z0-9_]+", where.replace("[...]", "")))


def in_words(problem: Problem, kind: Any) -> Problem:
    """What a validator says of a value, as an operator would: what stands there, and what may."""
    if found := _ENUM.fullmatch(problem.text):
        said, choices = found.group(1)[1:-1], [str(choice) for choice in _choices(kind)]
        near = difflib.get_close_matches(said, choices, n=1)
        fix = f"did you mean '{near[0]}'?" if near else "write one of these"
        return msgspec.structs.replace(problem, text=f"'{said}' is none of {', '.join(choices)}", fix=fix)
    if found := _MISSING.fullmatch(problem.text):
        return msgspec.structs.replace(problem, text=f"it needs {found.group(1)}", fix=f"add {found.group(1)} = ...")
    if found := _TYPE.fullmatch(problem.text):
        wanted, got = (_words(kinds) for kinds in found.groups())
        example = _EXAMPLES.get(found.group(1).removesuffix(" | null"), "")
        text = f"it is {got}, where {wanted} belongs"
        return msgspec.structs.replace(problem, text=text, fix=f"write {wanted}{example}")
    return problem


_ENUM = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date",
    "datetime": "a time",
    "time": "a time",
}
_EXAMPLES = {"str": ', like "this"', "array": ', like ["this"]'}


def _words(kinds: str) -> str:
    """Of `str | null`: in TOML there is no null."""
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds.split(" | ") if kind != "null")


def _kind_at(path: tuple[str, ...], kind: Any) -> Any:
    """The type of what lies there in a value of this type."""
    for key in path:
        for one in (kind, *get_args(kind)):
            if isinstance(one, type) and issubclass(one, Struct):
                kind = {item.name: item.type for item in msgspec.structs.fields(one)}.get(key)
                break
            if get_origin(one) in (dict, tuple):
                kind = get_args(one)[1 if get_origin(one) is dict else 0]
                break
    return kind


def _choices(kind: Any) -> tuple[Any, ...]:
    """Of a literal, also of one that may be left out."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(choice for one in get_args(kind) for choice in _choices(one))


__all__ = ["Check", "Problem", "load", "parse"]
