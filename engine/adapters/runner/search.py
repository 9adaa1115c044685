"""Where does a text occur? A walk over the workspace, bounded in time, files and bytes; no links, no expressions."""

import time
from collections.abc import Callable, Iterator, Sequence

from engine.adapters.runner.beneath import NotAllowed, Workspace
from engine.scopes.within import matches

LOOK_S = 5.0
FILES = 20_000
TOTAL_BYTES = 256 * 1024 * 1024
FILE_BYTES = 1024 * 1024
HITS = 200
LINE_CHARS = 240
DEPTH = 64
LEFT_OUT = frozenset({".git", "node_modules", "__pycache__", ".venv"})
"""Folders that are large and nobody's own words."""

Names = tuple[str, ...]


def search(
    tree: Workspace, text: str, glob: str, readable: Callable[[Names], bool], places: Sequence[Names] = ((),)
) -> str:
    """`path:line: text` for each line that has it in these places, and what was not looked at. Raises NotAllowed for a
    place that cannot be looked into."""
    until = time.monotonic() + LOOK_S
    found: list[str] = []
    files = size = 0
    for names, data in (one for place in places for one in _place(tree, place, glob, readable)):
        files, size = files + 1, size + len(data)
        found += _hits("/".join(names), data, text)
        if len(found) >= HITS:
            return "\n".join([*found[:HITS], "(more was found: narrow it with glob)"])
        if files >= FILES or size >= TOTAL_BYTES or time.monotonic() > until:
            return "\n".join([*found, f"(stopped after {files:,} files: narrow it with glob)"])
    return "\n".join(found) or f"(nothing in {files:,} files)"


def _hits(path: str, data: bytes, text: str) -> list[str]:
    if b"\0" in data or text.encode("utf-8", "replace") not in data:
        return []
    lines = enumerate(data.decode("utf-8", "replace").split("\n"), 1)
    return [f"{path}:{number}: {line.strip()[:LINE_CHARS]}" for number, line in lines if text in line][:HITS]


def _place(
    tree: Workspace, names: Names, glob: str, readable: Callable[[Names], bool]
) -> Iterator[tuple[Names, bytes]]:
    """A file, or a folder with all below it; nothing where there is neither."""
    if tree.folders(names) == len(names):
        yield from _files(tree, names, glob, readable)
    elif meant(names, glob) and readable(names):
        yield from _file(tree, names)


def _files(
    tree: Workspace, names: Names, glob: str, readable: Callable[[Names], bool], depth: int = 0
) -> Iterator[tuple[Names, bytes]]:
    """Every file that may be read and that the glob means, folder by folder."""
    try:
        entries = [((*names, name), mark == "/") for name, mark in tree.entries(names).items()]
    except NotAllowed:  # gone, or not ours to read
        if depth:
            return
        raise
    for inner, is_folder in entries:
        if not is_folder and meant(inner, glob) and readable(inner):
            yield from _file(tree, inner)
    for inner, is_folder in entries:
        if is_folder and inner[-1] not in LEFT_OUT and depth < DEPTH:
            yield from _files(tree, inner, glob, readable, depth + 1)


def _file(tree: Workspace, names: Names) -> Iterator[tuple[Names, bytes]]:
    try:
        yield names, tree.read(names, FILE_BYTES)
    except NotAllowed:
        return


def meant(names: Sequence[str], glob: str) -> bool:
    """A glob without a slash is of names, one with a slash of paths. Raises NotAllowed for one that is no glob."""
    try:
        return matches(glob, names if "/" in glob or glob == "**" else names[-1:])
    except ValueError as error:
        raise NotAllowed(f"the glob {glob[:LINE_CHARS]} {error}") from None
