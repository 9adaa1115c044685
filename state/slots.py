"""What became of every due time of every job? Each (job, due time) is one row, and is started at most once, ever."""

from msgspec import Struct

from state.database import Connection, rows

SlotState = str
"""`started`, `finished`, `failed`, `refused`, `missed`, `overlap`, `paused`, `interrupted`."""


class Slot(Struct, frozen=True):
    """One due time of a job."""

    job: str
    due_ms: int
    state: SlotState
    run_id: int | None
    reason: str | None
    noted_ms: int


class Mark(Struct, frozen=True):
    """Since when a job is declared as it is now: due times before the anchor are none of ours."""

    job: str
    spec: str
    anchor_ms: int


def marks(connection: Connection) -> dict[str, Mark]:
    return {mark.job: mark for mark in rows(connection, Mark, "SELECT * FROM job_marks")}


def set_mark(tx: Connection, mark: Mark) -> None:
    tx.execute("INSERT OR REPLACE INTO job_marks VALUES (?, ?, ?)", (mark.job, mark.spec, mark.anchor_ms))


def drop_mark(tx: Connection, job: str) -> None:
    """The job is not declared any more; its slots stay."""
    tx.execute("DELETE FROM job_marks WHERE job = ?", (job,))


def note(tx: Connection, slot: Slot) -> bool:
    """Record what became of a due time; False when that was recorded before."""
    cursor = tx.execute(
        "INSERT OR IGNORE INTO slots VALUES (?, ?, ?, ?, ?, ?)",
        (slot.job, slot.due_ms, slot.state, slot.run_id, slot.reason, slot.noted_ms),
    )
    return cursor.rowcount == 1


def update(tx: Connection, job: str, due_ms: int, state: SlotState, run_id: int | None, reason: str | None) -> None:
    tx.execute(
        "UPDATE slots SET state = ?, run_id = coalesce(?, run_id), reason = ? WHERE job = ? AND due_ms = ?",
        (state, run_id, reason, job, due_ms),
    )


def interrupt_unstarted(tx: Connection, reason: str) -> None:
    """Close slots that were recorded as started and never got a run."""
    tx.execute(
        "UPDATE slots SET state = 'interrupted', reason = ? WHERE state = 'started' AND run_id IS NULL", (reason,)
    )


def last_due_ms(connection: Connection, job: str, upto_ms: int) -> int | None:
    """The newest recorded due time up to an instant: one from a clock that was ahead must not silence the job."""
    sql = "SELECT max(due_ms) FROM slots WHERE job = ? AND due_ms <= ?"
    found = connection.execute(sql, (job, upto_ms)).fetchone()
    return None if found is None else found[0]


def latest(connection: Connection, job: str, limit: int) -> list[Slot]:
    """The newest first."""
    return rows(connection, Slot, "SELECT * FROM slots WHERE job = ? ORDER BY due_ms DESC LIMIT ?", (job, limit))


def strip(connection: Connection, limit: int) -> dict[str, list[Slot]]:
    """The last slots of every job, oldest first."""
    sql = (
        "SELECT job, due_ms, state, run_id, reason, noted_ms FROM (SELECT *, row_number() OVER"
        " (PARTITION BY job ORDER BY due_ms DESC) AS age FROM slots) WHERE age <= ? ORDER BY job, due_ms"
    )
    found: dict[str, list[Slot]] = {}
    for slot in rows(connection, Slot, sql, (limit,)):
        found.setdefault(slot.job, []).append(slot)
    return found
