"""What do live runs tell, and what follows from that? One ticker looks at the output of every one of them.

A look is a few microseconds where nothing is new, and never more than one step of an output. What an agent says, thinks
and does is for those who look on; its conversation, its questions, what it uses and the end of its turn are for us.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from engine.adapters.registry import adapter
from engine.contract.adapter import Reader
from engine.contract.clock import Clock
from engine.contract.launch import AdapterResult
from engine.contract.progress import Answered, Asks, Began, Noted, Progress, TurnOver
from engine.execution.follow import find_alive
from engine.execution.input import NAME
from engine.execution.speak import end_turn, hang_up
from engine.runtime.conversation import note_conversation
from engine.runtime.permissions import Permissions
from engine.runtime.places import spoken_to, start_of
from engine.runtime.redaction import redacted
from engine.runtime.settings import Settings
from engine.runtime.trouble import Trouble
from state import events, runs
from state.database import Database
from state.errors import LeaseLost, NotWritten, StateError
from state.home import Home

LOOK_S = 0.1
QUIETEST_S = 1.0
"""A run that says nothing is looked at less and less often, but at least this often."""
SLICE_S = 0.01
"""After so much work others have their turn."""
RETRY_S = 1.0
TOLD_OF_A_KIND = 3
TOLD_MOST = 20
"""Of what a run notes: events of one kind, and of all; the rest is counted."""
_FILES = ("stdout.log", "usage.jsonl")

Signature = tuple[tuple[int, int] | None, ...]


class Ear:
    """One live run, and how far it has been heard."""

    def __init__(self, run: runs.Run, folder: Path, start: int, known: set[str]) -> None:
        self.run = run
        self.reader: Reader = adapter(run.adapter).reader(folder, start)
        self.heard: deque[Progress] = deque()
        """Told, and not dealt with yet."""
        self.due = 0.0
        self.pause_s = LOOK_S
        self.noted: Counter[str] = Counter()
        self.known = known
        """What an engine before this one has said of it."""
        self.working: set[asyncio.Task[None]] = set()
        self._paths = [folder / name for name in _FILES]
        self._seen: Signature | None = None
        self._more = True

    def poll(self) -> bool:
        """Take one step where there is anything new; whether there was."""
        seen = tuple(map(_signature, self._paths))
        if seen == self._seen and not self._more:
            return False
        self._seen = seen
        told = self.reader.poll()
        self._more = told is not None
        self.heard.extend(told or ())
        return self._more


class Listening:
    """Every live run that puts something out."""

    def __init__(
        self,
        home: Home,
        database: Database,
        settings: Settings,
        clock: Clock,
        trouble: Trouble,
        permissions: Permissions,
    ) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._trouble = trouble
        self._permissions = permissions
        self._ears: dict[int, Ear] = {}
        self._any = asyncio.Event()
        """While nobody is listened to, nothing wakes us."""
        self._on_use: Callable[[runs.Run, Reader], None] = lambda run, reader: None
        self._on_began: Callable[[runs.Run, bool], None] = lambda run, alone: None
        self._on_turn: Callable[[runs.Run, AdapterResult, int], bool] = lambda run, result, offset: False

    def on_use(self, heard: Callable[[runs.Run, Reader], None]) -> None:
        """Tell this one whenever a run has put something out."""
        self._on_use = heard

    def on_began(self, heard: Callable[[runs.Run, bool], None]) -> None:
        """Tell this one when a program has begun, and whether that is all it has told so far."""
        self._on_began = heard

    def on_turn(self, heard: Callable[[runs.Run, AdapterResult, int], bool]) -> None:
        """Tell this one when an agent has answered, with where its output stands; False: nobody keeps its program."""
        self._on_turn = heard

    def begin(self, run: runs.Run, folder: Path, start: int = 0, *, adopted: bool = False) -> None:
        """Listen to this run from here on, by its output in this folder; of one that was adopted, what is known already
        is not said again."""
        known = {one.text for one in events.latest(self._database.connection, 200, run_id=run.id)} if adopted else set()
        if adopted:
            self._permissions.take_up(run)
        self._permissions.pause(run)
        self._ears[run.id] = Ear(run, folder, start, known)
        self._any.set()

    def reader(self, run: runs.Run) -> Reader:
        """Who reads this run. One that is not listened to is read by somebody new, from its start."""
        ear = self._ears.get(run.id)
        if ear is not None:
            return ear.reader
        return adapter(run.adapter).reader(spoken_to(self._home, run), start_of(self._home, run))

    async def end(self, run_id: int) -> Reader | None:
        """It has ended: who has read it to its end, and has now to make something of it. Raises NotWritten."""
        ear = self._ears.get(run_id)
        while True:
            if ear is None or not self._last(ear):
                return self.leave(run_id)
            await asyncio.sleep(0)

    def leave(self, run_id: int) -> Reader | None:
        """Listen no more: what it has told is enough."""
        ear = self.drop(run_id)
        if ear is None:
            return None
        self._sum_up(ear)
        return ear.reader

    def drop(self, run_id: int) -> Ear | None:
        """Listen no more, whatever becomes of the run."""
        ear = self._ears.pop(run_id, None)
        for task in ear.working if ear is not None else ():
            task.cancel()
        return ear

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._any.wait()
            await self.look()
            await asyncio.sleep(LOOK_S)
            if not self._ears:
                self._any.clear()

    async def look(self) -> None:
        """Look once at every run that is due."""
        now, since = self._clock.monotonic(), time.perf_counter()
        for run_id, ear in list(self._ears.items()):
            if ear.due <= now and run_id in self._ears:
                self._guarded(ear, now)
            if time.perf_counter() - since > SLICE_S:
                await asyncio.sleep(0)
                since = time.perf_counter()

    def _guarded(self, ear: Ear, now: float) -> None:
        """Whatever goes wrong with one run is said, and it is looked at again; what it told before that is kept."""
        try:
            new = self._hear(ear)
            if new:
                self._on_use(ear.run, ear.reader)
        except LeaseLost:
            raise
        except Exception as error:  # the boundary: one run must not keep us from the others
            self._trouble.note(f"run {ear.run.id}", error)
            ear.due = now + RETRY_S
            return
        ear.pause_s = LOOK_S if new else min(QUIETEST_S, 2 * ear.pause_s)
        ear.due = now + ear.pause_s - LOOK_S / 2

    def _last(self, ear: Ear) -> bool:
        """One more step of what it told before it ended; whether there was any. What is wrong with it is said."""
        try:
            return self._hear(ear)
        except (LeaseLost, NotWritten):
            raise
        except Exception as error:  # the boundary, as above: how it ended does not depend on it
            self._trouble.note(f"run {ear.run.id}", error)
            return False

    def _hear(self, ear: Ear) -> bool:
        new = ear.poll()
        while ear.heard:
            self._take(ear, ear.heard[0])
            ear.heard.popleft()
        return new

    def _take(self, ear: Ear, told: Progress) -> None:
        match told:
            case Began():
                self._began(ear, told)
            case Asks():
                self._asked(ear, told)
            case Answered():
                self._permissions.answered(ear.run, told.id)
            case Noted():
                self._noted(ear, told)
            case TurnOver():
                self._turned(ear, told)

    def _began(self, ear: Ear, began: Began) -> None:
        self._on_began(ear.run, len(ear.heard) == 1)
        if began.provider_id is not None:
            note_conversation(self._database, self._home, self._settings.config, ear.run, began.provider_id)

    def _asked(self, ear: Ear, asks: Asks) -> None:
        if any(isinstance(later, Answered) and later.id == asks.id for later in ear.heard):
            return
        task = asyncio.create_task(self._ask(ear.run, asks))
        ear.working.add(task)
        task.add_done_callback(ear.working.discard)

    async def _ask(self, run: runs.Run, asks: Asks) -> None:
        """It may take seconds until a program takes its answer: the others are not kept waiting."""
        while True:
            try:
                await self._permissions.ask(run, asks)
                return
            except (NotWritten, StateError) as error:
                self._trouble.note(f"run {run.id}", error)
            await asyncio.sleep(RETRY_S)

    def _noted(self, ear: Ear, noted: Noted) -> None:
        text = redacted(f"{ear.run.agent} {noted.kind}: {noted.text}"[:300])
        ear.noted[noted.kind] += 1
        if text in ear.known or ear.noted[noted.kind] > TOLD_OF_A_KIND or ear.noted.total() > TOLD_MOST:
            return
        self._say(ear, "noted", text)

    def _sum_up(self, ear: Ear) -> None:
        often = [f"{kind} {count} times" for kind, count in ear.noted.items() if count > TOLD_OF_A_KIND]
        if often:
            with contextlib.suppress(NotWritten):
                self._say(ear, "noted", f"{ear.run.agent} noted in all: {', '.join(often[:TOLD_MOST])}"[:300])

    def _say(self, ear: Ear, kind: str, text: str) -> None:
        run = ear.run
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), kind, text, run_id=run.id, session_id=run.session_id, job=run.job)

    def _turned(self, ear: Ear, over: TurnOver) -> None:
        """It has answered. Nobody wants more of it: its input is closed, and it leaves by itself, or in the grace."""
        if not self._on_turn(ear.run, over.result, ear.reader.offset):
            let_go(spoken_to(self._home, ear.run))


def let_go(folder: Path) -> None:
    """Close the input of the program in this folder, where that is open."""
    if not (folder / NAME).exists():
        return
    end_turn(folder, 0.0)
    alive = find_alive(folder)
    if alive is not None:
        hang_up(alive)


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116 - a Path takes four times as long, and this is asked 4,000 times a second
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns
