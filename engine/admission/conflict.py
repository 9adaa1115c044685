"""Do two write scopes share a path? Decided on the patterns alone, and never by comparing prefixes of text.

A literal path stands for itself and everything below it. `**` stands for any folders, `*`, `?` and `[...]` for
characters within one segment. Two wildcards in one place are taken to overlap: in doubt there is a conflict.
"""

import re
from fnmatch import fnmatchcase

_GLOB = re.compile(r"[*?\[]")


def overlap(one: str, other: str) -> bool:
    """Whether some path could be written under both; symmetric, and true of a path and itself."""
    for mine, theirs in zip(_segments(one), _segments(other), strict=False):
        if "**" in (mine, theirs):
            return True
        if not _segment(mine, theirs):
            return False
    return True  # what is left of the longer one lies below the other


def _segment(one: str, other: str) -> bool:
    if _GLOB.search(one):
        return bool(_GLOB.search(other)) or fnmatchcase(other, one)
    return fnmatchcase(one, other) if _GLOB.search(other) else one == other


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
