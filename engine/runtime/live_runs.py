"""What happens to a run after the gate? It is started under a keeper, followed to its end, and settled, once.

The same for runs that an engine before this one started: they are found again by their folders.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec

from engine.adapters.registry import adapter
from engine.context.compose import all_again, encoded_parts, receipt
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, AdapterResult
from engine.contract.outcome import EndRecord, Stop
from engine.execution.follow import cancel, is_alive, keeper_of, launched_ms, read_alive, wait_for_end
from engine.execution.start import reap
from engine.runtime.admitting import Admitted
from engine.runtime.aftermath import changes_of
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.conversation import next_generation
from engine.runtime.meter import keep_within, used_so_far
from engine.runtime.settings import Settings
from engine.runtime.settling import settle
from engine.runtime.starting import start
from engine.runtime.trouble import Trouble
from state import events, receipts, runs, sessions
from state.database import Connection, Database
from state.errors import LeaseLost, NotWritten, QuarterdeckError, Refused, StateError
from state.files import write_private
from state.home import Home

START_PATIENCE_S = 3.0
"""How long ending a run waits for its keeper to be there."""
_STEP_S = 0.02
_NEVER = "the engine ended, or could not write, before it was started"
METER_S = 1.0
"""How often a live run's usage is compared with what is held for it."""
RETRY_S = 1.0
RETRY_MOST_S = 60.0
"""How long a run is left alone after something went wrong: longer each time, up to this."""
GO_ON_MS = 7 * 24 * 3_600_000
"""How long ago a run may have met its budget that a new engine asks to go on."""

Work = Callable[[], Awaitable[None]]
OnEnd = Callable[[runs.Run], Awaitable[None]]


class LiveRuns:
    """Every live run, and the task that follows it."""

    def __init__(self, home: Home, database: Database, settings: Settings, clock: Clock, trouble: Trouble) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._trouble = trouble
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._starts: set[asyncio.Future[None]] = set()
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
            self._follow(admitted.run_id, partial(self._execute, admitted.run_id, admitted.launch))

    def adopt(self) -> int:
        """Take up every live run that nobody follows, as those that an engine before us left; returns how many."""
        orphans = [run for run in runs.live(self._database.connection) if run.id not in self._tasks]
        for run in orphans:
            self._follow(run.id, partial(self._take_up, run))
        return len(orphans)

    def go_on(self) -> None:
        """Tell of every run that met its budget under an engine that ended before it could."""
        for run in runs.not_gone_on(self._database.connection, self._clock.now_ms() - GO_ON_MS):
            self._follow(run.id, partial(self._tell, run))

    async def stop(self, run_id: int, answer: Callable[[Connection], None] = lambda tx: None) -> None:
        """Ask a run's keeper to end it; one that is being started is waited for. Raises NotFound or Refused.

        That it is to end is written first, in one transaction with `answer`: whoever measures it then sees to it."""
        until = self._clock.monotonic() + START_PATIENCE_S
        while self._clock.monotonic() < until:
            run = runs.get(self._database.connection, run_id)
            if not run.live:
                raise Refused(f"run {run_id} has ended already ({run.outcome})")
            alive = read_alive(self._home.run_folder(run_id))
            if alive is not None and is_alive(alive):
                try:
                    self._note_stop(run_id, answer)
                except NotWritten as error:  # it may be this run that fills the disk: it ends all the same
                    cancel(alive)
                    self._trouble.note(f"run {run_id}", error)
                    self._note_stop(run_id, answer)
                cancel(alive)
                return
            await asyncio.sleep(_STEP_S)
        raise Refused(f"run {run_id} is not started yet or just ended", "try again in a second")

    def _note_stop(self, run_id: int, answer: Callable[[Connection], None]) -> None:
        stop = msgspec.json.encode(Stop("operator")).decode()
        with self._database.transaction() as tx:
            runs.update(tx, run_id, {"stop_reason": stop, "state": "ending"})
            answer(tx)

    async def meter(self) -> None:
        """Until cancelled: end every run that uses more than its budgets have room for."""
        while True:
            await asyncio.sleep(METER_S)
            self.adopt()
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
        """Let go of every run; their keepers go on, and the next engine adopts them. What is just being started is
        waited for: the next one must find it."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._starts, return_exceptions=True)

    def _follow(self, run_id: int, work: Work) -> None:
        task = asyncio.create_task(self._to_its_end(run_id, work))
        self._tasks[run_id] = task
        task.add_done_callback(lambda done: self._ended(run_id, done))

    def _ended(self, run_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run_id, None)
        reap()
        if not task.cancelled():
            task.result()

    async def _to_its_end(self, run_id: int, work: Work) -> None:
        """Whatever goes wrong with a run is said, and it is taken up again until it is settled."""
        pause_s = RETRY_S
        while True:
            try:
                await work()
                return
            except LeaseLost:
                raise
            except Exception as error:  # the boundary: one run must not take the others, or the engine, with it
                self._trouble.note(f"run {run_id}", error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_MOST_S)
            work = partial(self._again, run_id)

    async def _again(self, run_id: int) -> None:
        run = runs.get(self._database.connection, run_id)
        if run.live:
            await self._take_up(run)
        elif runs.resumption(self._database.connection, run_id) is None:
            await self._tell(run)

    async def _execute(self, run_id: int, request: AdapterRequest) -> None:
        try:
            with self._database.transaction() as tx:
                runs.mark_starting(tx, run_id)
        except NotWritten as error:
            await self._settle(run_id, self._never_started(str(error)), None)
            return
        end = await self._attempt(run_id, request)
        result = await self._result(run_id, end)
        if result.resume_refused and request.resume and not self._is_stopped(run_id):
            request = self._afresh(run_id, request)
            end = await self._attempt(run_id, request)
            result = await self._result(run_id, end)
        await self._settle(run_id, end, result)

    async def _attempt(self, run_id: int, request: AdapterRequest) -> EndRecord:
        folder = self._home.run_folder(run_id)
        try:
            run = runs.get(self._database.connection, run_id)
            await self._start(run, request)
        except (QuarterdeckError, OSError) as error:
            return self._never_started(str(error))
        with self._database.transaction() as tx:
            runs.mark_started(tx, run_id, self._clock.now_ms())
        return await self._end_of(folder)

    async def _start(self, run: runs.Run, request: AdapterRequest) -> None:
        """Not cut short by the engine's end: a thread cannot be."""
        starting = asyncio.ensure_future(asyncio.to_thread(start, self._home, run, request, self._settings.config))
        self._starts.add(starting)
        starting.add_done_callback(self._starts.discard)
        await asyncio.shield(starting)

    def _is_stopped(self, run_id: int) -> bool:
        return runs.get(self._database.connection, run_id).stop_reason is not None

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
        """Follow a run that we did not start, or of which we have lost the thread."""
        if run.state == "reserved":
            await self._settle(run.id, self._never_started(_NEVER), None)
            return
        folder = self._home.run_folder(run.id)
        half = run.state == "starting" and not folder.exists()
        await self._note_start(run, folder)
        end = await self._end_of(folder)
        if half and not end.leaked:
            end = self._never_started(_NEVER)
        await self._settle(run.id, end, await self._result(run.id, end))

    async def _note_start(self, run: runs.Run, folder: Path) -> None:
        """A run that was started while its engine ended, before that could be written."""
        if run.started_ms is not None:
            return
        try:
            alive = await keeper_of(folder)
        except StateError:  # its end will say so
            return
        if alive is None or alive.pid == 0:
            return
        launched = launched_ms(folder)
        with self._database.transaction() as tx:
            runs.mark_started(tx, run.id, self._clock.now_ms() if launched is None else launched)

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
        """Again and again while it cannot be written, as on a full disk: what is known of its end is here."""
        while True:
            try:
                await self._write_end(run_id, end, result)
                break
            except NotWritten as error:
                self._trouble.note(f"run {run_id}", error)
            await asyncio.sleep(RETRY_S)
        await self._tell(runs.get(self._database.connection, run_id))

    async def _write_end(self, run_id: int, end: EndRecord, result: AdapterResult | None) -> None:
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

    async def _tell(self, settled: runs.Run) -> None:
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
