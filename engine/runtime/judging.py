"""How does a composed request stand at one instant: in which conversation, with which prompt, and may it?"""

from msgspec import Struct
from msgspec.structs import replace

from engine.admission.admit import Facts, admit
from engine.config.model import Config
from engine.context.cache_break import cache_break
from engine.context.compose import decoded_parts, going_on, not_again, receipt, receipt_parts
from engine.contract.launch import Prompt
from engine.contract.verdict import CacheBreak, ReceiptView, Verdict
from engine.runtime.composing import Composed
from engine.runtime.conversation import forked_from, reuse_of, session_for
from engine.runtime.facts import Standing, gather
from engine.sessions.reuse import Reuse
from state import receipts, run_usage, sessions
from state.database import Connection

BESIDE_MS = 10_000
"""Who wrote to a conversation so short a time ago may still be writing."""


class Judged(Struct, frozen=True):
    """A request at one instant."""

    session: sessions.Session | None
    """None: it gets a new one."""
    parent: sessions.Generation | None
    """The conversation that its own begins as a copy of."""
    reuse: Reuse
    receipt: ReceiptView
    standing: Standing
    facts: Facts
    verdict: Verdict


def judge(connection: Connection, composed: Composed, config: Config, run_id: int | None, now_ms: int) -> Judged:
    """`run_id`: of a run that waited. Call it in the transaction that acts on it."""
    session, parent = session_for(connection, composed), forked_from(connection, composed)
    reuse = reuse_of(connection, session, composed)
    prompt = _to_send(connection, composed, session, reuse, parent)
    standing = Standing(run_id, session.id if session else None, prompt, now_ms)
    facts = gather(connection, composed, standing, config)
    view = receipt(
        prompt,
        everything_tokens=composed.everything_tokens,
        cache_break=_break(connection, session, prompt),
        decided=dict(composed.route.decided),
    )
    verdict = _warned(admit(facts), _beside(connection, session, reuse, now_ms))
    return Judged(session, parent, reuse, view, standing, facts, verdict)


def _beside(connection: Connection, session: sessions.Session | None, reuse: Reuse, now_ms: int) -> str:
    """Two that write to one conversation at once lose a turn, and the other one need not be a run of ours."""
    if not reuse.resume or session is None or session.generation_id is None:
        return ""
    seen_ms = run_usage.last_by_others_ms(connection, session.generation_id, now_ms - BESIDE_MS)
    if seen_ms is None:
        return ""
    return f"session {session.id} was written to {max(0, now_ms - seen_ms) // 1000} s ago by another program"


def _warned(verdict: Verdict, warning: str) -> Verdict:
    if not warning:
        return verdict
    checks = tuple(
        replace(check, warning="; ".join(filter(None, (check.warning, warning))))
        if check.name == "concurrency"
        else check
        for check in verdict.checks
    )
    return replace(verdict, checks=checks)


def _to_send(
    connection: Connection,
    composed: Composed,
    session: sessions.Session | None,
    reuse: Reuse,
    parent: sessions.Generation | None,
) -> Prompt:
    """The prompt without what its conversation holds."""
    if parent is not None:
        return not_again(composed.prompt, receipts.sent_in_generation(connection, parent.id))
    if not reuse.resume or session is None or session.generation_id is None:
        return composed.prompt
    if reuse.reason == "goes_on" and composed.argv_resume:
        return going_on(composed.prompt)
    return not_again(composed.prompt, receipts.sent_in_generation(connection, session.generation_id))


def _break(connection: Connection, session: sessions.Session | None, prompt: Prompt) -> CacheBreak | None:
    """Against the prompt before this one in its session."""
    kept = receipts.last_in_session(connection, session.id) if session is not None else None
    return None if kept is None else cache_break(receipt_parts(prompt), decoded_parts(kept.parts))
