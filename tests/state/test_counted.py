"""Whose usage does a budget count, and when was it busy?"""

import pytest

from state import counted, ledger

ANY = ledger.Filter()
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TODAY = (20_000 * DAY_MS, 20_001 * DAY_MS)
NOW_MS = TODAY[0] + 1000


def book(house, scope):
    now = ledger.book(house.connection, ledger.Line("b", "tokens", 100, *TODAY, scope=scope))
    return now.held, now.committed, now.overrun


@pytest.mark.parametrize(
    ("scope", "tokens"),
    [
        (ANY, 1111),
        (ledger.Filter(lane="main"), 1011),
        (ledger.Filter(lane="isolated"), 100),
        (ledger.Filter(agent="digest"), 1100),
        (ledger.Filter(agent="coder"), 10),
        (ledger.Filter(job="j"), 100),
        (ledger.Filter(source="codex"), 1),
        (ledger.Filter(source="quarterdeck"), 1110),
        (ledger.Filter(task_type="cron"), 100),
        (ledger.Filter(task_type="chat"), 1010),
        (ledger.Filter(model="big"), 101),
        (ledger.Filter(model="big", source="codex"), 1),
        (ledger.Filter(model="big", agent="digest"), 100),
        (ledger.Filter(lane="main", agent="digest"), 1000),
        (ledger.Filter(lane="main", job="j"), 0),
    ],
)
def test_whose_usage_a_budget_counts(house, scope, tokens):
    runs = [
        (1000, "small", {}),
        (100, "big", {"lane": "isolated", "job": "j", "task_type": "cron"}),
        (10, "small", {"agent": "coder"}),
    ]
    for number, (amount, model, facts) in enumerate(runs):
        generation = house.next_generation(house.session())
        run = house.run(generation_id=generation, **facts)
        house.book(house.row(generation, f"{number}", (amount, 0, 0, 0), run_id=run, at_ms=NOW_MS, model=model))
    house.book(house.row(house.generation(), tokens=(1, 0, 0, 0), at_ms=NOW_MS, model="big"))
    assert book(house, scope) == (0, 0, tokens)


def test_the_hours_in_which_a_budget_was_busy(house):
    hour = TODAY[0] // HOUR_MS * HOUR_MS
    observed = house.generation()
    for number, hours in enumerate((-30, -3, 0, 4)):
        house.book(house.row(observed, f"{number}", (1, 0, 0, 0), at_ms=hour + hours * HOUR_MS + 5))
    at_ms, run = hour + 2 * HOUR_MS + 7, house.run()
    with house.database.transaction() as tx:
        ledger.reserve(tx, run, [ledger.Line("b", "tokens", 100, *TODAY)], {"tokens": 1}, at_ms)
    expected = [hour + hours * HOUR_MS for hours in (-30, -3, 0, 2, 4)]
    assert ledger.busy_hours(house.connection, "b", ANY, hour) == expected
    assert ledger.busy_hours(house.connection, "b", ledger.Filter(agent="x"), hour) == [hour + 2 * HOUR_MS]
    assert ledger.busy_hours(house.connection, "other", ledger.Filter(source="claude_code"), hour) == []


def test_what_was_used_in_each_of_the_last_minutes(house):
    seen, ours = house.generation(), house.next_generation(house.session())
    for number, (generation, minutes) in enumerate(((seen, 3), (seen, 1), (ours, 1), (seen, 0))):
        at_ms = NOW_MS - minutes * 60_000
        house.book(house.row(generation, f"{number}", (10**number, 0, 0, 0), at_ms=at_ms, cost_microusd=7))
    house.book(house.row(seen, "later", (9, 0, 0, 0), at_ms=NOW_MS + 60_000))

    def spent(scope, unit, minutes):
        return counted.spent_by_minute(house.connection, scope, unit, NOW_MS, minutes)

    assert spent(ANY, "tokens", 3) == [0, 110, 1000]
    assert spent(ANY, "microusd", 4) == [7, 0, 14, 7]
    assert spent(ledger.Filter(agent="nobody"), "tokens", 2) == [0, 0]


@pytest.mark.parametrize("pause_hours", [5, 100, None])
def test_how_far_one_looks_back_does_not_move_the_block_one_is_in(house, pause_hours):
    """Busy every third hour for three weeks, but for one pause."""
    last = TODAY[0] // HOUR_MS
    hours = [last - back for back in range(0, 500, 3) if pause_hours is None or not 200 <= back < 200 + pause_hours + 3]
    observed = house.generation()
    house.book(*(house.row(observed, f"{hour}", (1, 0, 0, 0), at_ms=hour * HOUR_MS) for hour in hours))
    starts = set()
    for since in range(last - 120, last):
        start = None
        for busy in ledger.busy_hours(house.connection, "b", ANY, since * HOUR_MS):
            start = busy if start is None or busy >= start + 5 * HOUR_MS else start
        starts.add(start)
    assert len(starts) == 1
