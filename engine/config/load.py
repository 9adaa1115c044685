"""Is `quarterdeck.toml` good, and what does it say? If not: file, line, what is wrong, and the nearest right word."""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from engine.config.durations import seconds
from engine.config.locate import line_of
from engine.config.model import Config
from state.errors import ConfigError

DEAREST = 10_000
"""Dollars per million tokens: what is above is not a price in this unit."""
WIDEST_CONTEXT = 10**9
"""Tokens."""


class Problem(Struct, frozen=True):
    """Something wrong at one place of the tree."""

    path: tuple[str, ...]
    text: str
    fix: str = ""


Check = Callable[[Config], Iterable[Problem]]
"""A rule that a decoded configuration must meet; rooms that know more than this one hand theirs in."""


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
    for problem in _unknown_keys(tree, Config, ()):
        raise _at(path, text, problem)
    try:
        config = msgspec.convert(tree, Config, strict=True)
    except msgspec.ValidationError as error:
        raise _at(path, text, _mistyped(tree, str(error))) from None
    for check in (_durations, _references, _prices, *checks):
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


def _durations(config: Config) -> Iterable[Problem]:
    named: list[tuple[tuple[str, ...], str | None]] = [
        (("engine", "idle_exit"), config.engine.idle_exit),
        (("limits", "timeout"), config.limits.timeout),
        (("limits", "timeout_max"), config.limits.timeout_max),
        (("limits", "grace"), config.limits.grace),
        *((("agent", name, "timeout"), agent.timeout) for name, agent in config.agent.items()),
        *((("job", name, "timeout"), job.timeout) for name, job in config.job.items()),
        *((("job", name, "every"), job.every) for name, job in config.job.items()),
    ]
    for path, text in named:
        if text is not None:
            try:
                if seconds(text) <= 0:
                    yield Problem(path, "must be more than zero")
            except ValueError as error:
                yield Problem(path, str(error))


def _references(config: Config) -> Iterable[Problem]:
    """Names that must lead somewhere, and the rules that one entry alone cannot see."""
    for name, agent in config.agent.items():
        if agent.adapter == "command" and not agent.argv:
            yield Problem(("agent", name), "the command adapter needs argv", 'add argv = ["program", "argument"]')
        if agent.skills is not None and agent.skills not in config.skill_set:
            yield Problem(("agent", name, "skills"), *_no_such("skill set", agent.skills, config.skill_set))
    for name, budget in config.budget.items():
        if budget.tokens < 0:
            yield Problem(("budget", name, "tokens"), "must not be negative")
        if not 0 < budget.warn_at <= 1:
            yield Problem(("budget", name, "warn_at"), "must be above 0 and at most 1")
        if budget.agent is not None and budget.agent not in config.agents:
            yield Problem(("budget", name, "agent"), *_no_such("agent", budget.agent, config.agents))
        if budget.job is not None and budget.job not in config.job:
            yield Problem(("budget", name, "job"), *_no_such("job", budget.job, config.job))
    for name, job in config.job.items():
        if (job.every is None) == (job.cron is None):
            yield Problem(("job", name), "needs exactly one of every and cron", 'for instance every = "10m"')
        if job.agent not in config.agents:
            yield Problem(("job", name, "agent"), *_no_such("agent", job.agent, config.agents))


def _prices(config: Config) -> Iterable[Problem]:
    for name, price in config.prices.items():
        for key, value in msgspec.structs.asdict(price).items():
            if key == "context_window":
                if value is not None and not 0 < value <= WIDEST_CONTEXT:
                    yield Problem(("prices", name, key), f"must be from 1 to {WIDEST_CONTEXT:,}", "in tokens")
            elif value is not None and not 0 <= value <= DEAREST:
                yield Problem(("prices", name, key), f"must be from 0 to {DEAREST:,}", "dollars per million tokens")


def _no_such(kind: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return (
        f"there is no {kind} '{name}'",
        f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names) or 'none'}",
    )
