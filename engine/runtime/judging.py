"""How does a composed request stand at one instant: in which conversation, with which prompt, and may it?"""

from msgspec import Struct

from engine.admission.admit import Facts, admit
from engine.config.model import Config
from engine.context.cache_break import cache_break
from engine.context.compose import decoded_parts, going_on, not_again, receipt, receipt_parts
from engine.contract.launch import Prompt
from engine.contract.verdict import CacheBreak, ReceiptView, Verdict
from engine.runtime.composing import Composed
from engine.runtime.conversation import reuse_of, session_for
from engine.runtime.facts import Standing, gather
from engine.sessions.reuse import Reuse
from state import receipts, sessions
from state.database import Connection


class Judged(Struct, frozen=True):
    """A request at one instant."""

    session: sessions.Session | None
    """None: it gets a new one."""
    reuse: Reuse
    receipt: ReceiptView
    standing: Standing
    facts: Facts
    verdict: Verdict


def judge(connection: Connection, composed: Composed, config: Config, run_id: int | None, now_ms: int) -> Judged:
    """`run_id`: of a run that waited. Call it in the transaction that acts on it."""
    session = session_for(connection, composed)
    reuse = reuse_of(connection, session, composed)
    prompt = _to_send(connection, composed, session, reuse)
    standing = Standing(run_id, session.id if session else None, prompt, now_ms)
    facts = gather(connection, composed, standing, config)
    view = receipt(
        prompt,
        everything_tokens=composed.everything_tokens,
        cache_break=_break(connection, session, prompt),
        decided=dict(composed.route.decided),
    )
    return Judged(session, reuse, view, standing, facts, admit(facts))


def _to_send(connection: Connection, composed: Composed, session: sessions.Session | None, reuse: Reuse) -> Prompt:
    """The prompt without what its conversation holds."""
    if not reuse.resume or session is None or session.generation_id is None:
        return composed.prompt
    if reuse.reason == "goes_on" and composed.argv_resume:
        return going_on(composed.prompt)
    return not_again(composed.prompt, receipts.sent_in_generation(connection, session.generation_id))


def _break(connection: Connection, session: sessions.Session | None, prompt: Prompt) -> CacheBreak | None:
    """Against the prompt before this one in its session."""
    kept = receipts.last_in_session(connection, session.id) if session is not None else None
    return None if kept is None else cache_break(receipt_parts(prompt), decoded_parts(kept.parts))
