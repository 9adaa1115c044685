"""What moved in each reservation? Entries that are only ever added, and the balances that they add up to.

A reservation is one run's part of one budget in one unit. Every movement is one entry; the balance of the reservation,
and that of its budget in the quarter hour of its admission, move in the same transaction. Every zone's day starts on a
quarter hour, so that these sums add up to any window.
"""

from typing import Literal

from msgspec import Struct

from state.query import Connection, rows

Unit = Literal["tokens", "microusd"]
"""What a budget is counted in: tokens of all kinds, or micro-dollars."""

Kind = Literal["reserved", "extended", "settled", "late", "corrected"]
"""`late`: usage that came after settlement. `corrected`: less was used than had been settled. (`carried`: from books
that had no entries.)"""

QUARTER_MS = 900_000


class Used(Struct, frozen=True):
    """What a run used, as booked so far."""

    tokens: int = 0
    microusd: int = 0
    """Of the responses that have a price."""
    unpriced: int = 0
    """Responses without one: what was used is then unknown, and at least `microusd`."""

    def amount(self, unit: Unit, booked: int = 0) -> int:
        """What is known in a unit; while a price is not, no less than what is in the books for it."""
        if unit == "tokens":
            return self.tokens
        return max(booked, self.microusd) if self.unpriced else self.microusd


class Reservation(Struct, frozen=True):
    """One run's part of one budget in one unit."""

    run_id: int
    budget: str
    unit: Unit
    admitted_ms: int
    """Its usage belongs to the window of this instant, whenever it comes."""
    limit_amount: int
    """The limit when it was admitted."""
    held: int
    committed: int
    """Usage that was covered."""
    overrun: int
    """Usage that nothing covered."""
    state: str
    """`open` until its run ends, then `settled`."""

    @property
    def booked(self) -> int:
        """What its run used, as settled."""
        return self.committed + self.overrun


class Difference(Struct, frozen=True):
    """A balance that is not what its entries add up to; `run_id` is None for the sums of a budget."""

    budget: str
    unit: str
    run_id: int | None
    quarter: int | None
    held: int
    committed: int
    overrun: int


def of_run(connection: Connection, run_id: int) -> list[Reservation]:
    """Every reservation of a run."""
    return rows(connection, Reservation, "SELECT * FROM reservations WHERE run_id = ?", (run_id,))


def open_one(tx: Connection, run_id: int, budget: str, unit: Unit, limit: int, amount: int, at_ms: int) -> None:
    """Make a reservation that holds an amount. A run has at most one in each budget and unit, ever."""
    new = Reservation(run_id, budget, unit, at_ms, limit, 0, 0, 0, "open")
    tx.execute("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, 0, 0, 0, 'open')", (run_id, budget, unit, at_ms, limit))
    move(tx, new, "reserved", at_ms, held=amount)


def move(
    tx: Connection, part: Reservation, kind: Kind, at_ms: int, *, held: int = 0, committed: int = 0, overrun: int = 0
) -> None:
    """Add an entry, and move both balances by it."""
    moved = (held, committed, overrun)
    place = (part.run_id, part.budget, part.unit)
    tx.execute(
        "INSERT INTO ledger_entries (at_ms, run_id, budget, unit, kind, held, committed, overrun)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (at_ms, *place, kind, *moved),
    )
    tx.execute(
        "UPDATE reservations SET held = held + ?, committed = committed + ?, overrun = overrun + ?"
        " WHERE run_id = ? AND budget = ? AND unit = ?",
        (*moved, *place),
    )
    tx.execute(
        "INSERT INTO budget_sums VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET held = held + excluded.held,"
        " committed = committed + excluded.committed, overrun = overrun + excluded.overrun",
        (part.budget, part.unit, part.admitted_ms // QUARTER_MS, *moved),
    )


def close(tx: Connection, part: Reservation, at_ms: int, committed: int, overrun: int) -> None:
    """Nothing stays held; what was used is committed or overrun from now on."""
    move(tx, part, "settled", at_ms, held=-part.held, committed=committed, overrun=overrun)
    tx.execute(
        "UPDATE reservations SET state = 'settled' WHERE run_id = ? AND budget = ? AND unit = ?",
        (part.run_id, part.budget, part.unit),
    )


def correct(tx: Connection, run_id: int, used: Used, at_ms: int) -> None:
    """Bring what is settled of a run to what it used after all, in the window of its admission.

    More is overrun, since nothing covers it any more; less is taken from the overrun first. Of an open reservation
    nothing is moved: it stands for whatever its run uses until it is settled.
    """
    for part in of_run(tx, run_id):
        if part.state != "settled":
            continue
        more = used.amount(part.unit, part.booked) - part.booked
        if more > 0:
            move(tx, part, "late", at_ms, overrun=more)
        elif more < 0:
            uncovered = min(part.overrun, -more)
            move(tx, part, "corrected", at_ms, overrun=-uncovered, committed=more + uncovered)


def held_by(connection: Connection, run_id: int, unit: Unit) -> int | None:
    """The least amount that a budget still holds for this run; None where none holds anything."""
    sql = "SELECT min(held) FROM reservations WHERE run_id = ? AND unit = ? AND state = 'open'"
    found = connection.execute(sql, (run_id, unit)).fetchone()
    return None if found[0] is None else int(found[0])


_BALANCES = "sum(held) AS held, sum(committed) AS committed, sum(overrun) AS overrun"
_DIFFER = (
    "HAVING sum(held) != 0 OR sum(committed) != 0 OR sum(overrun) != 0 OR sum(entries) = 0 OR sum(entries) = count(*)"
)
_ADMITTED = (
    f"SELECT budget, unit, run_id, at_ms / {QUARTER_MS} AS quarter FROM ledger_entries"
    " WHERE id IN (SELECT min(id) FROM ledger_entries GROUP BY run_id, budget, unit)"
)
_REPLAYED = (
    "SELECT budget, unit, run_id, NULL AS quarter, " + _BALANCES + " FROM ("
    "SELECT budget, unit, run_id, held, committed, overrun, 1 AS entries FROM ledger_entries UNION ALL"
    " SELECT budget, unit, run_id, -held, -committed, -overrun, 0 FROM reservations)"
    f" GROUP BY budget, unit, run_id {_DIFFER} UNION ALL"
    " SELECT budget, unit, NULL, quarter, " + _BALANCES + " FROM ("
    "SELECT e.budget, e.unit, a.quarter, e.held, e.committed, e.overrun, 1 AS entries"
    f" FROM ledger_entries e JOIN ({_ADMITTED}) a USING (budget, unit, run_id) UNION ALL"
    " SELECT budget, unit, at, -held, -committed, -overrun, 0 FROM budget_sums)"
    f" GROUP BY budget, unit, quarter {_DIFFER}"
)


def replay(connection: Connection) -> list[Difference]:
    """Where the balances are not what the entries add up to, and by how much the entries say more: nowhere."""
    return rows(connection, Difference, _REPLAYED)
