"""What may an agent do through us? Read and write files within its scope, and ask."""

import asyncio
from collections.abc import Sequence
from typing import Any

from acp import RequestError
from acp.schema import (
    AllowedOutcome,
    DeniedOutcome,
    PermissionOption,
    ReadTextFileResponse,
    RequestPermissionResponse,
    ToolCallUpdate,
    WriteTextFileResponse,
)

from engine.adapters.acp_client.calls import Call
from engine.adapters.acp_client.lines import Job, Tell
from engine.adapters.acp_client.scope import Denied, Scope
from engine.adapters.acp_client.updates import Updates
from engine.contract.progress import Answered, Asks, Noted

ASKED_MOST = 200_000
"""Characters of a question: a longer one nobody can read, and what nobody can read is not allowed."""


class Client:
    """The client's side of one session."""

    def __init__(self, job: Job, updates: Updates, tell: Tell) -> None:
        self._permissions = job.permissions
        self._scope = Scope(job.cwd, job.can_read, job.can_write)
        self._updates = updates
        self._tell = tell
        self._open: dict[str, asyncio.Future[bool | None]] = {}
        self._asked = 0
        self._heard = True

    def answer(self, asked: str, allow: bool, why: str) -> None:
        """An answer to what is not asked (any more) is none."""
        waiting = self._open.get(asked)
        if waiting is not None and not waiting.done():
            waiting.set_result(allow)
            if not allow and why:
                self._tell(Noted("denied", why))

    def cancel(self) -> None:
        """The turn is left: nothing need be answered any more."""
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_result(None)

    def nobody_answers(self) -> None:
        """From now on: what is asked is denied."""
        self._heard = False
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_result(False)

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: list[PermissionOption], **kwargs: Any
    ) -> RequestPermissionResponse:
        call = self._updates.asked(tool_call.model_dump(mode="json", by_alias=True, exclude_none=True))
        allowed = await self._decide(call)
        if allowed is None:
            return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
        return self._chosen(options, allowed)

    async def _decide(self, call: Call) -> bool | None:
        if self._permissions == "allow" or (call.path is not None and self._scope.may_write(call.path)):
            return True
        if self._permissions == "ask" and self._heard and len(call.request) <= ASKED_MOST:
            return await self._ask(call)
        self._tell(Noted("denied", f"{call.tool}: {call.what}"))
        return False

    async def _ask(self, call: Call) -> bool | None:
        self._asked += 1
        name = str(self._asked)
        self._open[name] = asyncio.get_running_loop().create_future()
        self._tell(Asks(name, call.tool, call.request, call.path))
        try:
            return await self._open[name]
        finally:
            del self._open[name]
            self._tell(Answered(name))

    def _chosen(self, options: Sequence[PermissionOption], allow: bool) -> RequestPermissionResponse:
        """Just this once: what an agent remembers as allowed, nobody sees again."""
        wanted = "allow_once" if allow else "reject_once"
        for option in options:
            if option.kind == wanted:
                return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=option.option_id))
        if allow:
            self._tell(Noted("denied", "the agent offers no way to allow it just once"))
        return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))

    async def read_text_file(
        self, session_id: str, path: str, line: int | None = None, limit: int | None = None, **kwargs: Any
    ) -> ReadTextFileResponse:
        try:
            text = await asyncio.to_thread(self._scope.read, path)
        except FileNotFoundError as error:
            raise RequestError.resource_not_found(path) from error
        except Denied as error:
            raise self._refused(error) from error
        except OSError as error:
            raise RequestError.internal_error({"details": f"{path}: {error.strerror}"}) from error
        if line is not None or limit is not None:
            first = max(0, (line or 1) - 1)
            text = "".join(text.splitlines(keepends=True)[first : None if limit is None else first + limit])
        return ReadTextFileResponse(content=text)

    async def write_text_file(
        self, session_id: str, path: str, content: str, **kwargs: Any
    ) -> WriteTextFileResponse | None:
        try:
            await asyncio.to_thread(self._scope.write, path, content)
        except Denied as error:
            raise self._refused(error) from error
        except OSError as error:
            raise RequestError.internal_error({"details": f"{path}: {error.strerror}"}) from error
        return WriteTextFileResponse()

    def _refused(self, error: Denied) -> RequestError:
        self._tell(Noted("denied", str(error)))
        return RequestError(RequestError.internal_error().code, f"denied: {error}")
