"""What is usable on this machine, and what should be done about the rest?"""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.admission.words import many
from engine.config.load import load
from engine.config.model import Config
from engine.execution.sandbox import sandbox_findings
from engine.proof.adapters import adapter_findings, surroundings
from engine.proof.finding import Finding
from engine.proof.install import linger_command, lingers, unit_path
from engine.runtime.boot import starts_after_boot
from engine.runtime.lease import holder
from engine.runtime.settings import CHECKS, load_in_force, load_strict, zone_name
from engine.telemetry.catalog import folder_of, survey
from engine.telemetry.roots import log_roots
from engine.tokens.count import count_tokens
from state import ledger, logs
from state.database import SQLITE_VERSION, Connection, open_reader
from state.errors import QuarterdeckError
from state.home import Home, prepare

FIXED_SQLITE = (3, 51, 3)
"""Before it, two processes that write or checkpoint at once can corrupt a WAL; hence our one writer."""

_PERMISSIONS = "check its owner and permissions"
_HOMES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "OPENCLAW_STATE_DIR", "OPENCLAW_HOME")
"""Variables that name a client's home in place of the usual one."""


def examine(home: Home, only_look: bool = False) -> list[Finding]:
    """Look at everything. Changes nothing but that the state folder is made, and not even that with `only_look`."""
    return [
        *_machine(),
        *_state(home, only_look),
        *_config(home),
        *_engine(home),
        *_adapters(home),
        *_clients(),
        *(Finding(*told) for told in sandbox_findings()),
        *_logs(home, os.environ),
    ]


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


def _state(home: Home, only_look: bool) -> Iterator[Finding]:
    if only_look and not home.state.exists():
        yield Finding("state", "note", f"{home.state} is not there yet")
        return
    try:
        if not only_look:
            prepare(home)
        connection = open_reader(home)
        yield Finding("state", "ok", str(home.state))
        if connection is not None:
            yield _books(connection)
            connection.close()
    except QuarterdeckError as error:
        yield Finding("state", "problem", str(error), error.fix)
    except OSError as error:
        yield Finding("state", "problem", f"cannot use {error.filename}: {error.strerror}", _PERMISSIONS)
    text = f"SQLite {'.'.join(map(str, SQLITE_VERSION))}"
    safe = "" if SQLITE_VERSION >= FIXED_SQLITE else ", safe here because only the engine writes"
    yield Finding("sqlite", "ok", f"{text}{safe}")


def _books(connection: Connection) -> Finding:
    """Whether every reservation and every sum of a budget is what its entries add up to."""
    wrong = sorted({difference.budget for difference in ledger.replay(connection)})
    if wrong:
        text = f"the balances of {', '.join(wrong)} are not what their entries add up to"
        return Finding("ledger", "problem", text, "keep a copy of the state folder and report this")
    return Finding("ledger", "ok", "every balance is what its entries add up to")


def _config(home: Home) -> Iterator[Finding]:
    if not home.config_file.exists():
        yield Finding("configuration", "note", f"none at {home.config_file}: defaults apply", "write one: qd init")
    else:
        try:
            config = load(home.config_file, CHECKS)
            text = (
                f"{home.config_file}: {many(len(config.agent), 'agent')}, {many(len(config.job), 'job')},"
                f" {many(len(config.budget), 'budget')}"
            )
            yield Finding("configuration", "ok", text)
        except QuarterdeckError as error:
            yield Finding("configuration", "problem", str(error), error.fix)
    try:
        yield Finding("zone", "ok", zone_name(_looked_at(home)))
    except OSError as error:
        yield Finding("zone", "problem", f"cannot use {error.filename}: {error.strerror}", _PERMISSIONS)


def _engine(home: Home) -> Iterator[Finding]:
    found = holder(home)
    note = starts_after_boot()
    text = f"{found.version}, pid {found.pid}" if found else "not running; a console or an order starts it"
    fix = "" if note is None else "qd engine install"
    yield Finding(
        "engine", "ok" if note is None else "note", text if note is None else f"{text}. {note.rstrip('.')}", fix
    )
    if unit_path(os.environ).exists() and lingers() is False:
        yield Finding("lingering", "note", "its unit starts when you log in, not at boot", linger_command())


def _adapters(home: Home) -> Iterator[Finding]:
    try:
        config = _looked_at(home)
    except OSError:
        config = Config()
    yield from adapter_findings(config, surroundings(home, os.environ))


def _looked_at(home: Home) -> Config:
    """As it is written; while that is broken, which is told above, the one that is in force."""
    try:
        return load_strict(home)
    except QuarterdeckError:
        return load_in_force(home)


def _clients() -> Iterator[Finding]:
    """Whose logs are read, beside those that an adapter starts."""
    for name in ("gemini", "opencode"):
        path = shutil.which(name)
        if path:
            yield Finding(name, "ok", path)


def _logs(home: Home, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every folder that is looked at, those that are not there together; then what could not be read in them."""
    roots = log_roots(environ)
    found = survey(roots)
    counts = Counter(file.root for file in found.files)
    absent: dict[str, list[str]] = {}
    for root in roots:
        folder = folder_of(root)
        if os.path.isdir(folder):  # noqa: PTH112 - never raises
            yield Finding(root.source, "ok", f"{folder}: {many(counts[root], 'log')}")
        else:
            absent.setdefault(root.source, []).append(_below_home(str(folder), environ))
    if absent:
        told = "; ".join(f"{source} {', '.join(folders)}" for source, folders in absent.items())
        yield Finding("logs", "note", f"looked for and not there: {told}")
    yield from _named_homes(environ)
    for path, why in ({one.path: one.why for one in found.unreadable} | _problems(home)).items():
        yield Finding("log", "problem", f"cannot read {path}: {why}", _PERMISSIONS)


def _below_home(folder: str, environ: Mapping[str, str]) -> str:
    """`~/.codex/sessions`: many stand in one line."""
    user = environ.get("HOME", "").rstrip("/")
    return f"~{folder[len(user) :]}" if user and folder.startswith(f"{user}/") else folder


def _named_homes(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Homes that a variable names and that are not there: most likely a slip."""
    for name in _HOMES:
        several = name == "CLAUDE_CONFIG_DIR"
        fix = "separate several homes by commas" if several else f"mend or unset {name}"
        value = environ.get(name, "")
        for entry in (part.strip() for part in (value.split(",") if several else [value])):
            if entry and not os.path.isdir(_expanded(entry, environ)):  # noqa: PTH112 - never raises
                yield Finding("variable", "note", f"{name} names {entry}, which is no folder", fix)


def _expanded(entry: str, environ: Mapping[str, str]) -> Path:
    if entry == "~" or entry.startswith("~/"):
        return Path(environ.get("HOME", "")) / entry[2:]
    return Path(entry)


def _problems(home: Home) -> dict[str, str]:
    """What the last reading could not open; nothing where the books themselves cannot be read, which is told above."""
    try:
        connection = open_reader(home)
    except QuarterdeckError:
        return {}
    if connection is None:
        return {}
    try:
        return dict(logs.problems(connection))
    finally:
        connection.close()
