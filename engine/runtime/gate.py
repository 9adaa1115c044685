"""The one gate: every run, whoever asks for it, is composed and admitted here, and nowhere else.

Composing happens in a thread; the verdict, the reservation, the claims and the run itself are one transaction.
"""

import asyncio

import msgspec
from msgspec import Struct

from engine.admission.admit import BudgetFacts, Facts, HeldPath, admit
from engine.admission.cost import estimate
from engine.admission.windows import window_of
from engine.config.model import Budget, Config
from engine.context.compose import encoded_parts, receipt
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest
from engine.contract.orders import RunRequest
from engine.contract.verdict import ReceiptView, Verdict
from engine.runtime.composing import Composed, compose_request
from engine.runtime.conversation import enter, session_for
from engine.runtime.settings import Settings, zone_of
from engine.sessions.reuse import Reuse
from state import claims, events, ledger, runs, sessions, spool
from state.database import Connection, Database
from state.home import Home


class Admitted(Struct, frozen=True):
    """What left the gate: a run that is reserved, or one that was refused."""

    run_id: int
    session_id: int | None
    verdict: Verdict
    launch: AdapterRequest | None
    """What to start; None when it was refused."""


class RunAnswer(Struct, frozen=True):
    """The answer to an order for a run."""

    run: int
    session: int | None
    verdict: Verdict


class Gate:
    """compose -> admit; what it lets through is handed to execution."""

    def __init__(self, home: Home, database: Database, settings: Settings, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock

    async def preview(self, request: RunRequest) -> tuple[Verdict, ReceiptView]:
        """What the verdict would be now. Nothing is recorded, reserved or claimed."""
        config = self._settings.config
        composed = await asyncio.to_thread(compose_request, request, config)
        session = session_for(self._database.connection, request)
        return admit(self._facts(self._database.connection, composed, config, session)), receipt(composed.prompt)

    async def ask(self, request: RunRequest, order: spool.Order | None = None) -> Admitted:
        """Ask for a run. Refused or reserved, it is recorded, and the order answered, in one transaction."""
        config = self._settings.config
        composed = await asyncio.to_thread(compose_request, request, config)
        with self._database.transaction() as tx:
            session = session_for(tx, request)
            verdict = admit(self._facts(tx, composed, config, session))
            if verdict.ok:
                admitted = self._reserve(tx, composed, config, session, verdict)
            else:
                admitted = self._refuse(tx, composed, session, verdict)
            if order is not None:
                runs.set_order(tx, admitted.run_id, order.id)
                answer = RunAnswer(admitted.run_id, admitted.session_id, verdict)
                spool.store_answer(tx, order, self._clock.now_ms(), True, answer)
        return admitted

    def _facts(
        self, connection: Connection, composed: Composed, config: Config, session: sessions.Session | None
    ) -> Facts:
        live = runs.live(connection)
        busy = [run.id for run in live if session is not None and run.session_id == session.id]
        return Facts(
            agent_problem=composed.problem[0],
            agent_fix=composed.problem[1],
            scope_paths=composed.scope.paths,
            scope_problems=composed.scope.problems,
            inject_names=composed.inject_names,
            inject_problems=tuple((f"{item.name}: {item.why}", item.fix) for item in composed.inject_problems),
            estimate=estimate(composed.prompt.tokens, config.limits.output_tokens),
            injected_limit=config.limits.injected_tokens,
            run_limit=config.limits.run_tokens,
            budgets=tuple(self._budgets(connection, composed.request, config)),
            held=tuple(HeldPath(claim.run_id, claim.agent, claim.path) for claim in claims.live(connection)),
            timeout_s=composed.timeout_s,
            timeout_max_s=config.timeout_max_s,
            live_runs=len(live),
            max_runs=config.engine.max_runs,
            busy_run_id=busy[0] if busy else None,
        )

    def _budgets(self, connection: Connection, request: RunRequest, config: Config) -> list[BudgetFacts]:
        return [
            BudgetFacts(
                name=name,
                window=budget.window,
                limit=budget.tokens,
                taken=ledger.book(connection, name, *self._window(budget, config), budget_filter(budget)).taken,
                refuses=budget.action == "refuse",
            )
            for name, budget in config.budget.items()
            if _applies(budget, request)
        ]

    def _window(self, budget: Budget, config: Config) -> tuple[int, int]:
        return window_of(budget.window, zone_of(config), self._clock.now_ms())

    def _refuse(
        self, tx: Connection, composed: Composed, session: sessions.Session | None, verdict: Verdict
    ) -> Admitted:
        now_ms = self._clock.now_ms()
        request, failed = composed.request, verdict.failed[0]
        why = f"{failed.name}: {failed.why}"
        session_id = session.id if session else None
        columns = _columns(composed, verdict, now_ms)
        columns |= {"state": "refused", "outcome": "refused", "why": why, "session_id": session_id, "ended_ms": now_ms}
        run_id = runs.add(tx, columns)
        _keep_receipt(tx, run_id, composed)
        events.add(tx, now_ms, "refused", f"{request.agent} refused  {why}", run_id=run_id, job=request.job)
        return Admitted(run_id, session_id, verdict, None)

    def _reserve(
        self, tx: Connection, composed: Composed, config: Config, session: sessions.Session | None, verdict: Verdict
    ) -> Admitted:
        now_ms = self._clock.now_ms()
        generation, reuse = enter(tx, self._home, session, composed, now_ms)
        columns = _columns(composed, verdict, now_ms)
        columns |= {"state": "reserved", "session_id": generation.session_id, "generation_id": generation.id}
        run_id = runs.add(tx, columns | {"reused": int(reuse.resume), "reuse_reason": reuse.reason})
        for name, budget in config.budget.items():
            if _applies(budget, composed.request):
                window = self._window(budget, config)
                ledger.reserve(tx, run_id, name, *window, budget.tokens, verdict.estimate_tokens)
        claims.claim(tx, run_id, composed.scope.paths, now_ms)
        _keep_receipt(tx, run_id, composed)
        text = f"{composed.request.agent} admitted  {len(verdict.checks)} checks, {verdict.estimate_tokens:,} tokens"
        session_id, job = generation.session_id, composed.request.job
        events.add(tx, now_ms, "admitted", text, run_id=run_id, session_id=session_id, job=job)
        return Admitted(run_id, session_id, verdict, self._launch(composed, generation, reuse, config))

    def _launch(
        self, composed: Composed, generation: sessions.Generation, reuse: Reuse, config: Config
    ) -> AdapterRequest:
        return AdapterRequest(
            prompt=composed.prompt,
            workspace=str(composed.workspace),
            argv=composed.argv,
            model=None,
            provider_id=generation.provider_id,
            resume=reuse.resume,
            agent_state=str(self._home.agents / composed.agent.adapter),
            can_write=composed.request.can_write,
            output_limit_tokens=config.limits.output_tokens,
        )


def budget_filter(budget: Budget) -> ledger.Filter:
    """Whose usage this budget counts."""
    return ledger.Filter(lane=budget.lane, agent=budget.agent, job=budget.job, source=budget.source)


def _applies(budget: Budget, request: RunRequest) -> bool:
    """Whether a run by this request draws on the budget."""
    wanted = (budget.lane, budget.agent, budget.job, budget.source)
    given = (request.lane, request.agent, request.job, sessions.OURS)
    return all(want is None or want == has for want, has in zip(wanted, given, strict=True))


def _keep_receipt(tx: Connection, run_id: int, composed: Composed) -> None:
    view = receipt(composed.prompt)
    runs.store_receipt(tx, runs.Receipt(run_id, encoded_parts(view), view.tokens, view.chars))


def _columns(composed: Composed, verdict: Verdict, now_ms: int) -> dict[str, object]:
    request = composed.request
    return {
        "agent": request.agent,
        "adapter": composed.agent.adapter,
        "model": composed.agent.adapter,
        "lane": request.lane,
        "trigger": request.trigger,
        "task_type": {"spawn": "subagent", "timer": "cron"}.get(request.trigger, "chat"),
        "job": request.job,
        "slot_due_ms": request.slot_due_ms,
        "task": request.task,
        "workspace": str(composed.workspace),
        "can_read": _json(request.can_read),
        "can_write": _json(request.can_write),
        "inject": _json(composed.inject_names),
        "timeout_s": composed.timeout_s,
        "estimate_tokens": verdict.estimate_tokens,
        "verdict": _json(verdict),
        "requested_ms": now_ms,
        **_metadata(composed),
    }


def _metadata(composed: Composed) -> dict[str, object]:
    """How big the prompt was and what it offered: what a later comparison of runs is about."""
    parts = composed.prompt.parts
    instructions = [part for part in parts if part.kind == "instructions"]
    return {
        "prompt_chars": composed.prompt.chars,
        "instructions_chars": sum(len(part.text) for part in instructions),
        "has_instructions_file": int(bool(instructions)),
        "skill_set_hash": next((part.sha256 for part in parts if part.kind == "skills"), None),
        "skill_count": composed.skill_count,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
