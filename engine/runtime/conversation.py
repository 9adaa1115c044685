"""In which session, and in which generation of it, does a run take place?"""

import uuid

from engine.adapters.registry import adapter
from engine.runtime.budget_lines import model_name
from engine.runtime.composing import Composed
from engine.sessions.reuse import Reuse, Standing, Wanted, decide_reuse
from state import runs, sessions
from state.database import Connection
from state.errors import Refused
from state.home import Home


def session_for(connection: Connection, composed: Composed) -> sessions.Session | None:
    """The session the run would be in; None when it gets a new one, as a spawn does and isolated work that is no job's,
    unless it goes on with a run."""
    request, route = composed.request, composed.route
    wanted = request.session_id
    if request.resumes_run_id is not None:
        wanted = runs.get(connection, request.resumes_run_id).session_id
    if wanted is not None:
        session = sessions.get(connection, wanted)
        if session.agent != route.agent:
            whose = f"belongs to agent {session.agent}" if session.agent else "was only observed, never run by us"
            raise Refused(f"session {session.id} {whose}", "run in a session of this agent")
        return session
    if request.trigger == "spawn" or (route.lane == "isolated" and request.job is None):
        return None
    return sessions.owned(connection, route.agent, route.lane, request.job)


def reuse_of(connection: Connection, session: sessions.Session | None, composed: Composed) -> Reuse:
    """Whether the session's conversation is resumed, and why."""
    before = composed.request.resumes_run_id
    if before is not None and session is not None:
        stopped_in = runs.get(connection, before).generation_id
        if session.generation_id != stopped_in:
            return Reuse(False, "moved_on")
    return decide_reuse(_standing(_current(connection, session)), _wanted(composed))


def enter(
    tx: Connection, home: Home, session: sessions.Session | None, reuse: Reuse, composed: Composed, now_ms: int
) -> sessions.Generation:
    """The generation to run in, starting what has to be started."""
    session_id = session.id if session else _open(tx, composed, now_ms)
    current = _current(tx, session)
    if current is None or (not reuse.resume and current.provider_id is not None):
        current = next_generation(tx, home, session_id, reuse.reason, None, now_ms)
    if not reuse.resume:
        sessions.set_conversation(
            tx,
            current.id,
            provider_id=str(uuid.uuid4()),
            model=model_name(composed.route),
            workspace=str(composed.workspace),
            assignment=composed.assignment,
        )
    sessions.touch(tx, session_id, now_ms)
    return sessions.generation(tx, current.id)


def next_generation(
    tx: Connection, home: Home, session_id: int, reason: str, note: str | None, now_ms: int
) -> sessions.Generation:
    """Start the next generation of a session whose conversation we keep."""
    started = sessions.start_generation(
        tx,
        session_id,
        source=sessions.OURS,
        provider_home=str(home.agents),
        provider_id=None,
        model=None,
        workspace=None,
        reason=reason,
        note=note,
        at_ms=now_ms,
    )
    return sessions.generation(tx, started)


def _open(tx: Connection, composed: Composed, now_ms: int) -> int:
    request, route = composed.request, composed.route
    return sessions.open_session(
        tx,
        agent=route.agent,
        lane=route.lane,
        job=request.job,
        title=request.job or route.task.strip().partition("\n")[0][:200] or route.agent,
        workspace=str(composed.workspace),
        at_ms=now_ms,
    )


def _current(connection: Connection, session: sessions.Session | None) -> sessions.Generation | None:
    if session is None or session.generation_id is None:
        return None
    return sessions.generation(connection, session.generation_id)


def _standing(current: sessions.Generation | None) -> Standing | None:
    if current is None:
        return None
    return Standing(
        provider_id=current.provider_id,
        reason=current.reason,
        workspace=current.workspace,
        model=current.model,
        assignment=current.assignment,
    )


def _wanted(composed: Composed) -> Wanted:
    return Wanted(
        lane=composed.route.lane,
        workspace=str(composed.workspace),
        model=model_name(composed.route),
        assignment=composed.assignment,
        adapter_resumes=adapter(composed.route.adapter).resumes(composed.argv_resume),
        goes_on=composed.request.resumes_run_id is not None,
    )
