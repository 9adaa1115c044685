"""Is the end of a run noticed and named: a crash, silence, a cap of its own, what it leaves behind, an absent model?"""

from collections.abc import Callable
from typing import Any

from engine.execution.follow import read_end
from engine.proof.desk import Site, must, need
from engine.proof.drills_prompt import PRICED
from engine.proof.drills_runs import TREE, all_gone, ended_as, pids_of, was_killed
from engine.proof.drills_windows import told
from engine.proof.trip import Drill, Found, admitted, ran_well, said, stopped, succeeds, untouched
from state import events, fallbacks, runs

MODEL = "drill_absent"
ORPHAN = """setsid sh -c 'trap "" TERM; echo $$ > ../pids; sleep 300' > /dev/null 2>&1 &
until [ -s ../pids ]; do sleep 0.02; done"""
"""A program that ends well, and leaves one in a session of its own that does not end when it is asked to."""
ABSENT = "/nowhere/codex"
"""The program of the adapter `codex` at every desk."""
_PATIENT = "for _ in 1 2 3 4 5 6; do echo tick; sleep 0.3; done"


def _crashed(site: Site) -> Found:
    run = ended_as(site, admitted(site, site.request("kill -SEGV $$")).run, "crashed")
    need("SIGSEGV" in (run.why or ""), f"run {run.id} crashed, and why is told as: {run.why}")
    other = ended_as(site, admitted(site, site.request("exit 3")).run, "failed")
    need(other.exit_code == 3, f"run {other.id} ended with exit code 3, and {other.exit_code} is told")
    control = f"run {other.id}, which ends with exit code 3 by itself, is 'failed'"
    return Found(f"crashed: {run.why}", (f"signal {run.signal}, no exit code", f"control: {control}"))


def _silent(site: Site) -> Found:
    answer = admitted(site, site.request(f"echo begun\n{TREE}", silence_s=1.0))
    pids = pids_of(site)
    run = ended_as(site, answer.run, "silent")
    control = succeeds(site, site.request(_PATIENT, silence_s=1.0))
    evidence = (all_gone(pids), was_killed(site, run), f"control: as long a run that says something: {control}")
    return Found(f"silent: {run.why}", evidence)


def _capped(cap: dict[str, float]) -> Callable[[Site], Found]:
    """It tells of more than it may use, under no budget; below its cap it runs to its end."""

    def trip(site: Site) -> Found:
        control = succeeds(site, site.request(told(500), model=PRICED, **cap))
        answer = admitted(site, site.request(f"{told(5_000)}\n{TREE}", model=PRICED, **cap))
        pids = pids_of(site)
        run = ended_as(site, answer.run, "budget_reached")
        again = runs.resumption(site.books, run.id)
        need(again is None, f"run {run.id} met a cap of its own, and goes on by itself")
        evidence = (all_gone(pids), f"{run.used_tokens:,} tokens are booked", f"control, with a tenth of it: {control}")
        return Found(f"budget_reached: {run.why}", evidence)

    return trip


def _orphan(site: Site) -> Found:
    answer = admitted(site, site.request(ORPHAN))
    pids = pids_of(site)
    run = ended_as(site, answer.run, "succeeded")
    gone = all_gone(pids)
    end = must(read_end(site.desk.home.run_folder(run.id)), f"run {run.id} has ended, and its keeper has not said how")
    need(end.leaked > 0, f"run {run.id} left a process behind, and its keeper has counted none")
    return Found(f"leaked: {end.leaked} that run {run.id} had left behind were ended", (gone,))


def _elsewhere(site: Site) -> Found:
    """Its own program is not there; the next model of its chain needs none."""
    site.write("a.md", "- [ ] mend the pump\n")
    said_of: dict[str, Any] = {"argv": (), "agent": "digest", "inject": ("a.md",)}
    request = site.request(**said_of, model=f"codex/{MODEL}", fallback=("digest",))
    answer = site.ask(request)
    check = stopped(answer, "agent")
    nothing = untouched(site, site.run(answer.run))
    later = site.until(lambda: fallbacks.successor(site.books, answer.run), "the next model is asked")
    passed = ran_well(site, later)
    need(site.run(later).adapter == "digest", f"run {later} was not done by the next of the chain")
    alone = site.ask(site.request(**said_of, model=f"codex/{MODEL}"))
    stopped(alone, "agent")
    own = ended_as(site, admitted(site, site.request("exit 3", fallback=("other",))).run, "failed")
    marked = [one.text for one in events.latest(site.books, 50, run_id=own.id) if one.kind == fallbacks.KIND]
    need(not marked, f"run {own.id} failed by itself, and goes to another model: {marked}")
    for one in (alone.run, own.id):
        need(fallbacks.successor(site.books, one) is None, f"run {one} goes to a model that nobody named for it")
    evidence = (
        f"run {answer.run} is refused: {nothing}",
        f"run {later} does it again with the next: {passed}",
        f"control: run {alone.run}, without a chain, and run {own.id}, which failed by itself, do not go on",
    )
    return Found(f"fell back after {said(check)}", evidence)


DRILLS = (
    Drill(
        "crashed",
        ("crashed",),
        "a run whose program is ended by a fault of its own",
        "told apart from one that fails, with the signal",
        _crashed,
    ),
    Drill(
        "silent",
        ("silent",),
        "a run of three processes that ignore SIGTERM and put nothing out, with a silence of 1 s",
        "ended by its keeper, and nothing of it left",
        _silent,
    ),
    Drill(
        "stop.tokens",
        ("stop", "budget_reached", "tokens"),
        "a live run, under no budget, that uses five times the tokens at which it is to be stopped",
        "ended, kept, and not asked for again",
        _capped({"stop_tokens": 1_000}),
    ),
    Drill(
        "stop.dollars",
        ("stop", "budget_reached", "microusd"),
        "a live run, under no budget, that costs five times the dollars at which it is to be stopped",
        "ended, kept, and not asked for again",
        _capped({"stop_usd": 0.001}),
    ),
    Drill(
        "orphan",
        ("orphan",),
        "a run that ends well and leaves a process that ignores SIGTERM in a session of its own",
        "the process is ended, and counted",
        _orphan,
    ),
    Drill(
        "fallback",
        ("fallback", "agent"),
        "a run whose program is not on this machine, with another model to go to",
        "refused, and done again with that one; without one it is not",
        _elsewhere,
    ),
)
