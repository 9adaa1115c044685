"""Do the books hold whatever happens, and would anybody notice if they did not?

`QD_SOAK=1` makes it 2,000 examples of 50 steps.
"""

import inspect
import os
import sqlite3
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from state import approvals, counted, entries, ledger, rollups, run_totals
from tests.state.ledger_machine import Machine

CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SUITE = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=CALM)
SOAK = settings(max_examples=2000, stateful_step_count=50, deadline=None, suppress_health_check=CALM)
HUNT = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=CALM,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    print_blob=False,
    report_multiple_bugs=False,
)


@pytest.mark.timeout(7200 if "QD_SOAK" in os.environ else 120)
def test_the_books_hold_whatever_happens(house):
    Machine.house, Machine.begun = house, 0
    wanted = SOAK if "QD_SOAK" in os.environ else SUITE
    run_state_machine_as_test(Machine, settings=wanted)
    assert Machine.begun >= wanted.max_examples


FAULTS = {
    "overrun takes no room": (ledger, "self.taken + amount <= limit", "self.held + self.committed + amount <= limit"),
    "only the first budget is checked": (
        ledger,
        "in zip(binding, books(tx, binding, run_id), strict=True):",
        "in list(zip(binding, books(tx, binding, run_id), strict=True))[:1]:",
    ),
    "a budget that only warns refuses": (
        ledger,
        "binding = [line for line in known if line.enforced]",
        "binding = known",
    ),
    "what lacks room is held in the other budgets": (
        ledger,
        "for line in () if lacking else open_lines:",
        "for line in [one for one in open_lines if one not in lacking]:",
    ),
    "usage beyond the hold is counted twice": (ledger, "counted = min(amount, _beyond(part, used))", "counted = 0"),
    "usage beyond the hold takes no room": (
        ledger,
        "overrun=overrun + beyond + observed",
        "overrun=overrun + observed",
    ),
    "all that was used is committed": (
        ledger,
        "min(amount, _room(tx, part, line, _beyond(part, so_far)))",
        "amount",
    ),
    "no free room is taken": (
        ledger,
        "if amount > covered and line is not None:",
        "if amount < 0 and line is not None:",
    ),
    "a settled reservation is settled again": (
        ledger,
        '        if part.state != "open":\n            continue\n        amount',
        "        amount",
    ),
    "a grant for one run is one for all": (ledger, "AND unit = ? AND run_id = ?", "AND unit = ? AND run_id != -?"),
    "a grant never ends": (ledger, " AND window_start_ms >= ? AND window_start_ms < ?", " AND ?3 <= ?4"),
    "what is held stays held": (entries, "held=-part.held, committed=committed", "held=0, committed=committed"),
    "late usage is dropped": (entries, "if more > 0:", "if more > 10**9:"),
    "late usage is of the present window": (entries, "part.admitted_ms // QUARTER_MS", "at_ms // QUARTER_MS"),
    "a lower figure changes nothing": (entries, "elif more < 0:", "elif more < -(10**9):"),
    "a lower figure is taken from what was committed": (entries, "min(part.overrun, -more)", "0"),
    "an unknown price is zero": (entries, "max(booked, self.microusd) if self.unpriced else", "self.microusd or"),
    "sums go without overrun": (entries, "overrun = overrun + excluded.overrun", "overrun = overrun"),
    "a settled run's entries are made one": (
        entries,
        "\"UPDATE reservations SET state = 'settled' WHERE run_id = ? AND budget = ? AND unit = ?\",",
        "\"DELETE FROM ledger_entries WHERE kind = 'extended' AND (run_id, budget, unit) = (?, ?, ?)\",",
    ),
    "money is covered where tokens are": (counted, '("cm", "microusd")', '("cm", "tokens")'),
    "runs older than the budget go uncounted": (counted, "nullif(t.run_id, 0)", "t.run_id AND false OR t.run_id != 0"),
    "lanes are ignored": (counted, '" AND {_COLUMNS[name][1]} = ?"', '" AND {_COLUMNS[name][1]} IS NOT ?"'),
    "what is taken away stays in the totals": (rollups, "_move_run(tx, run_id, moved)", "_move_run(tx, run_id, sums)"),
    "a price that arrives is not booked": (
        run_totals,
        "used_microusd = used_microusd + ?",
        "used_microusd = used_microusd + 0 * ?",
    ),
    "the ledger learns nothing of late rows": (
        run_totals,
        "entries.correct(tx, run_id, of(tx, run_id), at_ms)",
        "pass",
    ),
    "a denied question grants": (approvals, 'if asked.state != "approved":', 'if asked.state == "open":'),
}


@contextmanager
def faulty(module, right, wrong):
    """The module with one change in its text, in its own place: whoever uses it uses that."""
    text = inspect.getsource(module)
    assert text.count(right) == 1, "the fault must apply"
    kept = dict(vars(module))
    exec(compile(text.replace(right, wrong), module.__file__, "exec"), vars(module))
    try:
        yield
    finally:
        vars(module).clear()
        vars(module).update(kept)


@pytest.mark.parametrize("name", FAULTS)
def test_every_seeded_fault_is_caught(house, name):
    Machine.house = house
    with faulty(*FAULTS[name]), pytest.raises((AssertionError, sqlite3.IntegrityError)):
        run_state_machine_as_test(Machine, settings=HUNT)
