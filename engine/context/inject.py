"""Which files go into this prompt? Exactly those on the inject list, each inside the workspace, each under the cap."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

FILE_CAP_BYTES = 512 * 1024
"""A larger file is refused: nobody injects half a megabyte into every prompt on purpose."""


class InjectedFile(Struct, frozen=True):
    """A file as it stood when it was read; the prompt carries this text, whatever happens to the file later."""

    name: str
    """As on the inject list."""
    path: str
    """Absolute, links resolved."""
    text: str


class InjectProblem(Struct, frozen=True):
    """Why a name on the inject list cannot be used."""

    name: str
    why: str
    fix: str


def read_injected(workspace: Path, names: Sequence[str]) -> tuple[list[InjectedFile], list[InjectProblem]]:
    """Read every file on the list, in its order, once each, whatever names lead to it."""
    files: dict[str, InjectedFile] = {}
    problems: list[InjectProblem] = []
    for name in dict.fromkeys(names):
        found = _read(workspace, name)
        if isinstance(found, InjectedFile):
            files.setdefault(found.path, found)
        else:
            problems.append(found)
    return list(files.values()), problems


def _read(workspace: Path, name: str) -> InjectedFile | InjectProblem:
    try:
        path = (workspace / name).resolve(strict=True)
        if not path.is_relative_to(workspace.resolve()):
            return InjectProblem(name, "it lies outside the workspace", "copy it in, or choose another workspace")
        if not path.is_file():
            return InjectProblem(name, "it is not a regular file", "name files, not folders")
        size = path.stat().st_size
        if size > FILE_CAP_BYTES:
            return InjectProblem(name, f"{size:,} bytes are over the cap of {FILE_CAP_BYTES:,}", "inject an excerpt")
        return InjectedFile(name=name, path=str(path), text=path.read_bytes().decode("utf-8", "replace"))
    except (OSError, RuntimeError, ValueError) as error:
        why = "it does not exist" if isinstance(error, FileNotFoundError) else _plain(error)
        return InjectProblem(name, f"{why} in {workspace}", "check the name; it is relative to the workspace")


def _plain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
