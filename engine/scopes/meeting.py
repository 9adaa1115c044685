"""Which path do two sets of patterns share, told from one folder? Literal paths are looked up, globs walked."""

from collections.abc import Sequence

from msgspec import Struct

from engine.scopes.folding import Folding
from engine.scopes.patterns import Path, path, quoted, shared_path
from engine.scopes.reach import BELOW, Reach, Scope, Twin
from engine.scopes.relation import Names
from engine.scopes.survey import Identity

PAIRS_MAX = 40_000
"""Pairs of globs compared for one verdict."""


class Meeting(Struct, frozen=True):
    """A path under both, and which patterns lead there."""

    names: Names
    mine: int
    theirs: int
    decided: bool = True
    """False: there were too many to compare, and the names are none."""


class Paths(Struct, frozen=True):
    """The patterns of one anchor, told from a folder."""

    literal: dict[Names, tuple[bool, int]]
    """Folded names: whether everything below is covered too, and the pattern that leads there."""
    wild: list[tuple[Path, int]]
    plain: list[tuple[Path, int]]
    """Those of `literal`, to be walked beside the other's globs."""


class Ready:
    """A scope made ready to be compared with many others."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.twins: dict[Identity, Twin] = {(twin.device, twin.inode): twin for twin in scope.twins}
        self._by_anchor: dict[int, list[Reach]] = {}
        for reach in scope.reaches:
            self._by_anchor.setdefault(reach.anchor, []).append(reach)
        self._made: dict[tuple[int, Names, Folding], Paths] = {}

    def paths(self, anchor: int, told: tuple[Names, Folding]) -> Paths:
        """What is covered from an anchor on, with these names before it."""
        key = (anchor, *told)
        if key not in self._made:
            self._made[key] = self._make(anchor, *told)
        return self._made[key]

    def _make(self, anchor: int, names: Names, rule: Folding) -> Paths:
        made = Paths({}, [], [])
        before = tuple(map(quoted, names))
        for reach in self._by_anchor.get(anchor, ()):
            pattern = path((*before, *reach.tail), rule)
            if pattern.is_dead:
                continue
            if pattern.literal is None:
                made.wild.append((pattern, reach.source))
                continue
            below = reach.tail[-1:] == BELOW
            made.plain.append((pattern, reach.source))
            if below or pattern.literal not in made.literal:
                made.literal[pattern.literal] = (below, reach.source)
        return made


def meeting(one: Paths, other: Paths) -> Meeting | None:
    """A path that some pattern of each covers."""
    found = _literal(one.literal, other.literal)
    if found is not None:
        return found
    swapped = _literal(other.literal, one.literal)
    if swapped is not None:
        return Meeting(swapped.names, swapped.theirs, swapped.mine)
    mine, theirs = [*one.wild, *one.plain], [*other.wild, *other.plain]
    if len(one.wild) * len(theirs) + len(one.plain) * len(other.wild) > PAIRS_MAX:
        return Meeting((), mine[0][1], theirs[0][1], decided=False)
    return _pairs(one.wild, theirs) or _pairs(one.plain, other.wild)


def _literal(longer: dict[Names, tuple[bool, int]], shorter: dict[Names, tuple[bool, int]]) -> Meeting | None:
    """A path of the first that is one of the other's, or below one."""
    for names, (_, source) in longer.items():
        for length in range(len(names) + 1):
            found = shorter.get(names[:length])
            if found is not None and (found[0] or length == len(names)):
                return Meeting(names, source, found[1])
    return None


def _pairs(mine: Sequence[tuple[Path, int]], theirs: Sequence[tuple[Path, int]]) -> Meeting | None:
    for one, source in mine:
        for other, its in theirs:
            names = shared_path(one, other)
            if names is not None:
                return Meeting(names, source, its)
    return None
