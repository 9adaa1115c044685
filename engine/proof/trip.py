"""What is a drill, what does it prove, and when has a guard really tripped?"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.contract.orders import RunRequest
from engine.contract.verdict import Check, CheckName
from engine.proof.desk import NotTripped, Site, must, need
from engine.runtime.gate import RunAnswer
from state import approvals, claims, entries, responses, runs

REFUSED = "refused, and nothing spent"


class Found(Struct, frozen=True):
    """What a guard did."""

    stopped_by: str
    """In its own words."""
    evidence: tuple[str, ...]


class Drill(Struct, frozen=True):
    """One way to trip a guard."""

    name: str
    proves: tuple[str, ...]
    """The guards that it trips, the main one first: checks, budget actions, windows and units, outcomes."""
    tried: str
    expected: str
    trip: Callable[[Site], Found]
    """Raises NotTripped when the guard let it pass."""
    config: str = ""
    """What it adds to the configuration."""
    replaces: dict[str, str] = {}
    """Parts of the configuration that all runs share, and what stands in their place."""
    alone: bool = False
    """Whether it needs an engine to itself; what it replaces alone is reason enough."""

    @property
    def apart(self) -> bool:
        return self.alone or bool(self.replaces)


class Proof(Struct, frozen=True):
    """What became of a drill."""

    name: str
    guard: str
    proves: tuple[str, ...]
    tried: str
    expected: str
    stopped_by: str
    """Empty when nothing did."""
    evidence: tuple[str, ...]
    passed: bool
    seconds: float
    instead: str = ""
    """What happened when the guard did not trip."""


def refusal(name: CheckName, words: str, offence: dict[str, Any], control: dict[str, Any]) -> Callable[[Site], Found]:
    """A drill of two runs that differ in one thing: one check refuses the offence, and the control runs."""

    def trip(site: Site) -> Found:
        passed = succeeds(site, site.request(**control))
        found = refused(site, name, words, site.request(**offence))
        return Found(found.stopped_by, (*found.evidence, f"control: {passed}"))

    return trip


def refused(site: Site, name: CheckName, words: str, request: RunRequest) -> Found:
    """This request is refused, by this check and no other, and nothing is spent."""
    answer = site.ask(request)
    check = stopped(answer, name)
    need(words in check.why, f"{name} said '{check.why}', where '{words}' was expected")
    run = site.run(answer.run)
    need(run.state == "refused", f"run {run.id} is '{run.state}' although {name} failed: {check.why}")
    return Found(said(check), (f"run {run.id} is refused in the database: {untouched(site, run)}",))


def stopped(answer: RunAnswer, name: CheckName) -> Check:
    """The check that failed. Raises NotTripped when it passed, or when another one failed as well."""
    failed = {check.name: check for check in answer.verdict.failed}
    need(name in failed, f"run {answer.run} passed '{name}'" + _others(failed))
    need(len(failed) == 1, f"run {answer.run} failed not only '{name}'" + _others(failed))
    return failed[name]


def _others(failed: dict[CheckName, Check]) -> str:
    return "".join(f"; {said(check)}" for check in failed.values())


def said(check: Check) -> str:
    return f"{check.name}: {check.why}"


def untouched(site: Site, run: runs.Run) -> str:
    """Proof that a run which did not start cost nothing. Raises NotTripped when it left a trace."""
    traces = {
        "a program was started": site.started(run.id),
        "it has a folder": site.desk.home.run_folder(run.id).exists(),
        "it holds or held a reservation": entries.of_run(site.books, run.id),
        "usage is booked for it": run.used_tokens or run.used_microusd or responses.of_run(site.books, run.id),
        "it holds a claim": claims.held(site.books, run.id),
    }
    left = [trace for trace, found in traces.items() if found]
    need(not left, f"run {run.id} was not started, and yet {' and '.join(left)}")
    return "no program, no reservation, no usage, no claim"


def admitted(site: Site, request: RunRequest) -> RunAnswer:
    """The same for a run that must pass every check."""
    answer = site.ask(request)
    failed = answer.verdict.failed
    if failed or answer.waits_for is not None:
        raise NotTripped(f"run {answer.run}, which should pass, did not: {'; '.join(map(said, failed))}")
    return answer


def succeeds(site: Site, request: RunRequest) -> str:
    """This request is admitted, its program runs, and it succeeds."""
    return ran_well(site, admitted(site, request).run)


def ran_well(site: Site, run_id: int) -> str:
    run = site.ended(run_id)
    need(run.outcome == "succeeded", f"run {run_id} ended '{run.outcome}': {run.why}")
    need(run.adapter == "digest" or site.started(run_id), f"run {run_id} succeeded without its program")
    return f"run {run_id} succeeded"


def question_of(site: Site, run_id: int) -> approvals.Approval:
    """What the operator is asked about a run."""
    return must(approvals.of_run(site.books, run_id), f"run {run_id} waits, but nobody is asked")
