"""What is kept of a run as it leaves the gate: its columns and its receipt."""

import msgspec

from engine.admission.admit import Facts
from engine.context.compose import encoded_parts
from engine.contract.launch import Prompt
from engine.contract.verdict import ReceiptView, Verdict
from engine.runtime.budget_lines import model_name
from engine.runtime.composing import Composed
from state import receipts
from state.database import Connection


def columns(composed: Composed, prompt: Prompt, verdict: Verdict, facts: Facts) -> dict[str, object]:
    """All that is known of a run before it starts, by column."""
    request, route = composed.request, composed.route
    return {
        "agent": route.agent,
        "adapter": route.adapter,
        "model": model_name(route),
        "lane": route.lane,
        "trigger": request.trigger,
        "task_type": route.task_type,
        "template": route.template,
        "job": request.job,
        "slot_due_ms": request.slot_due_ms,
        "task": route.task,
        "workspace": str(composed.workspace),
        "can_read": _json(route.can_read),
        "can_write": _json(route.can_write),
        "inject": _json(route.inject),
        "timeout_s": None if request.attach else route.timeout_s,
        "estimate": _json(verdict.estimate),
        "estimate_tokens": verdict.estimate.high_tokens,
        "likely_tokens": verdict.estimate.likely_tokens,
        "verdict": _json(verdict),
        "request": _json(request),
        "route": _json(route),
        "falls_back_from": request.falls_back_from,
        "parent_run_id": request.parent_run_id,
        "depth": facts.place.depth,
        "resumes_run_id": request.resumes_run_id,
        **_metadata(composed, prompt),
    }


def store_receipt(tx: Connection, run_id: int, view: ReceiptView) -> None:
    """Keep what its prompt is made of, in place of what was kept before it waited."""
    kept = receipts.Receipt(
        run_id=run_id,
        parts=encoded_parts(view),
        tokens=view.tokens,
        chars=view.chars,
        decided=_json(view.decided),
        cache_break=_json(view.cache_break) if view.cache_break else None,
        everything_tokens=view.everything_tokens,
    )
    receipts.store(tx, kept)


def _metadata(composed: Composed, prompt: Prompt) -> dict[str, object]:
    """How big the prompt was and what it offered: what a later comparison of runs is about."""
    instructions = [part for part in prompt.sent if part.kind == "instructions"]
    return {
        "prompt_chars": prompt.chars,
        "instructions_chars": sum(len(part.text) for part in instructions),
        "has_instructions_file": int(any(part.kind == "instructions" for part in prompt.parts)),
        "skill_set_hash": composed.skill_set_hash,
        "skill_count": len(composed.skills),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
