"""Where do agent CLIs keep their session logs on this machine?

Answers from the environment alone; whether a folder exists today is the reader's business, since it may appear later.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.contract.usage import LogRoot

Homes = tuple[tuple[str, str], ...]
"""More homes of clients: the source, and the folder."""


def log_roots(environ: Mapping[str, str], homes: Homes = ()) -> tuple[LogRoot, ...]:
    """Every log folder that the clients would use in this environment, each once.

    Claude Code: `CLAUDE_CONFIG_DIR` (several, separated by commas), else `$XDG_CONFIG_HOME/claude` and `~/.claude`.
    Codex: `CODEX_HOME`, else `~/.codex`.
    OpenClaw: `OPENCLAW_STATE_DIR`, else `.openclaw` and its older names below `OPENCLAW_HOME`, else below `~`.
    opencode: `$XDG_DATA_HOME/opencode`, else `~/.local/share/opencode`. `~` is `HOME` of the environment given.
    Gemini CLI: `.gemini` below `GEMINI_CLI_HOME`, else below `~`.
    """
    roots: dict[Path, LogRoot] = {}
    for source, home, folder in (*_candidates(environ), *_declared(homes)):
        resolved = _resolve(home)
        if not _is_utf8(str(resolved)):
            continue  # it could be neither told nor stored
        root = LogRoot(source=source, provider_home=str(resolved), folder=folder)
        roots.setdefault(_resolve(resolved / folder), root)
    return tuple(roots.values())


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, str]]:
    for home in _claude_homes(environ):
        yield "claude_code", home, "projects"
    for home in _listed(environ, environ.get("CODEX_HOME", "")) or _below_home(environ, ".codex"):
        yield "codex", home, "sessions"
        yield "codex", home, "archived_sessions"
    for parent in _listed(environ, environ.get("GEMINI_CLI_HOME", "")) or _below_home(environ, ""):
        yield "gemini", parent / ".gemini", "tmp"
    for home in _openclaw_homes(environ):
        yield "openclaw", home, "agents"
    for home in _opencode_homes(environ):
        yield "opencode", home, "storage/message"
        yield "opencode", home, ""


def _declared(homes: Homes) -> Iterator[tuple[str, Path, str]]:
    folders = {"claude_code": ("projects",), "codex": ("sessions", "archived_sessions")}
    for source, home in homes:
        for folder in folders.get(source, ()):
            yield source, Path(home), folder


def _claude_homes(environ: Mapping[str, str]) -> list[Path]:
    entries = [part for entry in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if (part := entry.strip())]
    listed = [home for entry in entries for home in _listed(environ, entry)]
    if listed:
        return listed
    # The XDG specification says that a relative path is to be ignored.
    config = environ.get("XDG_CONFIG_HOME", "")
    named = [Path(config) / "claude"] if config.startswith("/") else _below_home(environ, ".config/claude")
    return named + _below_home(environ, ".claude")


def _openclaw_homes(environ: Mapping[str, str]) -> list[Path]:
    named = _listed(environ, environ.get("OPENCLAW_STATE_DIR", ""))
    if named:
        return named
    parents = _listed(environ, environ.get("OPENCLAW_HOME", "")) or _below_home(environ, "")
    return [parent / name for parent in parents for name in (".openclaw", ".clawdbot", ".moltbot", ".moldbot")]


def _opencode_homes(environ: Mapping[str, str]) -> list[Path]:
    data = environ.get("XDG_DATA_HOME", "")
    return [Path(data) / "opencode"] if data.startswith("/") else _below_home(environ, ".local/share/opencode")


def _listed(environ: Mapping[str, str], entry: str) -> list[Path]:
    if entry == "~" or entry.startswith("~/"):
        return _below_home(environ, entry[2:])
    return [Path(entry)] if entry else []


def _below_home(environ: Mapping[str, str], relative: str) -> list[Path]:
    home = environ.get("HOME")
    return [Path(home) / relative] if home else []


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links: no log can be in it, but the name is still worth showing
        return path.absolute()
