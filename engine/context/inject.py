"""Which files go into this prompt? Exactly those on the inject list, each inside the workspace, each under the caps."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from engine.context.stamp import Stamp, settled, stamp_of
from engine.tokens.count import count_tokens

FILE_CAP_BYTES = 512 * 1024
"""A larger file is refused: nobody injects half a megabyte into every prompt on purpose."""
_KEPT = 64
"""Texts of files that are kept, so that a preview at each key pressed reads and counts nothing twice."""


class InjectedFile(Struct, frozen=True):
    """A file as it stood when it was read; the prompt carries this text, whatever happens to the file later."""

    name: str
    """As on the inject list."""
    path: str
    """Absolute, links resolved."""
    text: str
    tokens: int
    sha256: str
    """Of the text."""


class InjectProblem(Struct, frozen=True):
    """Why a name on the inject list cannot be used."""

    name: str
    why: str
    fix: str


class Counted(Struct, frozen=True):
    """A text with what is known of it."""

    text: str
    tokens: int
    sha256: str


def counted(text: str) -> Counted:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Counted(text, count_tokens(text).tokens, digest)


def read_injected(
    workspace: Path, names: Sequence[str], file_tokens: int
) -> tuple[list[InjectedFile], list[InjectProblem]]:
    """Read every file on the list, in its order, once each, whatever names lead to it.

    `file_tokens` is what one of them may have at most.
    """
    files: dict[str, InjectedFile] = {}
    problems: list[InjectProblem] = []
    for name in dict.fromkeys(names):
        found = _within(workspace, name)
        if isinstance(found, InjectedFile) and found.tokens > file_tokens:
            found = _too_long(found, file_tokens)
        if isinstance(found, InjectedFile):
            files.setdefault(found.path, found)
        else:
            problems.append(found)
    return list(files.values()), problems


def _within(workspace: Path, name: str) -> InjectedFile | InjectProblem:
    try:
        root = workspace.resolve()
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root):
            return InjectProblem(name, "it lies outside the workspace", "copy it in, or choose another workspace")
        if not path.is_file():
            return InjectProblem(name, "it is not a regular file", "name files, not folders")
        stamp = stamp_of(path.stat())
        size = stamp[2]
        if size > FILE_CAP_BYTES:
            return InjectProblem(name, f"{size:,} bytes are over the cap of {FILE_CAP_BYTES:,}", "inject an excerpt")
        known = _kept(path, stamp) if settled(stamp) else _read(path)
        return InjectedFile(name, str(path), known.text, known.tokens, known.sha256)
    except PermissionError as error:
        return InjectProblem(
            name, f"{_plain(error)} in {workspace}", "make it readable for the one who runs the engine"
        )
    except (OSError, RuntimeError, ValueError) as error:
        why = "it does not exist" if isinstance(error, FileNotFoundError) else _plain(error)
        return InjectProblem(name, f"{why} in {workspace}", "check the name; it is relative to the workspace")


@lru_cache(maxsize=_KEPT)
def _kept(path: Path, stamp: Stamp) -> Counted:
    return _read(path)


def _read(path: Path) -> Counted:
    return counted(path.read_bytes().decode("utf-8", "replace"))


def _too_long(file: InjectedFile, file_tokens: int) -> InjectProblem:
    why = f"{file.tokens:,} tokens are over the cap of {file_tokens:,} for one file"
    return InjectProblem(file.name, why, "inject an excerpt, or raise limits.file_tokens")


def _plain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
