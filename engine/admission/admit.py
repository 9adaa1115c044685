"""May it run? Every check, evaluated on frozen facts; it reads no clock, disk or database."""

from msgspec import Struct

from engine.admission.conflict import overlap
from engine.config.durations import say
from engine.contract.verdict import Check, Estimate, Verdict


class HeldPath(Struct, frozen=True):
    """A path that a live run may write."""

    run_id: int
    agent: str
    path: str


class BudgetFacts(Struct, frozen=True):
    """One budget that the run would draw on, in its present window. Tokens."""

    name: str
    window: str
    limit: int
    taken: int
    """Held, committed and overrun."""
    refuses: bool
    """False: it only warns."""


class Facts(Struct, frozen=True):
    """All that the verdict depends on."""

    agent_problem: str
    agent_fix: str
    scope_paths: tuple[str, ...]
    scope_problems: tuple[str, ...]
    inject_names: tuple[str, ...]
    inject_problems: tuple[tuple[str, str], ...]
    """Each what is wrong, and what to do."""
    estimate: Estimate
    injected_limit: int
    run_limit: int
    budgets: tuple[BudgetFacts, ...]
    held: tuple[HeldPath, ...]
    timeout_s: float | None
    timeout_max_s: float
    live_runs: int
    max_runs: int
    busy_run_id: int | None
    """A live run in the same session: two at once lose a turn."""


def admit(facts: Facts) -> Verdict:
    """One verdict that lists every check, passed or not."""
    checks = (
        _agent(facts),
        _scope(facts),
        _inject(facts),
        _cost(facts),
        _budget(facts),
        _conflict(facts),
        _timeout(facts),
        _concurrency(facts),
    )
    return Verdict(ok=all(check.ok for check in checks), checks=checks, estimate_tokens=facts.estimate.tokens)


def _agent(facts: Facts) -> Check:
    if facts.agent_problem:
        return Check("agent", False, facts.agent_problem, facts.agent_fix)
    return Check("agent", True, "can be started")


def _scope(facts: Facts) -> Check:
    if facts.scope_problems:
        return Check("scope", False, "; ".join(facts.scope_problems), "name paths inside the workspace")
    if not facts.scope_paths:
        return Check("scope", True, "writes nothing in the workspace (advisory)")
    number = len(facts.scope_paths)
    return Check("scope", True, f"{number} path{'s' * (number > 1)} to write, inside the workspace (advisory)")


def _inject(facts: Facts) -> Check:
    if facts.inject_problems:
        whys, fixes = zip(*facts.inject_problems, strict=True)
        return Check("inject", False, "; ".join(whys), fixes[0])
    tokens, limit = facts.estimate.prompt_tokens, facts.injected_limit
    if tokens > limit:
        return Check("inject", False, f"the prompt has {tokens:,} tokens, the limit is {limit:,}", "inject less")
    number = len(facts.inject_names)
    return Check("inject", True, f"{number} file{'s' * (number != 1)}, {tokens:,} tokens in the prompt")


def _cost(facts: Facts) -> Check:
    cost = facts.estimate
    why = f"{cost.tokens:,} tokens: {cost.prompt_tokens:,} prompt, {cost.answer_tokens:,} answer ({cost.basis})"
    if cost.tokens > facts.run_limit:
        return Check("cost", False, f"{why}; the limit of a run is {facts.run_limit:,}", "inject less")
    return Check("cost", True, why)


def _budget(facts: Facts) -> Check:
    if not facts.budgets:
        return Check("budget", True, "no budget applies")
    need = facts.estimate.tokens
    over = [budget for budget in facts.budgets if budget.refuses and budget.taken + need > budget.limit]
    if over:
        why = "; ".join(f"{_sum(budget, need)}" for budget in over)
        return Check("budget", False, why, f"raise budget {over[0].name} or wait for its next {over[0].window}")
    return Check("budget", True, "; ".join(_sum(budget, need) for budget in facts.budgets))


def _sum(budget: BudgetFacts, need: int) -> str:
    free = max(0, budget.limit - budget.taken)
    over = "" if need <= free else f", only {free:,} free"
    window = "today" if budget.window == "day" else f"this {budget.window}"
    return f"{budget.name}: {budget.taken:,} + {need:,} of {budget.limit:,} {window}{over}"


def _conflict(facts: Facts) -> Check:
    clashes = [(mine, held) for mine in facts.scope_paths for held in facts.held if overlap(mine, held.path)]
    if clashes:
        mine, held = clashes[0]
        why = f"{mine} overlaps {held.path}, held by run {held.run_id} ({held.agent})"
        return Check("conflict", False, why, f"wait for run {held.run_id}, stop it, or narrow the scope")
    return Check("conflict", True, "no live run may write there")


def _timeout(facts: Facts) -> Check:
    longest = say(facts.timeout_max_s)
    if facts.timeout_s is None:
        return Check("timeout", False, "none is set", f"give one of at most {longest}")
    if facts.timeout_s <= 0:
        return Check("timeout", False, f"{facts.timeout_s:g} s is no time at all", f"give one of at most {longest}")
    if facts.timeout_s > facts.timeout_max_s:
        return Check("timeout", False, f"{say(facts.timeout_s)} is over the maximum of {longest}", "give a shorter one")
    return Check("timeout", True, f"{say(facts.timeout_s)}, at most {longest}")


def _concurrency(facts: Facts) -> Check:
    if facts.busy_run_id is not None:
        why = f"run {facts.busy_run_id} is live in this session"
        return Check("concurrency", False, why, f"wait for run {facts.busy_run_id} or stop it")
    if facts.live_runs >= facts.max_runs:
        why = f"{facts.live_runs} of {facts.max_runs} runs are live"
        return Check("concurrency", False, why, "wait for one to end, or raise engine.max_runs")
    return Check("concurrency", True, f"{facts.live_runs} of {facts.max_runs} runs are live")
