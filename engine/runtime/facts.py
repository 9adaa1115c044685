"""What does a verdict depend on? The books, the claims, the history and the live runs, as they stand at one instant."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.adapters.models import ModelAdapter
from engine.adapters.registry import adapter
from engine.admission.admit import ClashFacts, Facts, Place
from engine.admission.budgets import BudgetFacts
from engine.admission.calibration import fit
from engine.admission.cost import Declared, estimate
from engine.admission.parent import Above
from engine.config.model import AdapterDefaults, Budget, Config
from engine.context.cache_break import prompt_warnings
from engine.context.compose import decoded_parts
from engine.contract.launch import Prompt
from engine.contract.orders import RunRequest
from engine.contract.outcome import Stop
from engine.contract.route import Route
from engine.contract.verdict import Estimate, ReceiptPart
from engine.runtime.budget_lines import lines_of, model_name, spender_of
from engine.runtime.composing import Composed
from engine.runtime.conversation import forked_from, reuse_of, session_for
from engine.runtime.rates import rate_of
from engine.runtime.sandboxing import asks
from engine.scopes.conflict import Clash, HeldScope, clash
from engine.scopes.reach import Mode, Scope
from state import claims, history, ledger, receipts, runs, sessions
from state.database import Connection

EARLIER_RECEIPTS = 3
"""So many prompts before this one tell whether a template changes on every run."""


class Standing(Struct, frozen=True):
    """What the composed request meets when it is admitted."""

    run_id: int | None
    """Of a run that waited; None for one to come."""
    session_id: int | None
    prompt: Prompt
    """With what its conversation holds already marked as not sent."""
    now_ms: int


def gather(connection: Connection, composed: Composed, standing: Standing, config: Config) -> Facts:
    """Everything at one instant; call it in the transaction that acts on it."""
    route = composed.route
    cost = expected(connection, composed, standing.prompt, config)
    needs, budgets = _budgets(connection, composed, standing, config, cost)
    return Facts(
        agent=route.agent,
        agent_problem=composed.problem[0],
        agent_fix=composed.problem[1],
        task_type=route.task_type,
        scope_paths=composed.scope.paths,
        scope_problems=(*composed.scope.problems, *composed.read_scope.problems),
        sandbox=composed.enforced.word,
        asks=asks(composed.route),
        sandbox_loose=composed.enforced.loose,
        sandbox_problem=composed.enforced.problem,
        reads=composed.enforced.reads,
        inject_names=route.inject,
        inject_problems=tuple((f"{item.name}: {item.why}", item.fix) for item in composed.inject_problems),
        prompt_warnings=_warnings(connection, composed, standing),
        everything_tokens=composed.everything_tokens,
        skill_set=route.skills,
        skills=len(composed.skills),
        skill_problems=composed.skill_problems,
        estimate=cost,
        needs=needs,
        target_tokens=route.target_tokens,
        injected_limit=route.injected_tokens,
        run_limit=route.run_tokens,
        run_microusd=route.run_microusd,
        stop_microusd=route.stop_microusd,
        allow_unpriced=config.limits.allow_unpriced,
        budgets=budgets,
        clashes=tuple(_clashes(connection, composed)),
        timeout_s=None if composed.request.attach else route.timeout_s,
        timeout_max_s=route.timeout_max_s,
        grace_s=config.grace_s if composed.request.grace_s is None else composed.request.grace_s,
        place=_place(connection, composed, standing.session_id, config),
        above=_above(connection, composed),
    )


def expected(connection: Connection, composed: Composed, prompt: Prompt, config: Config) -> Estimate:
    """What it will use, from the history of its like."""
    route = composed.route
    model = model_name(route)
    declared = config.adapter.get(route.adapter, AdapterDefaults())
    output = config.limits.output_tokens if declared.output_tokens is None else declared.output_tokens
    return estimate(
        prompt.tokens,
        history.past_runs(connection, route.agent, route.task_type, model),
        Declared(_overhead(composed, declared) + _replayed(connection, composed, prompt), output, declared.turns),
        rate_of(connection, config, route.adapter, route.model),
        fit(history.calibration_points(connection, model)),
        asks_model=_asks_model(route, declared),
    )


def _asks_model(route: Route, declared: AdapterDefaults) -> bool:
    """A program of the operator's own asks none, as far as is known, unless something is declared of it."""
    figures = (route.model, declared.output_tokens, declared.overhead_tokens)
    return route.adapter != "command" or figures != (None, None, None) or declared.turns > 1


def _overhead(composed: Composed, declared: AdapterDefaults) -> int:
    """As declared, else as measured of the adapter's program."""
    if declared.overhead_tokens is not None:
        return declared.overhead_tokens
    return adapter(composed.route.adapter).overhead_tokens(composed.wanted)


def _replayed(connection: Connection, composed: Composed, prompt: Prompt) -> int:
    """What the conversation that it goes on with, or copies, holds: over HTTP all of it is sent with each request."""
    speaks = adapter(composed.route.adapter)
    if not isinstance(speaks, ModelAdapter):
        return 0
    before, session = forked_from(connection, composed), session_for(connection, composed)
    if before is None and session is not None and reuse_of(connection, session, composed).resume:
        before = sessions.generation(connection, session.generation_id) if session.generation_id is not None else None
    if before is None or before.provider_id is None:
        return 0
    return speaks.replayed_tokens(prompt, Path(before.provider_home) / speaks.name, before.provider_id)


Needs = dict[Literal["tokens", "microusd"], int]


def _budgets(
    connection: Connection, composed: Composed, standing: Standing, config: Config, cost: Estimate
) -> tuple[Needs, tuple[BudgetFacts, ...]]:
    """What would be reserved, and how that meets every budget that counts the run."""
    spender = spender_of(composed.route, composed.request.job)
    drawn = list(lines_of(connection, spender, config, standing.now_ms))
    books = ledger.books(connection, [line for _, line in drawn], standing.run_id)
    limits = [
        (line.unit, line.limit) for _, line in drawn if line.enforced
    ]  # as declared: a grant is for what it lacks
    needs = _needs(connection, composed.request, cost, limits)
    stop = _stop(connection, composed.request)
    facts = [_budget(budget, line, book, needs, stop) for (budget, line), book in zip(drawn, books, strict=True)]
    return needs, tuple(facts)


def _needs(connection: Connection, request: RunRequest, cost: Estimate, limits: Sequence[tuple[str, int]]) -> Needs:
    """One that was stopped needs at least as much again: with less it would be stopped again at once. But never more
    than an empty window has."""
    needs: Needs = {"tokens": cost.high_tokens}
    if cost.high_microusd is not None:
        needs["microusd"] = cost.high_microusd
    if request.resumes_run_id is None:
        return needs
    before = runs.get(connection, request.resumes_run_id)
    for unit, used in (("tokens", before.used_tokens), ("microusd", before.used_microusd)):
        if unit in needs:
            needs[unit] = max(needs[unit], min([used, *(limit for of, limit in limits if of == unit)]))
    return needs


def _budget(budget: Budget, line: ledger.Line, book: ledger.Book, needs: Needs, stop: Stop | None) -> BudgetFacts:
    limit = line.limit + book.granted
    before = [at for at in (stop.at if stop else ()) if (at.budget, at.unit) == (line.budget, line.unit)]
    return BudgetFacts(
        name=line.budget,
        unit=line.unit,
        window=budget.window,
        window_start_ms=line.window_start_ms,
        window_end_ms=line.window_end_ms,
        limit=limit,
        taken=book.taken,
        need=needs.get(line.unit),
        action=budget.action,
        warn_at=budget.warn_at,
        stopped=any(
            limit <= at.limit and (line.per_run or line.window_start_ms == at.window_start_ms) for at in before
        ),
    )


def _stop(connection: Connection, request: RunRequest) -> Stop | None:
    """Where the run that this one goes on with was stopped."""
    if request.resumes_run_id is None:
        return None
    told = runs.get(connection, request.resumes_run_id).stop_reason
    return msgspec.json.decode(told, type=Stop) if told else None


def _clashes(connection: Connection, composed: Composed) -> list[ClashFacts]:
    """Those found in the thread that still hold, and those with claims made since."""
    live = claims.live(connection)
    tokens = {claim.token for claim in live}
    found = [one for one in composed.clashes if one[0].token in tokens]
    for claim in live:
        if claim.token > composed.newest_token:
            found += _new_clashes(held_scope(claim), composed)
    above = _ancestors(connection, composed.request.parent_run_id) if found else set()
    return [
        ClashFacts(held.run_id, held.agent, one.mine, one.theirs, one.witness, writes, held.run_id in above)
        for held, one, writes in found
    ]


def _ancestors(connection: Connection, parent: int | None) -> set[int]:
    found: set[int] = set()
    while parent is not None and parent not in found:
        found.add(parent)
        parent = runs.get(connection, parent).parent_run_id
    return found


def _new_clashes(held: HeldScope, composed: Composed) -> list[tuple[HeldScope, Clash, bool]]:
    """With a claim made since the composing began: by what was resolved when each was made."""
    found: list[tuple[HeldScope, Clash, bool]] = []
    if held.resolved is None:
        return found
    if (one := clash(composed.scope, held.resolved)) is not None:
        found.append((held, one, held.mode == "w"))
    if held.mode == "w" and (one := clash(composed.read_scope, held.resolved)) is not None:
        found.append((held, one, False))
    return found


def held_scope(claim: claims.Claim) -> HeldScope:
    """A live claim, as conflicts are decided on it."""
    patterns, resolved = _decoded(claim.patterns, claim.resolved)
    mode: Mode = "w" if claim.mode == "w" else "r"
    return HeldScope(claim.run_id, claim.agent, claim.workspace, patterns, resolved, mode, claim.token)


@lru_cache(maxsize=1024)
def _decoded(patterns: str, resolved: str | None) -> tuple[tuple[str, ...], Scope | None]:
    """A claim never changes, and every verdict asks for all of them."""
    scope = msgspec.json.decode(resolved, type=Scope) if resolved else None
    return msgspec.json.decode(patterns, type=tuple[str, ...]), scope


def _place(connection: Connection, composed: Composed, session_id: int | None, config: Config) -> Place:
    live = runs.places(connection)
    # What keeps no conversation has no turn to lose.
    resumes = adapter(composed.route.adapter).resumes(composed.argv_resume) or composed.request.attach
    busy = [run.id for run in live if resumes and session_id is not None and run.session_id == session_id]
    parent, before = composed.request.parent_run_id, composed.request.resumes_run_id
    depth, children = 0, 0
    if before is not None:  # its parent has asked for it already
        depth = runs.get(connection, before).depth
    elif parent is not None:
        depth, children = runs.get(connection, parent).depth + 1, runs.children(connection, parent)
    return Place(
        live_runs=len(live),
        max_runs=config.engine.max_runs,
        agent_runs=sum(run.agent == composed.route.agent for run in live),
        max_agent_runs=composed.agent.max_runs,
        depth=depth,
        max_depth=config.limits.depth,
        children=children,
        max_children=config.limits.children,
        busy_run_id=busy[0] if busy else None,
    )


def _above(connection: Connection, composed: Composed) -> Above | None:
    """None of a run that an older engine admitted, too: it did not say how that is held."""
    parent = composed.request.parent_run_id
    told = None if parent is None else runs.get(connection, parent).route
    if parent is None or told is None:
        return None
    return Above(parent, _with_tools(msgspec.json.decode(told, type=Route)), _with_tools(composed.route))


def _with_tools(route: Route) -> Route:
    """Said in full: what asks a model over HTTP, or none, has no tools by itself."""
    bare = route.adapter == "digest" or isinstance(adapter(route.adapter), ModelAdapter)
    return replace(route, tools=route.tools or ()) if bare else route


def _warnings(connection: Connection, composed: Composed, standing: Standing) -> tuple[str, ...]:
    if composed.route.prompt_template is None:
        return ()
    earlier: Sequence[tuple[ReceiptPart, ...]] = ()
    if standing.session_id is not None:
        earlier = [
            decoded_parts(receipt.parts)
            for receipt in receipts.in_session(connection, standing.session_id, EARLIER_RECEIPTS)
        ]
    return prompt_warnings(composed.route, standing.prompt, earlier)
