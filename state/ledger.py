"""How much of each budget is held, committed and overrun in each window, and what may still be held?

A run holds what it is expected to use in every budget that counts it, or in none. Its usage belongs to the window of
its admission. What it used beyond its hold, and what observed sessions used, is overrun: recorded, never hidden.
Nothing is released by age, and nothing is deleted: `state.entries` has every movement.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from state import entries, run_totals
from state.counted import Filter, Uncovered, busy_hours, uncovered
from state.database import Connection
from state.entries import Difference, Reservation, Unit, Used, correct, held_by, replay
from state.errors import OverBudget


class Line(Struct, frozen=True):
    """One budget in one unit, in one window: a limit that a run draws on."""

    budget: str
    unit: Unit
    limit: int
    window_start_ms: int
    window_end_ms: int
    """Not part of it. For a run that was admitted in another window than the present one: those of its admission."""
    per_run: bool = False
    """Whether each run has the limit for itself: then the window does not matter."""
    scope: Filter = Filter()
    """Whose usage it counts."""
    enforced: bool = True
    """False: it only warns, and holds anything."""

    def __post_init__(self) -> None:
        if not self.per_run and (self.window_start_ms % entries.QUARTER_MS or self.window_end_ms % entries.QUARTER_MS):
            raise ValueError(f"a window of budget {self.budget} does not begin and end on a quarter hour")

    def counts(self, at_ms: int) -> bool:
        """Whether what is admitted at this instant falls into its window."""
        return self.per_run or self.window_start_ms <= at_ms < self.window_end_ms


class Book(Struct, frozen=True):
    """The books of one line. Tokens or micro-dollars."""

    held: int = 0
    """Unspent part of open reservations."""
    committed: int = 0
    """Usage that was covered."""
    overrun: int = 0
    """Usage that nothing covered."""
    granted: int = 0
    """By so much the operator raised the limit here."""
    unpriced: int = 0
    """For money: responses whose price is not known, and that are in none of these sums."""
    observed: int = 0
    """Of the overrun: what no run of ours that holds anything here used, as observed sessions do."""
    drawn: int = 0
    """Of what is held: what live runs have used of it already."""

    @property
    def taken(self) -> int:
        return self.held + self.committed + self.overrun

    def free(self, limit: int) -> int:
        """What may still be held under a declared limit; never below zero."""
        return max(0, limit + self.granted - self.taken)

    def fits(self, limit: int, amount: int) -> bool:
        """Whether that much more may be held. Above the limit nothing may, not even nothing."""
        return self.taken + amount <= limit + self.granted


def book(connection: Connection, line: Line, run_id: int | None = None) -> Book:
    """The books of a line now. Of one that each run has for itself: those of `run_id`, all zero for a run to come."""
    return books(connection, [line], run_id)[0]


def books(connection: Connection, lines: Sequence[Line], run_id: int | None = None) -> list[Book]:
    """The books of several lines, in their order. The two units of a budget cost little more than one."""
    known: dict[tuple[str, Filter, int, int], Uncovered] = {}
    found: list[Book] = []
    for line in lines:
        if line.per_run:
            found.append(_book_of_run(connection, line, run_id))
            continue
        place = (line.budget, line.scope, line.window_start_ms, line.window_end_ms)
        if place not in known:
            known[place] = uncovered(connection, *place)
        found.append(_book_of_window(connection, line, known[place]))
    return found


def _book_of_window(connection: Connection, line: Line, beside: Uncovered) -> Book:
    span = (line.budget, line.unit, line.window_start_ms, line.window_end_ms)
    held, committed, overrun = connection.execute(
        "SELECT coalesce(sum(held), 0), coalesce(sum(committed), 0), coalesce(sum(overrun), 0) FROM budget_sums"
        f" WHERE budget = ? AND unit = ? AND at >= ? / {entries.QUARTER_MS} AND at < ? / {entries.QUARTER_MS}",
        span,
    ).fetchone()
    beyond, drawn = connection.execute(_LIVE[line.unit], span).fetchone()
    granted = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM grants WHERE budget = ? AND unit = ? AND run_id IS NULL"
        " AND window_start_ms >= ? AND window_start_ms < ?",
        span,
    ).fetchone()[0]
    money = line.unit == "microusd"
    observed = beside.microusd if money else beside.tokens
    return Book(
        held=held,
        committed=committed,
        overrun=overrun + beyond + observed,
        granted=granted,
        unpriced=beside.unpriced if money else 0,
        observed=observed,
        drawn=drawn,
    )


_LIVE = {
    unit: f"SELECT coalesce(sum(max(0, n.used_{unit} - r.held, n.told_{unit} - r.held)), 0),"
    f" coalesce(sum(min(r.held, max(n.used_{unit}, n.told_{unit}))), 0)"
    " FROM reservations r JOIN runs n ON n.id = r.run_id"
    " WHERE r.budget = ? AND r.unit = ? AND r.state = 'open' AND r.admitted_ms >= ? AND r.admitted_ms < ?"
    for unit in ("tokens", "microusd")
}
"""What live runs have used beyond what they hold, which takes room before they are settled, and of what they hold."""


def _book_of_run(connection: Connection, line: Line, run_id: int | None) -> Book:
    if run_id is None:
        return Book()
    used = run_totals.so_far(connection, run_id)
    part = _reservations(connection, run_id).get((line.budget, line.unit))
    granted = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM grants WHERE budget = ? AND unit = ? AND run_id = ?",
        (line.budget, line.unit, run_id),
    ).fetchone()[0]
    held, committed, overrun = (part.held, part.committed, part.overrun) if part else (0, 0, 0)
    if part is None or part.state == "open":
        overrun = max(0, used.amount(line.unit) - held)
    return Book(held, committed, overrun, granted, used.unpriced if line.unit == "microusd" else 0)


def _reservations(connection: Connection, run_id: int) -> dict[tuple[str, Unit], Reservation]:
    return {(part.budget, part.unit): part for part in entries.of_run(connection, run_id)}


def reserve(tx: Connection, run_id: int, lines: Sequence[Line], amounts: Mapping[Unit, int], at_ms: int) -> None:
    """Hold what a run is expected to use in all lines. An amount that is not known is not held in its unit.

    Raises OverBudget before anything is written when one that is enforced has no room: committed, overrun and what
    others hold included.
    """
    known = [line for line in lines if line.unit in amounts]
    for line in known:
        _check(line, at_ms, amounts[line.unit])
    binding = [line for line in known if line.enforced]
    for line, now in zip(binding, books(tx, binding, run_id), strict=True):
        if not now.fits(line.limit, amounts[line.unit]):
            raise OverBudget(line.budget, line.unit, amounts[line.unit], now.free(line.limit))
    for line in known:
        entries.open_one(tx, run_id, line.budget, line.unit, line.limit, amounts[line.unit], at_ms)


def _check(line: Line, admitted_ms: int, amount: int) -> None:
    if amount < 0:
        raise ValueError(f"{amount} {line.unit} cannot be held")
    if not line.counts(admitted_ms):
        raise ValueError(f"this window of budget {line.budget} is not that of the run's admission")


def extend(tx: Connection, run_id: int, lines: Sequence[Line], extra: Mapping[Unit, int], at_ms: int) -> list[Line]:
    """Hold more for a live run in all lines or in none. Returns those that have no room: none of them means done.

    `lines` are those of the run's admission. Where it holds nothing, as in a budget that is younger than the run, or
    after its end, there is nothing to extend.
    """
    parts = _reservations(tx, run_id)
    open_lines = [line for line in lines if extra.get(line.unit) and _is_open(parts.get((line.budget, line.unit)))]
    used = run_totals.so_far(tx, run_id)
    lacking: list[Line] = []
    for line, now in zip(open_lines, books(tx, open_lines, run_id), strict=True):
        part, amount = parts[line.budget, line.unit], extra[line.unit]
        _check(line, part.admitted_ms, amount)
        counted = min(amount, _beyond(part, used))
        if line.enforced and not now.fits(line.limit, amount - counted):
            lacking.append(line)
    for line in () if lacking else open_lines:
        entries.move(tx, parts[line.budget, line.unit], "extended", at_ms, held=extra[line.unit])
    return lacking


def _is_open(part: Reservation | None) -> bool:
    return part is not None and part.state == "open"


def _beyond(part: Reservation, used: Used) -> int:
    """What a live run has used beyond its hold, which its book counts as overrun already."""
    return max(0, used.amount(part.unit) - part.held)


def settle(tx: Connection, run_id: int, used: Used, lines: Sequence[Line], at_ms: int) -> None:
    """Close a run's reservations: what it held is committed first, then free room is taken, and the rest is overrun.

    `lines` are those of the run's admission; in a budget that is not among them, because it is not declared any more,
    no room is free. Where a price is unknown, all that was held in money is committed, until it is known. A reservation
    is closed once: settling again moves nothing, since from then on `correct` does.
    """
    limits = {(line.budget, line.unit): line for line in lines}
    so_far = run_totals.so_far(tx, run_id)
    for part in entries.of_run(tx, run_id):
        if part.state != "open":
            continue
        amount = used.amount(part.unit, part.held)
        covered = min(amount, part.held)
        line = limits.get((part.budget, part.unit))
        if amount > covered and line is not None:
            covered = max(covered, min(amount, _room(tx, part, line, _beyond(part, so_far))))
        entries.close(tx, part, at_ms, committed=covered, overrun=amount - covered)


def _room(tx: Connection, part: Reservation, line: Line, beyond: int) -> int:
    """What this run may have of a line: all that the others leave."""
    _check(line, part.admitted_ms, 0)
    now = book(tx, line, part.run_id)
    return line.limit + now.granted - (now.taken - part.held - beyond)


__all__ = [
    "Book",
    "Difference",
    "Filter",
    "Line",
    "Unit",
    "Used",
    "book",
    "books",
    "busy_hours",
    "correct",
    "extend",
    "held_by",
    "replay",
    "reserve",
    "settle",
]
