"""What happens to a run after the gate? It is started under a keeper, followed to its end, and settled, once.

The same for runs that an engine before this one started: they are found again by their folders.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec

from engine.contract.adapter import Reader
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, AdapterResult
from engine.contract.outcome import EndRecord
from engine.execution.follow import find_alive, keeper_of, launched_ms
from engine.execution.speak import hang_up
from engine.execution.start import reap
from engine.runtime import caps
from engine.runtime.admitting import Admitted
from engine.runtime.afresh import start_afresh
from engine.runtime.aftermath import changes_of
from engine.runtime.attaching import prepare
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.ending import answered, broken_off, end_of, never_started, of_turn
from engine.runtime.heartbeats import Heartbeats
from engine.runtime.holding import Holding
from engine.runtime.leftovers import Leftovers
from engine.runtime.listening import Listening, let_go
from engine.runtime.meter import keep_within, used_so_far
from engine.runtime.places import is_attached, spoken_to, start_of, told_ms
from engine.runtime.redaction import redacted_end, redacted_result
from engine.runtime.settings import Settings
from engine.runtime.settling import settle
from engine.runtime.starting import STOPPED, start
from engine.runtime.stopping import Answer, Stopping
from engine.runtime.trouble import Trouble
from state import runs
from state.database import Database
from state.errors import LeaseLost, NotWritten, QuarterdeckError, StateError
from state.files import write_private
from state.home import Home

_IN_DOUBT = "the engine ended while its program was being told what to do"
_NEVER = "the engine ended, or could not write, before it was started"
METER_S = 1.0
"""How often a live run's usage is compared with what is held for it."""
RETRY_S = 1.0
RETRY_MOST_S = 60.0
"""How long a run is left alone after something went wrong: longer each time, up to this."""
GO_ON_MS = 7 * 24 * 3_600_000
"""How long ago a run may have met its budget that a new engine asks to go on."""

Ended = tuple[EndRecord, AdapterResult | None]
Work = Callable[[], Awaitable[None]]
OnEnd = Callable[[runs.Run], Awaitable[None]]


class LiveRuns:
    """Every live run, and the task that follows it."""

    def __init__(
        self,
        home: Home,
        database: Database,
        settings: Settings,
        clock: Clock,
        trouble: Trouble,
        listening: Listening,
        holding: Holding,
    ) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._trouble = trouble
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._listening = listening
        self._holding = holding
        self._turns: dict[int, asyncio.Future[tuple[AdapterResult, int]]] = {}
        """Of runs whose programs are kept: their answers, with where the output then stands."""
        self._heartbeats = Heartbeats(home, database, clock, trouble)
        self._stopping = Stopping(home, database, settings, clock, trouble, holding)
        self._leftovers = Leftovers()
        self._starts: set[asyncio.Future[str]] = set()
        self._on_end: list[OnEnd] = []
        listening.on_use(self._check_caps)
        listening.on_turn(self._answered)
        listening.on_began(self._began)

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

    async def stop(self, run_id: int, answer: Answer = lambda tx: None) -> None:
        """End a run, as `stopping` says. Raises NotFound or Refused."""
        await self._stopping.stop(run_id, answer)

    async def interrupt(self, run_id: int, answer: Answer = lambda tx: None) -> None:
        """Have a run leave its turn, likewise."""
        await self._stopping.interrupt(run_id, answer)

    async def meter(self) -> None:
        """Until cancelled: end every run that uses more than its budgets have room for, or than it may."""
        while True:
            await asyncio.sleep(METER_S)
            self.adopt()
            live = runs.live(self._database.connection)
            self._heartbeats.look(live)
            for run in live:
                if run.state in ("starting", "running", "ending"):
                    self._look_at(run)
                await asyncio.sleep(0)

    def _look_at(self, run: runs.Run) -> None:
        try:
            self._measure(run)
        except LeaseLost:
            raise
        except Exception as error:  # the boundary: one run must not take the others, or the engine, with it
            self._trouble.note(f"the meter of run {run.id}", error)

    def _measure(self, run: runs.Run) -> None:
        if self._stopping.is_leaving(run.id):
            return
        reader = self._listening.reader(run)
        self._check_caps(run, reader)
        used = used_so_far(reader, run)
        now = runs.get(self._database.connection, run.id)
        if now.live and not keep_within(self._database, now, used, self._settings.config, self._clock.now_ms()):
            self._stopping.cancel(run)

    def _check_caps(self, run: runs.Run, reader: Reader) -> None:
        """End it where it has used more than it may itself, whatever its budgets have room for."""
        why = caps.reached(caps.caps_of(run), reader.turns, used_so_far(reader, run))
        if not why or runs.get(self._database.connection, run.id).stop_reason is not None:
            return
        with self._database.transaction() as tx:
            caps.note(tx, run, why, self._clock.now_ms())
        self._stopping.cancel(run)

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
        self._stopping.forget(run_id)
        self._turns.pop(run_id, None)
        self._listening.drop(run_id)
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
            await self._settle(run_id, never_started(str(error), self._clock), None)
            return
        end, result = await self._attempt(run_id, request)
        if result is not None and result.resume_refused and request.resume and not self._stopping.is_stopped(run_id):
            await self._holding.cleared(run_id)
            with self._database.transaction() as tx:
                request = start_afresh(tx, self._home, run_id, request, self._clock.now_ms())
            end, result = await self._attempt(run_id, request)
        await self._settle(run_id, end, result)

    async def _attempt(self, run_id: int, request: AdapterRequest) -> Ended:
        """Have it answered: by the program that is in its conversation already, or by one of its own."""
        run = runs.get(self._database.connection, run_id)
        started: dict[str, object] = {}
        try:
            if self._stopping.is_stopped(run_id):
                return self._unstarted(run_id, STOPPED), None
            if not await self._holding.take(run, request):
                if self._stopping.is_stopped(run_id):  # until another program had left the conversation
                    return self._unstarted(run_id, STOPPED), None
                started["sandbox"] = await self._start(run, request)
        except LeaseLost:
            raise
        except Exception as error:  # the boundary: whatever keeps it from being started is why it was not
            return self._unstarted(run_id, _said(error)), None
        with self._database.transaction() as tx:
            runs.mark_started(tx, run_id, self._clock.now_ms())
            if started:
                runs.update(tx, run_id, started)
        if started:
            self._holding.begin(run, request)
        if self._stopping.is_stopped(run_id):
            await self._stopping.cancel_started(runs.get(self._database.connection, run_id))
        return await self._outcome(run_id)

    async def _outcome(self, run_id: int, *, adopted: bool = False, doubted: bool = False) -> Ended:
        """Once its program has ended or, where that is kept, has answered and left nothing behind."""
        run = runs.get(self._database.connection, run_id)
        client, folder = self._holding.client_of(run), spoken_to(self._home, run)
        turn = asyncio.get_running_loop().create_future()
        if client is not None and not doubted:
            self._turns[run_id] = turn
        self._listening.begin(run, folder, start_of(self._home, run), adopted=adopted)
        if client is None:
            end = await end_of(folder, self._clock)
            return end, await self._result(run, end)
        ending = self._holding.ending(client.id)
        ending.add_done_callback(lambda _: self._leftovers.forget(client.id))
        await asyncio.wait({turn, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not turn.done():
            end = of_turn(run, ending.result())
            return end, await self._result(run, end)
        result, offset = turn.result()
        result = await asyncio.to_thread(redacted_result, result)
        # One that was refused is asked again in the same folder: not before its keeper has left that.
        if result.resume_refused or await self._leftovers.after_turn(client.id, folder):
            let_go(folder)
            end = await asyncio.shield(ending)
            await self._listening.end(run_id)
            return of_turn(run, end), result
        self._listening.leave(run_id)
        self._holding.answered(runs.get(self._database.connection, run_id), result, offset)
        return answered(run, self._clock), result

    def _began(self, run: runs.Run, alone: bool) -> None:
        """Its program is there. Where it has told more already, some of its processes may be of its first turn."""
        if alone and run.client_id is None and run.id in self._turns:
            self._leftovers.own(run.id, self._home.run_folder(run.id))

    def _answered(self, run: runs.Run, result: AdapterResult, offset: int) -> bool:
        turn = self._turns.get(run.id)
        if turn is None:
            return False
        if not turn.done():
            turn.set_result((result, offset))
        return True

    async def _start(self, run: runs.Run, request: AdapterRequest) -> str:
        """Not cut short by the engine's end: a thread cannot be."""
        asked, is_told = (self._home, run, request, self._settings.config), partial(self._stopping.is_told, run.id)
        begin = partial(prepare, *asked) if is_attached(run) else partial(start, *asked, is_told)
        starting = asyncio.ensure_future(asyncio.to_thread(begin))
        self._starts.add(starting)
        starting.add_done_callback(self._starts.discard)
        return await asyncio.shield(starting)

    def _unstarted(self, run_id: int, why: str) -> EndRecord:
        end = never_started(why, self._clock)
        stopped = self._stopping.is_stopped(run_id)
        return msgspec.structs.replace(end, outcome="cancelled", why=STOPPED) if stopped else end

    async def _take_up(self, run: runs.Run) -> None:
        """Follow a run that we did not start, or of which we have lost the thread."""
        if run.state == "reserved":
            await self._settle(run.id, self._unstarted(run.id, _NEVER), None)
            return
        folder = spoken_to(self._home, run)
        if run.state == "starting" and run.client_id is not None:
            await self._settle(run.id, *await self._doubted(run, folder))
            return
        half = run.state == "starting" and not folder.exists()
        await self._note_start(run, folder)
        end, result = await self._outcome(run.id, adopted=True)
        if half and not end.leaked:
            end = self._unstarted(run.id, _NEVER)
        await self._settle(run.id, end, result)

    async def _doubted(self, run: runs.Run, folder: Path) -> Ended:
        """It may have been told what to do. It is told no more, and where it was told, it works until it has ended."""
        alive = await asyncio.to_thread(find_alive, folder)
        if alive is not None:
            hang_up(alive)
        with self._database.transaction() as tx:
            runs.mark_started(tx, run.id, told_ms(self._home, run) or self._clock.now_ms())
        end, result = await self._outcome(run.id, adopted=True, doubted=True)
        silent = result is None or not (result.ok or result.usage or result.text)
        if silent and end.outcome == "succeeded":
            end = broken_off(_IN_DOUBT, self._clock)
        return end, result

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

    async def _result(self, run: runs.Run, end: EndRecord) -> AdapterResult:
        """By whoever has read it so far. One that we asked to leave has ended well, whatever it took to end it."""
        reader = await self._listening.end(run.id) or self._listening.reader(run)
        if is_attached(run):
            return AdapterResult("", ok=True)
        exit_code = 0 if end.outcome == "succeeded" else end.exit_code
        return await asyncio.to_thread(lambda: redacted_result(reader.result(exit_code)))

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
                await asyncio.to_thread(_write_answer, self._home.run_folder(run_id), result.text)
        run = runs.get(self._database.connection, run_id)
        changes = await changes_of(self._home, self._database.connection, run, self._clock.now_ms())
        with self._database.transaction() as tx:
            run = runs.get(tx, run_id)
            lines = lines_of_run(tx, run, self._settings.config)
            settle(tx, run, redacted_end(end), result, changes, lines, self._clock.now_ms())

    async def _tell(self, settled: runs.Run) -> None:
        for heard in self._on_end:
            await heard(settled)


def _write_answer(folder: Path, text: str) -> None:
    write_private(folder / "result.txt", text.encode("utf-8", "replace"))


def _said(error: Exception) -> str:
    expected = isinstance(error, (QuarterdeckError, OSError))
    return str(error) if expected else f"{type(error).__name__}: {error}"
