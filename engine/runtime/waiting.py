"""What becomes of runs that cannot start yet? They are asked for afresh whenever something may have changed.

A waiting run holds neither claims nor reservations; it is admitted, refused, or given up when its time is over.
"""

import asyncio

import msgspec

from engine.contract.clock import Clock
from engine.contract.orders import Decide, RunRequest
from engine.contract.outcome import Stop
from engine.runtime.admitting import close_wait
from engine.runtime.budget_lines import budget_lines
from engine.runtime.gate import Gate
from engine.runtime.live_runs import LiveRuns
from engine.runtime.questions import Question, Raise, read_question
from engine.runtime.settings import Settings
from state import approvals, events, ledger, runs
from state.database import Connection, Database
from state.errors import NotWritten, QuarterdeckError, Refused

LOOK_EVERY_S = 15.0
"""Windows turn and observed usage is corrected without anybody announcing it."""


class WaitingRoom:
    """Every run that waits, and the operator's word on it."""

    def __init__(self, database: Database, settings: Settings, gate: Gate, live: LiveRuns, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._gate = gate
        self._live = live
        self._clock = clock
        self._due = 0.0
        self._looking = asyncio.Lock()
        live.on_end(self._ended)

    @property
    def needs_engine(self) -> bool:
        """Whether anything waits that will come by itself, and so needs somebody who looks."""
        return any(run.waits_for != "approval" for run in runs.waiting(self._database.connection))

    def look_again(self) -> None:
        """Something has changed: the next look is due at once."""
        self._due = 0.0

    async def look(self, first: int | None = None) -> None:
        """Give up what has waited too long, and ask again for the rest, oldest first; but before all for the run that
        the operator has just let go on: what was granted is for that one."""
        async with self._looking:
            await self._look(first)

    async def _look(self, first: int | None) -> None:
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + LOOK_EVERY_S
        for run in sorted(runs.waiting(self._database.connection), key=lambda run: (run.id != first, run.id)):
            over_s = LOOK_EVERY_S if run.expires_ms is None else (run.expires_ms - self._clock.now_ms()) / 1000
            self._due = min(self._due, self._clock.monotonic() + max(0.0, over_s))
            over = run.expires_ms is not None and run.expires_ms <= self._clock.now_ms()
            if not over or run.waits_for != "approval":  # there may be room just now, after a night without an engine
                await self._ask_again(run)
            if over:
                self._give_up(run, "nobody answered in time" if run.waits_for == "approval" else "it waited too long")

    def decide(self, tx: Connection, wanted: Decide, now_ms: int) -> Question:
        """The operator's word on a run that waits: grants what the question says, or refuses the run. Raises NotFound
        or Refused."""
        asked = as_shown(tx, wanted)
        approvals.decide(tx, asked.id, wanted.approve, now_ms)
        told = read_question(asked.what)
        if wanted.approve:
            for one in told.raises:
                self._grant(tx, asked, one, now_ms)
        else:
            self._refuse(tx, runs.get(tx, asked.run_id), "denied by the operator", now_ms)
        word = "approved" if wanted.approve else "denied"
        events.add(tx, now_ms, word, f"run {asked.run_id} {word}", run_id=asked.run_id)
        self.look_again()
        return told

    def cancel(self, run: runs.Run) -> None:
        """The operator does not want it any more."""
        self._give_up(run, "cancelled by the operator")

    def _grant(self, tx: Connection, asked: approvals.Approval, one: Raise, now_ms: int) -> None:
        """Raise the limit in the window that was asked about; once that is over there is nothing to raise."""
        budget = self._settings.config.budget.get(one.budget)
        if budget is None:
            return
        for line in budget_lines(tx, one.budget, budget, self._settings.config, now_ms):
            if line.unit == one.unit and one.amount < ledger.book(tx, line, asked.run_id).taken + one.need - one.limit:
                self.look_again()
                raise Refused(
                    f"run {asked.run_id} lacks more of budget {one.budget} by now than question {asked.id} would grant",
                    "look at what it asks in a moment: qd approvals",
                )
            overlaps = line.window_start_ms < one.window_end_ms and one.window_start_ms < line.window_end_ms
            if line.unit == one.unit and (line.per_run or overlaps):
                run_id = asked.run_id if line.per_run else None
                approvals.grant(tx, asked.id, line, run_id, one.amount, now_ms)

    async def _ask_again(self, run: runs.Run) -> None:
        try:
            request = msgspec.json.decode(run.request or "", type=RunRequest)
            if request.job is not None and request.job not in self._settings.config.job:
                raise Refused(f"its job {request.job} has been removed")  # without it, it would be another run
            self._live.launch(await self._gate.ask(request, run_id=run.id))
        except NotWritten:
            raise
        except (QuarterdeckError, msgspec.DecodeError) as error:
            self._give_up(run, error.line if isinstance(error, QuarterdeckError) else str(error))

    async def _ended(self, run: runs.Run) -> None:
        """A run is over: claims and places are free. One that met its budget is asked for again, to go on; one that met
        a cap of its own is not, since nothing will change by itself."""
        self.look_again()
        if run.outcome != "budget_reached" or run.request is None or not stopped_by_budget(run):
            return
        try:
            self._live.launch(await self._gate.ask(_again(run)))
        except NotWritten:
            raise  # nothing is decided: it is asked for again
        except (QuarterdeckError, msgspec.DecodeError) as error:
            with self._database.transaction() as tx:
                text = f"run {run.id} cannot go on: {error.line if isinstance(error, QuarterdeckError) else error}"
                events.add(tx, self._clock.now_ms(), "refused", text, run_id=run.id)

    def _give_up(self, run: runs.Run, why: str) -> None:
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            approvals.expire(tx, now_ms)
            self._refuse(tx, runs.get(tx, run.id), why, now_ms)

    def _refuse(self, tx: Connection, run: runs.Run, why: str, now_ms: int) -> None:
        if run.state != "waiting" or run.request is None:
            return
        end = {"state": "refused", "outcome": "refused", "why": why, "ended_ms": now_ms, "waits_for": None}
        runs.update(tx, run.id, end)
        close_wait(tx, run.id, msgspec.json.decode(run.request, type=RunRequest), why, now_ms)
        events.add(tx, now_ms, "refused", f"{run.agent} refused  {why}", run_id=run.id, job=run.job)


def as_shown(connection: Connection, wanted: Decide) -> approvals.Approval:
    """The question that was answered. Raises NotFound, and Refused when it is not the one that was shown."""
    asked = approvals.get(connection, wanted.approval_id)
    if asked.sha256 != wanted.sha256:
        raise Refused(f"question {asked.id} is not the one that was shown", "look at it again: qd approvals")
    return asked


def stopped_by_budget(run: runs.Run) -> bool:
    """Whether limits of budgets had no room left for it."""
    return run.stop_reason is not None and bool(msgspec.json.decode(run.stop_reason, type=Stop).at)


def _again(run: runs.Run) -> RunRequest:
    """What a run asks for that goes on with this one: the same, of the same kind and in the same lane."""
    return msgspec.structs.replace(
        msgspec.json.decode(run.request or "", type=RunRequest),
        resumes_run_id=run.id,
        trigger="recovery",
        task_type=run.task_type,
        lane="main" if run.lane == "main" else "isolated",
        session_id=None,
        slot_due_ms=None,
    )
