"""How is the engine handed to systemd? The text of a user unit, and whether it would be there before anyone logs in."""

import contextlib
import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.config.model import Config
from engine.proof.adapters import PROGRAMS
from engine.runtime.services import expanded
from state.home import Home

UNIT = "quarterdeck.service"
KEYS = "engine.env"
"""Beside the configuration: a file of NAME=VALUE lines with mode 0600, for keys that `env:NAME` names."""
STANDARD = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_OTHERS = ("node", "git", "gemini", "opencode", "bwrap")
"""Beside the clients of adapters: what these and agents call."""
_SYSTEMD_S = 20.0
_LINES = """\
[Unit]
Description=Quarterdeck engine

[Service]
ExecStart={command}
{environment}
EnvironmentFile=-{keys}
# The default would end the keepers of live runs, too.
KillMode=process
Restart=on-failure
# A console may have started one: this one comes when that has gone.
RestartSec=10
UMask=0077

[Install]
WantedBy=default.target
"""


def unit_path(environ: Mapping[str, str]) -> Path:
    """Where the units of this user are."""
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path(environ.get("HOME") or "~").expanduser() / ".config"
    return folder / "systemd" / "user" / UNIT


def unit_text(home: Home, config: Config, environ: Mapping[str, str]) -> str:
    """The unit: everything in it is absolute, and nothing in it is secret."""
    command = (sys.executable, "-P", "-m", "tui.cli.main", "engine")
    variables = {"PATH": os.pathsep.join(search_path(config, environ)), **_home_variables(home, environ)}
    if not _is_installed():
        variables["PYTHONPATH"] = str(_root())
    return _LINES.format(
        command=" ".join(_quoted(word).replace("$", "$$") for word in command),
        environment="\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()),
        keys=_specifiers(str(home.config / KEYS)),
    )


def search_path(config: Config, environ: Mapping[str, str]) -> list[str]:
    """The folders of the programs that agents need, as they are found now, and the usual ones."""
    declared = [expanded(one.program) or "" for one in config.adapter.values() if one.program]
    own = [agent.argv[0] for agent in config.agent.values() if agent.argv]
    wanted = (*declared, *own, *(program.usual for program in PROGRAMS), *_OTHERS)
    return list(dict.fromkeys((*_folders(wanted, environ.get("PATH")), *STANDARD)))


def _folders(programs: Iterable[str], search: str | None) -> Iterable[str]:
    """Of the links that are on the PATH, not of what they lead to: a newer version replaces them."""
    for program in programs:
        found = shutil.which(program, path=search)
        if found is not None and os.path.isabs(found):  # noqa: PTH117
            yield str(Path(found).parent)


def _home_variables(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """What leads this very process to its two folders."""
    if home.config == home.state:
        return {"QUARTERDECK_HOME": str(home.config)}
    return {name: environ[name] for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME") if environ.get(name)}


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _is_installed() -> bool:
    """Whether Python finds us without being told."""
    told = {str(Path(entry).resolve()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    return str(_root()) not in told and "site-packages" in str(_root())


def _quoted(word: str) -> str:
    """As systemd reads it: in quotes, and without specifiers."""
    escaped = _specifiers(word.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def systemd(*words: str) -> str | None:
    """Ask a program of systemd, and be told why it cannot; None when it did. Both run without a terminal."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SYSTEMD_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{words[0]}: {getattr(error, 'strerror', None) or type(error).__name__}"
    if done.returncode == 0:
        return None
    return (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]


def lingers() -> bool | None:
    """Whether this user's units start at boot, before anyone logs in; None when nobody can say."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, KeyError):
        words = ["loginctl", "show-user", getpass.getuser(), "--property=Linger", "--value"]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SYSTEMD_S, check=False
        )
        told = done.stdout.strip().removeprefix("Linger=")
        return {"yes": True, "no": False}.get(told) if done.returncode == 0 else None
    return None


def linger_command() -> str:
    """What to say to have them."""
    return f"loginctl enable-linger {getpass.getuser()}"
