"""In which folder does Codex find its settings, so that it adds no more of them to a prompt than may be kept?

A run gets a folder of ours as its CODEX_HOME, with what it may keep. Login, conversations and the locks of those are
links to the real one, so that a conversation can go on in either, the reader of its logs finds it, and a renewed login
stays (Codex writes through the link, as measured). The rest of the real one is only read: a run that could write
settings or hooks there could have the operator's own program carry out anything. Runs at once share a folder, whatever
else they differ in.
"""

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.contract.launch import Service
from engine.contract.route import Keep
from state.errors import Refused

SHARED_FOLDERS = ("sessions", "archived_sessions", "thread-writer-locks")
LOGIN = "auth.json"
_LINKED: dict[Keep, tuple[str, ...]] = {
    "settings": ("rules", "prompts", "hooks.json"),
    "instructions": ("AGENTS.md", "AGENTS.override.md"),
    "memory": ("memories",),
    "mcp": (".credentials.json",),
    "skills": ("skills",),
}
_NEVER = ("plugins", "agents", "commands", "managed_config.toml", "requirements.toml")
"""What tells Codex what to do, too, and is nobody's to keep: a run may have left it there for the next one."""
_REACH = (
    "model",
    "model_provider",
    "model_providers",
    "model_reasoning_effort",
    "model_catalog_json",
    "oss_provider",
    "openai_base_url",
    "chatgpt_base_url",
    "forced_login_method",
    "forced_chatgpt_workspace_id",
    "cli_auth_credentials_store",
)
"""Settings that say which model it is and how it is reached: kept in any case."""


class CodexHome(Struct, frozen=True):
    """Where a run finds what is Codex's own."""

    folder: str
    """Its CODEX_HOME."""
    real: str
    """The operator's."""
    writable: tuple[str, ...]
    readable: tuple[str, ...]


def real_home(service: Service, environ: Mapping[str, str]) -> Path:
    """The folder that Codex would take by itself, unless one is declared."""
    named = service.home or environ.get("CODEX_HOME")
    return Path(named).expanduser().absolute() if named else Path.home() / ".codex"


def prepare(real: Path, agent_state: Path, keep: tuple[Keep, ...] | None) -> CodexHome:
    """The folder for a run that may keep this. Raises Refused where the settings cannot be read, and OSError."""
    real.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = [part for part in _LINKED if keep is None or part in keep]
    folder = agent_state / "-".join(["home", hashlib.sha256(os.fsencode(real)).hexdigest()[:12], *kept])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put(folder / "config.toml", _settings(real, keep))
    for shared in SHARED_FOLDERS:
        (real / shared).mkdir(mode=0o700, exist_ok=True)
    for name in (*SHARED_FOLDERS, LOGIN):
        _link(folder / name, real / name)
    readable = []
    for part, name in ((part, name) for part, names in _LINKED.items() for name in names):
        if part in kept and (real / name).exists():
            _link(folder / name, real / name)
            readable.append(str(real / name))
        else:  # also what a run has left there for the next one
            _remove(folder / name)
    for name in _NEVER:
        _remove(folder / name)
    still = [str(real / name) for name in (*SHARED_FOLDERS, LOGIN) if (real / name).exists()]
    return CodexHome(str(folder), str(real), (str(folder), *still), tuple(readable))


def _settings(real: Path, keep: tuple[Keep, ...] | None) -> str:
    """What is kept of its config.toml."""
    try:
        text = (real / "config.toml").read_text(encoding="utf-8")
        if keep is None:
            return text
        tree = tomllib.loads(text)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"cannot read {real / 'config.toml'}: {error}", "correct it, or keep the settings") from error
    return _as_toml({name: value for name, value in tree.items() if _is_kept(name, keep)})


def _is_kept(name: str, keep: tuple[Keep, ...]) -> bool:
    if name == "mcp_servers":
        return "mcp" in keep
    return "settings" in keep or name in _REACH


def _as_toml(tree: dict[str, Any]) -> str:
    import tomlkit  # 50 ms that only a run of this kind needs

    return tomlkit.dumps(tree)


def _put(path: Path, text: str) -> None:
    """Replaced as a whole, and only where it differs: another run may be reading it."""
    if path.is_file() and not path.is_symlink() and path.read_bytes() == text.encode():
        return
    if path.is_dir() and not path.is_symlink():
        _remove(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    if path.is_dir() and not path.is_symlink():  # Codex has made its own where there was nothing to link
        _remove(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".link.") as aside:
        made = Path(aside, path.name)
        made.symlink_to(target)
        made.replace(path)
