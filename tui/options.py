"""How is this console to be? A flag says it for one console, the environment for a shell, the configuration for all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.config.console import Alerts, ConsoleConfig
from state.home import Home

LOW_BANDWIDTH_S = 1.0
"""How often a console on a slow link looks for changes."""


class Flags(Struct, frozen=True):
    """What was typed after `qd`; None where nothing was said."""

    theme: str | None = None
    refresh_s: float | None = None
    low_bandwidth: bool = False
    ascii: bool = False
    no_mouse: bool = False
    read_only: bool = False
    plain: bool = False


class Options(Struct, frozen=True):
    """What holds for one console."""

    theme: str | None
    """None: what suits the terminal."""
    refresh_s: float
    low_bandwidth: bool
    ascii: bool
    mouse: bool
    color: bool
    """False under NO_COLOR, whichever theme it is."""
    read_only: bool
    console: ConsoleConfig
    alerts: Alerts


class _Declared(Struct, frozen=True):
    """The part of the configuration that is a console's; the rest is not looked at before the first paint."""

    console: ConsoleConfig = ConsoleConfig()
    alerts: Alerts = Alerts()


def options(flags: Flags, environ: Mapping[str, str], declared: Any) -> Options:
    """`declared` is anything with `console` and `alerts`: a Config, or what `declared_in` found."""
    console: ConsoleConfig = declared.console
    low = flags.low_bandwidth or console.low_bandwidth
    told = flags.refresh_s if flags.refresh_s is not None else console.refresh_s
    return Options(
        theme=flags.theme or ("ansi" if low else console.theme),
        refresh_s=max(told, LOW_BANDWIDTH_S) if low else told,
        low_bandwidth=low,
        ascii=flags.ascii or console.ascii or not _speaks_unicode(environ),
        mouse=console.mouse and not flags.no_mouse and not low,
        color=not environ.get("NO_COLOR"),
        read_only=flags.read_only or console.read_only or bool(environ.get("QUARTERDECK_READ_ONLY")),
        console=console,
        alerts=declared.alerts,
    )


def declared_in(home: Home) -> _Declared:
    """What the configuration says of consoles: as it was edited last, or else as it is in force, and defaults where
    neither can be read: the feed says why, later. The engine may not have taken the last edit up yet, and a title that
    was switched off must not be set until it has."""
    import tomllib

    for path in (home.config_file, home.config_in_force):
        try:
            return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Declared)
        except (OSError, ValueError, msgspec.ValidationError):
            continue
    return _Declared()


def here(flags: Flags, home: Home) -> Options:
    """How a console of this process is to be. One that only looks tells so the verbs that are typed in it."""
    said = options(flags, as_started(os.environ), declared_in(home))
    if said.read_only:
        os.environ["QUARTERDECK_READ_ONLY"] = "1"
    return said


def as_started(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment as it was given to us: for the C locale, the interpreter itself puts LC_CTYPE there."""
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(environ)
    ours = any(entry.startswith(b"LC_CTYPE=") for entry in given)
    return {name: value for name, value in environ.items() if ours or name != "LC_CTYPE"}


def _speaks_unicode(environ: Mapping[str, str]) -> bool:
    """By the locale, as every terminal program goes by it; the C locale of old means ASCII."""
    said = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return "utf" in said.casefold() or said == ""
