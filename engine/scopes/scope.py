"""What may this run touch? The paths that its patterns name, and whatever else those names reach as the tree is now.

A literal path covers itself and everything below it, existing or not. A glob covers every path that it matches, and
everything below a match that is an existing folder. Links are followed, and other names of the same file found. What
cannot be decided is a problem, and refused. Resolving reads the disk and belongs in a thread.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.scopes.folding import EXACT
from engine.scopes.meeting import Ready, meeting
from engine.scopes.patterns import quoted
from engine.scopes.reach import Anchor, Mode, Reach, Scope
from engine.scopes.relation import relate
from engine.scopes.resolve import Resolver
from engine.scopes.survey import Survey, Unresolvable, names_of, under

__all__ = ["Scope", "coverage", "covers", "resolve_scope"]


def resolve_scope(
    workspace: Path,
    patterns: Sequence[str],
    survey: Survey | None = None,
    *,
    mode: Mode = "w",
    widened: bool = False,
    twins: bool = True,
) -> Scope:
    """What the patterns cover now. `twins`: with the other names of files.

    Widened, it is what they would cover if every match of a glob were a folder: quicker, and never too little.
    """
    try:
        resolver = Resolver(survey or Survey(workspace), tuple(patterns), mode, widened, twins)
    except Unresolvable as error:
        problem = f"the workspace {workspace} {error}"
        return Scope((), (problem,), str(workspace), tuple(patterns), mode=mode, blind=True)
    for source in range(len(patterns)):
        resolver.add(source)
    return resolver.scope()


def covers(scope: Scope, name: str) -> bool:
    """Whether a scope covers this absolute path, whose parents are followed as they are now. Reads the disk."""
    return coverage(scope)(name)


def coverage(scope: Scope) -> Callable[[str], bool]:
    """`covers` for many paths: nothing on the disk is looked at twice."""
    try:
        survey = Survey(Path(scope.workspace))
    except Unresolvable:
        return lambda name: False
    ready = Ready(scope)
    return lambda name: _covers(ready, survey, name)


def _covers(ready: Ready, survey: Survey, name: str) -> bool:
    *parents, last = names_of(name) or ["/"]
    try:
        place = survey.locate("/", parents)
        names = (*place.missing, last) if last != "/" else ()
        identity = survey.identity(under(place.folder, names)) if len(names) == 1 else None
        anchor = Anchor(place.folder, survey.ids(place.folder), EXACT)
    except Unresolvable:
        return False
    one = Ready(Scope((), (), anchors=(anchor,), reaches=(Reach(0, tuple(map(quoted, names)), 0),)))
    return identity in ready.twins or _lies_in(one, ready)


def _lies_in(one: Ready, ready: Ready) -> bool:
    for number, anchor in enumerate(ready.scope.anchors):
        relation = relate(one.scope.anchors[0], anchor)
        if relation and meeting(one.paths(0, relation.mine), ready.paths(number, relation.theirs)):
            return True
    return False
