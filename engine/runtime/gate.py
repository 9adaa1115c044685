"""The one gate: every run, whoever asks for it, is composed and admitted here, and nowhere else.

Composing happens in a thread; the verdict, the reservation, the claims and the run itself are one transaction.
"""

import asyncio

import msgspec
from msgspec import Struct

from engine.admission.admit import Facts, admit, waits_for
from engine.config.durations import seconds
from engine.config.model import Config
from engine.context.cache_break import cache_break
from engine.context.compose import decoded_parts, not_again, receipt, receipt_parts
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, Prompt
from engine.contract.orders import RunRequest
from engine.contract.verdict import WAITING_WORDS, CacheBreak, ReceiptView, Verdict, WaitsFor
from engine.runtime.budget_lines import lines_of, spender_of
from engine.runtime.composing import Composed, Held, compose_request
from engine.runtime.conversation import enter, reuse_of, session_for
from engine.runtime.facts import Standing, amounts, gather, held_scope
from engine.runtime.questions import question
from engine.runtime.records import columns, store_receipt
from engine.runtime.settings import Settings
from engine.sessions.reuse import Reuse
from state import approvals, claims, events, ledger, receipts, runs, sessions, skills, slots, spool
from state.database import Connection, Database
from state.home import Home


class Admitted(Struct, frozen=True):
    """What left the gate: a run that is reserved, one that waits, or one that was refused."""

    run_id: int
    session_id: int | None
    verdict: Verdict
    launch: AdapterRequest | None
    """What to start; None when there is nothing to start, or not yet."""
    waits_for: WaitsFor | None = None


class RunAnswer(Struct, frozen=True):
    """The answer to an order for a run."""

    run: int
    session: int | None
    verdict: Verdict
    waits_for: WaitsFor | None = None


class _Judged(Struct, frozen=True):
    """A request at one instant: in which conversation, with which prompt, and whether it may."""

    session: sessions.Session | None
    reuse: Reuse
    prompt_view: ReceiptView
    standing: Standing
    facts: Facts
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
        composed = await self._compose(request, config)
        judged = self._judge(self._database.connection, composed, config, None)
        return judged.verdict, judged.prompt_view

    async def ask(self, request: RunRequest, order: spool.Order | None = None, run_id: int | None = None) -> Admitted:
        """Ask for a run, or again for one that waits. Whatever becomes of it is recorded, and the order answered, in
        one transaction."""
        config = self._settings.config
        composed = await self._compose(request, config)
        with self._database.transaction() as tx:
            judged = self._judge(tx, composed, config, run_id)
            if run_id is not None and runs.get(tx, run_id).state != "waiting":
                return Admitted(run_id, judged.standing.session_id, judged.verdict, None)  # somebody was faster
            admitted = self._act(tx, composed, judged, config, run_id)
            if order is not None:
                runs.set_order(tx, admitted.run_id, order.id)
                answer = RunAnswer(admitted.run_id, admitted.session_id, judged.verdict, admitted.waits_for)
                spool.store_answer(tx, order, self._clock.now_ms(), True, answer)
        return admitted

    async def _compose(self, request: RunRequest, config: Config) -> Composed:
        connection = self._database.connection
        held = Held(
            newest_token=claims.newest_token(connection),
            scopes=tuple(held_scope(claim) for claim in claims.live(connection)),
            pins=tuple(skills.pins(connection)),
        )
        return await asyncio.to_thread(compose_request, request, config, held, self._clock.now_ms())

    def _judge(self, connection: Connection, composed: Composed, config: Config, run_id: int | None) -> _Judged:
        session = session_for(connection, composed)
        reuse = reuse_of(connection, session, composed)
        already: set[tuple[str, str, str]] = set()
        if reuse.resume and session is not None and session.generation_id is not None:
            already = receipts.sent_in_generation(connection, session.generation_id)
        prompt = not_again(composed.prompt, already)
        standing = Standing(run_id, session.id if session else None, prompt, self._clock.now_ms())
        facts = gather(connection, composed, standing, config)
        view = receipt(
            prompt,
            everything_tokens=composed.everything_tokens,
            cache_break=_break(connection, session, prompt),
            decided=dict(composed.route.decided),
        )
        return _Judged(session, reuse, view, standing, facts, admit(facts))

    def _act(self, tx: Connection, composed: Composed, judged: _Judged, config: Config, run_id: int | None) -> Admitted:
        if judged.verdict.ok:
            return self._reserve(tx, composed, judged, config, run_id)
        wanted = waits_for(judged.verdict, may_wait=composed.request.wait)
        if wanted is None:
            return self._refuse(tx, composed, judged, run_id)
        return self._keep_waiting(tx, composed, judged, config, run_id, wanted)

    def _refuse(self, tx: Connection, composed: Composed, judged: _Judged, run_id: int | None) -> Admitted:
        now_ms, failed = judged.standing.now_ms, judged.verdict.failed[0]
        why = f"{failed.name}: {failed.why}"
        session_id = judged.standing.session_id
        end: dict[str, object] = {
            "state": "refused",
            "outcome": "refused",
            "why": why,
            "session_id": session_id,
            "ended_ms": now_ms,
            "waits_for": None,
            "expires_ms": None,
        }
        run_id = self._record(tx, composed, judged, run_id, end)
        close_wait(tx, run_id, composed.request, why, now_ms)
        text = f"{composed.route.agent} refused  {why}"
        events.add(tx, now_ms, "refused", text, run_id=run_id, job=composed.request.job)
        return Admitted(run_id, session_id, judged.verdict, None)

    def _keep_waiting(
        self,
        tx: Connection,
        composed: Composed,
        judged: _Judged,
        config: Config,
        run_id: int | None,
        wanted: WaitsFor,
    ) -> Admitted:
        """Record it as waiting; it holds nothing. The operator is asked once."""
        now_ms, session_id = judged.standing.now_ms, judged.standing.session_id
        new = run_id is None or runs.get(tx, run_id).waits_for != wanted
        span = config.waiting.approval if wanted == "approval" else config.waiting.room
        failed = judged.verdict.failed[0]
        state: dict[str, object] = {
            "state": "waiting",
            "waits_for": wanted,
            "session_id": session_id,
            "why": f"{failed.name}: {failed.why}",
        }
        if new:
            state["expires_ms"] = now_ms + round(seconds(span) * 1000)
        run_id = self._record(tx, composed, judged, run_id, state)
        if wanted == "approval" and not _is_asked(tx, run_id):
            asked = question(run_id, composed.route, composed.request, judged.facts)
            approvals.ask(tx, run_id, asked, now_ms, now_ms + round(seconds(config.waiting.approval) * 1000))
        if new:
            text = f"{composed.route.agent} waits for {WAITING_WORDS[wanted]}  {failed.name}: {failed.why}"
            events.add(tx, now_ms, "waiting", text, run_id=run_id, session_id=session_id, job=composed.request.job)
        return Admitted(run_id, session_id, judged.verdict, None, wanted)

    def _reserve(
        self, tx: Connection, composed: Composed, judged: _Judged, config: Config, run_id: int | None
    ) -> Admitted:
        now_ms, route, request = judged.standing.now_ms, composed.route, composed.request
        generation = enter(tx, self._home, judged.session, judged.reuse, composed, now_ms)
        state: dict[str, object] = {
            "state": "reserved",
            "session_id": generation.session_id,
            "generation_id": generation.id,
            "reused": int(judged.reuse.resume),
            "reuse_reason": judged.reuse.reason,
            "waits_for": None,
            "expires_ms": None,
            "why": None,
            "admitted_ms": now_ms,
        }
        run_id = self._record(tx, composed, judged, run_id, state)
        lines = [line for _, line in lines_of(tx, spender_of(route, request.job), config, now_ms)]
        ledger.reserve(tx, run_id, lines, amounts(judged.verdict.estimate), now_ms)
        for mode, scope, patterns in composed.claimed:
            resolved = msgspec.json.encode(scope).decode()
            claims.claim(tx, run_id, mode, str(composed.workspace), _json(patterns), resolved, now_ms)
        for pin in composed.unpinned:
            skills.pin(tx, pin)
        approvals.withdraw(tx, run_id, now_ms)
        tokens = judged.verdict.estimate_tokens
        text = f"{route.agent} admitted  {len(judged.verdict.checks)} checks, {tokens:,} tokens"
        events.add(tx, now_ms, "admitted", text, run_id=run_id, session_id=generation.session_id, job=request.job)
        launch = self._launch(composed, judged, generation, config)
        return Admitted(run_id, generation.session_id, judged.verdict, launch)

    def _record(
        self, tx: Connection, composed: Composed, judged: _Judged, run_id: int | None, state: dict[str, object]
    ) -> int:
        """The run's row and its receipt: a new one, or the one that waited."""
        values = columns(composed, judged.standing.prompt, judged.verdict, judged.facts) | state
        if run_id is None:
            run_id = runs.add(tx, values | {"requested_ms": judged.standing.now_ms})
        else:
            runs.update(tx, run_id, values)
        store_receipt(tx, run_id, judged.prompt_view)
        return run_id

    def _launch(
        self, composed: Composed, judged: _Judged, generation: sessions.Generation, config: Config
    ) -> AdapterRequest:
        return AdapterRequest(
            prompt=judged.standing.prompt,
            workspace=str(composed.workspace),
            argv=composed.argv,
            argv_resume=composed.argv_resume,
            model=composed.route.model,
            tools=composed.route.tools,
            provider_id=generation.provider_id,
            resume=judged.reuse.resume,
            agent_state=str(self._home.agents / composed.route.adapter),
            can_write=composed.route.can_write,
            output_limit_tokens=config.limits.output_tokens,
        )


def _is_asked(connection: Connection, run_id: int) -> bool:
    asked = approvals.of_run(connection, run_id)
    return asked is not None and asked.state == "open"


def close_wait(tx: Connection, run_id: int, request: RunRequest, why: str, now_ms: int) -> None:
    """A run that will not start: nobody is asked about it any more, and its slot says why."""
    approvals.withdraw(tx, run_id, now_ms)
    if request.job is not None and request.slot_due_ms is not None:
        slots.update(tx, request.job, request.slot_due_ms, "refused", run_id, why)


def _break(connection: Connection, session: sessions.Session | None, prompt: Prompt) -> CacheBreak | None:
    """Against the prompt before this one in its session."""
    kept = receipts.last_in_session(connection, session.id) if session is not None else None
    return None if kept is None else cache_break(receipt_parts(prompt), decoded_parts(kept.parts))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
