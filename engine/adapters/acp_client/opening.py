"""How is a session begun, or taken up, with an agent that can do some of what the protocol knows, and not the rest?"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from acp import RequestError
from acp.client.connection import ClientSideConnection
from acp.schema import InitializeResponse
from msgspec import Struct

from engine.adapters.acp_client import claude
from engine.adapters.acp_client.endings import AUTH_REQUIRED, NOT_FOUND, Failed, failed, of_error
from engine.adapters.acp_client.lines import Job, Tell, clean
from engine.contract.progress import Noted

READ_ONLY = "read-only"
"""A mode of that name makes an agent ask before it writes anywhere."""


class Opened(Struct, frozen=True):
    """A session that waits for its first prompt."""

    session: str
    model: str | None


async def open_session(connection: ClientSideConnection, about: InitializeResponse, job: Job, tell: Tell) -> Opened:
    """Raises Failed, and RequestError for what only the agent can explain."""
    meta: dict[str, Any] = {}
    if about.agent_info is not None and claude.is_claude(about.agent_info.name):
        meta = claude.meta(job.tools, job.keep)
    else:
        _say_what_is_left_out(job, tell)
    response = await _logged_in(connection, about, lambda: _begun(connection, about, job, meta))
    session = str(getattr(response, "session_id", None) or job.session)
    model = _model(response)
    if job.model is not None and job.model != model:
        await _choose_model(connection, session, response, job.model)
        model = job.model
    modes = getattr(response, "modes", None)
    offered = [mode.id for mode in modes.available_modes] if modes is not None else []
    if not job.can_write and job.permissions != "allow" and READ_ONLY in offered:
        await connection.set_session_mode(session_id=session, mode_id=READ_ONLY)
    return Opened(session, model)


def _say_what_is_left_out(job: Job, tell: Tell) -> None:
    left_out = [name for name in ("tools", "keep") if getattr(job, name) is not None]
    if left_out:
        names = " and ".join(f"`{name}`" for name in left_out)
        tell(Noted("warning", f"{names}: over this protocol the agent cannot be told; it does as it is configured"))


async def _begun(connection: ClientSideConnection, about: InitializeResponse, job: Job, meta: dict[str, Any]) -> Any:
    if job.begin == "new" or job.session is None:
        return await connection.new_session(cwd=job.cwd, mcp_servers=[], **meta)
    can = about.agent_capabilities
    sessions = can.session_capabilities if can is not None else None
    if job.begin == "fork":
        if sessions is None or sessions.fork is None:
            raise Failed(failed("the agent cannot begin a conversation as a copy of another one"))
        return await connection.fork_session(session_id=job.session, cwd=job.cwd, mcp_servers=[], **meta)
    take_up: Callable[..., Awaitable[Any]] | None = None
    if can is not None and can.load_session:
        take_up = connection.load_session
    elif sessions is not None and sessions.resume is not None:
        take_up = connection.resume_session
    if take_up is None:
        raise Failed(failed("the agent cannot go on with a conversation", resume_refused=True))
    again = partial(take_up, session_id=job.session, cwd=job.cwd, mcp_servers=[], **meta)
    try:
        return await _though_it_stumbles(again)
    except RequestError as error:
        if error.code == AUTH_REQUIRED:
            raise
        result = of_error(error.code, str(error), error.data, "it cannot go on with the conversation")
        raise Failed(failed(result.why, resume_refused=True)) from error


async def _though_it_stumbles(take_up: Callable[[], Awaitable[Any]]) -> Any:
    """An agent that fails may know the conversation all the same: it is asked once more before that is begun anew. As
    measured, Gemini CLI answers "Internal error" now and then."""
    try:
        return await take_up()
    except RequestError as error:
        if error.code in (AUTH_REQUIRED, NOT_FOUND):
            raise
    return await take_up()


async def _logged_in(
    connection: ClientSideConnection, about: InitializeResponse, begin: Callable[[], Awaitable[Any]]
) -> Any:
    """Where an agent wants to be told that it has a key in its environment, it is told."""
    try:
        return await begin()
    except RequestError as error:
        ways = [way.id for way in about.auth_methods or () if "api-key" in (way.field_meta or {})]
        if error.code != AUTH_REQUIRED or not ways:
            raise
        await connection.authenticate(method_id=ways[0])
    return await begin()


def _options(response: Any) -> list[Any]:
    found = getattr(response, "config_options", None) or []
    return [option for option in found if getattr(option, "category", None) == "model" and hasattr(option, "options")]


def _model(response: Any) -> str | None:
    """As it is set."""
    return next((clean(str(option.current_value)) for option in _options(response)), None)


async def _choose_model(connection: ClientSideConnection, session: str, response: Any, model: str) -> None:
    options = _options(response)
    if not options:
        why = "the agent lets nobody choose its model over the protocol: name {model} in its argv, or leave it out"
        raise Failed(failed(why))
    values = [one.value for group in options[0].options for one in getattr(group, "options", None) or [group]]
    if model not in values:
        offered = ", ".join(clean(str(value)) for value in values[:12])
        raise Failed(failed(f"the agent has no model {model}; it offers {offered}", unavailable=True))
    await connection.set_config_option(config_id=options[0].id, session_id=session, value=model)
