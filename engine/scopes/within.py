"""Does a path lie within these patterns? Told by its names alone, for those who open files beneath a workspace.

They follow no link and say how many of the names are folders that exist; nothing is looked up here. A name covers
itself and everything below it; a glob what it matches, and everything below a folder that it matches. A pattern that
the gate would refuse covers nothing, and neither does one with `..`, which only a disk can resolve.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from engine.scopes.folding import EXACT
from engine.scopes.patterns import GLOBSTAR, Path, begun, path, read_pattern, steps

Names = tuple[str, ...]


class Way(Struct, frozen=True):
    """One way to read a pattern, told from the workspace."""

    fixed: Names
    """The names before its first wildcard."""
    path: Path


def ways(patterns: Sequence[str], *workspaces: str) -> tuple[Way, ...]:
    """Every way to read them; a pattern may begin with the workspace, by whichever of its names."""
    roots = tuple(_names(workspace) for workspace in workspaces)
    return tuple(way for pattern in patterns for way in _ways(pattern, roots))


@lru_cache(maxsize=1024)
def _ways(pattern: str, roots: tuple[Names, ...]) -> tuple[Way, ...]:
    try:
        found = [(one, _told(one.fixed, roots if one.absolute else ((),))) for one in read_pattern(pattern)]
    except ValueError:
        return ()
    return tuple(Way(fixed, path((*fixed, *(one.tail or (GLOBSTAR,))))) for one, fixed in found if fixed is not None)


def _told(fixed: Names, roots: tuple[Names, ...]) -> Names | None:
    """From the workspace on; None for what lies elsewhere, or where only a disk can say."""
    beneath = (fixed[len(root) :] for root in roots if fixed[: len(root)] == root)
    found = next(beneath, None)
    return None if found is None or ".." in fixed else found


def _names(text: str) -> Names:
    return tuple(part for part in text.split("/") if part not in ("", "."))


def covered(patterns: Sequence[Way], names: Sequence[str], folders: int) -> bool:
    """Whether the path of these names lies in one of them. So many of the names, from the first on, are folders that
    exist."""
    return any(_covers(way.path, names, folders) for way in patterns)


def _covers(pattern: Path, names: Sequence[str], folders: int) -> bool:
    ends = {*range(folders + 1), len(names)}
    return any(hit and taken in ends for taken, hit in enumerate(_hits(pattern, names)))


def _hits(pattern: Path, names: Sequence[str]) -> Iterator[bool]:
    """Whether it matches none of these names, the first one, the first two, and so on."""
    whole, row = 1 << len(pattern.segments), begun(pattern)
    yield bool(row & whole)
    for name in names:
        row = begun(pattern, steps(pattern, row, name, EXACT))
        yield bool(row & whole)


def starts(patterns: Sequence[Way]) -> list[Names]:
    """Where to look for what these cover: the names before their wildcards, none that lies in another."""
    found = {way.fixed for way in patterns}
    return sorted(one for one in found if not any(one[:end] in found for end in range(len(one))))


def matches(glob: str, names: Sequence[str]) -> bool:
    """Whether it matches this whole path. Raises ValueError, saying why it is not understood."""
    found = (path((*one.fixed, *one.tail)) for one in read_pattern(glob))
    return any([*_hits(one, names)][-1] for one in found)
