"""Do two scopes share a path? Exactly, or not at all: what cannot be decided is never "no".

`clash` compares two resolved scopes and touches no disk. Folders are the same when device and inode are; what does not
exist yet is compared by name, as its folder compares names. `decide` looks at the tree again, because what a live run
holds may lead somewhere else by now.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.scopes.folding import Folding
from engine.scopes.meeting import Ready, meeting
from engine.scopes.reach import Mode, Scope
from engine.scopes.relation import relate
from engine.scopes.scope import resolve_scope
from engine.scopes.survey import ENTRIES_MAX, Survey, Unresolvable, under


class Clash(Struct, frozen=True):
    """A path that two scopes share."""

    witness: str
    """Relative to the first scope's workspace where it lies there."""
    mine: str
    """The pattern of the first scope that leads there."""
    theirs: str
    decided: bool = True
    """False: they could not be told apart, and the witness is only what the other one names."""


class HeldScope(Struct, frozen=True):
    """What a live run holds."""

    run_id: int
    agent: str
    workspace: str
    patterns: tuple[str, ...]
    resolved: Scope | None
    """As it was when it was claimed; None where that was not kept."""
    mode: Mode = "w"
    token: int = 0
    """Of the claim: a later one is greater."""


class PairVerdict(Struct, frozen=True):
    """What is said of two scopes that would be live at once."""

    verdict: Literal["conflict", "ok", "warn", "refused"]
    witness: str | None
    why: str


def weigh(one: Mode, other: Mode) -> Literal["conflict", "warn", "ok"]:
    """What a shared path means: two writers lose work, a reader beside a writer may see half of it."""
    if one == other:
        return "conflict" if one == "w" else "ok"
    return "warn"


def clash(one: Scope, other: Scope) -> Clash | None:
    """A path that both cover, as they were resolved. Reads no disk. A scope with problems is not for comparing."""
    return _clash(Ready(one), Ready(other))


def _clash(one: Ready, other: Ready) -> Clash | None:
    mine, theirs = one.scope, other.scope
    twin = _shared_file(one, other)
    if twin is not None:
        return Clash(_shown(twin[0], mine), mine.patterns[twin[1]], theirs.patterns[twin[2]])
    for here, anchor in enumerate(mine.anchors):
        for there, its in enumerate(theirs.anchors):
            relation = relate(anchor, its)
            found = relation and meeting(one.paths(here, relation.mine), other.paths(there, relation.theirs))
            if found and relation:
                witness = _shown(under(relation.folder, found.names), mine)
                return Clash(witness, mine.patterns[found.mine], theirs.patterns[found.theirs], found.decided)
    return None


def _shared_file(one: Ready, other: Ready) -> tuple[str, int, int] | None:
    for identity in one.twins.keys() & other.twins.keys():
        return one.twins[identity].path, one.twins[identity].source, other.twins[identity].source
    return None


def _shown(witness: str, scope: Scope) -> str:
    if witness == scope.workspace:
        return "."
    return witness.removeprefix(scope.workspace.rstrip("/") + "/")


def decide(
    mine: Scope,
    held: Sequence[HeldScope],
    *,
    entries_max: int = ENTRIES_MAX,
    folding: Folding | None = None,
) -> list[tuple[HeldScope, Clash]]:
    """Every live scope that this one clashes with, by what it was and by what it is now; `weigh` says what it means.

    It looks at the tree, once for each workspace, and belongs in a thread. A scope with problems is refused for those.
    """
    if mine.problems:
        return []
    ready, looks = Ready(mine), _Looks(entries_max, folding)
    found = []
    for one in held:
        if weigh(mine.mode, one.mode) != "ok":
            was = _clash(ready, Ready(one.resolved)) if one.resolved else None
            shared = was or looks.clash(ready, one)
            if shared is not None:
                found.append((one, shared))
    return found


class _Looks:
    """The live scopes as they are now."""

    def __init__(self, entries_max: int, folding: Folding | None) -> None:
        self._entries_max = entries_max
        self._folding = folding
        self._surveys: dict[str, Survey] = {}

    def clash(self, mine: Ready, held: HeldScope) -> Clash | None:
        """What is shared now. A scope that cannot be looked at any more clashes with all in or above its workspace."""
        try:
            survey = self._survey(held.workspace)
            if self._is_apart(mine, held, survey):
                return None
            now = resolve_scope(Path(held.workspace), held.patterns, survey, twins=bool(mine.twins))
        except Unresolvable:
            return _undecided(mine, held)
        found = _clash(mine, Ready(now))
        if found is None and now.blind and _is_near(mine.scope, survey):
            return _undecided(mine, held)
        return found

    def _survey(self, workspace: str) -> Survey:
        if workspace not in self._surveys:
            self._surveys[workspace] = Survey(Path(workspace), entries_max=self._entries_max, folding=self._folding)
        return self._surveys[workspace]

    def _is_apart(self, mine: Ready, held: HeldScope, survey: Survey) -> bool:
        """Whether they share nothing even if every match is a folder: quickly said, and so of most."""
        if mine.twins:
            return False
        wide = resolve_scope(Path(held.workspace), held.patterns, survey, widened=True, twins=False)
        return not wide.blind and _clash(mine, Ready(wide)) is None


def _undecided(mine: Ready, held: HeldScope) -> Clash | None:
    if not mine.scope.patterns or not held.patterns:
        return None
    return Clash(held.patterns[0], mine.scope.patterns[0], held.patterns[0], decided=False)


def _is_near(mine: Scope, survey: Survey) -> bool:
    """Whether one lies in the other's workspace. No scope leaves its workspace when it is admitted."""
    ids = survey.ids(survey.root.folder)
    return any(ids[-1] in anchor.ids or anchor.ids[-1] in ids for anchor in mine.anchors)


def check_pair(
    workspace: Path, a_mode: Mode, a_patterns: Sequence[str], b_mode: Mode, b_patterns: Sequence[str]
) -> PairVerdict:
    """What would be said of two scopes in one workspace as it is now. Reads the disk."""
    survey = Survey(workspace)
    one, other = (resolve_scope(workspace, patterns, survey) for patterns in (a_patterns, b_patterns))
    for name, scope in (("a", one), ("b", other)):
        if scope.problems:
            return PairVerdict("refused", None, f"{name}: {'; '.join(scope.problems)}")
    found = clash(one, other)
    if found is None:
        return PairVerdict("ok", None, "they share no path")
    if not found.decided:
        return PairVerdict("refused", None, f"'{found.mine}' and '{found.theirs}' are too many patterns to compare")
    verdict = weigh(a_mode, b_mode)
    meaning = {
        "conflict": "both would write it",
        "warn": "one would write what the other reads",
        "ok": "both only read",
    }
    why = f"'{found.mine}' and '{found.theirs}' share {found.witness}: {meaning[verdict]}"
    return PairVerdict(verdict, None if verdict == "ok" else found.witness, why)
