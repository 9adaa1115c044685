"""What becomes of a judged request? It is reserved, kept waiting or refused, in the caller's transaction."""

import msgspec
from msgspec import Struct

from engine.admission.admit import waits_for
from engine.config.durations import seconds
from engine.config.model import Config
from engine.contract.launch import AdapterRequest
from engine.contract.orders import RunRequest
from engine.contract.verdict import WAITING_WORDS, Check, Verdict, WaitsFor
from engine.runtime.budget_lines import lines_of, model_name, spender_of
from engine.runtime.composing import Composed
from engine.runtime.conversation import enter, used_before
from engine.runtime.elsewhere import mark, refused_elsewhere
from engine.runtime.judging import Judged
from engine.runtime.places import is_held
from engine.runtime.questions import lacks_more, question, read_question, same
from engine.runtime.records import columns, store_receipt
from state import approvals, claims, events, ledger, runs, sessions, skills, slots
from state.database import Connection
from state.home import Home


class Admitted(Struct, frozen=True):
    """What left the gate: a run that is reserved, one that waits, or one that was refused."""

    run_id: int
    session_id: int | None
    verdict: Verdict
    launch: AdapterRequest | None
    """What to start; None when there is nothing to start, or not yet."""
    waits_for: WaitsFor | None = None


def act(tx: Connection, home: Home, composed: Composed, judged: Judged, config: Config, run_id: int | None) -> Admitted:
    """`run_id`: of a run that waited; it is not recorded anew, and goes on waiting for whatever is missing now."""
    approvals.expire(tx, judged.standing.now_ms)
    if judged.verdict.ok:
        if _is_another(tx, composed, judged, run_id):
            return _keep_waiting(tx, composed, judged, config, run_id, "approval")
        return _reserve(tx, home, composed, judged, config, run_id)
    request = composed.request
    may_wait = request.wait or run_id is not None or request.resumes_run_id is not None
    wanted = waits_for(judged.verdict, may_wait=may_wait)
    if wanted is None:
        return _refuse(tx, composed, judged, run_id)
    return _keep_waiting(tx, composed, judged, config, run_id, wanted)


def close_wait(tx: Connection, run_id: int, request: RunRequest, why: str, now_ms: int) -> None:
    """A run that will not start: nobody is asked about it any more, and its slot says why."""
    approvals.withdraw(tx, run_id, now_ms)
    if request.job is not None and request.slot_due_ms is not None:
        slots.update(tx, request.job, request.slot_due_ms, "refused", run_id, why)


def _refuse(tx: Connection, composed: Composed, judged: Judged, run_id: int | None) -> Admitted:
    now_ms, session_id, failed = judged.standing.now_ms, judged.standing.session_id, _decisive(judged.verdict)
    why = f"{failed.name}: {failed.why}"
    end: dict[str, object] = {"state": "refused", "outcome": "refused", "why": why, "session_id": session_id}
    end |= {"ended_ms": now_ms, "waits_for": None, "expires_ms": None}
    run_id = _record(tx, composed, judged, run_id, end)
    close_wait(tx, run_id, composed.request, why, now_ms)
    text = f"{composed.route.agent} refused  {why}"
    events.add(tx, now_ms, "refused", text, run_id=run_id, job=composed.request.job)
    if refused_elsewhere(composed.route, judged.verdict):
        route = composed.route
        mark(tx, run_id, route.agent, model_name(route), failed.why, composed.request.job, now_ms)
    return Admitted(run_id, session_id, judged.verdict, None)


def _decisive(verdict: Verdict) -> Check:
    """The failed check that no waiting would mend, else the first."""
    return min(verdict.failed, key=lambda check: check.waits_for is not None)


CHANGED = "what you approved has changed since: look at it again"


def _keep_waiting(
    tx: Connection, composed: Composed, judged: Judged, config: Config, run_id: int | None, wanted: WaitsFor
) -> Admitted:
    """Record it as waiting; it holds nothing. The operator is asked once."""
    now_ms, session_id = judged.standing.now_ms, judged.standing.session_id
    failed = next((check for check in judged.verdict.failed if check.waits_for == wanted), None)
    why = CHANGED if failed is None else f"{failed.name}: {failed.why}"
    state: dict[str, object] = {"state": "waiting", "waits_for": wanted, "session_id": session_id, "why": why}
    new = run_id is None or runs.get(tx, run_id).waits_for != wanted
    if new:
        state["expires_ms"] = _expires_ms(judged, config, wanted)
    run_id = _record(tx, composed, judged, run_id, state)
    if wanted == "approval":
        _ask(tx, run_id, question(run_id, composed, judged.facts, resumes=judged.reuse.resume), now_ms, config)
    if new:
        text = f"{composed.route.agent} waits for {WAITING_WORDS[wanted]}  {why}"
        events.add(tx, now_ms, "waiting", text, run_id=run_id, session_id=session_id, job=composed.request.job)
    return Admitted(run_id, session_id, judged.verdict, None, wanted)


def _expires_ms(judged: Judged, config: Config, wanted: WaitsFor) -> int:
    """What waits for room in a budget is kept at least until the window turns."""
    span = config.waiting.approval if wanted == "approval" else config.waiting.room
    until_ms = judged.standing.now_ms + round(seconds(span) * 1000)
    if wanted != "budget":
        return until_ms
    ends = [budget.window_end_ms + _TURN_MS for budget in judged.facts.budgets if not budget.fits]
    return max(until_ms, *ends)


_TURN_MS = 60_000
"""So long after its window has turned a run is still looked at."""


def _ask(tx: Connection, run_id: int, what: str, now_ms: int, config: Config) -> None:
    """Put a question, once; anew when it is another one by now, or when what it would grant does not do any more."""
    asked = approvals.of_run(tx, run_id)
    if asked is not None and asked.state == "open":
        one, other = read_question(asked.what), read_question(what)
        if same(one, other) and not lacks_more(one, other):
            return
        approvals.withdraw(tx, run_id, now_ms)
    approvals.ask(tx, run_id, what, now_ms, now_ms + round(seconds(config.waiting.approval) * 1000))


def _is_another(connection: Connection, composed: Composed, judged: Judged, run_id: int | None) -> bool:
    """Whether it was approved as something else than it has become: the configuration may have changed meanwhile."""
    asked = approvals.of_run(connection, run_id) if run_id is not None else None
    if run_id is None or asked is None or asked.state != "approved":
        return False
    return not same(
        read_question(asked.what), read_question(question(run_id, composed, judged.facts, resumes=judged.reuse.resume))
    )


def _reserve(
    tx: Connection, home: Home, composed: Composed, judged: Judged, config: Config, run_id: int | None
) -> Admitted:
    now_ms, route, request = judged.standing.now_ms, composed.route, composed.request
    generation = enter(tx, home, judged.session, judged.reuse, judged.parent, composed, now_ms)
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
    run_id = _record(tx, composed, judged, run_id, state)
    lines = [line for _, line in lines_of(tx, spender_of(route, request.job), config, now_ms)]
    ledger.reserve(tx, run_id, lines, judged.facts.needs, now_ms)
    for mode, scope, patterns in composed.claimed:
        resolved = msgspec.json.encode(scope).decode()
        claims.claim(tx, run_id, mode, str(composed.workspace), _json(patterns), resolved, now_ms)
    for pin in composed.unpinned:
        skills.pin(tx, pin)
    approvals.withdraw(tx, run_id, now_ms)
    tokens = judged.facts.needs["tokens"]
    text = f"{route.agent} admitted  {len(judged.verdict.checks)} checks, {tokens:,} tokens"
    events.add(tx, now_ms, "admitted", text, run_id=run_id, session_id=generation.session_id, job=request.job)
    launch = _launch(home, composed, judged, generation, config)
    return Admitted(run_id, generation.session_id, judged.verdict, launch)


def _record(tx: Connection, composed: Composed, judged: Judged, run_id: int | None, state: dict[str, object]) -> int:
    """The run's row and its receipt: a new one, or the one that waited."""
    values = columns(composed, judged.standing.prompt, judged.verdict, judged.facts) | state
    if run_id is None:
        run_id = runs.add(tx, values | {"requested_ms": judged.standing.now_ms})
    else:
        runs.update(tx, run_id, values)
    store_receipt(tx, run_id, judged.receipt)
    return run_id


def _launch(
    home: Home, composed: Composed, judged: Judged, generation: sessions.Generation, config: Config
) -> AdapterRequest:
    before = generation if judged.reuse.resume else judged.parent
    return AdapterRequest(
        prompt=judged.standing.prompt,
        workspace=str(composed.workspace),
        argv=composed.argv,
        argv_resume=composed.argv_resume,
        model=composed.route.model,
        tools=composed.route.tools,
        provider_id=generation.provider_id,
        resume=judged.reuse.resume,
        agent_state=str(home.agents / composed.route.adapter),
        can_write=composed.route.can_write,
        output_limit_tokens=config.limits.output_tokens,
        service=composed.wanted.service,
        keep=composed.route.keep,
        permissions=composed.route.permissions,
        can_read=composed.route.can_read,
        read=composed.route.read,
        before=None if before is None else used_before(before),
        fork_of=None if judged.parent is None else judged.parent.provider_id,
        held=is_held(composed.route) and not composed.request.attach,
        stop_turns=composed.route.stop_turns,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
