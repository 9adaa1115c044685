"""What does the tree look like now? Where names lead, and which entries make two names one file.

One survey serves every scope of a decision: nothing is looked at twice, so that all of them see one state of the tree.
It reads the disk and belongs in a thread. A tree with more entries than the cap is not walked to its end: `TooLarge`.
"""

import os
import stat
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from engine.scopes.folding import Folding, Foldings, fold
from engine.scopes.mounts import mounted, mounts

ENTRIES_MAX = 50_000
LINKS_MAX = 40
"""Links followed for one name: the kernel gives up there as well."""
_FOLDINGS = Foldings()

Identity = tuple[int, int]
"""Device and inode."""


class Unresolvable(ValueError):
    """Nobody can say where a name leads."""


class TooLarge(Unresolvable):
    """There are more entries than the cap."""


class Place(Struct, frozen=True):
    """Where a name leads: an existing folder, and the names under it that lead to no folder yet."""

    folder: str
    missing: tuple[str, ...] = ()


class Listing(Struct, frozen=True):
    """The entries of one folder, by name."""

    folders: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    doubles: tuple[str, ...] = ()
    """Of the folders, those that are mounted here, or mounted elsewhere as well."""


class Tree(Struct, frozen=True):
    """All below a folder, as absolute paths; what lies behind its links is not below it."""

    links: tuple[str, ...]
    folders: tuple[str, ...]
    """Itself first."""
    doubles: tuple[str, ...]


class Survey:
    """One look at a workspace."""

    def __init__(self, workspace: Path, *, entries_max: int = ENTRIES_MAX, folding: Folding | None = None) -> None:
        self._left = self._max = entries_max
        self._folding = folding
        self._stats: dict[str, os.stat_result | None] = {}
        self._ids: dict[str, tuple[Identity, ...]] = {}
        self._foldings: dict[str, Folding] = {}
        self._listings: dict[str, Listing] = {}
        self._trees: dict[str, Tree] = {}
        self._twins: dict[str, tuple[str, ...]] = {}
        self._folder_names: dict[str, frozenset[str]] = {}
        self._branches: dict[tuple[str, bool], frozenset[str]] = {}
        self._mounted: frozenset[Identity] = frozenset()
        self.root = self.locate("/", names_of(str(Path.cwd() / workspace)))
        """Where the workspace is."""
        folder = self.root.folder
        self._points = mounted(folder, self.ids(folder)[-1][0], mounts())
        self._mounted = frozenset(self._points.values())
        self._inodes = frozenset(inode for _, inode in self._mounted)

    def ids(self, folder: str) -> tuple[Identity, ...]:
        """Who the folder is and who its parents are, from the root down."""
        if folder not in self._ids:
            above = () if folder == "/" else self.ids(os.path.dirname(folder))  # noqa: PTH120
            found = self._stat(folder)
            self._ids[folder] = (*above, (found.st_dev, found.st_ino) if found else (0, 0))
        return self._ids[folder]

    def folding(self, folder: str) -> Folding:
        """How names are compared in this folder."""
        if self._folding is not None:
            return self._folding
        if folder not in self._foldings:
            self._foldings[folder] = _FOLDINGS.of(folder, self.ids(folder)[-1][0])
        return self._foldings[folder]

    def locate(self, folder: str, names: Iterable[str]) -> Place:
        """Where these names lead from an existing folder, as the kernel goes. Raises Unresolvable."""
        todo, here, links = deque(names), folder, 0
        missing: list[str] = []
        while todo:
            name = todo.popleft()
            if name == "..":
                if missing:
                    raise Unresolvable(f"has .. after {under(here, missing)}, which is no folder")
                here = os.path.dirname(here)  # noqa: PTH120
                continue
            path = under(here, (name,))
            found = None if missing else self._stat(path)
            if found is None:
                missing.append(name)
            elif stat.S_ISLNK(found.st_mode):
                links += 1
                if links > LINKS_MAX:
                    raise Unresolvable(f"goes through a loop of links at {path}")
                target = self._target(path)
                here = "/" if target.startswith("/") else here
                todo.extendleft(reversed(names_of(target)))
            elif stat.S_ISDIR(found.st_mode):
                here = path
            else:
                missing.append(name)
        return Place(here, tuple(missing))

    def identity(self, path: str) -> Identity | None:
        """Who a file is that has other names; None for one that has none, and for what is no file."""
        found = self._stat(path)
        if found is None or stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode):
            return None
        identity = (found.st_dev, found.st_ino)
        return identity if found.st_nlink > 1 or identity in self._mounted else None

    def listing(self, folder: str) -> Listing:
        """What lies in a folder; nothing in one that has gone. Raises Unresolvable."""
        if folder not in self._listings:
            self._listings[folder] = self._list(folder)
        return self._listings[folder]

    def tree(self, folder: str) -> Tree:
        """What lies below a folder, at any depth. Raises Unresolvable."""
        if folder not in self._trees:
            self._trees[folder] = self._walk(folder)
        return self._trees[folder]

    def twins(self, folder: str) -> tuple[str, ...]:
        """The files in a folder that have other names."""
        if folder not in self._twins:
            base = folder.rstrip("/")
            self._twins[folder] = tuple(name for name in self.listing(folder).files if self._is_twin(f"{base}/{name}"))
        return self._twins[folder]

    def _is_twin(self, path: str) -> bool:
        """Asked of every file of a tree: hence nothing of it is kept."""
        try:
            status = os.lstat(path)
        except OSError:
            return False  # it has gone meanwhile
        return status.st_nlink > 1 or (status.st_dev, status.st_ino) in self._mounted

    def folder_names(self, top: str) -> frozenset[str]:
        """The names that folders below this one have, folded by its rule."""
        if top not in self._folder_names:
            rule = self.folding(top)
            names = {path.rpartition("/")[2] for path in self.tree(top).folders}
            self._folder_names[top] = frozenset(fold(name, rule) for name in names)
        return self._folder_names[top]

    def branches(self, top: str, twins: bool) -> frozenset[str]:
        """The folders through which one comes to what leads elsewhere: links, mounted folders, twins where asked."""
        key = (top, twins)
        if key not in self._branches:
            tree = self.tree(top)
            ends = {path.rpartition("/")[0] for path in (*tree.links, *tree.doubles)}
            if twins:
                ends |= {folder for folder in tree.folders if self.twins(folder)}
            self._branches[key] = frozenset(_upward(ends, top))
        return self._branches[key]

    def _walk(self, top: str) -> Tree:
        links: list[str] = []
        folders: list[str] = []
        doubles: list[str] = []
        todo = [top]
        while todo:
            folder = todo.pop()
            folders.append(folder)
            base, listing = folder.rstrip("/"), self.listing(folder)
            for found, names in ((links, listing.links), (doubles, listing.doubles), (todo, listing.folders)):
                found += [f"{base}/{name}" for name in names]
        return Tree(tuple(links), tuple(folders), tuple(doubles))

    def _list(self, folder: str) -> Listing:
        if folder.endswith("/.git/objects"):
            return Listing()  # only git writes there, and nothing in it leads elsewhere
        folders: list[str] = []
        links: list[str] = []
        files: list[str] = []
        doubles: list[str] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    kind = links if entry.is_symlink() else folders if entry.is_dir(follow_symlinks=False) else files
                    kind.append(entry.name)
                    if kind is folders and self._mounted and self._is_double(entry):
                        doubles.append(entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return Listing()
        except OSError as error:
            raise Unresolvable(f"reaches {folder}, which cannot be read: {error.strerror}") from None
        self._left -= len(folders) + len(links) + len(files)
        if self._left < 0:
            raise TooLarge(f"covers a tree too large to look through (over {self._max:,} entries); name less of it")
        return Listing(*(tuple(sorted(names)) for names in (folders, links, files, doubles)))

    def _is_double(self, entry: "os.DirEntry[str]") -> bool:
        if entry.path in self._points:
            return True
        return entry.inode() in self._inodes and self.ids(entry.path)[-1] in self._mounted

    def _stat(self, path: str) -> os.stat_result | None:
        if path not in self._stats:
            try:
                self._stats[path] = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                self._stats[path] = None
            except OSError as error:
                raise Unresolvable(f"reaches {path[:200]}, which cannot be read: {error.strerror}") from None
        return self._stats[path]

    def _target(self, path: str) -> str:
        try:
            return os.readlink(path)  # noqa: PTH115
        except OSError as error:
            raise Unresolvable(f"reaches {path}, which cannot be read: {error.strerror}") from None


def _upward(paths: Iterable[str], top: str) -> set[str]:
    """These paths, and what is above them, up to the top."""
    found = {top}
    for path in paths:
        while path not in found:
            found.add(path)
            path = path.rpartition("/")[0] or "/"
    return found


def under(folder: str, names: Iterable[str]) -> str:
    """The path of these names in a folder."""
    return "/".join((folder.rstrip("/"), *names)) or "/"


def names_of(path: str) -> list[str]:
    """The names that a path is made of."""
    return [part for part in path.split("/") if part not in ("", ".")]
