"""What becomes of runs that are to be done again with another model? Each is asked for through the gate like any other,
and once: what an engine that dies has not asked for, the next one does.
"""

import asyncio

import msgspec

from engine.contract.clock import Clock
from engine.runtime.elsewhere import request_elsewhere
from engine.runtime.gate import Gate
from engine.runtime.live_runs import LiveRuns
from state import events, fallbacks, runs, slots
from state.database import Database
from state.errors import NotWritten, QuarterdeckError

LATEST_MS = 10 * 60_000
"""What failed longer ago is not done again: whoever asked for it has seen that it failed."""


class Fallback:
    """Asks for every run that is to be done again."""

    def __init__(self, database: Database, gate: Gate, live: LiveRuns, clock: Clock) -> None:
        self._database = database
        self._gate = gate
        self._live = live
        self._clock = clock
        self._seen = 0
        self._looking = asyncio.Lock()
        live.on_end(self._ended)

    async def look(self) -> None:
        """Ask for what has been marked since the last look. Raises NotWritten."""
        async with self._looking:
            for event_id, run_id in fallbacks.marked(self._database.connection, self._seen):
                await self._go_elsewhere(runs.get(self._database.connection, run_id))
                self._seen = event_id

    async def _ended(self, run: runs.Run) -> None:
        await self.look()

    async def _go_elsewhere(self, run: runs.Run) -> None:
        again = fallbacks.successor(self._database.connection, run.id)
        if again is not None:
            self._note_late(run, again)
            return
        if (run.ended_ms or 0) < self._clock.now_ms() - LATEST_MS:
            return
        try:
            request = request_elsewhere(run)
            admitted = await self._gate.ask(request)
        except NotWritten:
            raise  # nothing is decided: it is asked for again
        except (QuarterdeckError, msgspec.DecodeError) as error:
            self._say(run, f"run {run.id} cannot go on with another model: {error}")
            return
        self._note(run, request.model or "", admitted.run_id, refused=not admitted.verdict.ok)
        self._live.launch(admitted)

    def _note_late(self, run: runs.Run, again: int) -> None:
        """It was asked for by an engine that ended before it could say so."""
        if _goes_on(again) in (run.why or ""):
            return
        successor = runs.get(self._database.connection, again)
        self._note(run, successor.model or "", again, refused=not successor.live)

    def _note(self, run: runs.Run, model: str, again: int, *, refused: bool) -> None:
        """Both models and why; a slot follows to the last run."""
        now_ms = self._clock.now_ms()
        text = f"{run.agent} falls back from {run.model} to {model}: {run.why}"
        with self._database.transaction() as tx:
            events.add(tx, now_ms, "fell_back", text, run_id=again, session_id=run.session_id, job=run.job)
            runs.update(tx, run.id, {"why": "; ".join(filter(None, (run.why, _goes_on(again))))})
            if run.job is not None and run.slot_due_ms is not None and not refused:
                slots.update(tx, run.job, run.slot_due_ms, "started", again, f"with {model}")

    def _say(self, run: runs.Run, text: str) -> None:
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), "refused", text, run_id=run.id, job=run.job)


def _goes_on(again: int) -> str:
    return f"goes on as run {again}"
