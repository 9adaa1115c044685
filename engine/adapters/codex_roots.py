"""Which folders may Codex's own sandbox let commands write, so that a run can write what its scope names?"""

from collections.abc import Sequence
from pathlib import Path

_WILD = frozenset("*?[]{}!")


def writable_roots(workspace: Path, can_write: Sequence[str]) -> tuple[str, ...]:
    """The nearest folder of each path of the scope that exists, never above the workspace; none within another.

    A single file cannot be made writable there, so that its folder is: what else is written in it is found afterwards.
    """
    roots = sorted({_nearest(workspace, path) for path in can_write})
    return tuple(str(root) for root in roots if not any(other in root.parents for other in roots))


def _nearest(workspace: Path, pattern: str) -> Path:
    fixed: list[str] = []
    for part in Path(pattern).parts:
        if _WILD & set(part) or part == "..":
            break
        fixed.append(part)
    found = workspace.joinpath(*fixed)
    while not found.is_dir() and found != workspace and workspace in found.parents:
        found = found.parent
    return found if found == workspace or workspace in found.parents else workspace
