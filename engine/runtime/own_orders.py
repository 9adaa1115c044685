"""What may a run ask of the engine? For runs of its own, held no looser than it is itself, and for nothing else.

What nobody says of tools, permissions, the sandbox and what may be read is as for who asks; what somebody says of them
is for the gate to judge. What the operator has declared to be written (by an agent, a template without parameters)
holds as it is declared.
"""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine.adapters.codex_flags import TOOLS
from engine.admission.parent import STRICTER, has_tool, is_looser
from engine.config.model import Config
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.contract.route import Route
from engine.runtime.sandboxing import literal
from engine.scopes.patterns import GLOBSTAR
from engine.scopes.reach import Mode, Reach, Scope
from engine.scopes.scope import resolve_scope
from state import runs
from state.database import Connection
from state.errors import Refused

KINDS = ("run", "stop", "interrupt", "catch_up")
ONLY = "a run may only ask for runs of its own"
ONLY_FIX = "ask for the rest from a shell of your own"
_WITHOUT_TOOLS = ("digest", "anthropic", "openai", "ollama")
"""Adapters of ours whose runs have no tools but those that are said."""
_NOT_ITS = ("attach", "fork", "session_id", "resumes_run_id", "falls_back_from", "job", "slot_due_ms")
"""What a request says of runs, sessions and jobs that are somebody else's."""


def check_kind(kind: str) -> None:
    """Raises Refused."""
    if kind not in KINDS:
        raise Refused(f"{ONLY}, and this is the order '{kind}'", ONLY_FIX)


def check_descendant(connection: Connection, run_id: int, asker: runs.Run) -> None:
    """Raises Refused for a run that this one has not asked for, nor any that it asked for; NotFound. The turns of one
    program are one here: it knows not in which it is."""
    above, seen = runs.get(connection, run_id).parent_run_id, {run_id}
    while above is not None and above not in seen:
        seen.add(above)
        run = runs.get(connection, above)
        if (run.client_id or run.id) == (asker.client_id or asker.id):
            return
        above = run.parent_run_id
    raise Refused(f"run {run_id} is none that run {asker.id} has asked for: {ONLY}", ONLY_FIX)


def spawned(request: RunRequest, parent: runs.Run, config: Config) -> RunRequest:
    """The request as the gate may have it: that of a child. Reads the disk, so it belongs in a thread. Raises Refused,
    and NotFound for a name that leads nowhere."""
    if parent.stop_reason is not None or not parent.live:
        raise Refused(f"run {parent.id} is being ended, and asks for nothing more")
    if parent.route is None:
        raise Refused(f"run {parent.id} was admitted by an older engine, which did not say how it is held", ONLY_FIX)
    own = msgspec.json.decode(parent.route, type=Route)
    _check_own(request)
    request = replace(request, trigger="spawn", parent_run_id=parent.id)
    made = route(request, config)
    _check_program(request, made, parent, config)
    return _within(_as_strict(request, made, own), made, own, parent, config)


def _check_own(request: RunRequest) -> None:
    usual = RunRequest(workspace="")
    for name in _NOT_ITS:
        if getattr(request, name) != getattr(usual, name):
            raise Refused(f"{ONLY}, and this one says {name}", f"leave out {name}")


def _as_strict(request: RunRequest, made: Route, own: Route) -> RunRequest:
    """What nobody says is as for its parent; whether what somebody says is looser, the check `parent` says."""
    unsaid = {name: getattr(own, name) for name in STRICTER if made.decided[name] == "shipped"}
    wanted = {name: has for name, has in unsaid.items() if is_looser(name, getattr(made, name), has)}
    if own.tools is not None and made.tools is None and made.decided["tools"] == "shipped":
        wanted["tools"] = _same_tools(made.adapter, own.tools)
    return replace(request, **wanted)


def _same_tools(name: str, own: tuple[str, ...]) -> tuple[str, ...] | None:
    """These as another adapter calls them. None where it has none of its own to be kept from."""
    if name in _WITHOUT_TOOLS:
        return None
    return own if name != "codex" else tuple(tool for tool in TOOLS if has_tool(own, tool))


def _check_program(request: RunRequest, made: Route, parent: runs.Run, config: Config) -> None:
    """A program of its choice would be handed what is declared for another one."""
    agent = config.agents[made.agent]
    given = agent.secrets or agent.env or agent.key or agent.state
    if request.argv and given and made.agent != parent.agent:
        raise Refused(
            f"agent '{made.agent}' is given secrets, variables or folders, which are not for another program",
            "leave out the program, or the agent",
        )


def _within(request: RunRequest, made: Route, own: Route, parent: runs.Run, config: Config) -> RunRequest:
    """In its parent's workspace, unless its agent has one, and there no further than its parent."""
    declared = config.agents[made.agent].workspace
    folder = os.path.expanduser(declared) if declared else parent.workspace  # noqa: PTH111 - never raises
    if not declared and not _is_same(request.workspace, parent.workspace):
        raise Refused(
            f"run {parent.id} works in {parent.workspace}, and may ask for runs in that folder alone",
            f"ask with --workspace {parent.workspace}",
        )
    if _is_its_word(request, made) and not _lies_in(folder, made.can_write, parent.workspace, own.can_write, "w"):
        may = ", ".join(own.can_write) or "nothing"
        raise Refused(
            f"what it asks for would write {', '.join(made.can_write)}, and run {parent.id} itself may write {may}",
            "ask for less, let the agent that asks write there, or declare it as a template",
        )
    limited = own.read == "strict" and bool(own.can_read)
    reads = bool(made.can_read) and _lies_in(folder, made.can_read, parent.workspace, own.can_read, "r")
    if limited and not reads:
        raise Refused(f"run {parent.id} may read {', '.join(own.can_read)} alone", "ask for no more with --can-read")
    return replace(request, workspace=parent.workspace)


def _is_its_word(request: RunRequest, made: Route) -> bool:
    """A template says what the operator has written, unless it is filled in."""
    return made.decided["can_write"] == "spawn" or bool(request.params)


def _is_same(one: str, other: str) -> bool:
    return "\0" not in one and os.path.realpath(one) == os.path.realpath(other)


def _lies_in(folder: str, patterns: tuple[str, ...], outer: str, allowed: tuple[str, ...], mode: Mode) -> bool:
    """Whether all that these patterns cover is certainly covered by those. What cannot be resolved is refused later."""
    new = [text for text in patterns if folder != outer or text not in allowed]
    inner = resolve_scope(Path(folder), new, mode=mode, twins=False)
    around = resolve_scope(Path(outer), allowed, mode=mode, twins=False)
    if inner.problems or around.problems:
        return not around.problems
    whole = [path for reach in around.reaches for path, exact in (_named(around, reach),) if exact]
    return all(
        any(f"{path}/".startswith(f"{top.rstrip('/')}/") for top in whole)
        for path, _ in (_named(inner, reach) for reach in inner.reaches)
    )


def _named(scope: Scope, reach: Reach) -> tuple[str, bool]:
    """How far its path is known by name, and whether all below that is covered."""
    path = scope.anchors[reach.anchor].path
    for place, segment in enumerate(reach.tail):
        if segment == GLOBSTAR and place + 1 == len(reach.tail):
            return path, True
        name = literal(segment)
        if name is None:
            return path, False
        path = f"{path.rstrip('/')}/{name}"
    return path, True
