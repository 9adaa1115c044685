"""Do the checks on what else is going on trip: conflict, timeout, depth, children, concurrency?"""

from collections.abc import Callable
from typing import Any

from engine.contract.orders import RunRequest
from engine.contract.verdict import CheckName, WaitsFor
from engine.proof.desk import MARK, Site, need
from engine.proof.trip import (
    REFUSED,
    Drill,
    Found,
    admitted,
    ran_well,
    refusal,
    refused,
    said,
    stopped,
    succeeds,
    untouched,
)

HOLD = "until [ -e ../go ]; do sleep 0.02; done"
"""A program that lives until its drill lets it go."""


def conflict(
    theirs: str, mine: str, apart: str, made: Callable[[Site], None] = lambda site: None
) -> Callable[[Site], Found]:
    """A live run holds a scope: one that meets it is refused, one apart runs beside it, and after it both may."""

    def trip(site: Site) -> Found:
        made(site)
        holder = admitted(site, site.request(HOLD, can_write=(theirs,)))
        found = refused(site, "conflict", f"held by run {holder.run}", site.request(can_write=(mine,)))
        beside = succeeds(site, site.request(can_write=(apart,)))
        _let_go(site, holder.run)
        after = succeeds(site, site.request(can_write=(mine,)))
        return Found(found.stopped_by, (*found.evidence, f"beside it, in {apart}: {beside}", f"after it: {after}"))

    return trip


def _let_go(site: Site, run_id: int) -> None:
    (site.folder / "go").touch()
    ran_well(site, run_id)


def _linked_folder(site: Site) -> None:
    (site.workspace / "real").mkdir()
    (site.workspace / "alias").symlink_to("real")


def _hard_link(site: Site) -> None:
    site.workspace.joinpath("twin.md").hardlink_to(site.write("plan.md", "one file, two names\n"))


def waits(name: CheckName, waits_for: WaitsFor, **both: Any) -> Callable[[Site], Found]:
    """A run that is told to wait is kept, holding nothing, until the live one before it has ended."""

    def trip(site: Site) -> Found:
        holder = admitted(site, site.request(HOLD, **both))
        answer = site.ask(site.request(wait=True, **both))
        check = stopped(answer, name)
        need(answer.waits_for == waits_for, f"run {answer.run} waits for {answer.waits_for}, not for a {waits_for}")
        nothing = untouched(site, site.run(answer.run))
        _let_go(site, holder.run)
        after = ran_well(site, answer.run)
        return Found(said(check), (f"run {answer.run} waited: {nothing}", f"when run {holder.run} had ended: {after}"))

    return trip


def _depth(site: Site) -> Found:
    parent = admitted(site, site.request(HOLD))
    child = admitted(site, site.request(HOLD, parent_run_id=parent.run))
    found = refused(site, "depth", "2 of 1", site.request(parent_run_id=child.run))
    (site.folder / "go").touch()
    control = f"its parent, run {child.run}, is the child of run {parent.run}: {ran_well(site, child.run)}"
    ran_well(site, parent.run)
    return Found(found.stopped_by, (*found.evidence, f"control: {control}"))


def _children(site: Site) -> Found:
    parent = admitted(site, site.request(HOLD))
    had = [succeeds(site, site.request(parent_run_id=parent.run)) for _ in range(2)]
    found = refused(site, "children", "2 of 2", site.request(parent_run_id=parent.run))
    _let_go(site, parent.run)
    return Found(found.stopped_by, (*found.evidence, f"control: its first two children: {' and '.join(had)}"))


def full(words: str, request: Callable[[Site, str], RunRequest]) -> Callable[[Site], Found]:
    """One run takes the last place: the next is refused, and passes when that one has ended."""

    def trip(site: Site) -> Found:
        first = admitted(site, request(site, HOLD))
        found = refused(site, "concurrency", words.format(run=first.run), request(site, ""))
        _let_go(site, first.run)
        after = succeeds(site, request(site, ""))
        return Found(found.stopped_by, (*found.evidence, f"when run {first.run} had ended: {after}"))

    return trip


DRILLS = (
    Drill(
        "conflict.folder",
        ("conflict",),
        "to write notes/deep/out.md while a live run holds notes/",
        REFUSED,
        conflict("notes/", "notes/deep/out.md", "docs/out.md"),
    ),
    Drill(
        "conflict.glob",
        ("conflict",),
        "to write */pump/[a-m]*.py while a live run holds src/**/*.py",
        REFUSED,
        conflict("src/**/*.py", "*/pump/[a-m]*.py", "src/**/*.md"),
    ),
    Drill(
        "conflict.link",
        ("conflict",),
        "to write alias/plan.md, where alias is a link to real, while a live run holds real/plan.md",
        REFUSED,
        conflict("real/plan.md", "alias/plan.md", "alias/other.md", _linked_folder),
    ),
    Drill(
        "conflict.hard_link",
        ("conflict",),
        "to write twin.md, another name of the file plan.md, while a live run holds plan.md",
        REFUSED,
        conflict("plan.md", "twin.md", "other.md", _hard_link),
    ),
    Drill(
        "conflict.wait",
        ("conflict",),
        "to write what a live run holds, and to wait for it",
        "kept, holding nothing, until the claim is free",
        waits("conflict", "claim", can_write=("notes/out.md",)),
    ),
    Drill(
        "timeout.none",
        ("timeout",),
        "a run with no time at all: 0 s",
        REFUSED,
        refusal("timeout", "no time at all", {"timeout_s": 0}, {"timeout_s": 60}),
    ),
    Drill(
        "timeout.long",
        ("timeout",),
        "a run that wants 31 minutes, where 30 are the most",
        REFUSED,
        refusal("timeout", "over the maximum", {"timeout_s": 1_860}, {"timeout_s": 1_800}),
    ),
    Drill("depth", ("depth",), "a spawn by a run that was spawned, where depth 1 is the most", REFUSED, _depth),
    Drill("children", ("children",), "a third spawn by one run, where two are the most", REFUSED, _children),
    Drill(
        "concurrency.engine",
        ("concurrency",),
        "a second run at once, where engine.max_runs is 1",
        REFUSED,
        full("1 of 1 runs are live", lambda site, script: site.request(script)),
        replaces={"engine": "[engine]\nmax_runs = 1\n"},
    ),
    Drill(
        "concurrency.agent",
        ("concurrency",),
        "a second run of an agent at once, where its max_runs is 1",
        REFUSED,
        full("1 of 1 runs of drill_single", lambda site, script: site.request(script, agent="drill_single")),
        '[agent.drill_single]\nadapter = "command"\nargv = ["true"]\nmax_runs = 1\n',
    ),
    Drill(
        "concurrency.wait",
        ("concurrency",),
        "a second run of such an agent, told to wait for a free place",
        "kept, holding nothing, until there is one",
        waits("concurrency", "slot", agent="drill_queue"),
        '[agent.drill_queue]\nadapter = "command"\nargv = ["true"]\nmax_runs = 1\n',
    ),
    Drill(
        "concurrency.session",
        ("concurrency",),
        "two runs in one conversation at once",
        REFUSED,
        full(
            "run {run} is live in this session",
            lambda site, script: site.request(
                agent="drill_talker", trigger="operator", argv=(), task=f"{MARK}\n{script}"
            ),
        ),
        '[agent.drill_talker]\nadapter = "command"\nargv = ["sh"]\nargv_resume = ["sh"]\n',
    ),
)
