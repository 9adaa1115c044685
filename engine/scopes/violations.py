"""What did a run change outside its scope, and whose is the rest? Judged on paths; it reads no clock, disk or database.

A change inside its scope is its own. Another is `unattributed` when someone else could have made it: a run that held
the path meanwhile, or a session that is not ours and was active in the workspace. What is left is a `violation`.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

PATHS_CAP = 100
"""Paths kept of each kind; how many there were is kept beside them."""
NAMED = 3
"""Paths, or others who may have made a change, that are named in a line for people."""
SHOWN_CAP = 80
"""Characters of a path or a title in such a line."""
WHY_CAP = 240


class OtherClaim(Struct, frozen=True):
    """A claim of another run that was live at any time during this one."""

    run_id: int
    agent: str
    covers: Callable[[str], bool]
    """Whether that run may write this path, given as in `changed`."""


class ForeignSession(Struct, frozen=True):
    """A session that is not ours and was active in this workspace during the run."""

    session_id: int
    source: str
    title: str


class Unattributed(Struct, frozen=True):
    """A change that someone else may have made."""

    path: str
    who: str


class Changes(Struct, frozen=True):
    """What became of the workspace while a run was live. Paths relative to it, as valid UTF-8."""

    checked: bool
    """False: nothing was judged, and the figures mean nothing."""
    why: str = ""
    """Why it was not checked; of a checked one, what of the workspace was not looked at."""
    changed: int = 0
    inside: int = 0
    """Inside its own scope."""
    violations: tuple[str, ...] = ()
    """The first `PATHS_CAP` of them."""
    violations_total: int = 0
    unattributed: tuple[Unattributed, ...] = ()
    """The first `PATHS_CAP` of them."""
    unattributed_total: int = 0
    beside: tuple[str, ...] = ()
    """Runs that were live in the same workspace: each of them may have made a violation instead."""


def judge_changes(
    changed: Sequence[str],
    own: Callable[[str], bool],
    others: Sequence[OtherClaim],
    foreign: Sequence[ForeignSession],
    why: str = "",
    beside: Sequence[str] = (),
) -> Changes:
    """Whose each changed path is. `why` is what could not be looked at, empty when everything was."""
    outside = [path for path in changed if not own(path)]
    present = _list([_name(session) for session in foreign], joint=" or ")
    suspects = {path: _claimants(path, others) or present for path in outside}
    violations = [path for path in outside if not suspects[path]]
    unattributed = [path for path in outside if suspects[path]]
    return Changes(
        checked=True,
        why=why,
        changed=len(changed),
        inside=len(changed) - len(outside),
        violations=tuple(_storable(path) for path in violations[:PATHS_CAP]),
        violations_total=len(violations),
        unattributed=tuple(Unattributed(_storable(path), suspects[path]) for path in unattributed[:PATHS_CAP]),
        unattributed_total=len(unattributed),
        beside=tuple(_line(name) for name in beside[:PATHS_CAP]),
    )


def not_checked(why: str) -> Changes:
    """Nothing can be said: which is not the same as nothing changed."""
    return Changes(checked=False, why=why)


def words(changes: Changes) -> str:
    """One line for people."""
    if not changes.checked:
        return f"changes not checked: {_line(changes.why)[:WHY_CAP]}"
    parts = [_sum(changes)]
    if changes.unattributed_total:
        named = [f"{_shown(change.path)} ({change.who})" for change in changes.unattributed[:NAMED]]
        parts.append(f"{changes.unattributed_total:,} unattributed: {_list(named, changes.unattributed_total)}")
    if changes.why:
        parts.append(_line(changes.why)[:WHY_CAP])
    return "; ".join(parts)


def _sum(changes: Changes) -> str:
    if not changes.changed:
        return "no file changed"
    total = "1 file changed" if changes.changed == 1 else f"{changes.changed:,} files changed"
    if changes.violations_total:
        named = [_shown(path) for path in changes.violations[:NAMED]]
        or_of = f" (or of {_list(changes.beside, joint=' or ')}, live beside it)" if changes.beside else ""
        return (
            f"{total}, {changes.violations_total:,} outside its scope: {_list(named, changes.violations_total)}{or_of}"
        )
    return f"{total}, none outside its scope" if changes.unattributed_total else f"{total}, all inside its scope"


def _claimants(path: str, others: Sequence[OtherClaim]) -> str:
    """Who else held this path; empty when nobody did."""
    runs = [f"run {other.run_id}, {_shown(other.agent)}" for other in others if other.covers(path)]
    return _list(list(dict.fromkeys(runs)), joint=" or ")


def _name(session: ForeignSession) -> str:
    title = f" '{_shown(session.title)}'" if session.title else ""
    return f"{session.source} session {session.session_id}{title}"


def _list(named: Sequence[str], total: int | None = None, joint: str = ", ") -> str:
    more = (len(named) if total is None else total) - NAMED
    return joint.join([*named[:NAMED], *([f"{more:,} more"] if more > 0 else [])])


def _storable(path: str) -> str:
    """Bytes of a file name that are no UTF-8 reach us as lone surrogates, which neither JSON nor the database take."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _shown(text: str) -> str:
    """Not endless; of a long path the end tells more."""
    line = _line(text)
    return line if len(line) <= SHOWN_CAP else "…" + line[1 - SHOWN_CAP :]


def _line(text: str) -> str:
    """On one line, with nothing in it that a terminal would obey."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
