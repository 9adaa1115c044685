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
from engine.contract.adapter import Reader
from engine.contract.clock import Clock
from engine.contract.launch import AdapterRequest, AdapterResult
from engine.contract.outcome import EndRecord, Stop
from engine.execution.follow import cancel, is_alive, keeper_of, launched_ms, read_alive
from engine.execution.input import NAME
from engine.execution.speak import say
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
from engine.runtime.listening import Listening, let_go
from engine.runtime.meter import keep_within, used_so_far
from engine.runtime.places import is_attached, spoken_to, start_of
from engine.runtime.redaction import redacted_end, redacted_result
from engine.runtime.settings import Settings
from engine.runtime.settling import settle
from engine.runtime.starting import start
from engine.runtime.trouble import Trouble
from state import runs
from state.database import Connection, Database
from state.errors import LeaseLost, NotWritten, QuarterdeckError, Refused, StateError
from state.files import write_private
from state.home import Home

START_PATIENCE_S = 3.0
"""How long ending a run waits for its keeper to be there."""
_STEP_S = 0.02
_IN_DOUBT = "the engine ended while its program was being told what to do"
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
        self._heartbeats = Heartbeats(home, database, clock)
        self._leaving: dict[int, float] = {}
        """Runs that were asked to leave their turn, and until when they may take for that."""
        self._starts: set[asyncio.Future[str]] = set()
        self._on_end: list[OnEnd] = []
        listening.on_use(self._check_caps)
        listening.on_turn(self._answered)

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
        """End a run; where its program is kept for the next turn, it is first asked to leave this one. Raises NotFound
        or Refused."""
        run = runs.get(self._database.connection, run_id)
        if run.live and self._holding.client_of(run) is not None and run_id not in self._leaving:
            await self.interrupt(run_id, answer)
        else:
            await self._stop(run_id, answer)

    async def interrupt(self, run_id: int, answer: Callable[[Connection], None]) -> None:
        """Ask a run to leave its turn; where its program cannot be asked, or does not in the grace, it is ended. Raises
        as `stop` does."""
        run = runs.get(self._database.connection, run_id)
        folder = spoken_to(self._home, run)
        speech = adapter(run.adapter).speech
        if not run.live or speech is None or not (folder / NAME).exists():
            await self._stop(run_id, answer)
            return
        self._leaving[run_id] = self._clock.monotonic() + self._settings.config.grace_s
        self._note_stop(run_id, answer)
        try:
            await asyncio.to_thread(say, folder, speech.interrupt())
        except (Refused, StateError):  # then it is ended at the next look
            self._leaving[run_id] = 0.0

    async def _stop(self, run_id: int, answer: Callable[[Connection], None]) -> None:
        """Ask its keeper to end it; one that is being started is waited for.

        That it is to end is written first, in one transaction with `answer`: whoever measures it then sees to it."""
        until = self._clock.monotonic() + START_PATIENCE_S
        while self._clock.monotonic() < until:
            run = runs.get(self._database.connection, run_id)
            if not run.live:
                raise Refused(f"run {run_id} has ended already ({run.outcome})")
            alive = read_alive(spoken_to(self._home, run))
            if alive is not None and is_alive(alive):
                self._leaving.pop(run_id, None)
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
        """Until cancelled: end every run that uses more than its budgets have room for, or than it may."""
        while True:
            await asyncio.sleep(METER_S)
            self.adopt()
            live = runs.live(self._database.connection)
            self._heartbeats.look(live)
            for run in live:
                if run.state in ("starting", "running", "ending"):
                    self._measure(run)
                await asyncio.sleep(0)

    def _measure(self, run: runs.Run) -> None:
        if self._clock.monotonic() < self._leaving.get(run.id, 0.0):
            return
        reader = self._listening.reader(run)
        self._check_caps(run, reader)
        used = used_so_far(reader, run)
        now = runs.get(self._database.connection, run.id)
        if now.live and not keep_within(self._database, now, used, self._settings.config, self._clock.now_ms()):
            self._cancel(run)

    def _check_caps(self, run: runs.Run, reader: Reader) -> None:
        """End it where it has used more than it may itself, whatever its budgets have room for."""
        why = caps.reached(caps.caps_of(run), reader.turns, used_so_far(reader, run))
        if not why or runs.get(self._database.connection, run.id).stop_reason is not None:
            return
        with self._database.transaction() as tx:
            caps.note(tx, run, why, self._clock.now_ms())
        self._cancel(run)

    def _cancel(self, run: runs.Run) -> None:
        alive = read_alive(spoken_to(self._home, run))
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
        self._leaving.pop(run_id, None)
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
        if result.resume_refused and request.resume and not self._is_stopped(run_id):
            with self._database.transaction() as tx:
                request = start_afresh(tx, self._home, run_id, request, self._clock.now_ms())
            end, result = await self._attempt(run_id, request)
        await self._settle(run_id, end, result)

    async def _attempt(self, run_id: int, request: AdapterRequest) -> tuple[EndRecord, AdapterResult]:
        """Have it answered: by the program that is in its conversation already, or by one of its own."""
        run = runs.get(self._database.connection, run_id)
        started: dict[str, object] = {}
        try:
            if not await self._holding.take(run, request):
                started["sandbox"] = await self._start(run, request)
        except (QuarterdeckError, OSError) as error:
            end = never_started(str(error), self._clock)
            return end, await self._result(run, end)
        with self._database.transaction() as tx:
            runs.mark_started(tx, run_id, self._clock.now_ms())
            if started:
                runs.update(tx, run_id, started)
        if started:
            self._holding.begin(run, request)
        return await self._outcome(run_id)

    async def _outcome(self, run_id: int, *, adopted: bool = False) -> tuple[EndRecord, AdapterResult]:
        """Once its program has ended or, where that is kept, has answered."""
        run = runs.get(self._database.connection, run_id)
        client, folder = self._holding.client_of(run), spoken_to(self._home, run)
        turn = asyncio.get_running_loop().create_future()
        if client is not None:
            self._turns[run_id] = turn
        self._listening.begin(run, folder, start_of(self._home, run), adopted=adopted)
        if client is None:
            end = await end_of(folder, self._clock)
            return end, await self._result(run, end)
        ending = self._holding.ending(client.id)
        await asyncio.wait({turn, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not turn.done():
            end = of_turn(run, ending.result())
            return end, await self._result(run, end)
        result, offset = turn.result()
        self._listening.leave(run_id)
        self._holding.answered(runs.get(self._database.connection, run_id), result, offset)
        return answered(run, self._clock), redacted_result(result)

    def _answered(self, run: runs.Run, result: AdapterResult, offset: int) -> bool:
        turn = self._turns.get(run.id)
        if turn is None:
            return False
        if not turn.done():
            turn.set_result((result, offset))
        return True

    async def _start(self, run: runs.Run, request: AdapterRequest) -> str:
        """Not cut short by the engine's end: a thread cannot be."""
        begin = prepare if is_attached(run) else start
        starting = asyncio.ensure_future(asyncio.to_thread(begin, self._home, run, request, self._settings.config))
        self._starts.add(starting)
        starting.add_done_callback(self._starts.discard)
        return await asyncio.shield(starting)

    def _is_stopped(self, run_id: int) -> bool:
        return runs.get(self._database.connection, run_id).stop_reason is not None

    async def _take_up(self, run: runs.Run) -> None:
        """Follow a run that we did not start, or of which we have lost the thread."""
        if run.state == "reserved":
            await self._settle(run.id, never_started(_NEVER, self._clock), None)
            return
        folder = spoken_to(self._home, run)
        if run.state == "starting" and run.client_id is not None:
            let_go(folder)
            await self._settle(run.id, broken_off(_IN_DOUBT, self._clock), None)
            return
        half = run.state == "starting" and not folder.exists()
        await self._note_start(run, folder)
        end, result = await self._outcome(run.id, adopted=True)
        if half and not end.leaked:
            end = never_started(_NEVER, self._clock)
        await self._settle(run.id, end, result)

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
        return redacted_result(await asyncio.to_thread(reader.result, exit_code))

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
            settle(tx, run, redacted_end(end), result, changes, lines, self._clock.now_ms())

    async def _tell(self, settled: runs.Run) -> None:
        for heard in self._on_end:
            await heard(settled)
