"""What did a run change in its workspace, and was it allowed to? Looked at when its process tree is gone."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine.adapters.own_settings import changed as changed_settings
from engine.execution import snapshot
from engine.execution.follow import find_alive
from engine.runtime.facts import held_scope
from engine.runtime.places import spoken_to
from engine.runtime.questions import read_permission
from engine.runtime.sandboxing import TMP
from engine.runtime.starting import BEFORE, ours
from engine.scopes.conflict import HeldScope
from engine.scopes.scope import coverage, resolve_scope
from engine.scopes.violations import (
    PATHS_CAP,
    Changes,
    ForeignSession,
    OtherClaim,
    judge_changes,
    not_checked,
    words,
)
from state import approvals, claims, runs, sessions
from state.database import Connection
from state.errors import StateError
from state.home import Home

OBEYED = "its program obeys its changed settings from now on: look at them before the next run"


async def changes_of(home: Home, connection: Connection, run: runs.Run, now_ms: int) -> Changes | None:
    """None for a run that never started. Claims and sessions of its time are read here, the disk in a thread; there
    its private folder is removed, too."""
    if run.started_ms is None or run.admitted_ms is None:
        await asyncio.to_thread(_discard, home.run_folder(run.id))
        return None
    own = [held_scope(claim) for claim in claims.live(connection) if claim.run_id == run.id and claim.mode == "w"]
    around = claims.during(connection, run.admitted_ms, now_ms, run.id)
    others = [held_scope(claim) for claim in around if claim.mode == "w"]
    foreign = [
        ForeignSession(session.id, session.source, session.title or "")
        for session in sessions.observed_in(connection, run.workspace, run.started_ms)
    ]
    beside = [
        f"run {other.id}, {other.agent}"
        for other in runs.beside(connection, run.workspace, run.id, run.started_ms, now_ms)
    ]
    allowed = _allowed(connection, run)
    judged = await asyncio.to_thread(_judge, home, run, own, allowed, others, foreign, beside)
    settings = await asyncio.to_thread(changed_settings, spoken_to(home, run))
    return with_settings(judged, settings, beside)


def _allowed(connection: Connection, run: runs.Run) -> Callable[[str], bool]:
    """Whether the operator let it write a path, relative to its workspace, while it ran. What a command writes that was
    let run cannot be told beforehand: after one, everything in the workspace is."""
    asked = approvals.permissions(connection, run.id)
    paths = [read_permission(one.what).path for one in asked if one.state == "approved"]
    if None in paths:
        return lambda path: True
    root = Path(run.workspace).resolve()
    known = {Path(path).resolve() for path in paths if path is not None}
    return lambda path: (root / path).resolve() in known


def lost_claim(connection: Connection, run: runs.Run) -> bool:
    """Whether a claim that the run was admitted with is not held any more: its result was made without cover."""
    return bool(msgspec.json.decode(run.can_write)) and not claims.held(connection, run.id)


def _judge(
    home: Home,
    run: runs.Run,
    own: list[HeldScope],
    allowed: Callable[[str], bool],
    others: list[HeldScope],
    foreign: list[ForeignSession],
    beside: list[str],
) -> Changes:
    _discard(home.run_folder(run.id))
    root = Path(run.workspace)
    try:
        before = snapshot.load(home.run_folder(run.id) / BEFORE)
    except StateError as error:
        return not_checked(str(error))
    after = snapshot.take(root, leave_out=ours(home))
    if not (before.complete and after.complete):
        return not_checked(before.why or after.why)
    mine = [_covered(held, root) for held in own]
    judged = judge_changes(
        snapshot.changed(before, after),
        lambda path: any(covered(path) for covered in mine) or allowed(path),
        [OtherClaim(held.run_id, held.agent, _covered(held, root)) for held in others],
        foreign,
        "; ".join(dict.fromkeys(filter(None, (before.why, after.why)))),
        beside,
    )
    return _with_sandbox(judged, run.sandbox)


def _with_sandbox(judged: Changes, sandbox: str | None) -> Changes:
    """A violation names what should have kept it from happening."""
    if not judged.violations_total or sandbox is None:
        return judged
    return replace(judged, why="; ".join(filter(None, (f"its sandbox was {sandbox}", judged.why))))


def with_settings(judged: Changes, settings: Sequence[str], beside: Sequence[str]) -> Changes:
    """Settings of its program are in nobody's scope: what changed them says what the next run, or the operator's own
    program, carries out."""
    if not settings:
        return judged
    found = judged if judged.checked else Changes(checked=True, why=words(judged), beside=tuple(beside))
    return replace(
        found,
        changed=found.changed + len(settings),
        violations=(*settings, *found.violations)[:PATHS_CAP],
        violations_total=found.violations_total + len(settings),
        why="; ".join(filter(None, (OBEYED, found.why))),
    )


def _discard(run_folder: Path) -> None:
    """A run's private folder, whatever it has made of that, unless its program is kept for the next turn. What cannot
    be removed goes with the run's folder."""
    if find_alive(run_folder) is not None:
        return
    folder = run_folder / TMP
    if folder.is_symlink():  # what it leads to is none of ours
        folder.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
    for here, folders, _ in os.walk(folder):
        for path in (Path(here, name) for name in folders):
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _covered(held: HeldScope, root: Path) -> Callable[[str], bool]:
    """Whether a path relative to `root` lies in a scope, as it was when it was claimed or as it is now."""
    now = resolve_scope(Path(held.workspace), held.patterns)
    coverages = [coverage(scope) for scope in (held.resolved, now) if scope is not None]
    return lambda path: any(covers(str(root / path)) for covers in coverages)
