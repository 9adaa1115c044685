"""In which session, and in which generation of it, does a run take place?"""

import os
import uuid
from pathlib import Path

from msgspec.structs import replace

from engine.adapters.registry import adapter
from engine.config.model import Config
from engine.contract.launch import RunUsage
from engine.runtime.budget_lines import model_name
from engine.runtime.composing import Composed
from engine.runtime.services import service_of
from engine.sessions.reuse import Reuse, Standing, Wanted, decide_reuse
from engine.telemetry.roots import log_roots
from state import forks, runs, sessions
from state.database import Connection, Database
from state.errors import Refused
from state.home import Home

FORKS = ("claude_code", "codex", "anthropic", "openai", "ollama")
"""The adapters whose conversations can begin as a copy of another."""


def session_for(connection: Connection, composed: Composed) -> sessions.Session | None:
    """The session the run would be in; None when it gets a new one, as a spawn does and isolated work that is no job's,
    unless it goes on with a run."""
    request, route = composed.request, composed.route
    if _apart(connection, composed):
        return None
    wanted = request.session_id
    if request.resumes_run_id is not None:
        wanted = runs.get(connection, request.resumes_run_id).session_id
    if wanted is not None:
        session = sessions.get(connection, wanted)
        if session.agent != route.agent and not (request.attach and session.agent is None):
            whose = f"belongs to agent {session.agent}" if session.agent else "was only observed, never run by us"
            raise Refused(f"session {session.id} {whose}", "run in a session of this agent")
        return session
    if request.trigger == "spawn" or (route.lane == "isolated" and request.job is None):
        return None
    return sessions.owned(connection, route.agent, route.lane, request.job)


def _apart(connection: Connection, composed: Composed) -> bool:
    """Whether it has a conversation of its own beside the agent's: a copy, or one that another adapter speaks to."""
    before = composed.request.falls_back_from
    other = before is not None and runs.get(connection, before).adapter != composed.route.adapter
    return composed.request.fork or other


def forked_from(connection: Connection, composed: Composed) -> sessions.Generation | None:
    """The conversation that the run's own begins as a copy of; None when it begins with nothing, or goes on. Raises
    NotFound or Refused."""
    request, route = composed.request, composed.route
    if not request.fork:
        return None
    if request.session_id is None:
        raise Refused("a fork begins as a copy of a session, and none is named", "name one: --session N")
    session = sessions.get(connection, request.session_id)
    if route.adapter not in FORKS:
        raise Refused(f"{route.agent} cannot fork: its adapter is {route.adapter}", f"fork with: {', '.join(FORKS)}")
    kind = _spoken_by(connection, session)
    if kind not in (route.adapter, adapter(route.adapter).source):
        raise Refused(f"session {session.id} is of {kind}, which {route.adapter} cannot continue", "take its own agent")
    current = _current(connection, session)
    if current is None or current.provider_id is None:
        raise Refused(f"session {session.id} has no conversation yet", "run in it once")
    return current


def _spoken_by(connection: Connection, session: sessions.Session) -> str:
    """The adapter that ran in it last, else the source whose log told of it."""
    last = runs.last_in_session(connection, session.id)
    return last.adapter if last is not None else session.source


def used_before(generation: sessions.Generation) -> RunUsage:
    """What a conversation has used so far, as booked."""
    return RunUsage(
        input_tokens=generation.input_tokens,
        output_tokens=generation.output_tokens,
        cache_read_tokens=generation.cache_read_tokens,
        cache_write_tokens=generation.cache_write_tokens,
        cost_microusd=None if generation.unpriced else generation.cost_microusd,
    )


def note_conversation(database: Database, home: Home, config: Config, run: runs.Run, provider_id: str) -> None:
    """The provider has named the conversation itself: from now on it is known by that name. Raises NotWritten."""
    if run.generation_id is None:
        return
    if sessions.generation(database.connection, run.generation_id).provider_id == provider_id:
        return
    source = adapter(run.adapter).source or sessions.OURS
    with database.transaction() as tx:
        current = runs.get(tx, run.id).generation_id
        assert current is not None, "a run stays in a conversation"
        sessions.take_over(tx, current, source, _log_home(source, home, config, run), provider_id)


def _log_home(source: str, home: Home, config: Config, run: runs.Run) -> str:
    """Where that source keeps its log of this run, as the readers of logs call it."""
    agent = config.agents.get(run.agent)
    declared = service_of(run.adapter, agent, config).home if agent is not None else None
    if declared is not None:
        return str(Path(declared).resolve())
    roots = [root.provider_home for root in log_roots(os.environ) if root.source == source]
    return roots[0] if roots else str(home.agents)


def reuse_of(connection: Connection, session: sessions.Session | None, composed: Composed) -> Reuse:
    """Whether the session's conversation is resumed, and why."""
    if composed.request.fork:
        return Reuse(False, "forked")
    before = composed.request.resumes_run_id
    if before is not None and session is not None:
        stopped_in = runs.get(connection, before).generation_id
        if session.generation_id != stopped_in:
            return Reuse(False, "moved_on")
    if composed.request.attach:
        return Reuse(True, "same_conversation")
    standing, wanted = _standing(connection, _current(connection, session)), _wanted(composed)
    if standing is not None and composed.request.falls_back_from is not None:
        wanted = replace(wanted, model=standing.model)  # the same conversation, by another model just this once
    return decide_reuse(standing, wanted)


def enter(
    tx: Connection,
    home: Home,
    session: sessions.Session | None,
    reuse: Reuse,
    parent: sessions.Generation | None,
    composed: Composed,
    now_ms: int,
) -> sessions.Generation:
    """The generation to run in, starting what has to be started. `parent`: the one that it begins as a copy of."""
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
    if parent is not None and parent.provider_id is not None:
        forks.note(tx, current.id, parent.provider_id)
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
    """One apart is nobody's usual one: the next run of this agent, or of this job, is not to find itself in it."""
    request, route, apart = composed.request, composed.route, _apart(tx, composed)
    return sessions.open_session(
        tx,
        agent=route.agent,
        lane="isolated" if apart else route.lane,
        job=None if apart else request.job,
        title=request.job or route.task.strip().partition("\n")[0][:200] or route.agent,
        workspace=str(composed.workspace),
        at_ms=now_ms,
    )


def _current(connection: Connection, session: sessions.Session | None) -> sessions.Generation | None:
    if session is None or session.generation_id is None:
        return None
    return sessions.generation(connection, session.generation_id)


def _standing(connection: Connection, current: sessions.Generation | None) -> Standing | None:
    """Its model as it was asked for: a log names what a client made of that, `claude-haiku-5-5` of `haiku`."""
    if current is None:
        return None
    last = runs.last_in_session(connection, current.session_id)
    return Standing(
        provider_id=current.provider_id,
        reason=current.reason,
        workspace=current.workspace,
        model=current.model if last is None or last.generation_id != current.id else _asked_model(connection, last),
        assignment=current.assignment,
    )


def _asked_model(connection: Connection, run: runs.Run) -> str | None:
    """The model that was wanted at first, whoever did it in the end."""
    while run.falls_back_from is not None:
        run = runs.get(connection, run.falls_back_from)
    return run.model


def _wanted(composed: Composed) -> Wanted:
    return Wanted(
        lane=composed.route.lane,
        workspace=str(composed.workspace),
        model=model_name(composed.route),
        assignment=composed.assignment,
        adapter_resumes=adapter(composed.route.adapter).resumes(composed.argv_resume),
        goes_on=composed.request.resumes_run_id is not None,
    )
