"""What is a run as JSON? The contract of `qd spawn --json`, `qd run --json` and `qd run show --json`."""

from typing import Any

import msgspec

from engine.adapters.command import unread_bytes
from engine.contract.clock import iso
from engine.contract.outcome import EndRecord
from engine.runtime.questions import read_permission
from state import approvals, fallbacks, prices, receipts, responses, runs
from state.database import Connection
from state.home import Home
from tui.cli.output import kept_errors, kept_output
from tui.cli.raw import metadata, reported
from tui.cli.sums import booked_view
from tui.cli.verb import times
from tui.reading.run_words import over_cap

_DROPPED = " bytes dropped ...]\n"
"""What a keeper leaves in the log of which it kept head and tail."""


def run_view(connection: Connection, run: runs.Run) -> dict[str, Any]:
    """Everything that is known of a run, but for its answer."""
    usage = booked_view(responses.of_run(connection, run.id))
    successor = _successor(connection, run)
    return {
        "outcome": run.outcome,
        "run": run.id,
        "session": run.session_id,
        "state": run.state,
        "why": run.why,
        "verdict": _verdict(run),
        "estimate": _estimate(run, usage),
        "receipt": _receipt(connection, run.id),
        "usage": usage,
        "price_pending": _price_pending(connection, run) if usage and usage["responses_unpriced"] else False,
        "raw": reported(run),
        "changes": _changes(run),
        "waiting": _waiting(connection, run),
        "stopped_at": _stopped_at(run),
        "agent": run.agent,
        "adapter": run.adapter,
        "model": run.model,
        "lane": run.lane,
        "trigger": run.trigger,
        "task_type": run.task_type,
        "template": run.template,
        "job": run.job,
        "parent": run.parent_run_id,
        "depth": run.depth,
        "children": runs.children(connection, run.id),
        "resumes": run.resumes_run_id,
        "resumed_by": successor["run"] if successor else None,
        "successor": successor,
        "task": run.task,
        "argv": _argv(run),
        "workspace": run.workspace,
        "inject": _decoded(run.inject),
        "can_read": _decoded(run.can_read),
        "can_write": _decoded(run.can_write),
        "timeout_s": run.timeout_s,
        **metadata(run),
        "reuse_reason": run.reuse_reason,
        "estimate_tokens": run.estimate_tokens,
        "sandbox": run.sandbox,
        "turns": run.turns,
        "over_cap": None if (over := over_cap(run)) is None else msgspec.structs.asdict(over),
        "falls_back_from": run.falls_back_from,
        "fell_back_to": fallbacks.successor(connection, run.id),
        "turn_of": run.client_id,
        "asked": _asked(connection, run),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "requested_at": iso(run.requested_ms),
        "started_at": iso(run.started_ms),
        "ended_at": iso(run.ended_ms),
        **_ending(run),
    }


def kept_in_folder(home: Home, connection: Connection, run: runs.Run) -> dict[str, Any]:
    """What only the folder of a run knows, as long as that is kept."""
    kept, errors = kept_output(home, connection, run), kept_errors(home, run)
    end = end_of(run)
    dropped = bool(end and end.dropped_bytes)
    return {
        "text": result_text(home, run.id),
        "stdout": None if kept is None else kept.text,
        "truncated": None if kept is None else kept.cut or dropped,
        "stderr": None if errors is None else errors.text,
        "stderr_truncated": None if errors is None else errors.cut or (dropped and _DROPPED in errors.text),
        "usage_unread_bytes": unread_bytes(home.run_folder(run.id)),
    }


def end_of(run: runs.Run) -> EndRecord | None:
    """How its processes ended; None while they live, and where there were none."""
    return None if run.end_record is None else msgspec.json.decode(run.end_record, type=EndRecord)


def _ending(run: runs.Run) -> dict[str, Any]:
    """How long it took, whether it had to be killed, and how many processes it left that had to be ended."""
    end = end_of(run)
    if end is not None:
        return {"duration_s": end.duration_s, "escalated": end.escalated, "leaked": end.leaked}
    duration_s = (run.ended_ms - run.started_ms) / 1000 if run.ended_ms and run.started_ms else None
    return {"duration_s": duration_s, "escalated": None, "leaked": None}


def _asked(connection: Connection, run: runs.Run) -> list[dict[str, Any]]:
    """What its program has asked while it worked, and what became of that."""
    return [_question(one) for one in approvals.permissions(connection, run.id)]


def _question(asked: approvals.Approval) -> dict[str, Any]:
    told = read_permission(asked.what)
    return {"approval": asked.id, "state": asked.state, "tool": told.tool, "what": told.what, "path": told.path}


def result_text(home: Home, run_id: int) -> str | None:
    """What the agent answered; None when it answered nothing or it is not kept any more."""
    try:
        return (home.run_folder(run_id) / "result.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _verdict(run: runs.Run) -> dict[str, Any]:
    """Of a run from before there were warnings, nothing was warned about."""
    told = msgspec.json.decode(run.verdict)
    checks = [_with({"fix": "", "warning": "", "waits_for": None}, check) for check in told["checks"]]
    return {"ok": told["ok"], "checks": checks, "estimate_tokens": run.estimate_tokens}


def _estimate(run: runs.Run, usage: dict[str, Any] | None) -> dict[str, Any] | None:
    """Beside what was used. How far off it was is only known where the usage was reported, and is all there."""
    if run.estimate is None:
        return None
    told = msgspec.json.decode(run.estimate)
    used = usage["tokens"] if usage else None
    known = usage is not None and usage["basis"] != "estimated" and not run.open and bool(used)
    error = round(abs(told["likely_tokens"] - used) / used, 4) if known else None
    money = usage["cost_microusd"] if usage else None
    return {**told, "used_tokens": used, "used_microusd": money, "error": error}


def _price_pending(connection: Connection, run: runs.Run) -> bool:
    """Whether a price list is still to be asked for what has none."""
    unpriced = {one.model for one in responses.of_run(connection, run.id) if one.cost_microusd is None}
    return any(model.asked is None and model.name in unpriced for model in prices.known_models(connection))


def _receipt(connection: Connection, run_id: int) -> dict[str, Any] | None:
    kept = receipts.of_run(connection, run_id)
    if kept is None:
        return None
    return {
        "parts": [_with({"sent": True}, part) for part in msgspec.json.decode(kept.parts)],
        "tokens": kept.tokens,
        "chars": kept.chars,
        "everything_tokens": kept.everything_tokens,
        "cache_break": _decoded(kept.cache_break),
        "decided": msgspec.json.decode(kept.decided),
    }


def _waiting(connection: Connection, run: runs.Run) -> dict[str, Any] | None:
    """What it waits for, until when, and which question is put to the operator."""
    if run.state != "waiting":
        return None
    asked = approvals.of_run(connection, run.id)
    open_one = asked.id if asked and asked.state == "open" else None
    return {"for": run.waits_for, "until_at": iso(run.expires_ms), "approval": open_one}


def _stopped_at(run: runs.Run) -> list[dict[str, Any]] | None:
    """The limits that had no room left for it; None when we did not end it."""
    return None if run.stop_reason is None else [times(at) for at in msgspec.json.decode(run.stop_reason)["at"]]


def _successor(connection: Connection, run: runs.Run) -> dict[str, Any] | None:
    """The run that goes on with this one, and what it waits for."""
    again = runs.resumption(connection, run.id) if run.outcome == "budget_reached" else None
    if again is None:
        return None
    waits = _waiting(connection, again)
    return {"run": again.id, "state": again.state, "outcome": again.outcome, "why": again.why, "waiting": waits}


def _changes(run: runs.Run) -> dict[str, Any] | None:
    """Of a run from before that was asked, nobody is known to have been beside it."""
    told = _decoded(run.changes)
    return None if told is None else _with({"beside": []}, told)


def violated(view: dict[str, Any]) -> bool:
    """Whether it did what its scope does not let it: whatever it answered, that is not well."""
    changes = view["changes"]
    return bool(changes and changes["violations_total"]) or (view["why"] or "").startswith("violation: ")


def _argv(run: runs.Run) -> list[str] | None:
    """The program that the spawn named; None where its agent says which."""
    told = _decoded(run.request) or {}
    return told.get("argv") or None


def _with(unsaid: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The record with what an older one does not say."""
    return record | {key: value for key, value in unsaid.items() if key not in record}


def _decoded(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)
