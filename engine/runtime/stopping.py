"""How does the operator end a run, whatever it is doing just now? That it is to end is written first: then whoever
starts it, follows it or measures it sees to it.
"""

import asyncio
from collections.abc import Callable

import msgspec

from engine.adapters.registry import adapter
from engine.contract.clock import Clock
from engine.contract.outcome import Stop
from engine.execution.follow import cancel, find_alive, keeper_of, read_end
from engine.execution.input import NAME
from engine.execution.speak import say
from engine.runtime.ending import leave_s
from engine.runtime.holding import Holding
from engine.runtime.places import spoken_to
from engine.runtime.settings import Settings
from engine.runtime.trouble import Trouble
from state import runs
from state.database import Connection, Database
from state.errors import NotWritten, Refused, StateError
from state.home import Home

Answer = Callable[[Connection], None]


class Stopping:
    """Every live run that is to end."""

    def __init__(
        self, home: Home, database: Database, settings: Settings, clock: Clock, trouble: Trouble, holding: Holding
    ) -> None:
        self._home = home
        self._database = database
        self._settings = settings
        self._clock = clock
        self._trouble = trouble
        self._holding = holding
        self._leaving: dict[int, float] = {}
        """Runs that were asked to leave their turn, and until when they may take for that."""
        self._told: set[int] = set()
        """Runs that are to end at the operator's word: asked for by threads, which must not read the database."""

    async def stop(self, run_id: int, answer: Answer) -> None:
        """End a run; where its program is kept for the next turn, it is first asked to leave this one. Raises NotFound
        or Refused."""
        run = runs.get(self._database.connection, run_id)
        if run.live and self._holding.client_of(run) is not None and run_id not in self._leaving:
            await self.interrupt(run_id, answer)
        else:
            self._end(run, answer)

    async def interrupt(self, run_id: int, answer: Answer) -> None:
        """Ask a run to leave its turn; where its program cannot be asked, or does not in the grace, it is ended. Raises
        as `stop` does."""
        run = runs.get(self._database.connection, run_id)
        folder = spoken_to(self._home, run)
        speech = adapter(run.adapter).speech
        if not run.live or speech is None or not (folder / NAME).exists():
            self._end(run, answer)
            return
        self._leaving[run_id] = self._clock.monotonic() + leave_s(run, self._settings.config)
        self._note(run, answer)
        try:
            await asyncio.to_thread(say, folder, speech.interrupt())
        except (Refused, StateError):  # then it is ended at the next look
            self._leaving[run_id] = 0.0

    def is_leaving(self, run_id: int) -> bool:
        """Whether it still has time to leave its turn."""
        return self._clock.monotonic() < self._leaving.get(run_id, 0.0)

    def is_told(self, run_id: int) -> bool:
        """Whether the operator has ended it under this engine. For any thread."""
        return run_id in self._told

    def is_stopped(self, run_id: int) -> bool:
        return runs.get(self._database.connection, run_id).stop_reason is not None

    def forget(self, run_id: int) -> None:
        """It has ended."""
        self._leaving.pop(run_id, None)
        self._told.discard(run_id)

    def cancel(self, run: runs.Run) -> None:
        """Have its keeper end it, if it is there."""
        alive = find_alive(spoken_to(self._home, run))
        if alive is not None:
            cancel(alive)

    async def cancel_started(self, run: runs.Run) -> None:
        """The same for one that was just started: its keeper is waited for."""
        try:
            alive = await keeper_of(spoken_to(self._home, run))
        except StateError:  # its end will say so
            return
        if alive is not None:
            cancel(alive)

    def _end(self, run: runs.Run, answer: Answer) -> None:
        """Have its keeper end it; one that is being started is ended by whoever starts it.

        That it is to end is written first, in one transaction with `answer`: whoever measures it then sees to it."""
        if not run.live:
            raise Refused(f"run {run.id} has ended already ({run.outcome})")
        if run.state in ("running", "ending") and self._has_ended(run):
            raise Refused(f"run {run.id} has just ended", f"see: qd run show {run.id}")
        self._leaving.pop(run.id, None)
        try:
            self._note(run, answer)
        except NotWritten as error:  # it may be this run that fills the disk: it ends all the same
            self.cancel(run)
            self._trouble.note(f"run {run.id}", error)
            self._note(run, answer)
        self.cancel(run)

    def _has_ended(self, run: runs.Run) -> bool:
        try:
            return read_end(spoken_to(self._home, run)) is not None
        except StateError:
            return False

    def _note(self, run: runs.Run, answer: Answer) -> None:
        """One that is not started yet is not said to be ending: nothing of it is there that could."""
        stop: dict[str, object] = {"stop_reason": msgspec.json.encode(Stop("operator")).decode()}
        with self._database.transaction() as tx:
            begun = runs.get(tx, run.id).state not in ("reserved", "starting")
            runs.update(tx, run.id, stop | ({"state": "ending"} if begun else {}))
            answer(tx)
        self._told.add(run.id)
