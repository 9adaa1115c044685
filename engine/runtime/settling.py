"""How did a run end, and what did it use? Usage, reservation, claims, slot, run and event, in one transaction."""

from collections.abc import Sequence

import msgspec

from engine.adapters.registry import adapter, is_free
from engine.admission.words import many
from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.outcome import EndRecord, Stop
from engine.contract.verdict import Estimate
from engine.runtime.aftermath import lost_claim
from engine.runtime.elsewhere import goes_elsewhere, mark
from engine.runtime.permissions import withdraw_all
from engine.runtime.places import is_attached
from engine.scopes.violations import Changes, words
from engine.telemetry.prices import local_price
from state import claims, events, ledger, prices, receipts, run_usage, runs, sessions, slots, usage
from state.database import Connection

_SLOT_STATES = {"succeeded": "finished", "interrupted": "interrupted", "cancelled": "interrupted"}


def settle(
    tx: Connection,
    run: runs.Run,
    end: EndRecord,
    result: AdapterResult | None,
    changes: Changes | None,
    lines: Sequence[ledger.Line],
    now_ms: int,
) -> None:
    """Close a run for good. `lines` are the budgets that it draws on."""
    outcome, why = judge(run, end, result)
    book_usage(tx, run, outcome, result, now_ms)
    booked = runs.get(tx, run.id)
    used = ledger.Used(booked.used_tokens, booked.used_microusd, booked.unpriced)
    ledger.settle(tx, run.id, used, lines, now_ms)
    trouble = _note_changes(tx, run, changes, now_ms)
    claims.release(tx, run.id, now_ms)
    withdraw_all(tx, run.id, now_ms)
    said = ((result.text if result else "") or why).strip()
    runs.settle(
        tx,
        run.id,
        outcome=outcome,
        why="; ".join(filter(None, (why, trouble))),
        exit_code=end.exit_code,
        signal=end.signal,
        # An answer begins with what matters; a program ends with it.
        summary=(said.rpartition("\n")[2] if run.adapter == "command" else said.partition("\n")[0])[:200],
        ended_ms=now_ms,
    )
    runs.update(tx, run.id, {"end_record": msgspec.json.encode(end).decode()})
    if goes_elsewhere(run, outcome, result, changes):
        mark(tx, run.id, run.agent, run.model or run.adapter, why, run.job, now_ms)
    if run.job is not None and run.slot_due_ms is not None:
        slots.update(tx, run.job, run.slot_due_ms, _SLOT_STATES.get(outcome, "failed"), run.id, why or None)
    if run.session_id is not None:
        sessions.touch(tx, run.session_id, now_ms)
    parts = (f"{run.agent} {outcome.replace('_', ' ')}", many(used.tokens, "token") if used.tokens else "", why)
    said = "  ".join(filter(None, parts))
    events.add(tx, now_ms, outcome, said, run_id=run.id, session_id=run.session_id, job=run.job)


def judge(run: runs.Run, end: EndRecord, result: AdapterResult | None) -> tuple[str, str]:
    """The outcome: the keeper knows how it ended, the adapter whether that was an answer, we why we ended it.

    A turn that the operator broke off is cancelled however its program then ended. One that crashed has not
    succeeded, although it had answered before: what it still had to write is not there. One that had to be ended after
    its answer, when nobody wanted more of it, has.
    """
    stop = msgspec.json.decode(run.stop_reason, type=Stop) if run.stop_reason else None
    broken_off = result is not None and not result.ok and end.outcome in ("succeeded", "failed")
    if stop is not None and stop.reason == "operator" and (end.outcome == "cancelled" or broken_off):
        return "cancelled", end.why or "stopped by the operator"
    if stop is not None and stop.reason == "budget_reached" and end.outcome in ("cancelled", "failed", "interrupted"):
        return "budget_reached", "its budget had no more room; it can go on" if stop.at else run.why or ""
    if end.outcome == "succeeded" and result is not None and not result.ok:
        return "failed", result.why
    if end.outcome == "failed":
        ending = f"signal {end.signal}" if end.signal else f"exit code {end.exit_code}"
        return "failed", (result.why if result and result.why else end.why) or ending
    return end.outcome, end.why


def _note_changes(tx: Connection, run: runs.Run, changes: Changes | None, now_ms: int) -> str:
    """Keep what it changed; what is wrong with that, in words."""
    if changes is None:
        return ""
    runs.update(tx, run.id, {"changes": msgspec.json.encode(changes).decode()})
    trouble = []
    if changes.violations_total:
        trouble.append(f"violation: {words(changes)}")
    if lost_claim(tx, run):
        trouble.append("violation: it no longer held its claim when it ended")
    for text in trouble:
        events.add(
            tx, now_ms, "violation", f"{run.agent} {text}", run_id=run.id, session_id=run.session_id, job=run.job
        )
    return "; ".join(trouble)


def book_usage(tx: Connection, run: runs.Run, outcome: str, result: AdapterResult | None, now_ms: int) -> None:
    """Book what the run used; a run whose usage never arrives is settled at its estimate, and marked.

    Where the client keeps a log, its rows are the run's usage: what the run's own output told is not booked beside
    them, and gives way when they come later. A log that is behind has told a part of it: then the rest is booked.
    """
    unstarted = outcome == "could_not_start" or (outcome == "cancelled" and run.started_ms is None)
    if unstarted or run.generation_id is None:
        return
    runs.note_raw_usage(tx, run.id, result.raw_usage if result else None)
    runs.update(tx, run.id, {"turns": result.turns if result else None})
    reported, used = result.usage if result else None, _untold(tx, run, result)
    if used is None or is_attached(run):
        return
    source = sessions.generation(tx, run.generation_id).source
    free, provider = is_free(run.adapter, run.model), adapter(run.adapter).provider
    model_id = prices.model_id(tx, run.model, "local" if free else provider) if run.model else None
    price_id = None
    if free and run.model and model_id is not None:
        text = msgspec.json.encode(local_price(run.model, "local")).decode()
        price_id = prices.note_price(tx, model_id, "local", text, now_ms)
    row = usage.UsageRow(
        source_id=usage.SOURCE_IDS[source],
        key=run_usage.provisional_key(run.id),
        generation_id=run.generation_id,
        run_id=run.id,
        at_ms=now_ms,
        model_id=model_id,
        input_tokens=used.input_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        cache_write_5m_tokens=None,
        cache_write_1h_tokens=None,
        output_tokens=used.output_tokens,
        reasoning_tokens=None,
        basis=usage.BASES.index(_basis(result)),
        confidence=usage.CONFIDENCES.index("final" if reported else "inferred"),
        price_id=price_id,
        cost_microusd=0 if free else used.cost_microusd,
    )
    run_usage.book_run(tx, row)


def _untold(tx: Connection, run: runs.Run, result: AdapterResult | None) -> RunUsage | None:
    """What the run used, as far as it is not known that its client's log has told it all; None: nothing is to be
    booked."""
    if run_usage.logged_tokens(tx, run.id) is not None:
        return None
    return (result.usage if result else None) or _estimated(tx, run)


def _basis(result: AdapterResult | None) -> str:
    if result is None or result.usage is None:
        return "estimated"
    return "streamed" if result.streamed else "per_run"


def _estimated(tx: Connection, run: runs.Run) -> RunUsage | None:
    """The likely use: its prompt and all that goes with that, such as what the conversation holds, as input, and the
    rest as output. None of a run that no model was expected to answer."""
    cost = msgspec.json.decode(run.estimate, type=Estimate) if run.estimate else None
    if cost is not None and cost.basis == "none":
        return None
    likely = cost.likely_tokens if cost else run.estimate_tokens
    kept = receipts.of_run(tx, run.id)
    sent_tokens = (kept.tokens if kept else likely) + (cost.overhead_tokens if cost else 0)
    input_tokens = min(sent_tokens, likely)
    return RunUsage(input_tokens, likely - input_tokens, cost_microusd=cost.likely_microusd if cost else None)
