"""May it run? Every check, evaluated on frozen facts; it reads no clock, disk or database."""

from typing import Literal

from msgspec import Struct

from engine.admission.budgets import BudgetFacts, check_budgets
from engine.admission.parent import Above, check_parent
from engine.admission.words import dollars, many
from engine.config.durations import say
from engine.contract.verdict import Check, Estimate, Verdict, WaitsFor

READS = "reads "
"""How the part of the check `scope` begins that says what may be read."""
GRACE_MAX_S = 300.0
"""Between asking a run to end and ending it: what has met its deadline or its budget uses more meanwhile."""


class ClashFacts(Struct, frozen=True):
    """A path that this run and a live one would both touch."""

    run_id: int
    agent: str
    mine: str
    """The entry of this run's scope."""
    theirs: str
    witness: str
    """A path under both."""
    writes: bool
    """Both would write; else one of them only reads, which is warned about."""
    ancestor: bool = False
    """It is the run that asks for this one, or one above that."""


class Place(Struct, frozen=True):
    """How many runs there are where this one wants to be, and how many there may be."""

    live_runs: int
    max_runs: int
    agent_runs: int
    max_agent_runs: int | None
    """None: as many as there may be in all."""
    depth: int
    max_depth: int
    children: int
    """That its parent has had."""
    max_children: int
    busy_run_id: int | None
    """A live run in the same session: two at once lose a turn."""


class Facts(Struct, frozen=True):
    """All that the verdict depends on. Tokens; micro-dollars."""

    agent: str
    agent_problem: str
    agent_fix: str
    task_type: str
    scope_paths: tuple[str, ...]
    scope_problems: tuple[str, ...]
    sandbox: str
    """What holds it to its scope: `landlock(7)`, `bwrap`, `advisory`, `off`."""
    sandbox_loose: tuple[str, ...]
    """Where more than its scope may be written."""
    sandbox_problem: tuple[str, str]
    """Why it cannot be held as it must be, and what to do; empty when it can."""
    inject_names: tuple[str, ...]
    inject_problems: tuple[tuple[str, str], ...]
    """Each what is wrong, and what to do."""
    prompt_warnings: tuple[str, ...]
    everything_tokens: int | None
    """What the prompt would have if everything that could be injected were."""
    skill_set: str
    skills: int
    skill_problems: tuple[tuple[str, str], ...]
    estimate: Estimate
    needs: dict[Literal["tokens", "microusd"], int]
    """What would be reserved, in each unit that is known."""
    target_tokens: int | None
    injected_limit: int
    run_limit: int
    run_microusd: int | None
    allow_unpriced: bool
    budgets: tuple[BudgetFacts, ...]
    clashes: tuple[ClashFacts, ...]
    timeout_s: float | None
    """None: it has none, since it has the operator's terminal."""
    timeout_max_s: float
    grace_s: float
    place: Place
    stop_microusd: int | None = None
    """Where it is ended, whatever was expected of it."""
    asks: bool = False
    """Its program asks the operator before it writes outside of its scope."""
    reads: str = ""
    """What its reading is limited to, in words; empty where it may read all that the operator may."""
    above: Above | None = None
    """How it would be held beside the run that asks for it; None when none does."""


def admit(facts: Facts) -> Verdict:
    """One verdict that lists every check, passed or not."""
    checks = (
        _agent(facts),
        _scope(facts),
        _inject(facts),
        _skills(facts),
        _cost(facts),
        check_budgets(facts.budgets, facts.allow_unpriced),
        _conflict(facts),
        _timeout(facts),
        _parent(facts),
        _depth(facts.place),
        _children(facts.place),
        _concurrency(facts),
    )
    return Verdict(ok=all(check.ok for check in checks), checks=checks, estimate=facts.estimate)


def waits_for(verdict: Verdict, *, may_wait: bool) -> WaitsFor | None:
    """What this run should wait for rather than be refused: only when waiting can make every failed check pass.

    The operator's word and room in a budget are waited for by themselves, claims and places when the request says so.
    """
    wanted = {check.waits_for for check in verdict.failed}
    if not wanted or None in wanted or (wanted & {"claim", "slot"} and not may_wait):
        return None
    order: tuple[WaitsFor, ...] = ("approval", "budget", "claim", "slot")
    return next(kind for kind in order if kind in wanted)


def _agent(facts: Facts) -> Check:
    if facts.agent_problem:
        return Check("agent", False, facts.agent_problem, facts.agent_fix)
    return Check("agent", True, f"{facts.agent} can be started")


def _scope(facts: Facts) -> Check:
    if facts.scope_problems:
        outside = any("outside the workspace" in problem for problem in facts.scope_problems)
        fix = (
            "name paths inside the workspace"
            if outside
            else "within a name use * and ?, for whole folders **: src/**/*.py"
        )
        return Check("scope", False, "; ".join(facts.scope_problems), fix)
    if facts.sandbox_problem[0]:
        return Check("scope", False, *facts.sandbox_problem)
    paths = f"{many(len(facts.scope_paths), 'path')} to write, inside the workspace" if facts.scope_paths else ""
    if facts.asks:
        why = f"{paths or 'writes in the workspace'}, and asks you about {'the rest of it' if paths else 'each'}"
    else:
        why = paths or "writes nothing in the workspace"
    reads = (f"{READS}{facts.reads}",) if facts.reads else ()
    return Check("scope", True, "; ".join((f"{why}, {_held(facts.sandbox)}", *facts.sandbox_loose, *reads)))


def _held(sandbox: str) -> str:
    if sandbox == "advisory":
        return "advisory: this kernel has no Landlock"
    if sandbox == "off":
        return "checked afterwards: its sandbox is off"
    return f"enforced by {sandbox}"


def _inject(facts: Facts) -> Check:
    if facts.inject_problems:
        whys, fixes = zip(*facts.inject_problems, strict=True)
        return Check("inject", False, "; ".join(whys), fixes[0])
    tokens, limit = facts.estimate.injected_tokens, facts.injected_limit
    if tokens > limit:
        why = f"the prompt has {tokens:,} tokens, the limit of {facts.task_type} is {limit:,}"
        return Check("inject", False, why, "inject less, or give it a higher limit of injected tokens")
    why = f"{many(len(facts.inject_names), 'file')}, {many(tokens, 'token')} in the prompt"
    if facts.everything_tokens is not None and facts.everything_tokens > tokens:
        why += f", {facts.everything_tokens:,} with everything"
    return Check("inject", True, why, warning="; ".join((*_above_target(facts), *facts.prompt_warnings)))


def _above_target(facts: Facts) -> tuple[str, ...]:
    tokens, target = facts.estimate.injected_tokens, facts.target_tokens
    if target is None or tokens <= target:
        return ()
    return (f"above the target of {target:,} for {facts.task_type}",)


def _skills(facts: Facts) -> Check:
    if facts.skill_problems:
        whys, fixes = zip(*facts.skill_problems, strict=True)
        return Check("skills", False, "; ".join(whys), fixes[0])
    return Check(
        "skills", True, f"{many(facts.skills, 'skill')} allowed" + (f" by {facts.skill_set}" * bool(facts.skills))
    )


def _cost(facts: Facts) -> Check:
    cost = facts.estimate
    why = _expected(cost)
    if cost.high_tokens > facts.run_limit:
        fix = "inject less, or give it a higher limit of tokens"
        return Check("cost", False, f"{why}; the limit of a run is {facts.run_limit:,}", fix)
    limited = (facts.run_microusd, facts.stop_microusd) != (None, None)
    if limited and cost.high_microusd is None and not facts.allow_unpriced:
        fix = "give its model a price in [prices], or say allow_unpriced in [limits]"
        return Check("cost", False, f"{why}; its price is not known, and a run is limited in dollars", fix)
    if facts.run_microusd is not None and (cost.high_microusd or 0) > facts.run_microusd:
        why = f"{why}; the limit of a run is {dollars(facts.run_microusd)}"
        return Check("cost", False, why, "inject less, take a cheaper model, or give it a higher limit in dollars")
    return Check("cost", True, why)


def _expected(cost: Estimate) -> str:
    if cost.basis == "none":
        return "no tokens expected: no model is named for its program; what it tells that it uses is booked"
    spread = f" ({cost.low_tokens:,} - {cost.high_tokens:,})" if cost.low_tokens != cost.high_tokens else ""
    work = max(0, cost.likely_tokens - cost.injected_tokens - cost.overhead_tokens)
    parts = [f"{cost.injected_tokens:,} injected"]
    if cost.overhead_tokens:
        parts.append(f"{cost.overhead_tokens:,} fixed overhead")
    parts.append(f"{work:,} work")
    money = "" if not cost.likely_microusd else f", {dollars(cost.likely_microusd)}"
    return f"{cost.likely_tokens:,} likely{spread}{money}: {', '.join(parts)}; {_basis(cost)}"


def _basis(cost: Estimate) -> str:
    if cost.basis == "declared":
        return f"declared, {cost.runs} of 5 runs known"
    error = "" if cost.error_median is None else f", past error {cost.error_median:.0%}"
    tail = "" if cost.error_p90 is None else f", {cost.error_p90:.0%} at worst in nine of ten"
    return f"from {many(cost.runs, 'run')}{error}{tail}"


def _conflict(facts: Facts) -> Check:
    hard = [clash for clash in facts.clashes if clash.writes]
    if hard:
        first = hard[0]
        own = ", by which it is asked for" if first.ancestor else ""
        why = f"{first.witness} is held by run {first.run_id} ({first.agent}){own}"
        if first.mine != first.theirs:
            why += f": {first.mine} against its {first.theirs}"
        if len(hard) > 1:
            why += f"; and {len(hard) - 1} more"
        fix = f"wait for run {first.run_id}, stop it, or narrow the scope"
        if first.ancestor:
            fix = f"narrow the scope of run {first.run_id}, or let that one write it"
        # What a run has spawned does not wait for a claim: its parent may be holding it.
        return Check("conflict", False, why, fix, waits_for=None if facts.place.depth else "claim")
    said = [
        f"{clash.witness} is shared with run {clash.run_id} ({clash.agent}), one of you reads"
        for clash in facts.clashes
    ]
    return Check("conflict", True, "no live run may write there", warning="; ".join(said[:3]))


def _timeout(facts: Facts) -> Check:
    longest = f"{say(facts.timeout_max_s)} for {facts.task_type}"
    if facts.timeout_s is None:
        return Check("timeout", True, "none: it ends when you leave it")
    if facts.timeout_s <= 0:
        return Check("timeout", False, f"{facts.timeout_s:g} s is no time at all", f"give one of at most {longest}")
    if facts.timeout_s > facts.timeout_max_s:
        why = f"{say(facts.timeout_s)} is over the maximum of {longest}"
        return Check("timeout", False, why, "give a shorter one")
    if facts.grace_s > GRACE_MAX_S:
        why = f"a grace of {say(facts.grace_s)} is over the maximum of {say(GRACE_MAX_S)}"
        return Check("timeout", False, why, "give it a shorter grace")
    return Check("timeout", True, f"{say(facts.timeout_s)}, at most {longest}")


def _parent(facts: Facts) -> Check:
    return check_parent(facts.above)


def _depth(place: Place) -> Check:
    why = f"{place.depth} of {place.max_depth}"
    if place.depth > place.max_depth:
        return Check("depth", False, f"{why}: a run that was spawned this deep may not spawn", "raise limits.depth")
    return Check("depth", True, why)


def _children(place: Place) -> Check:
    why = f"{place.children} of {place.max_children}"
    if place.depth and place.children >= place.max_children:
        return Check("children", False, f"{why}: its parent has spawned all that it may", "raise limits.children")
    return Check("children", True, why if place.depth else "no run asks for it")


def _concurrency(facts: Facts) -> Check:
    """What a run has spawned does not wait for a place: its parent may be holding it."""
    place = facts.place
    wait: WaitsFor | None = None if place.depth else "slot"
    if place.busy_run_id is not None:
        why = f"run {place.busy_run_id} is live in this session"
        return Check("concurrency", False, why, f"wait for run {place.busy_run_id} or stop it", waits_for=wait)
    if place.live_runs >= place.max_runs:
        why = f"{place.live_runs} of {place.max_runs} runs are live"
        return Check("concurrency", False, why, "wait for one to end, or raise engine.max_runs", waits_for=wait)
    if place.max_agent_runs is not None and place.agent_runs >= place.max_agent_runs:
        why = f"{place.agent_runs} of {place.max_agent_runs} runs of {facts.agent} are live"
        fix = f"wait for one to end, or raise agent.{facts.agent}.max_runs"
        return Check("concurrency", False, why, fix, waits_for=wait)
    return Check("concurrency", True, f"{place.live_runs} of {place.max_runs} runs are live")
