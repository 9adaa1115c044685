"""What may this run write, as absolute paths with links resolved? What cannot be decided is refused."""

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

_GLOB = re.compile(r"[*?\[]")


class Scope(Struct, frozen=True):
    """The paths a run may touch, or why that cannot be said. A trailing part of a path may be a glob."""

    paths: tuple[str, ...]
    problems: tuple[str, ...]


def resolve_scope(workspace: Path, patterns: Sequence[str]) -> Scope:
    """Resolve each pattern against the workspace; one that leaves it, or is not understood, is a problem."""
    root = workspace.resolve()
    paths: list[str] = []
    problems: list[str] = []
    for pattern in patterns:
        try:
            paths.append(_resolve(root, pattern))
        except (ValueError, OSError, RuntimeError) as error:
            problems.append(f"'{pattern}' {error}")
    return Scope(paths=tuple(dict.fromkeys(paths)), problems=tuple(problems))


def _resolve(root: Path, pattern: str) -> str:
    if not pattern.strip() or "\0" in pattern:
        raise ValueError("is no path")
    if pattern.startswith(("~", "!")):
        raise ValueError(f"begins with {pattern[0]}, which is not understood here")
    segments = [segment for segment in pattern.split("/") if segment not in ("", ".")]
    if pattern.startswith("/"):
        segments = ["/", *segments]
    fixed = next((number for number, segment in enumerate(segments) if _GLOB.search(segment)), len(segments))
    tail = segments[fixed:]
    if any("**" in segment and segment != "**" for segment in tail):
        raise ValueError("uses ** inside a segment; ** stands for whole folders only")
    if ".." in tail:
        raise ValueError("has .. after a wildcard")
    base = root.joinpath(*segments[:fixed]).resolve()
    if not base.is_relative_to(root):
        raise ValueError(f"lies outside the workspace {root}")
    return str(base.joinpath(*tail))
