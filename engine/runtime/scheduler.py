"""Which jobs are due now? Every due time becomes one slot, recorded before anything is started."""

import asyncio
from collections.abc import Sequence

from engine.config.model import Config, Job
from engine.contract.clock import Clock
from engine.contract.orders import RunRequest
from engine.contract.verdict import WAITING_WORDS
from engine.runtime.gate import Gate
from engine.runtime.live_runs import LiveRuns
from engine.runtime.settings import Settings, job_trigger
from engine.schedule.calendar import Trigger
from engine.schedule.slots import DueSlot, due_slots
from state import events, runs, slots
from state.database import Database
from state.errors import NotFound, NotWritten, QuarterdeckError, Refused

LONGEST_NAP_S = 30.0
"""The wall clock may be set or the machine suspended: look again at least this often."""


class Scheduler:
    """Asks the gate for every run that a job's calendar calls for."""

    def __init__(self, database: Database, settings: Settings, gate: Gate, live: LiveRuns, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._gate = gate
        self._live = live
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """The configuration changed: look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._close_half_started()
        while True:
            self._woken.clear()
            next_ms = await self.tick()
            nap_s = min(LONGEST_NAP_S, max(0.0, (next_ms - self._clock.now_ms()) / 1000))
            try:
                await asyncio.wait_for(self._woken.wait(), nap_s)
            except TimeoutError:
                continue

    async def tick(self) -> int:
        """Deal with everything that is due now; returns when to look again, in milliseconds."""
        config = self._settings.config
        self._forget_undeclared(config)
        next_ms = self._clock.now_ms() + round(LONGEST_NAP_S * 1000)
        for name, job in config.job.items():
            next_ms = min(next_ms, await self._look_at(name, job, config))
        return next_ms

    async def fire(self, name: str, seen_run_id: int | None = None) -> RunRequest:
        """The request of a job that the operator wants now, beside its schedule. Raises NotFound, and Refused when it
        has been started since the operator looked."""
        job = self._settings.config.job.get(name)
        if job is None:
            raise NotFound(f"there is no job '{name}'", "see: qd cron list")
        if seen_run_id is not None:
            since = runs.newest_of_job(self._database.connection, name)
            if since is not None and since > seen_run_id:
                raise Refused(
                    f"job {name} has been started meanwhile: run {since}", "press it again to run it once more"
                )
        return request_of(name, job, None)

    async def _look_at(self, name: str, job: Job, config: Config) -> int:
        due = job_trigger(config, job)
        now_ms = self._clock.now_ms()
        anchor_ms = self._anchor(name, job, due, now_ms)
        plan = due_slots(
            due,
            anchor_ms=anchor_ms,
            last_ms=slots.last_due_ms(self._database.connection, name, now_ms),
            now_ms=now_ms,
            enabled=job.enabled,
            before=self._before(name),
        )
        for due_ms in self._note(name, plan.slots):
            await self._start(name, job, due_ms)
        return plan.next_ms

    def _before(self, name: str) -> str:
        """What a run of the job that is not over yet is doing."""
        found = [run for run in runs.unfinished(self._database.connection) if run.job == name]
        if not found:
            return ""
        waits_for = next((run.waits_for for run in found if run.state == "waiting"), None)
        return f"waits for {WAITING_WORDS[waits_for]}" if waits_for is not None else "was still going"

    def _anchor(self, name: str, job: Job, due: Trigger, now_ms: int) -> int:
        """Since when the job is declared as it is now: a new, edited or re-enabled one never looks back."""
        spec = f"{due.spec}{'' if job.enabled else ', paused'}"
        mark = slots.marks(self._database.connection).get(name)
        if mark is not None and mark.spec == spec and mark.anchor_ms <= now_ms:  # else the clock was ahead then
            return mark.anchor_ms
        with self._database.transaction() as tx:
            slots.set_mark(tx, slots.Mark(name, spec, now_ms))
        return now_ms

    def _forget_undeclared(self, config: Config) -> None:
        gone = [job for job in slots.marks(self._database.connection) if job not in config.job]
        if gone:
            with self._database.transaction() as tx:
                for job in gone:
                    slots.drop_mark(tx, job)

    def _note(self, name: str, due: Sequence[DueSlot]) -> list[int]:
        """Record due times, all or none; returns those that are to be started and were not recorded before."""
        if not due:
            return []
        now_ms = self._clock.now_ms()
        new: list[DueSlot] = []
        with self._database.transaction() as tx:
            for slot in due:
                state = "started" if slot.action == "start" else slot.action
                if slots.note(tx, slots.Slot(name, slot.due_ms, state, None, slot.reason or None, now_ms)):
                    new.append(slot)
            for action in ("missed", "overlap"):
                same = [slot for slot in new if slot.action == action]
                if same:
                    times = f"{len(same)} times, the last: " if len(same) > 1 else ""
                    events.add(tx, now_ms, action, f"{name} {action}  {times}{same[-1].reason}", job=name)
        return [slot.due_ms for slot in new if slot.action == "start"]

    async def _start(self, name: str, job: Job, due_ms: int) -> None:
        try:
            admitted = await self._gate.ask(request_of(name, job, due_ms))
        except NotWritten:
            raise  # nothing is decided
        except QuarterdeckError as error:
            self._update(name, due_ms, "refused", None, error.line)
            return
        if admitted.waits_for is not None:
            self._update(name, due_ms, "started", admitted.run_id, f"waits for {WAITING_WORDS[admitted.waits_for]}")
            return
        if admitted.launch is None:
            return  # its refusal stands in the slot
        self._live.launch(admitted)
        self._update(name, due_ms, "started", admitted.run_id, None)

    def _update(self, name: str, due_ms: int, state: str, run_id: int | None, reason: str | None) -> None:
        with self._database.transaction() as tx:
            slots.update(tx, name, due_ms, state, run_id, reason)

    def _close_half_started(self) -> None:
        """Slots that an engine before us recorded and died before it could ask for their run."""
        with self._database.transaction() as tx:
            slots.interrupt_unstarted(tx, "the engine ended before it could start")


def request_of(name: str, job: Job, due_ms: int | None) -> RunRequest:
    """What a job asks the gate for; `due_ms` is None when the operator fires it by hand. The rest the gate finds in the
    job itself."""
    return RunRequest(
        workspace=job.workspace or "~",
        trigger="operator" if due_ms is None else "timer",
        job=name,
        slot_due_ms=due_ms,
    )
