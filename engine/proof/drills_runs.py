"""Do the guards on a live run trip: its timeout, its budget, its scope, its claim, and what others use beside it?"""

import json
import os
import signal
from collections.abc import Callable

import msgspec

from engine.config.model import Unit
from engine.contract.orders import Nothing, StopRun
from engine.execution.follow import read_alive, read_end
from engine.proof.desk import MARK, NotTripped, Site, must, need, still_alive
from engine.proof.drills_prompt import PRICED
from engine.proof.drills_windows import LIMIT, UNITS, steady_now, told
from engine.proof.logs import write_log
from engine.proof.trip import Drill, Found, admitted, ran_well, refused, succeeds, untouched
from engine.scopes.violations import Changes
from state import claims, events, runs, sessions

TREE = """trap "" TERM
(sleep 300 & echo $! > ../orphan)
sleep 300 & echo "$$ $! $(cat ../orphan)" > ../pids
wait"""
"""A program, a child and an orphan, none of which ends when it is asked to."""
_GRACE = "half a second"
"""`limits.grace` of every desk."""
GO_ON = 'echo "$QUARTERDECK_SESSION $QUARTERDECK_RESUMES" > ../resumed'


def pids_of(site: Site) -> set[int]:
    return set(map(int, site.until(lambda: site.told("pids"), "its program has started its children").split()))


def all_gone(pids: set[int]) -> str:
    left = still_alive(pids)
    need(not left, f"of its processes {_list(left)} still live")
    return f"its processes {_list(pids)}, which ignore SIGTERM, are gone"


def _list(pids: set[int]) -> str:
    return ", ".join(map(str, sorted(pids)))


def ended_as(site: Site, run_id: int, outcome: str) -> runs.Run:
    run = site.ended(run_id)
    need(run.outcome == outcome, f"run {run_id} ended '{run.outcome}', not '{outcome}': {run.why}")
    return run


def _timed_out(site: Site) -> Found:
    answer = admitted(site, site.request(TREE, timeout_s=1.5))
    pids = pids_of(site)
    run = ended_as(site, answer.run, "timed_out")
    return Found(f"timed_out: {run.why}", (all_gone(pids), was_killed(site, run)))


def was_killed(site: Site, run: runs.Run) -> str:
    end = must(read_end(site.desk.home.run_folder(run.id)), f"run {run.id} has ended, and its keeper has not said how")
    need(end.escalated, f"run {run.id} ended without being killed, although it ignores SIGTERM")
    return f"it lived for {end.duration_s:.1f} s, was asked to end, and {_GRACE} later was killed"


def _no_engine(site: Site) -> Found:
    answer = admitted(site, site.request(TREE, timeout_s=1.5))
    pids = pids_of(site)
    site.desk.kill_engine()
    site.until(lambda: not still_alive(pids), "all of its processes are gone")
    folder = site.desk.home.run_folder(answer.run)
    site.until(lambda: read_end(folder), "its keeper has said how it ended")
    state = site.run(answer.run).state
    site.desk.start_engine()
    run = ended_as(site, answer.run, "timed_out")
    evidence = (all_gone(pids), f"meanwhile the database said '{state}'; the next engine settled it: {run.outcome}")
    return Found(f"timed_out: {run.why}", (*evidence, was_killed(site, run)))


def _stopped(site: Site) -> Found:
    answer = admitted(site, site.request(TREE))
    pids = pids_of(site)
    site.desk.order("stop", StopRun(answer.run))
    run = ended_as(site, answer.run, "cancelled")
    return Found("cancelled: by the operator's order", (all_gone(pids), was_killed(site, run)))


def _reached(name: str) -> Callable[[Site], Found]:
    """A run that uses more than its budget has is ended, kept, and goes on when there is room."""

    def trip(site: Site) -> Found:
        steady_now(site)
        answer = admitted(site, site.request(agent=name, argv=(), model=PRICED))
        pids = pids_of(site)
        run = ended_as(site, answer.run, "budget_reached")
        gone = all_gone(pids)
        waits = site.until(lambda: runs.resumption(site.books, run.id), "it is asked for again, to go on")
        need(
            waits.waits_for == "budget",
            f"run {waits.id}, which goes on, is '{waits.state}' and waits for {waits.waits_for}",
        )
        nothing = untouched(site, waits)
        site.configure(_reach(name, "tokens = 100_000\nusd = 0.1"))
        went_on = f"when the budget was raised: {ran_well(site, waits.id)}, {_same_conversation(site, run, waits.id)}"
        used = f"it told of 5,000 used, against a limit of {LIMIT:,}, and was booked with {run.used_tokens:,} tokens"
        asked = f"run {waits.id} is to go on with it and waits: {nothing}"
        return Found(f"budget_reached: {run.why}", (gone, used, asked, went_on))

    return trip


def _same_conversation(site: Site, run: runs.Run, next_id: int) -> str:
    after = site.run(next_id)
    need(after.generation_id == run.generation_id, f"run {next_id} went on in another conversation")
    known = sessions.generation(site.books, run.generation_id or 0).provider_id
    need(site.told("resumed") == f"{known} 1\n", f"run {next_id} was not told to resume {known}")
    return f"in the same conversation of session {run.session_id}"


def _reach(name: str, limit: str) -> str:
    first = json.dumps(["sh", "-c", f"{MARK}\n{told(5_000)}\n{TREE}"])
    resumed = json.dumps(["sh", "-c", f"{MARK}\n{GO_ON}"])
    return (
        f'[agent.{name}]\nadapter = "command"\nargv = {first}\nargv_resume = {resumed}\n'
        f'[budget.{name}]\nwindow = "day"\n{limit}\nagent = "{name}"\n'
    )


def _violation(site: Site) -> Found:
    control = admitted(site, site.request("mkdir notes && echo in > notes/in.md", can_write=("notes/",)))
    clean = ran_well(site, control.run)
    need(_changes(site, control.run) == (1, ()), f"run {control.run}, which kept within its scope, is not found clean")
    answer = admitted(site, site.request("echo in > notes/b.md; echo out > outside.md", can_write=("notes/",)))
    run = site.ended(answer.run)
    need(_changes(site, run.id) == (2, ("outside.md",)), f"of run {run.id} was found: {run.changes}")
    noted = [event.text for event in events.latest(site.books, 20, run_id=run.id) if event.kind == "violation"]
    need(noted, f"run {run.id} wrote outside its scope, and no event says so")
    evidence = (
        f"event: {noted[0]}",
        f"run {run.id} changed 2 files",
        f"control: {clean}, 1 file changed, none outside",
    )
    return Found(run.why or "", evidence)


def _changes(site: Site, run_id: int) -> tuple[int, tuple[str, ...]]:
    """How many files a run changed, and which of them outside its scope."""
    found = msgspec.json.decode(site.run(run_id).changes or "null", type=Changes | None)
    if found is None or not found.checked:
        raise NotTripped(f"what run {run_id} changed was not looked at")
    return found.changed, found.violations


def _keeper_killed(site: Site) -> Found:
    holder = admitted(site, site.request(TREE, can_write=("notes/",))).run
    pids = pids_of(site)
    keeper = must(read_alive(site.desk.home.run_folder(holder)), f"run {holder} lives without a keeper")
    held = refused(site, "conflict", f"held by run {holder}", site.request(can_write=("notes/a.md",)))
    os.kill(keeper.pid, signal.SIGKILL)
    site.until(lambda: _freed(site, holder, pids), "the claim is free")
    run = ended_as(site, holder, "interrupted")
    after = succeeds(site, site.request(can_write=("notes/a.md",)))
    evidence = (f"before: {held.stopped_by}", all_gone(pids), f"only then was the claim free: {after}")
    return Found(f"interrupted: {run.why}", evidence)


def _freed(site: Site, run_id: int, pids: set[int]) -> bool:
    """Whether the claim is free. Raises NotTripped when it is and processes are left: looked at in this order."""
    if claims.held(site.books, run_id):
        return False
    left = still_alive(pids)
    need(not left, f"the claim of run {run_id} is free while its processes {_list(left)} live")
    return True


def _observed(site: Site) -> Found:
    model = "drill_observed"
    now = steady_now(site)
    control = succeeds(site, site.request(model=model))
    session = write_log(site.desk.user, model, now, 5_000)
    site.desk.order("catch_up", Nothing())
    found = refused(site, "budget", f"{model}: 5,", site.request(model=model))
    logged = f"session {session} of Claude Code logged 5,000 tokens at {now:%F %T} UTC"
    return Found(found.stopped_by, (*found.evidence, logged, f"control: before that, {control}"))


def _reached_drill(unit: Unit) -> Drill:
    said, limit = ("tokens", "tokens = 1_000") if unit == "tokens" else ("dollars", "usd = 0.001")
    name = f"drill_reach_{said}"
    return Drill(
        f"budget_reached.{said}",
        ("budget_reached", "budget", unit),
        f"a live run that uses five times the {said} its budget has",
        "ended, kept, and resumed when the budget is raised",
        _reached(name),
        _reach(name, limit),
    )


DRILLS = (
    Drill(
        "observed",
        ("observed", "budget", "tokens"),
        "a run under a budget that another tool has used up by itself, as its log tells",
        "refused, and nothing spent",
        _observed,
        '[budget.drill_observed]\nwindow = "day"\ntokens = 1_000\nmodel = "drill_observed"\n'
        "[prices.drill_observed]\ninput = 1.0\noutput = 1.0\n",
    ),
    Drill(
        "violation",
        ("violation", "scope"),
        "a run that may write notes/ and also writes outside.md",
        "found when it has ended, and said",
        _violation,
    ),
    Drill(
        "timed_out",
        ("timed_out", "timeout"),
        "a run of three processes that ignore SIGTERM, one of them an orphan, with a timeout of 1.5 s",
        "ended by its keeper, and nothing of it left",
        _timed_out,
    ),
    Drill(
        "timed_out.no_engine",
        ("timed_out", "timeout"),
        "a run of such processes with a timeout of 1.5 s, and the engine is killed with SIGKILL meanwhile",
        "ended by its keeper all the same, and settled by the next engine",
        _no_engine,
        alone=True,
    ),
    Drill(
        "cancelled",
        ("cancelled",),
        "a run of three processes that ignore SIGTERM is stopped by the operator",
        "ended, and nothing of it left",
        _stopped,
    ),
    Drill(
        "claim",
        ("claim", "conflict"),
        "the keeper of a live run is killed with SIGKILL, its processes are not",
        "its claim is free only when all of them are gone",
        _keeper_killed,
    ),
    *map(_reached_drill, UNITS),
)
