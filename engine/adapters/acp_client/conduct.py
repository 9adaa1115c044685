"""From the job to the exit code: the agent is started, a session opened, and turn after turn is led to its end."""

import asyncio
import json
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import acp
from acp.interfaces import Client as AnyClient
from acp.schema import (
    ClientCapabilities,
    FileSystemCapabilities,
    Implementation,
    InitializeResponse,
    PromptResponse,
    TextContentBlock,
)
from msgspec.structs import replace
from pydantic import ValidationError

from engine.adapters.acp_client import process, usage
from engine.adapters.acp_client.client import Client
from engine.adapters.acp_client.endings import Failed, failed, of_error, of_stop
from engine.adapters.acp_client.lines import Job, Tell, clean
from engine.adapters.acp_client.opening import open_session
from engine.adapters.acp_client.updates import Updates
from engine.adapters.acp_client.wire import Wire
from engine.adapters.acp_client.words import Words
from engine.contract.launch import AdapterResult
from engine.contract.progress import Began, Noted, TurnOver

STOP_S = 0.6
"""How long an agent may take to leave its turn when all has to end."""
REPLAY_S = 0.2
"""How long a conversation that was taken up must be silent: some replay it only after they have answered."""
_T = TypeVar("_T")


async def conduct(job: Job, words: Words, tell: Tell) -> int:
    """The exit code: zero when the last turn was answered."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    try:
        agent = await process.start(job.argv, job.cwd)
    except (OSError, ValueError) as error:
        tell(TurnOver(failed(f"cannot start {job.argv[0]}: {error}", unavailable=True)))
        return 1
    conversation = Conversation(job, words, tell, agent, stopped)
    try:
        return await conversation.lead()
    except Failed as error:
        tell(TurnOver(error.result))
        return 1
    finally:
        await conversation.close()


class Conversation:
    """With one agent, from its start to its end."""

    def __init__(self, job: Job, words: Words, tell: Tell, agent: process.Agent, stopped: asyncio.Event) -> None:
        self._job = job
        self._words = words
        self._tell = tell
        self._agent = agent
        self._stopped = stopped
        self._interrupted = asyncio.Event()
        self._messages: asyncio.Queue[str | None] = asyncio.Queue()
        self._updates = Updates(tell)
        self._client = Client(job, self._updates, tell)
        self._wire = Wire(agent.stdout, agent.stdin, self._updates.take, self._odd)
        # Updates never come to the library's client, and what it need not do it does not have.
        self._connection = acp.connect_to_agent(cast("AnyClient", self._client), self._wire)
        self._hearing = asyncio.create_task(self._hear())
        self._gone = asyncio.create_task(agent.gone())
        self._busy = True
        self._name = job.argv[0]
        self._session = ""

    async def lead(self) -> int:
        """All turns; the exit code. Raises Failed."""
        about = await self._answer(self._greet(), self._job.start_s, "it did not say what it is")
        opening = open_session(self._connection, about, self._job, self._tell)
        opened = await self._answer(opening, self._job.open_s, "it did not begin a conversation")
        if self._job.begin == "load":
            await self._answer(self._updates.quiet(REPLAY_S), self._job.open_s, "it did not end what it replays")
        self._session = opened.session
        self._updates.model = opened.model
        if about.agent_info is not None:
            self._name = clean(f"{about.agent_info.name} {about.agent_info.version}").strip()
        self._tell(Began(clean(opened.session), opened.model, self._name))
        baseline = 0 if self._job.begin == "new" else self._job.before_microusd
        self._updates.microusd = baseline if self._updates.microusd is None else self._updates.microusd
        prompt: str | None = self._job.prompt
        answered = False
        while prompt is not None:
            result = await self._turn(prompt)
            answered = result.ok
            self._tell(TurnOver(result))
            prompt = await self._next() if self._job.held else None
        return 0 if answered else 1

    async def close(self) -> None:
        """The agent leaves first: what it has to write down at its end, it can."""
        for task in (self._hearing, self._gone):
            task.cancel()
        if self._stopped.is_set():
            await self._agent.end_now()
        else:
            await self._agent.end()
        await self._connection.close()

    async def _greet(self) -> InitializeResponse:
        files = FileSystemCapabilities(read_text_file=True, write_text_file=True)
        about = await self._connection.initialize(
            acp.PROTOCOL_VERSION,
            ClientCapabilities(fs=files, terminal=False),
            Implementation(name="quarterdeck", version="1"),
        )
        if about.protocol_version != acp.PROTOCOL_VERSION:
            raise Failed(failed(f"it speaks version {about.protocol_version} of the protocol, and we speak 1"))
        return about

    async def _turn(self, prompt: str) -> AdapterResult:
        before = self._updates.microusd
        self._updates.begin_turn()
        blocks: list[Any] = [TextContentBlock(type="text", text=prompt)]
        asking = asyncio.ensure_future(self._connection.prompt(session_id=self._session, prompt=blocks))
        try:
            await self._to_its_end(asking)
            response = asking.result()
        except acp.RequestError as error:
            return of_error(error.code, str(error), error.data, "it failed")
        except ValidationError as error:
            return failed(_not_understood(error))
        except ConnectionError as error:
            raise Failed(await self._left()) from error
        finally:
            asking.cancel()
            self._updates.end_turn()
            self._interrupted.clear()
        return self._result(response, before)

    async def _to_its_end(self, asking: "asyncio.Future[PromptResponse]") -> None:
        """Wait for the answer, and while it is waited for leave the turn when that is asked. Raises Failed."""
        leaving: list[asyncio.Event] = []
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        while not asking.done():
            watches = {
                asyncio.ensure_future(event.wait()): event
                for event in (self._stopped, self._interrupted)
                if event not in leaving
            }
            waits: set[asyncio.Future[Any]] = {asking, self._gone, *watches}
            left_s = None if deadline is None else max(0.0, deadline - loop.time())
            await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            for watch in watches:
                watch.cancel()
            called = [event for event in watches.values() if event.is_set()]
            if called and not asking.done():
                deadline = loop.time() + (STOP_S if self._stopped.is_set() else self._job.leave_s)
                leaving += called
                await self._leave()
            elif not asking.done() and self._gone.done():
                raise Failed(await self._left())
            elif not asking.done() and deadline is not None and loop.time() >= deadline:
                raise Failed(failed("the turn was cancelled, and the agent did not leave it"))

    async def _leave(self) -> None:
        self._client.cancel()
        await self._connection.cancel(session_id=self._session)

    def _result(self, response: PromptResponse, before: int | None) -> AdapterResult:
        meta = response.field_meta
        told = (
            None if response.usage is None else response.usage.model_dump(mode="json", by_alias=True, exclude_none=True)
        )
        used = usage.of_turn(
            self._name,
            told,
            meta,
            used_tools=self._updates.used_tools,
            cancelled=response.stop_reason == "cancelled",
            cost_microusd=self._spent(before),
        )
        for model in usage.models_of(meta)[:1]:
            self._updates.note_model(model)
        raw = {"usage": told, "quota": (meta or {}).get("quota"), "cost_microusd": self._updates.microusd}
        known = {name: value for name, value in raw.items() if value is not None}
        text = clean(json.dumps(known, ensure_ascii=False)) if known else None
        result = of_stop(response.stop_reason, self._updates.trouble, used, text)
        if response.stop_reason == "cancelled" and self._stopped.is_set():
            return replace(result, why="it was ended")
        return result

    def _spent(self, before: int | None) -> int | None:
        """By this turn: agents tell the cost of a whole session."""
        now = self._updates.microusd
        return now - before if now is not None and before is not None and now > before else None

    async def _next(self) -> str | None:
        """The next message; None when none comes any more."""
        self._busy = not self._messages.empty()
        message = asyncio.ensure_future(self._messages.get())
        stop = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({message, stop, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
            if self._gone.done():
                raise Failed(await self._left())
            return None
        finally:
            message.cancel()
            stop.cancel()

    async def _answer(self, asked: Coroutine[Any, Any, _T], within_s: float, late: str) -> _T:
        """What the agent answers before any turn. Raises Failed."""
        answering = asyncio.ensure_future(asked)
        stop = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({answering, stop, self._gone}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            if stop.done():
                raise Failed(failed("it was ended before it began"))
            if self._gone.done():
                raise Failed(await self._left())
            raise Failed(failed(f"{late} within {within_s:g} s", unavailable=True))
        except acp.RequestError as error:
            raise Failed(of_error(error.code, str(error), error.data, "it failed to start")) from error
        except ValidationError as error:
            raise Failed(failed(_not_understood(error))) from error
        except ConnectionError as error:
            raise Failed(await self._left()) from error
        finally:
            answering.cancel()
            stop.cancel()

    async def _left(self) -> AdapterResult:
        """Why nothing more comes from the agent."""
        if self._wire.fault:
            return failed(self._wire.fault)
        await asyncio.wait({self._gone}, timeout=STOP_S)
        return failed(self._agent.how_it_ended())

    async def _hear(self) -> None:
        """What is written to our input after the job."""
        while (word := await self._words.next()) is not None:
            if word.message is not None:
                self._busy = True
                self._messages.put_nowait(word.message)
            elif word.answer is not None:
                self._client.answer(word.answer, word.allow, word.why)
            elif word.interrupt and self._busy:
                self._interrupted.set()
        self._client.nobody_answers()
        self._messages.put_nowait(None)

    def _odd(self, line: str) -> None:
        self._tell(Noted("warning", clean(f"the agent wrote a line that is no message: {line}")))


def _not_understood(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    return f"the agent's answer cannot be understood: {error.title}: {place}: {first['msg']}"[:300]
