"""What waits for the operator's word, and what was allowed?

What is asked is stored as text and never changes, so that what was shown is what was approved. It is decided once; a
grant raises the limit of one budget in one window, or for one run.
"""

import hashlib
from typing import Literal

from msgspec import Struct

from state.database import Connection, insert, row, rows
from state.errors import NotFound, Refused
from state.ledger import Line


class Approval(Struct, frozen=True):
    """One question to the operator."""

    id: int
    run_id: int
    """The run that waits for the answer."""
    what: str
    """What is asked, as JSON."""
    sha256: str
    """Of `what`."""
    asked_ms: int
    expires_ms: int
    """From then on it cannot be decided any more."""
    state: Literal["open", "approved", "denied", "expired", "withdrawn"]
    decided_ms: int | None
    """When it stopped being open."""
    kind: Literal["budget", "permission"]
    """`budget`: a run that would go over one. `permission`: what a live run's program asks."""
    request_id: str | None
    """How the program names what it asks."""


def ask(tx: Connection, run_id: int, what: str, asked_ms: int, expires_ms: int, request_id: str | None = None) -> int:
    """Put a question; returns its id. `what` is JSON. `request_id`: of what a live run's program asks."""
    question = {"run_id": run_id, "what": what, "sha256": hashlib.sha256(what.encode()).hexdigest()}
    times = {"asked_ms": asked_ms, "expires_ms": expires_ms}
    kind = {"kind": "budget" if request_id is None else "permission", "request_id": request_id}
    return insert(tx, "approvals", {**question, **times, **kind, "state": "open"})


def pending(connection: Connection) -> list[Approval]:
    """Every question that waits for an answer, oldest first."""
    return rows(connection, Approval, "SELECT * FROM approvals WHERE state = 'open' ORDER BY id")


def asked_since(connection: Connection, at_ms: int) -> int:
    """How many questions were put, whatever became of them."""
    return int(connection.execute("SELECT count(*) FROM approvals WHERE asked_ms >= ?", (at_ms,)).fetchone()[0])


def get(connection: Connection, approval_id: int) -> Approval:
    """Raises NotFound."""
    found = row(connection, Approval, "SELECT * FROM approvals WHERE id = ?", (approval_id,))
    if found is None:
        raise NotFound(f"there is no approval {approval_id}", "see: qd approvals")
    return found


def of_run(connection: Connection, run_id: int) -> Approval | None:
    """The last question about a budget that was put for a run, whatever became of it."""
    sql = "SELECT * FROM approvals WHERE run_id = ? AND kind = 'budget' ORDER BY id DESC LIMIT 1"
    return row(connection, Approval, sql, (run_id,))


def permissions(connection: Connection, run_id: int) -> list[Approval]:
    """All that a run's program has asked, oldest first, whatever became of it."""
    sql = "SELECT * FROM approvals WHERE run_id = ? AND kind = 'permission' ORDER BY id"
    return rows(connection, Approval, sql, (run_id,))


def asked_by(connection: Connection, run_id: int, request_id: str) -> Approval | None:
    """What a run's program has asked under this id."""
    sql = "SELECT * FROM approvals WHERE run_id = ? AND request_id = ? ORDER BY id DESC LIMIT 1"
    return row(connection, Approval, sql, (run_id, request_id))


def decide(tx: Connection, approval_id: int, approve: bool, at_ms: int) -> Approval:
    """Answer an open question, once. Raises NotFound, and Refused when it is not open any more."""
    asked = get(tx, approval_id)
    if asked.state != "open":
        raise Refused(f"approval {approval_id} is {asked.state} already", f"see: qd run show {asked.run_id}")
    if at_ms >= asked.expires_ms:
        raise Refused(f"approval {approval_id} has expired", "ask for the run again")
    _close(tx, approval_id, "approved" if approve else "denied", at_ms)
    return get(tx, approval_id)


def expire(tx: Connection, now_ms: int) -> list[Approval]:
    """Close every question whose time is over; returns them as they are now."""
    over = [asked for asked in pending(tx) if asked.expires_ms <= now_ms]
    for asked in over:
        _close(tx, asked.id, "expired", now_ms)
    return [get(tx, asked.id) for asked in over]


def withdraw(tx: Connection, run_id: int, at_ms: int) -> None:
    """Nobody need answer what was asked for this run: it does not wait any more."""
    for asked in pending(tx):
        if asked.run_id == run_id:
            _close(tx, asked.id, "withdrawn", at_ms)


def withdraw_one(tx: Connection, approval_id: int, at_ms: int) -> bool:
    """Nobody need answer this one any more; False when it was not open."""
    if get(tx, approval_id).state != "open":
        return False
    _close(tx, approval_id, "withdrawn", at_ms)
    return True


def _close(tx: Connection, approval_id: int, state: str, at_ms: int) -> None:
    tx.execute("UPDATE approvals SET state = ?, decided_ms = ? WHERE id = ?", (state, at_ms, approval_id))


def grant(tx: Connection, approval_id: int, line: Line, run_id: int | None, amount: int, at_ms: int) -> None:
    """Raise a limit by an amount, in the line's window or, where each run has it for itself, for one run.

    Raises Refused unless the question was approved, and when it has raised this limit already.
    """
    if amount <= 0 or line.per_run != (run_id is not None):
        raise ValueError("a grant is above zero, and for one run just where each run has the limit for itself")
    asked = get(tx, approval_id)
    if asked.state != "approved":
        raise Refused(f"approval {approval_id} is {asked.state}, not approved")
    place = (approval_id, line.budget, line.unit)
    if tx.execute("SELECT 1 FROM grants WHERE (approval_id, budget, unit) = (?, ?, ?)", place).fetchone():
        raise Refused(f"approval {approval_id} has raised budget {line.budget} already")
    tx.execute(
        "INSERT INTO grants (approval_id, budget, unit, window_start_ms, window_end_ms, run_id, amount, granted_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, line.window_start_ms, line.window_end_ms, run_id, amount, at_ms),
    )
