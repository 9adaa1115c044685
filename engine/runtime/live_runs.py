"""What happens to a run after the gate? It is started under a keeper, followed to its end, and settled, once.

The same for runs that an engine before this one started: they are found again by their folders.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import msgspec

from engine.adapters.registry import adapter
from engine.context.compose import all_again, encoded_parts, receipt
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, AdapterResult
from engine.contract.outcome import EndRecord
from engine.execution.follow import cancel, read_alive, wait_for_end
from engine.execution.start import reap
from engine.runtime.aftermath import changes_of
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.conversation import next_generation
from engine.runtime.gate import Admitted
from engine.runtime.meter import keep_within, used_so_far
from engine.runtime.settings import Settings
from engine.runtime.settling import settle
from engine.runtime.starting import start
from state import events, receipts, runs, sessions
from state.database import Database
from state.errors import QuarterdeckError, Refused, StateError
from state.files import write_private
from state.home import Home

START_PATIENCE_S = 3.0
"""How long ending a run waits for its keeper to be there."""
_STEP_S = 0.02
METER_S = 1.0
"""How often a live run's usage is compared with what is held for it."""

OnEnd = Callable[[runs.Run], Awaitable[None]]


class LiveRuns:
    """Every live run, and the task that follows it."""

    def __init__(self, home: Home, database: Database, settings: Settings, clock: Clock) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._on_end: list[OnEnd] = []

    def on_end(self, heard: OnEnd) -> None:
        """Tell this one of every run that is settled."""
        self._on_end.append(heard)

    @property
    def count(self) -> int:
        return len(self._tasks)

    def launch(self, admitted: Admitted) -> None:
        """Start what the gate let through."""
        if admitted.launch is not None:
            self._follow(admitted.run_id, self._execute(admitted.run_id, admitted.launch))

    def adopt(self) -> int:
        """Take up every run that an engine before us left; returns how many."""
        orphans = runs.live(self._database.connection)
        for run in orphans:
            self._follow(run.id, self._take_up(run))
        return len(orphans)

    async def stop(self, run_id: int) -> None:
        """Ask a run's keeper to end it; one that is being started is waited for. Raises NotFound or Refused."""
        until = self._clock.monotonic() + START_PATIENCE_S
        while self._clock.monotonic() < until:
            run = runs.get(self._database.connection, run_id)
            if not run.live:
                raise Refused(f"run {run_id} has ended already ({run.outcome})")
            alive = read_alive(self._home.run_folder(run_id))
            if alive is not None and cancel(alive):
                return
            await asyncio.sleep(_STEP_S)
        raise Refused(f"run {run_id} is not started yet or just ended", "try again in a second")

    async def meter(self) -> None:
        """Until cancelled: end every run that uses more than its budgets have room for."""
        while True:
            await asyncio.sleep(METER_S)
            for run in runs.live(self._database.connection):
                if run.state in ("starting", "running", "ending"):
                    await self._measure(run)

    async def _measure(self, run: runs.Run) -> None:
        folder = self._home.run_folder(run.id)
        used = await asyncio.to_thread(used_so_far, folder, run)
        now = runs.get(self._database.connection, run.id)
        if not now.live or keep_within(self._database, now, used, self._settings.config, self._clock.now_ms()):
            return
        alive = read_alive(folder)
        if alive is not None:
            cancel(alive)

    async def close(self) -> None:
        """Let go of every run; their keepers go on, and the next engine adopts them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _follow(self, run_id: int, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[run_id] = task
        task.add_done_callback(lambda done: self._ended(run_id, done))

    def _ended(self, run_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run_id, None)
        reap()
        if not task.cancelled():
            task.result()

    async def _execute(self, run_id: int, request: AdapterRequest) -> None:
        with self._database.transaction() as tx:
            runs.mark_starting(tx, run_id)
        end = await self._attempt(run_id, request)
        result = await self._result(run_id, end)
        if result.resume_refused and request.resume:
            request = self._afresh(run_id, request)
            end = await self._attempt(run_id, request)
            result = await self._result(run_id, end)
        await self._settle(run_id, end, result)

    async def _attempt(self, run_id: int, request: AdapterRequest) -> EndRecord:
        folder = self._home.run_folder(run_id)
        try:
            run = runs.get(self._database.connection, run_id)
            await asyncio.to_thread(start, self._home, run, request, self._settings.config)
        except (QuarterdeckError, OSError) as error:
            return self._never_started(str(error))
        with self._database.transaction() as tx:
            runs.mark_started(tx, run_id, self._clock.now_ms())
        return await self._end_of(folder)

    def _afresh(self, run_id: int, request: AdapterRequest) -> AdapterRequest:
        """The provider does not know the conversation any more: the same run, in the next generation, which is told
        everything."""
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            run = runs.get(tx, run_id)
            assert run.session_id is not None, "only an admitted run is started"
            assert run.generation_id is not None, "only an admitted run is started"
            old = sessions.generation(tx, run.generation_id)
            new = next_generation(tx, self._home, run.session_id, "resume_refused", None, now_ms)
            provider_id = f"{request.provider_id}-{new.number}"
            sessions.set_conversation(
                tx,
                new.id,
                provider_id=provider_id,
                model=old.model,
                workspace=run.workspace,
                assignment=old.assignment,
            )
            runs.move_to_generation(tx, run_id, new.id, "resume_refused")
            whole = all_again(request.prompt)
            kept = receipts.of_run(tx, run_id)
            assert kept is not None, "every run that leaves the gate has one"
            told = msgspec.structs.replace(
                kept, parts=encoded_parts(receipt(whole)), tokens=whole.tokens, chars=whole.chars, cache_break=None
            )
            receipts.store(tx, told)
            text = f"{run.agent} starts afresh: the provider no longer knew the conversation"
            events.add(tx, now_ms, "resume_refused", text, run_id=run_id, session_id=run.session_id)
        return msgspec.structs.replace(request, prompt=whole, resume=False, provider_id=provider_id)

    async def _take_up(self, run: runs.Run) -> None:
        folder = self._home.run_folder(run.id)
        if run.state == "reserved" or not folder.exists():
            await self._settle(run.id, self._never_started("the engine ended before it was started"), None)
            return
        end = await self._end_of(folder)
        await self._settle(run.id, end, await self._result(run.id, end))

    async def _result(self, run_id: int, end: EndRecord) -> AdapterResult:
        run = runs.get(self._database.connection, run_id)
        return await asyncio.to_thread(_read_result, self._home.run_folder(run_id), run.adapter, end)

    async def _end_of(self, folder: Path) -> EndRecord:
        try:
            return await wait_for_end(folder)
        except StateError as error:  # its records are damaged: what became of it cannot be known any more
            now_ms = self._clock.now_ms()
            return EndRecord("interrupted", None, None, now_ms, now_ms, 0.0, why=str(error))

    def _never_started(self, why: str) -> EndRecord:
        now_ms = self._clock.now_ms()
        return EndRecord("could_not_start", None, None, now_ms, now_ms, 0.0, why=why)

    async def _settle(self, run_id: int, end: EndRecord, result: AdapterResult | None) -> None:
        """Usage, reservation, claims, slot, run and event: one transaction. The answer is there before it."""
        if result is not None and result.text:
            with contextlib.suppress(OSError):  # the folder may be gone or full; the outcome is in the database
                answer = result.text.encode("utf-8", "replace")
                write_private(self._home.run_folder(run_id) / "result.txt", answer)
        run = runs.get(self._database.connection, run_id)
        changes = await changes_of(self._home, self._database.connection, run, self._clock.now_ms())
        with self._database.transaction() as tx:
            run = runs.get(tx, run_id)
            lines = lines_of_run(tx, run, self._settings.config)
            settle(tx, run, end, result, changes, lines, self._clock.now_ms())
        settled = runs.get(self._database.connection, run_id)
        for heard in self._on_end:
            await heard(settled)


def _read_result(folder: Path, adapter_name: str, end: EndRecord) -> AdapterResult:
    """What the run said; what it told of its usage as it went, where it does not tell at its end."""
    speaks = adapter(adapter_name)
    result = speaks.result(_bytes(folder / "stdout.log"), _bytes(folder / "stderr.log"), end.exit_code)
    if result.usage is not None:
        return result
    return msgspec.structs.replace(result, usage=speaks.used(folder), streamed=True)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
