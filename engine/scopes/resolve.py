"""What do patterns cover in the tree as it is now? Follows links, finds other names of a file, and what globs match."""

import re
from collections.abc import Iterable, Sequence

from engine.scopes.patterns import GLOBSTAR, Path, begun, path, read_pattern, steps
from engine.scopes.patterns import quoted as quoted_text
from engine.scopes.reach import BELOW, Anchor, Mode, Reach, Scope, Twin
from engine.scopes.segments import matches
from engine.scopes.survey import Identity, Place, Survey, Unresolvable, under

_NO_TEXT = re.compile("[\ud800-\udfff]")
REACHES_MAX = 10_000
"""Places that one scope may lead to: one for each pattern, link, and folder that a glob matches."""
STEPS_MAX = 50_000
"""Names of the tree that the globs of one scope are held against."""


class Resolver:
    """Collects what the patterns of one scope cover.

    Widened, it covers what lies below every match, whatever that is, and asks for no other names of a file: far less to
    look at, and enough to say that two scopes are apart.
    """

    def __init__(self, survey: Survey, patterns: tuple[str, ...], mode: Mode, widened: bool, twins: bool) -> None:
        self._survey = survey
        self._patterns = patterns
        self._mode = mode
        self._widened = widened
        self._wants_twins = twins
        self._steps_left = STEPS_MAX
        self._root = under(survey.root.folder, survey.root.missing)
        self._paths: dict[str, None] = {}
        self._problems: dict[int, str] = {}
        self._anchors: dict[str, Anchor] = {}
        self._numbers: dict[str, int] = {}
        self._reaches: dict[tuple[int, tuple[str, ...]], int] = {}
        self._twins: dict[Identity, Twin] = {}
        self._seen: set[tuple[str, tuple[str, ...]]] = set()
        self._links: list[tuple[str, list[tuple[str, ...]]]] = []
        """Links and mounted folders still to be followed, each with what of the pattern is left behind it."""
        self._blind = False

    def scope(self) -> Scope:
        return Scope(
            paths=tuple(map(storable, self._paths)),
            problems=tuple(self._problems.values()),
            workspace=storable(self._root),
            patterns=tuple(map(storable, self._patterns)),
            anchors=tuple(self._anchors.values()),
            reaches=tuple(Reach(anchor, tail, source) for (anchor, tail), source in self._reaches.items()),
            twins=tuple(self._twins.values()),
            mode=self._mode,
            blind=self._blind,
        )

    def add(self, source: int) -> None:
        """Everything that one pattern covers; what is wrong with it becomes a problem."""
        try:
            for way in read_pattern(self._patterns[source]):
                self._add(source, way.absolute, way.fixed, way.tail)
            while self._links:
                self._follow(source, *self._links.pop())
        except ValueError as error:
            self._refuse(source, str(error))
            self._links.clear()
            self._blind = True

    def _add(self, source: int, absolute: bool, fixed: Sequence[str], tail: tuple[str, ...]) -> None:
        root = Place("/") if absolute else self._survey.root
        place = self._survey.locate(root.folder, (*root.missing, *fixed))
        if self._is_inside(place):
            self._paths[under(place.folder, (*place.missing, *tail))] = None
            self._cover(source, place, tail or BELOW)
        else:
            target = under(place.folder, place.missing)
            self._refuse(source, f"leads to {target}, outside the workspace {self._root}")
            self._reach(source, place.folder, (*map(quoted, place.missing), *(tail or BELOW)))

    def _refuse(self, source: int, why: str) -> None:
        """The first problem of a pattern is told."""
        self._problems.setdefault(source, storable(f"'{self._patterns[source]}' {why}"))

    def _is_inside(self, place: Place) -> bool:
        root = self._survey.root
        if root.missing:
            return place.folder == root.folder and place.missing[: len(root.missing)] == root.missing
        return self._survey.ids(root.folder)[-1] in self._survey.ids(place.folder)

    def _cover(self, source: int, place: Place, tail: tuple[str, ...], mounted: bool = False) -> None:
        """Cover what matches the tail from a place on, and what that reaches."""
        if self._widened and tail[-1:] != BELOW:
            tail = (*tail, *BELOW)
        if self._is_covered(place, tail, mounted):
            return
        self._reach(source, place.folder, (*map(quoted, place.missing), *tail))
        if place.missing:
            if self._wants_twins and len(place.missing) == 1 and tail in ((), BELOW):
                self._meet_file(source, under(place.folder, place.missing))
            return
        self._seen.add((place.folder, tail))
        if tail == BELOW:
            self._look_below(source, place.folder)
        else:
            self._look_for(source, place.folder, tail)

    def _is_covered(self, place: Place, tail: tuple[str, ...], mounted: bool) -> bool:
        """Whether the same was looked for here before; or above, if it is to be found at any depth.

        What is mounted is not what its path says, so that it counts by itself.
        """
        folder = place.folder
        if tail[:1] != BELOW or mounted:
            return not place.missing and (folder, tail) in self._seen
        while (folder, tail) not in self._seen:
            if folder == "/":
                return False
            folder = folder.rpartition("/")[0] or "/"
        return True

    def _reach(self, source: int, folder: str, tail: tuple[str, ...]) -> None:
        if folder not in self._anchors:
            self._numbers[folder] = len(self._anchors)
            self._anchors[folder] = Anchor(storable(folder), self._survey.ids(folder), self._survey.folding(folder))
        self._reaches.setdefault((self._numbers[folder], tail), source)
        if len(self._reaches) > REACHES_MAX:
            raise Unresolvable(f"leads to more than {REACHES_MAX:,} places; name fewer")

    def _meet_file(self, source: int, name: str) -> None:
        identity = self._survey.identity(name)
        if identity is not None:
            self._twins.setdefault(identity, Twin(*identity, storable(name), source))

    def _look_below(self, source: int, folder: str) -> None:
        """What lies below a folder that is covered whole."""
        tree = self._survey.tree(folder)
        for here in tree.folders if self._wants_twins else ():
            for name in self._survey.twins(here):
                self._meet_file(source, under(here, (name,)))
        for name in tree.doubles:
            self._reach(source, name, BELOW)
        self._links += [(name, [BELOW]) for name in tree.links]

    def _look_for(self, source: int, folder: str, tail: tuple[str, ...]) -> None:
        """Which existing entries match, and which links does the pattern go through?"""
        rule = self._survey.folding(folder)
        pattern = path(tail, rule)
        whole = 1 << len(tail)
        only_branches = self._widened or not self._may_be_folder(folder, pattern)
        todo: list[tuple[tuple[str, ...], int]] = [((), begun(pattern))]
        while todo:
            names, row = todo.pop()
            here = under(folder, names)
            if row & whole:
                self._reach(source, folder, (*map(quoted, names), *BELOW))
                self._look_below(source, here)
                continue
            listing = self._survey.listing(here)

            def matching(found: Sequence[str], row: int = row) -> Iterable[tuple[str, int]]:
                self._take(len(found))
                stepped = ((name, begun(pattern, steps(pattern, row, name, rule))) for name in found)
                return [(name, onward) for name, onward in stepped if onward]

            for name, onward in matching(self._survey.twins(here) if self._wants_twins else ()):
                if onward & whole:
                    self._meet_file(source, under(here, (name,)))
            for name, onward in matching((*listing.links, *listing.doubles)):
                self._links.append((under(here, (name,)), _rests(tail, onward)))
            todo += [((*names, name), onward) for name, onward in matching(self._folders(folder, here, only_branches))]

    def _may_be_folder(self, top: str, pattern: Path) -> bool:
        """Whether a folder below the top has a name that the pattern could end with: most globs are for files."""
        last = pattern.segments[-1]
        if last is None or None not in pattern.segments:
            return True  # and without `**` there are few to look at
        return any(matches(last, name) for name in self._survey.folder_names(top))

    def _folders(self, top: str, here: str, only_branches: bool) -> Sequence[str]:
        """The folders to look into: all, or only those through which one comes to what leads elsewhere."""
        names = self._survey.listing(here).folders
        if not only_branches:
            return names
        branches = self._survey.branches(top, self._wants_twins)
        return [name for name in names if under(here, (name,)) in branches]

    def _take(self, number: int) -> None:
        self._steps_left -= number
        if self._steps_left < 0:
            raise Unresolvable("has too many alternatives for a tree of this size; name fewer, or less of it")

    def _follow(self, source: int, link: str, rests: Iterable[tuple[str, ...]]) -> None:
        """Cover what a link leads to. One that leads out of the workspace is refused, and what it leads to is told."""
        folder, _, name = link.rpartition("/")
        place = self._survey.locate(folder or "/", (name,))
        inside = self._is_inside(place)
        if not inside:
            target = under(place.folder, place.missing)
            self._refuse(source, f"reaches {target} outside the workspace {self._root} through the link {link}")
        for rest in rests:
            # A match that is an existing folder is covered with everything below it.
            tail = rest if rest or place.missing else BELOW
            if inside:
                self._cover(source, place, tail, mounted=link == place.folder)
            else:
                self._reach(source, place.folder, (*map(quoted, place.missing), *tail))


def _rests(tail: tuple[str, ...], row: int) -> list[tuple[str, ...]]:
    """What is left of a pattern at these places; what `**` covers anyway is left out."""
    starts = [place for place in range(len(tail) + 1) if row >> place & 1]
    return [tail[place:] for place in starts if not (place and tail[place - 1] == GLOBSTAR and place - 1 in starts)]


def storable(text: str) -> str:
    """With a mark for each byte of a file name that is no text: neither JSON nor the database takes those."""
    return text if text.isascii() else _NO_TEXT.sub("\ufffd", text)


def quoted(name: str) -> str:
    """The segment that matches this name; where a byte of it is no text, any character will do."""
    return quoted_text(name) if name.isascii() else _NO_TEXT.sub("?", quoted_text(name))
