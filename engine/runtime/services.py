"""Where does an adapter find what it speaks to, as the operator declared it, and what is its key?

Keys are references; their values are looked up only when a run starts, and handed to its keeper alone.
"""

import os
import re
import stat
import subprocess
from pathlib import Path

from msgspec import Struct

from engine.adapters.registry import adapter
from engine.config.durations import seconds
from engine.config.model import AdapterDefaults, Agent, Config
from engine.contract.launch import Service
from state.errors import Refused

_TELLING = re.compile(r"KEY|TOKEN|SECRET|PASSW|AUTH|CREDENTIAL", re.IGNORECASE)
"""In the name of a variable whose value nobody should see."""
COMMAND_S = 20.0
"""How long a `cmd:` may take."""
MOST_BYTES = 64 * 1024


def service_of(adapter_name: str, agent: Agent, config: Config) -> Service:
    """As the agent says, else its adapter. What an agent says holds for its own adapter only: a model may name another,
    who must neither get its key nor be sought at its server."""
    declared, own = config.adapter.get(adapter_name, AdapterDefaults()), adapter_name == agent.adapter
    return Service(
        program=expanded(declared.program),
        home=expanded(agent.home if own else None),
        base_url=(agent.base_url if own else None) or declared.base_url,
        api=declared.api,
        idle_s=seconds(declared.idle),
        key_known=key_of(adapter_name, agent, config) is not None,
    )


def key_of(adapter_name: str, agent: Agent, config: Config) -> str | None:
    """The reference to the key of its runs; None when there is none, or the program finds one itself."""
    declared = config.adapter.get(adapter_name, AdapterDefaults()).key
    if adapter_name == agent.adapter and agent.key is not None:
        return agent.key
    if declared is not None:
        return declared
    usual = adapter(adapter_name).key_env
    return f"env:{usual}" if usual is not None and usual in os.environ else None


class Handed(Struct, frozen=True):
    """What a run gets that is written nowhere."""

    values: dict[str, str]
    """By the variables that they come in."""
    hidden: tuple[str, ...]
    """These values, and those of its `env` by whose names they are secret, too."""


def references_of(adapter_name: str, agent: Agent, config: Config) -> dict[str, str]:
    """The references to the key and the secrets of its runs, by their variables."""
    variable, key = adapter(adapter_name).key_env, key_of(adapter_name, agent, config)
    return ({variable: key} if variable is not None and key is not None else {}) | agent.secrets


def handed(adapter_name: str, agent: Agent, config: Config) -> Handed:
    """Looked up now. Raises Refused."""
    values = {}
    for name, reference in references_of(adapter_name, agent, config).items():
        try:
            values[name] = look_up(reference)
        except Refused as error:
            why = _said(name, reference, str(error), adapter_name, agent, config)
            raise Refused(why, error.fix) from error
    telling = [os.environ[name] for name in agent.env if name in os.environ and _TELLING.search(name)]
    return Handed(values, (*values.values(), *telling))


def unresolved(adapter_name: str, agent: Agent, config: Config) -> tuple[str, str]:
    """Why a run of this agent would not get its key and its secrets, and what to do; empty when it would, as far as
    that can be told without asking a command."""
    for name, reference in references_of(adapter_name, agent, config).items():
        why, fix = missing(reference)
        if why:
            return _said(name, reference, why, adapter_name, agent, config), fix
    return "", ""


def _said(name: str, reference: str, why: str, adapter_name: str, agent: Agent, config: Config) -> str:
    """What is wrong with the reference for this variable, and where that is declared."""
    secret, kind = name in agent.secrets, reference.partition(":")[0]
    if kind == "env" and not secret:
        return f"its key is {reference}, which is not set in the engine's environment"
    own = secret or (adapter_name == agent.adapter and agent.key is not None)
    whose = next((f"[agent.{one}]" for one, entry in config.agents.items() if entry is agent), "its agent")
    return f"{name} ({kind}: in {whose if own else f'[adapter.{adapter_name}]'}): {why}"


def missing(reference: str) -> tuple[str, str]:
    """What a reference lacks, and what to do; empty when nothing, or when only its command can tell."""
    kind, _, rest = reference.partition(":")
    try:
        if kind == "env":
            look_up(reference)
        elif kind == "file":
            _check_file(Path(rest).expanduser())
        elif kind != "cmd":
            raise _no_reference(kind)
    except Refused as error:
        return str(error), error.fix
    return "", ""


def look_up(reference: str) -> str:
    """The value behind a reference. Raises Refused, which says what is missing, never what was found."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        if rest not in os.environ:
            raise Refused(f"{rest} is not set in the engine's environment", "set it, and restart: qd engine stop")
        return os.environ[rest]
    if kind == "file":
        return _from_file(Path(rest).expanduser())
    if kind == "cmd":
        return _from_command(rest)
    raise _no_reference(kind)


def _no_reference(kind: str) -> Refused:
    return Refused(f"'{kind}:' is no reference", "write env:NAME, file:/path or cmd:program")


def _from_file(path: Path) -> str:
    _check_file(path)
    try:
        with path.open(encoding="utf-8") as file:
            value = file.read(MOST_BYTES).strip()
    except UnicodeDecodeError as error:  # whose words would show what is in it
        raise Refused(f"the key in {path} is no text", "write it as one line") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not value:
        raise Refused(f"there is no key in {path}", "write it there")
    return value


def _check_file(path: Path) -> None:
    """Raises Refused when it is not there, or not for its owner alone."""
    try:
        info = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(info.st_mode):
        raise Refused(f"{path} is no file", "check the path in the configuration")
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(f"{path} can be read by others", f"chmod 600 {path}")
    if not os.access(path, os.R_OK):
        raise Refused(f"{path} cannot be read by you", f"chown it: {path}")


def _unreadable(path: Path, error: OSError) -> Refused:
    return Refused(f"cannot read the key in {path}: {error.strerror}", "check the path in the configuration")


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(
            ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"the command did not answer: {type(error).__name__}", "try it in a shell") from None
    value = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0 or not value:
        answer = "" if value else " and no answer"
        raise Refused(f"the command exited with code {done.returncode}{answer}", "try it in a shell")
    return value[:MOST_BYTES]


def expanded(folder: str | None) -> str | None:
    return None if folder is None else str(Path(folder).expanduser())
