"""Which skills are on this machine? Folders with a SKILL.md, in the places where agents look for them."""

import errno
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from engine.context.stamp import Stamp, settled, stamp
from engine.tokens.count import count_tokens
from state.errors import NotFound, Refused
from state.skills import Skill

SKILL_CAP_BYTES = 512 * 1024
NO_UTF8 = "the name of its folder is no UTF-8"


def skill_folders(
    environ: Mapping[str, str], workspaces: Sequence[str], extra: Sequence[str]
) -> list[tuple[str, Path]]:
    """Where to look, each place with its origin; the first place that has a name wins."""
    user = Path(environ.get("HOME") or Path("~").expanduser())
    claude = Path(environ.get("CLAUDE_CONFIG_DIR", "").split(",")[0] or user / ".claude")
    codex = Path(environ.get("CODEX_HOME") or user / ".codex")
    config = Path(environ.get("XDG_CONFIG_HOME") or user / ".config")
    found = [("configured", _expanded(folder)) for folder in extra]
    for workspace in workspaces:
        found += [("workspace", _expanded(workspace) / name) for name in (".claude/skills", ".agents/skills", "skills")]
    found += [("user", config / "quarterdeck" / "skills"), ("user", user / ".agents" / "skills")]
    return [*found, ("claude_code", claude / "skills"), ("codex", codex / "skills")]


def discover(folders: Sequence[tuple[str, Path]]) -> list[Skill]:
    """Every skill below these folders, with what it costs; one that cannot be read says why."""
    skills: dict[str, Skill] = {}
    for origin, folder in folders:
        try:
            paths = sorted(folder.glob("*/SKILL.md")) if folder.is_dir() else []
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:  # as a log may name a workspace: there can be none
                continue
            skills.setdefault(str(folder), _unusable(origin, str(folder), folder.name, error))
            continue
        for path in paths:
            if not _is_utf8(path):
                named = os.fsencode(path).decode("utf-8", "replace")
                skills.setdefault(named, Skill(named, Path(named).parent.name, "", origin, 0, 0, "", NO_UTF8))
                continue
            seen = stamp(path)
            known = _kept(origin, path, seen) if seen and settled(seen) else _read(origin, path)
            skills.setdefault(str(path.resolve()), known)
    return list(skills.values())


def metadata_line(name: str, description: str, path: str) -> str:
    """What a prompt says of an allowed skill; its body is read when it is used."""
    return f"- {name}: {description} ({path})"


def read_skill(path: str) -> tuple[str, str]:
    """The text of a SKILL.md as it is now, and the SHA-256 of just these bytes. Raises NotFound or Refused."""
    if not Path(path).exists():
        raise NotFound(f"there is no {path}", "see: qd skills")
    try:
        raw = _bytes(Path(path))
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}", "see: qd skills") from None
    return raw.decode("utf-8", "replace"), hashlib.sha256(raw).hexdigest()


def _expanded(folder: str) -> Path:
    """With `~` filled in; one of a user who is not there stays as it is, and is not found."""
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        return Path(folder)


def _is_utf8(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _unusable(origin: str, path: str, name: str, error: OSError) -> Skill:
    return Skill(path, name, "", origin, 0, 0, "", error.strerror or str(error))


@lru_cache(maxsize=4096)
def _kept(origin: str, path: Path, seen: Stamp) -> Skill:
    """Read once for as long as its stamp stays: the engine looks every few seconds."""
    return _read(origin, path)


def _read(origin: str, path: Path) -> Skill:
    resolved = str(path.resolve())
    try:
        raw = _bytes(path)
    except OSError as error:
        return _unusable(origin, resolved, path.parent.name, error)
    head, body = _split(raw.decode("utf-8-sig", "replace"))
    name = head.get("name") or path.parent.name
    description = head.get("description", "")
    return Skill(
        path=resolved,
        name=name,
        description=description,
        origin=origin,
        meta_tokens=count_tokens(metadata_line(name, description, resolved)).tokens,
        body_tokens=count_tokens(body).tokens,
        sha256=hashlib.sha256(raw).hexdigest(),
        problem=None if description else "no description in its head: an agent cannot know when to use it",
    )


def _bytes(path: Path) -> bytes:
    """Raises OSError for what is too large or no regular file."""
    if not path.is_file():
        raise OSError("not a regular file")
    if path.stat().st_size > SKILL_CAP_BYTES:
        raise OSError(f"over {SKILL_CAP_BYTES:,} bytes")
    return path.read_bytes()


def _split(text: str) -> tuple[dict[str, str], str]:
    """The `key: value` head between two lines of `---`, and the rest. Folded and quoted values are joined."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    try:
        end = next(number for number, line in enumerate(lines[1:], start=1) if line.strip() == "---")
    except StopIteration:
        return {}, text
    head: dict[str, str] = {}
    key = ""
    for line in lines[1:end]:
        if line[:1].isspace() and key:
            head[key] = f"{head[key]} {line.strip()}".strip()
        elif ":" in line:
            key, _, value = line.partition(":")
            key, value = key.strip(), value.strip()
            head[key] = "" if value in ("|", ">", "|-", ">-") else value.strip("\"'")
    return head, "\n".join(lines[end + 1 :])
