"""To what is a run held, and how is that said? Its scope as paths that are there now, and what it needs beside."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from engine.adapters.command import USAGE_FILE
from engine.adapters.registry import adapter
from engine.contract.launch import Launch
from engine.contract.outcome import SandboxRules
from engine.contract.route import Route
from engine.execution.readable import readable
from engine.execution.sandbox import bwrap_prefix, features, means_of, word
from engine.scopes.patterns import GLOBSTAR
from engine.scopes.reach import Mode, Scope
from engine.scopes.scope import resolve_scope
from state.errors import Refused
from state.home import Home
from state.spool import OWN

TMP = "tmp"
"""In the folder of a run, its own to write; gone when the run is settled."""
SHARED_MEMORY = "/dev/shm"
WRITES_ASIDE = ("digest", "anthropic", "openai", "ollama")
"""Adapters of ours whose programs write beside a file and then rename, within its scope as they know it: they need the
folder of a file that they may write."""
NEEDED = "it must be held to its scope, and this kernel has neither Landlock nor a bwrap that works"
NEEDED_FIX = 'boot a kernel with Landlock, install bubblewrap, or say sandbox = "prefer"; see: qd doctor'
FILES = (".json", ".jsonl", ".toml", ".yaml", ".yml", ".lock", ".db")
"""By these, what is not there yet is known to be no folder."""
_NAMED = 3
_WILD = re.compile(r"[*?\[]")
_QUOTED = re.compile(r"\[([*?\[])\]")


class Grant(Struct, frozen=True):
    """What may be touched for the sake of one pattern."""

    pattern: str
    path: str
    """The file or folder itself where it is there, else the nearest folder above."""
    exact: bool
    """Nothing more than the pattern says."""


class Enforced(Struct, frozen=True):
    """What a verdict says of it."""

    word: str
    """As `runs.sandbox` keeps it."""
    loose: tuple[str, ...]
    """Where more may be written than was asked for, in words."""
    problem: tuple[str, str] = ("", "")
    """Why it may not run at all, and what to do; empty when it may."""
    reads: str = ""
    """What its reading is limited to; empty where that is not asked for."""


class Confinement(Struct, frozen=True):
    """How a run is held."""

    word: str
    rules: SandboxRules | None
    """For its keeper."""
    prefix: tuple[str, ...]
    """Before its argv."""


class Needs(Struct, frozen=True):
    """What a run must be able to touch beside its scope."""

    folder: Path
    """Of the run."""
    agent_state: str
    launch: Launch
    search: str
    """Its PATH."""
    own_state: tuple[str, ...] = ()
    """What its program keeps of its own, as the operator says."""


def enforced(route: Route, scope: Scope) -> Enforced:
    """Before it is started. Reads the disk."""
    has = features()
    means = means_of(route.sandbox, has)
    if means == "advisory" and route.sandbox == "require":
        return Enforced(means, (), (NEEDED, NEEDED_FIX))
    held = means not in ("advisory", "off")
    reads = reads_words(route, held=held)
    if not held:
        return Enforced(means, (), reads=reads)
    loose = () if asks(route) else loose_words(_wanted(route, scope), scope.workspace)
    return Enforced(word(means, has), loose, reads=reads)


def reads_words(route: Route, *, held: bool) -> str:
    """Reading leaves no trace: what does not keep it from that now does not find it afterwards either."""
    if route.read == "strict" and held:
        paths = ", ".join(route.can_read) or "its workspace"
        return f"{paths}, its program's own files and the system's, nothing else"
    if route.read == "strict":
        return "whatever you may: nothing limits it to its paths, and reading is not seen afterwards"
    if route.can_read:
        return "whatever you may: read is open, and its paths are for its prompt alone"
    return ""


def asks(route: Route) -> bool:
    """Whether its program asks the operator about each thing that it would do."""
    return route.permissions == "ask" and adapter(route.adapter).speech is not None


def written(route: Route) -> tuple[str, ...]:
    """The patterns that the kernel lets it write. What the operator allows while it runs is not known yet: one that
    asks may write all of its workspace as far as the kernel goes."""
    return (".",) if asks(route) else route.can_write


def _wanted(route: Route, scope: Scope) -> tuple["Grant", ...]:
    return grants_of(scope, aside=route.adapter in WRITES_ASIDE)


def confine(home: Home, route: Route, workspace: Path, needs: Needs) -> Confinement:
    """As it is started. Raises Refused where it must be held and cannot."""
    has = features()
    means = means_of(route.sandbox, has)
    if means == "advisory" and route.sandbox == "require":
        raise Refused(NEEDED, NEEDED_FIX)
    if means in ("advisory", "off"):
        return Confinement(means, None, ())
    rules = _rules(home, route, workspace, needs)
    if means == "bwrap" and has.bwrap is not None:
        return Confinement(means, None, bwrap_prefix(has.bwrap, rules, str(workspace.resolve())))
    return Confinement(word(means, has), rules, ())


def is_contained(route: Route) -> bool:
    """Whether the kernel will hold it."""
    return means_of(route.sandbox, features()) in ("landlock", "bwrap")


def grants_of(scope: Scope, *, aside: bool = False) -> tuple[Grant, ...]:
    """For every pattern; none where it cannot be said what the scope is, and never above the workspace. `aside`: a file
    is replaced by one that is written beside it."""
    if scope.problems:
        return ()
    found: dict[tuple[str, str], Grant] = {}
    for reach in scope.reaches:
        path, exact = _nearest(scope.anchors[reach.anchor].path, reach.tail)
        if aside and not Path(path).is_dir():
            path, exact = str(Path(path).parent), False
        if _lies_in(path, scope.workspace):
            grant = Grant(scope.patterns[reach.source], path, exact)
            found.setdefault((grant.pattern, path), grant)
    return tuple(found.values())


def loose_words(grants: Sequence[Grant], workspace: str) -> tuple[str, ...]:
    """What is only checked afterwards, the first few of it."""
    exact = [grant.path for grant in grants if grant.exact]
    loose = [one for one in grants if not one.exact and not any(_lies_in(one.path, path) for path in exact)]
    said = dict.fromkeys(f"{one.pattern}: {_whole(one.path, workspace)}" for one in loose)
    more = [f"and {len(said) - _NAMED} more like these"] if len(said) > _NAMED else []
    return (*list(said)[:_NAMED], *more)


def _whole(path: str, workspace: str) -> str:
    if path == workspace:
        return "all of the workspace may be written, the rest is checked afterwards"
    return f"{os.path.relpath(path, workspace)}/ is enforced, the rest is checked afterwards"


def _nearest(folder: str, tail: Sequence[str]) -> tuple[str, bool]:
    """How far these segments lead to what is there, and whether that is all of them."""
    here = folder
    for place, segment in enumerate(tail):
        if segment == GLOBSTAR and place + 1 == len(tail):
            return here, True
        name = literal(segment)
        below = f"{here.rstrip('/')}/{name}"
        if name is None or os.path.islink(below) or not os.path.lexists(below):  # noqa: PTH114
            return here, False
        here = below
    return here, True


def literal(segment: str) -> str | None:
    """The one name that it matches; None for a wildcard."""
    plain = _QUOTED.sub(r"\1", segment)
    return None if _WILD.search(_QUOTED.sub("", segment)) else plain


def _rules(home: Home, route: Route, workspace: Path, needs: Needs) -> SandboxRules:
    holes = tuple(folder.resolve() for folder in (home.state, home.config))
    writes = (
        *_around(_paths(workspace, written(route), aside=route.adapter in WRITES_ASIDE), holes),
        str(needs.folder / TMP),
        str(needs.folder / USAGE_FILE),
        needs.agent_state,
        *_states((*needs.launch.state_paths, *needs.own_state)),
        *_spool(home, needs.folder),
        *((SHARED_MEMORY,) if Path(SHARED_MEMORY).is_dir() else ()),
    )
    if route.read == "open":
        return SandboxRules(tuple(dict.fromkeys(writes)))
    reads = (
        *readable(needs.launch.argv[:1], needs.search, Path.home(), holes),
        *filter(None, needs.launch.env.get("PYTHONPATH", "").split(os.pathsep)),
        *_around(_paths(workspace, route.can_read, mode="r") if route.can_read else [str(workspace.resolve())], holes),
        *(str(needs.folder / name) for name in needs.launch.files),
        *needs.launch.read_paths,
    )
    return SandboxRules(tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(reads)))


def _paths(workspace: Path, patterns: Sequence[str], *, mode: Mode = "w", aside: bool = False) -> list[str]:
    """What is granted for these patterns now: nothing twice, and nothing that lies in another."""
    scope = resolve_scope(workspace, patterns, mode=mode, twins=False)
    found = {grant.path for grant in grants_of(scope, aside=aside)}
    return sorted(path for path in found if not any(path != other and _lies_in(path, other) for other in found))


def _around(paths: Iterable[str], holes: Sequence[Path]) -> Iterator[str]:
    """The same without our own folders: where a folder holds one of them, what lies beside it. New names directly in
    such a folder cannot be made then. Links lead elsewhere, and are left out."""
    for path in paths:
        if not any(_lies_in(str(hole), path) for hole in holes):
            yield path
        elif not any(str(hole) == path for hole in holes):
            with os.scandir(path) as listing:
                below = sorted(item.path for item in listing if not item.is_symlink())
            yield from _around(below, holes)


def _states(paths: Iterable[str]) -> Iterator[str]:
    """What its program keeps of its own. A folder is made when it is not there, as the program would; a file cannot be
    granted before it is there."""
    for path in map(Path, paths):
        if not path.exists() and path.suffix not in FILES:
            path.mkdir(mode=0o700, parents=True)
        if path.exists():
            yield str(path)


def _spool(home: Home, folder: Path) -> tuple[str, ...]:
    """Where a run leaves an order of its own, as `qd spawn` in it does, and by what it says so. Not the spool of
    consoles: whoever can leave an order there can have done all that a console can."""
    return tuple(str(place) for place in (folder / OWN, home.bell) if place.exists())


def _lies_in(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")
