"""Which workspace does a folder below Gemini CLI's `tmp` stand for?

The folder is named by a slug or, in older versions, by the SHA-256 of the workspace's path. Two files of the client
tell the path: `.project_root` in the folder itself, and the registry `projects.json` in the client's home.
"""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.telemetry.rows import BadRow, decode
from engine.telemetry.source import LogFile

_LARGEST_BYTES = 1024 * 1024


class _Registry(Struct):
    projects: dict[str, str] = {}


_REGISTRY = msgspec.json.Decoder(_Registry)


def workspace_of(log: LogFile) -> str | None:
    """The absolute path, `None` where neither file tells."""
    home, folder = Path(log.root.provider_home), log.parts[0]
    marker = _bytes_of(home / log.root.folder / folder / ".project_root").decode("utf-8", "replace").strip()
    if marker.startswith("/"):
        return marker
    try:
        projects = decode(_REGISTRY, _bytes_of(home / "projects.json") or b"{}").projects
    except BadRow:
        return None
    return next((path for path, slug in projects.items() if folder in (slug, _hash(path))), None)


def _hash(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "replace")).hexdigest()


def _bytes_of(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except OSError:
        return b""
