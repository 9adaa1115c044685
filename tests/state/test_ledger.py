"""Do the books hold: never over the limit by reservations, and every token in exactly one place?"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from state import ledger

ANY = ledger.Filter()
DAY = (1000, 2000)
NEXT = (2000, 3000)


def reserve(house, tokens, budget="b", window=DAY, at_ms=1000, **columns):
    run = house.run(at_ms, **columns)
    with house.database.transaction() as tx:
        ledger.reserve(tx, run, budget, *window, 100, tokens)
    return run


def settle(house, run, used):
    with house.database.transaction() as tx:
        ledger.settle(tx, run, used)


def ours(house, generation, run, tokens, at_ms=1500, key=None):
    house.book(
        house.row(generation, key or f"run:{run}", (tokens, 0, 0, 0), source="quarterdeck", run_id=run, at_ms=at_ms)
    )


def book(house, window=DAY, budget="b", scope=ANY):
    found = ledger.book(house.connection, budget, *window, scope)
    assert found.taken == found.held + found.committed + found.overrun
    return (found.held, found.committed, found.overrun)


@pytest.mark.parametrize(
    ("held", "used", "after"), [(40, 40, (0, 40, 0)), (40, 0, (0, 0, 0)), (40, 25, (0, 25, 0)), (40, 55, (0, 40, 15))]
)
def test_reserve_and_settle(house, held, used, after):
    run = reserve(house, held)
    assert book(house) == (held, 0, 0)
    assert ledger.held_by(house.connection, run) == held
    settle(house, run, used)
    assert book(house) == after
    settle(house, run, 1000)
    assert book(house) == after, "a reservation is closed once"
    assert ledger.held_by(house.connection, run) == 0
    assert book(house, NEXT) == (0, 0, 0)
    assert book(house, budget="other") == (0, 0, 0)


def test_a_run_is_counted_once_though_its_response_is_booked_too(house):
    generation = house.next_generation(house.session())
    run = reserve(house, 40)
    ours(house, generation, run, 55)
    assert book(house) == (40, 0, 0), "while it is open the reservation stands for it"
    settle(house, run, 55)
    assert book(house) == (0, 40, 15)
    assert book(house, budget="none-reserved") == (0, 0, 55)


def test_usage_belongs_to_the_window_of_admission(house):
    generation = house.next_generation(house.session())
    run = reserve(house, 40, at_ms=1999)
    ours(house, generation, run, 55, at_ms=2100)
    settle(house, run, 55)
    assert book(house) == (0, 40, 15)
    assert book(house, NEXT) == (0, 0, 0)


def test_late_usage_is_overrun_of_the_window_of_admission(house):
    generation = house.next_generation(house.session())
    run = reserve(house, 40)
    ours(house, generation, run, 30)
    settle(house, run, 30)
    ours(house, generation, run, 7, at_ms=2500, key="late")
    assert book(house) == (0, 30, 7)
    assert book(house, NEXT) == (0, 0, 0)


def test_observed_usage_is_overrun(house):
    generation = house.generation()
    house.book(house.row(generation, "in", (1, 2, 3, 4), at_ms=1000))
    house.book(house.row(generation, "out", (100, 0, 0, 0), at_ms=2000))
    assert book(house) == (0, 0, 10)
    assert book(house, NEXT) == (0, 0, 100)


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
        (ledger.Filter(lane="main", agent="digest"), 1000),
        (ledger.Filter(lane="main", job="j"), 0),
    ],
)
def test_whose_usage_a_budget_counts(house, scope, tokens):
    places = [
        (1000, house.next_generation(house.session("digest"))),
        (100, house.next_generation(house.session("digest", "isolated", "j"))),
        (10, house.next_generation(house.session("coder"))),
    ]
    for number, (amount, generation) in enumerate(places):
        ours(house, generation, house.run(), amount, key=str(number))
    house.book(house.row(house.generation(), tokens=(1, 0, 0, 0), at_ms=1000))
    assert book(house, scope=scope) == (0, 0, tokens)


@pytest.mark.parametrize("edited", [(0, 7000), (1400, 1600)])
def test_a_budget_whose_window_was_edited_loses_no_run(house, edited):
    """Another window, or another zone, starts elsewhere than the one noted with the reservation."""
    generation = house.next_generation(house.session())
    done = reserve(house, 40, at_ms=1500)
    ours(house, generation, done, 55)
    settle(house, done, 55)
    reserve(house, 20, at_ms=1500)
    assert book(house, edited) == book(house) == (20, 40, 15)


class Books(RuleBasedStateMachine):
    """Runs that reserve only what is free, use anything, and settle; observed sessions beside them."""

    house = None
    LIMIT = 100

    def __init__(self):
        super().__init__()
        with self.house.database.transaction() as tx:
            for table in ("usage", "reservations", "receipts", "runs", "generations", "sessions"):
                tx.execute(f"DELETE FROM {table}")
        self.generation = self.house.next_generation(self.house.session())
        self.observed = self.house.generation()
        self.open, self.keys = {}, 0
        self.held = self.committed = self.overrun = self.used = 0

    @rule(tokens=st.integers(0, 60))
    def ask(self, tokens):
        free = self.LIMIT - ledger.book(self.house.connection, "b", *DAY, ANY).taken
        if tokens <= free:
            self.open[reserve(self.house, tokens)] = tokens
            self.held += tokens

    @rule(data=st.data(), used=st.integers(0, 90))
    def end(self, data, used):
        if self.open:
            run = data.draw(st.sampled_from(sorted(self.open)))
            held = self.open.pop(run)
            ours(self.house, self.generation, run, used)
            settle(self.house, run, used)
            self.used += used
            self.held -= held
            self.committed += min(held, used)
            self.overrun += max(0, used - held)

    @rule(used=st.integers(0, 30))
    def observe(self, used):
        self.keys += 1
        self.house.book(self.house.row(self.observed, f"o{self.keys}", (used, 0, 0, 0)))
        self.used += used
        self.overrun += used

    @invariant()
    def the_books_are_those_of_the_model(self):
        assert book(self.house) == (self.held, self.committed, self.overrun)
        assert self.held + self.committed <= self.LIMIT
        assert self.committed + self.overrun == self.used


def test_reservations_never_exceed_the_limit(house):
    Books.house = house
    quick = settings(
        max_examples=40,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Books, settings=quick)
