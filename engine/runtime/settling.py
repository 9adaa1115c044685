"""How did a run end, and what did it use? Usage, reservation, claims, slot, run and event, in one transaction."""

import msgspec

from engine.adapters.registry import adapter
from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.outcome import EndRecord
from engine.telemetry.prices import local_price
from state import claims, events, ledger, prices, run_usage, runs, sessions, slots, usage
from state.database import Connection

_SLOT_STATES = {"succeeded": "finished", "interrupted": "interrupted", "cancelled": "interrupted"}


def settle(tx: Connection, run: runs.Run, end: EndRecord, result: AdapterResult | None, now_ms: int) -> None:
    """Close a run for good."""
    outcome, why = judge(end, result)
    used = book_usage(tx, run, outcome, result, now_ms)
    ledger.settle(tx, run.id, used)
    claims.release(tx, run.id)
    runs.settle(
        tx,
        run.id,
        outcome=outcome,
        why=why,
        exit_code=end.exit_code,
        signal=end.signal,
        summary=((result.text if result else "") or why).strip().partition("\n")[0][:200],
        ended_ms=now_ms,
    )
    if run.job is not None and run.slot_due_ms is not None:
        slots.update(tx, run.job, run.slot_due_ms, _SLOT_STATES.get(outcome, "failed"), run.id, why or None)
    if run.session_id is not None:
        sessions.touch(tx, run.session_id, now_ms)
    said = f"{run.agent} {outcome.replace('_', ' ')}  {used:,} tokens" + (f"  {why}" if why else "")
    events.add(tx, now_ms, outcome, said, run_id=run.id, session_id=run.session_id, job=run.job)


def judge(end: EndRecord, result: AdapterResult | None) -> tuple[str, str]:
    """The outcome: the keeper knows how the process ended, the adapter whether that was an answer."""
    if end.outcome == "succeeded" and result is not None and not result.ok:
        return "failed", result.why
    if end.outcome == "failed":
        ending = f"signal {end.signal}" if end.signal else f"exit code {end.exit_code}"
        return "failed", (result.why if result and result.why else end.why) or ending
    return end.outcome, end.why


def book_usage(tx: Connection, run: runs.Run, outcome: str, result: AdapterResult | None, now_ms: int) -> int:
    """Book what the run used, in tokens; a run whose usage never arrives is settled at its estimate, and marked.

    Where the client keeps a log, its rows are the run's usage: what the run's own output told is not booked beside
    them, and gives way when they come later.
    """
    if outcome == "could_not_start" or run.generation_id is None:
        return 0
    runs.note_raw_usage(tx, run.id, result.raw_usage if result else None)
    logged = run_usage.logged_tokens(tx, run.id)
    if logged is not None:
        return logged
    reported = result.usage if result else None
    receipt = runs.receipt(tx, run.id)
    prompt_tokens = receipt.tokens if receipt else run.estimate_tokens
    used = reported or RunUsage(prompt_tokens, max(0, run.estimate_tokens - prompt_tokens))
    source = sessions.generation(tx, run.generation_id).source
    free = adapter(run.adapter).free
    model_id = prices.model_id(tx, run.model, "local" if free else "") if run.model else None
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
        basis=usage.BASES.index("per_run" if reported else "estimated"),
        confidence=usage.CONFIDENCES.index("final" if reported else "inferred"),
        price_id=price_id,
        cost_microusd=0 if free else used.cost_microusd,
    )
    run_usage.book_run(tx, row)
    return row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.output_tokens
