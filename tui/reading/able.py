"""What can an agent's program not do at all, whatever is asked of it? Told before anything is asked for: the gate would
refuse it and put that on record."""

from collections.abc import Callable
from pathlib import Path

from engine.config.model import Config
from state import runs, sessions
from state.board import BoardRow
from state.sessions import Session
from tui.clean import clean
from tui.reading.snapshot import Reading
from tui.reading.states import is_dir

OPENS = ("claude_code", "codex")
"""Adapters whose programs can be opened on a conversation: as in `engine.runtime.attaching`, which is too large to be
loaded for a line of keys."""
CHAT = "chat"
"""The task type of what is said in a session."""
OBSERVED = "observed: it runs in its own program"


def no_talk(agent: str | None, config: Config | None) -> str:
    """Why nothing can be said to it; empty when it can."""
    if agent is None:
        return OBSERVED
    declared = config.agents.get(agent) if config is not None else None
    if config is None or declared is None:
        return "" if config is None else f"the agent {agent} is not declared any more"
    if declared.adapter == "digest" and not (declared.inject or config.task_types[CHAT].inject):
        return f"{agent} takes no talk: it only reads the files that are injected"
    if declared.adapter == "command" and not declared.argv:
        return f"{agent} takes no talk: no program is declared for it"
    return ""


def no_attach(row: BoardRow, config: Config | None, *, gone: bool) -> str:
    """Why its program cannot be opened on a session of the list; empty when it may be."""
    begun = row.agent is None or (row.last_run_id is not None and not row.fresh)
    lacks = _program(row.agent or row.source, config)
    return lacks or _conversation(begun=begun, gone=row.workspace if gone else None)


def no_attach_now(reading: Reading, session: Session) -> str:
    """The same of one that is looked at closely."""
    if lacks := _program(session.agent or session.source, reading.config):
        return lacks
    connection, now = reading.connection, session.generation_id
    generation = sessions.generation(connection, now) if now is not None else None
    begun = generation is not None and generation.provider_id is not None
    if generation is not None and session.agent is not None:
        begun = begun and runs.used(connection, generation.id)
    where = generation.workspace if generation is not None and generation.workspace else session.workspace
    gone = where if where and not is_dir(Path(where)) else None
    return _conversation(begun=begun, gone=gone)


def attach_problem(session_id: int) -> Callable[[Reading], str]:
    """Why its program cannot be opened on this session just now; empty when it may be."""
    return lambda reading: no_attach_now(reading, sessions.get(reading.connection, session_id))


def _program(name: str, config: Config | None) -> str:
    declared = config.agents.get(name) if config is not None else None
    if config is None or (declared is not None and declared.adapter in OPENS):
        return ""
    return f"{name} has no program that could be opened here; these have: {', '.join(OPENS)}"


def _conversation(*, begun: bool, gone: str | None) -> str:
    """Not whether a run is live in it: that passes, and the engine says so without putting a run on record."""
    if not begun:
        return "there is no conversation yet that could be opened: run in it once"
    return f"its folder is not there any more: {clean(gone)}" if gone is not None else ""
