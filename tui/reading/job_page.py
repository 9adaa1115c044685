"""What has become of one job, when is it due next, and what does it put into its prompts?"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.contract.verdict import ReceiptPart
from state import receipts, runs, slots
from state.runs import Run
from tui.clean import as_declared, clean, clean_record
from tui.reading.details import decoded
from tui.reading.snapshot import Gone, Reading

if TYPE_CHECKING:
    from engine.runtime.boards import JobRow

SLOTS_SHOWN = 200
FIRES_SHOWN = 5


class Fired(Struct, frozen=True):
    """One due time, and the run that came of it."""

    slot: slots.Slot
    run: Run | None


class JobPage(Struct, frozen=True):
    """A declared job with its past."""

    row: "JobRow"
    task: str
    fires_ms: tuple[int, ...]
    """The next ones; none while it is paused."""
    inject: tuple[str, ...] | None
    """What the job itself says; None where the agent or the task type does."""
    parts: tuple[ReceiptPart, ...]
    """Of the prompt of its last run."""
    fired: tuple[Fired, ...]
    """The last due times, newest last."""


def job_page(name: str) -> Callable[[Reading], JobPage | Gone]:
    """Belongs in the feed's thread."""

    def read(reading: Reading) -> JobPage | Gone:
        declared = as_declared(name, reading.config.job)
        job = reading.config.job.get(declared)
        rows = reading.boards.job_board(reading.connection, reading.config, reading.now_ms) if job else ()
        row = next((one for one in rows if one.name == declared), None)
        if job is None or row is None:
            return Gone(clean(f"there is no job {name} in the configuration (any more)"))
        past = list(reversed(slots.latest(reading.connection, declared, SLOTS_SHOWN)))
        fired = tuple(Fired(clean_record(slot), _run(reading, slot)) for slot in past)
        return JobPage(
            row=clean_record(row),
            task=clean(job.task, max(1, len(job.task))),
            fires_ms=_fires(reading, declared),
            inject=None if job.inject is None else tuple(map(clean, job.inject)),
            parts=_parts(reading, fired),
            fired=fired,
        )

    return read


def _run(reading: Reading, slot: slots.Slot) -> Run | None:
    return None if slot.run_id is None else clean_record(runs.get(reading.connection, slot.run_id))


def _fires(reading: Reading, name: str) -> tuple[int, ...]:
    from engine.runtime.settings import job_trigger
    from engine.schedule.calendar import next_fires_ms

    job = reading.config.job[name]
    if not job.enabled:
        return ()
    mark = slots.marks(reading.connection).get(name)
    anchor_ms = mark.anchor_ms if mark is not None else reading.now_ms
    due = job_trigger(reading.config, job)
    return tuple(next_fires_ms(due, anchor_ms, reading.now_ms, FIRES_SHOWN))


def _parts(reading: Reading, fired: tuple[Fired, ...]) -> tuple[ReceiptPart, ...]:
    """Of the newest run that had a prompt."""
    for one in reversed(fired):
        receipt = receipts.of_run(reading.connection, one.run.id) if one.run is not None else None
        if receipt is not None:
            return decoded(receipt.parts, tuple[ReceiptPart, ...]) or ()
    return ()


def next_due_ms(page: JobPage | Gone) -> int | None:
    """When what is shown is over."""
    return page.fires_ms[0] if isinstance(page, JobPage) and page.fires_ms else None
