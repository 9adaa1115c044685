"""What is usable on this machine, and what should be done about the rest?"""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator

from msgspec import Struct

from engine.config.load import load
from engine.runtime.boot import starts_after_boot
from engine.runtime.lease import holder
from engine.runtime.settings import CHECKS, load_in_force, zone_name
from engine.telemetry.roots import log_roots
from engine.tokens.count import count_tokens
from state.database import SQLITE_VERSION
from state.errors import QuarterdeckError
from state.home import Home, prepare

FIXED_SQLITE = (3, 51, 3)
"""Before it, two processes that write or checkpoint at once can corrupt a WAL; hence our one writer."""


class Finding(Struct, frozen=True):
    """One thing looked at."""

    name: str
    level: str
    """`ok`, `note` or `problem`."""
    text: str
    fix: str = ""


def examine(home: Home) -> list[Finding]:
    """Look at everything; never changes anything but making the state folder."""
    return [*_machine(), *_state(home), *_config(home), _engine(home), *_clients(), *_logs()]


def _machine() -> Iterator[Finding]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    fix = "" if supported else "use Python 3.11, 3.12 or 3.13"
    yield Finding("python", "ok" if supported else "problem", platform.python_version(), fix)
    clash = [name for name in ("state", "engine", "tui") if len(_owners(name)) > 1]
    if clash:
        text = f"another package also installs {', '.join(clash)}"
        yield Finding("packages", "problem", text, "install Quarterdeck in an environment of its own: uv tool or pipx")
    try:
        count_tokens("quarterdeck")
        yield Finding("tokens", "ok", "vocabulary o200k_base, shipped and intact")
    except QuarterdeckError as error:
        yield Finding("tokens", "problem", str(error), error.fix)


def _owners(package: str) -> set[str]:
    return set(importlib.metadata.packages_distributions().get(package, ()))


def _state(home: Home) -> Iterator[Finding]:
    try:
        prepare(home)
        yield Finding("state", "ok", str(home.state))
    except QuarterdeckError as error:
        yield Finding("state", "problem", str(error), error.fix)
    level = "ok" if SQLITE_VERSION >= FIXED_SQLITE else "note"
    text = f"SQLite {'.'.join(map(str, SQLITE_VERSION))}"
    yield Finding("sqlite", level, text if level == "ok" else f"{text}, safe here because only the engine writes")


def _config(home: Home) -> Iterator[Finding]:
    if not home.config_file.exists():
        yield Finding("configuration", "note", f"none at {home.config_file}: defaults apply", "write one: qd init")
    else:
        try:
            config = load(home.config_file, CHECKS)
            text = (
                f"{home.config_file}: {len(config.agent)} agents, {len(config.job)} jobs, {len(config.budget)} budgets"
            )
            yield Finding("configuration", "ok", text)
        except QuarterdeckError as error:
            yield Finding("configuration", "problem", str(error), error.fix)
    yield Finding("zone", "ok", zone_name(load_in_force(home)))


def _engine(home: Home) -> Finding:
    found = holder(home)
    note = starts_after_boot()
    text = f"{found.version}, pid {found.pid}" if found else "not running; a console or an order starts it"
    return Finding("engine", "ok" if note is None else "note", f"{text}. {note or ''}".strip())


def _clients() -> Iterator[Finding]:
    for name in ("claude", "codex", "gemini", "opencode"):
        path = shutil.which(name)
        if path:
            yield Finding(name, "ok", path)


def _logs() -> Iterator[Finding]:
    for root in log_roots(os.environ):
        if os.path.isdir(root.folder):  # noqa: PTH112
            readable = os.access(root.folder, os.R_OK | os.X_OK)
            fix = "" if readable else "check its permissions"
            yield Finding(root.source, "ok" if readable else "problem", root.folder, fix)
