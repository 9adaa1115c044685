"""What do the books say, case by case: never over the limit by reservations, and every token in exactly one place?"""

import pytest

from state import approvals, ledger, run_totals, run_usage, unpriced
from state.errors import OverBudget, Refused

ANY = ledger.Filter()
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TODAY = (20_000 * DAY_MS, 20_001 * DAY_MS)
TOMORROW = (TODAY[1], TODAY[1] + DAY_MS)
NOW_MS = TODAY[0] + 1000


def line(budget="b", unit="tokens", limit=100, window=TODAY, **facts):
    return ledger.Line(budget, unit, limit, *window, **facts)


BOTH = [line(), line(unit="microusd")]
EACH = line("each", limit=50, per_run=True)


def reserve(house, tokens, *lines, microusd=None, at_ms=NOW_MS, **columns):
    run = house.run(at_ms, **columns)
    wanted = {"tokens": tokens} | ({} if microusd is None else {"microusd": microusd})
    with house.database.transaction() as tx:
        ledger.reserve(tx, run, lines or [line()], wanted, at_ms)
    return run


def settle(house, run, tokens, *lines, microusd=0, unpriced=0, at_ms=NOW_MS):
    with house.database.transaction() as tx:
        ledger.settle(tx, run, ledger.Used(tokens, microusd, unpriced), lines, at_ms)


def extend(house, run, tokens, *lines):
    with house.database.transaction() as tx:
        return ledger.extend(tx, run, lines or [line()], {"tokens": tokens}, NOW_MS)


def ours(house, generation, run, tokens, at_ms=NOW_MS, key=None, cost=0, source="codex"):
    house.book(
        house.row(
            generation,
            key or f"run:{run}",
            (tokens, 0, 0, 0),
            source=source,
            run_id=run,
            at_ms=at_ms,
            model="m",
            cost_microusd=cost,
        )
    )


def book(house, asked=None, run=None):
    now = ledger.book(house.connection, asked or line(), run)
    assert now.taken == now.held + now.committed + now.overrun
    return now.held, now.committed, now.overrun


def kinds(house):
    return [kind for (kind,) in house.connection.execute("SELECT kind FROM ledger_entries ORDER BY id")]


@pytest.fixture
def generation(house):
    return house.next_generation(house.session())


@pytest.mark.parametrize(
    ("held", "used", "after"),
    [(40, 40, (0, 40, 0)), (40, 0, (0, 0, 0)), (40, 25, (0, 25, 0)), (40, 55, (0, 55, 0)), (40, 120, (0, 100, 20))],
)
def test_what_was_held_is_committed_first_then_free_room_and_the_rest_is_overrun(house, held, used, after):
    run = reserve(house, held)
    assert book(house) == (held, 0, 0)
    assert ledger.held_by(house.connection, run, "tokens") == held
    settle(house, run, used, line())
    assert book(house) == after
    settle(house, run, 1000, line())
    assert book(house) == after, "a reservation is closed once"
    assert kinds(house) == ["reserved", "settled"]
    assert ledger.held_by(house.connection, run, "tokens") is None
    assert book(house, line(window=TOMORROW)) == (0, 0, 0)
    assert book(house, line("other")) == (0, 0, 0)


def test_in_a_budget_that_is_declared_no_more_no_room_is_free(house):
    run = reserve(house, 40)
    settle(house, run, 55)
    assert book(house) == (0, 40, 15)


def test_what_does_not_fit_everywhere_is_held_nowhere(house):
    reserve(house, 40)
    lines = [line("roomy", limit=1000), line()]
    with pytest.raises(OverBudget) as refused:
        reserve(house, 61, *lines)
    assert (refused.value.budget, refused.value.unit) == ("b", "tokens")
    assert (refused.value.needed, refused.value.free) == (61, 60)
    assert "60 tokens free, 61 are needed" in refused.value.line
    assert book(house, lines[0]) == (0, 0, 0)
    assert reserve(house, 60, *lines)


def test_above_the_limit_not_even_nothing_is_held(house):
    house.book(house.row(house.generation(), tokens=(101, 0, 0, 0), at_ms=NOW_MS))
    with pytest.raises(OverBudget):
        reserve(house, 0)
    assert reserve(house, 0, line(enforced=False)), "one that only warns holds anything"


def test_an_amount_that_is_unknown_is_not_held_in_its_unit(house):
    run = reserve(house, 40, *BOTH)
    assert [book(house, one) for one in BOTH] == [(40, 0, 0), (0, 0, 0)]
    other = reserve(house, 40, *BOTH, microusd=70)
    assert [ledger.held_by(house.connection, one, "microusd") for one in (run, other)] == [None, 70]
    with pytest.raises(OverBudget) as refused:
        reserve(house, 1, *BOTH, microusd=31)
    assert refused.value.unit == "microusd"


def test_a_run_holds_once_in_a_budget(house):
    run = reserve(house, 1)
    with pytest.raises(Exception, match="UNIQUE"), house.database.transaction() as tx:
        ledger.reserve(tx, run, [line()], {"tokens": 1}, NOW_MS)


@pytest.mark.parametrize("window", [(TODAY[0] + 1, TODAY[1]), (TODAY[0], TODAY[1] - 60_000)])
def test_a_window_that_is_not_of_quarter_hours_is_a_mistake(window):
    with pytest.raises(ValueError, match="quarter hour"):
        line(window=window)
    assert line(window=window, per_run=True)


def test_an_instant_outside_of_the_window_is_a_mistake(house):
    with pytest.raises(ValueError, match="window"):
        reserve(house, 1, line(window=TOMORROW))
    with pytest.raises(ValueError, match="cannot be held"):
        reserve(house, -1)
    run = reserve(house, 1)
    with pytest.raises(ValueError, match="window"):
        extend(house, run, 1, line(window=TOMORROW))
    with pytest.raises(ValueError, match="window"):
        settle(house, run, 9, line(window=TOMORROW))


def test_more_is_held_in_all_budgets_or_in_none(house):
    lines = [line("roomy", limit=1000), line(), EACH]
    run = reserve(house, 40, *lines)
    assert extend(house, run, 11, *lines) == [EACH]
    assert [book(house, one, run) for one in lines] == [(40, 0, 0)] * 3
    assert extend(house, run, 10, *lines) == []
    assert [book(house, one, run) for one in lines] == [(50, 0, 0)] * 3
    assert extend(house, run, 10, line("younger")) == []
    assert book(house, line("younger")) == (0, 0, 0)
    settle(house, run, 50, *lines)
    assert extend(house, run, 10, *lines) == []
    assert book(house) == (0, 50, 0), "what is settled holds nothing any more"


def test_what_a_live_run_used_beyond_its_hold_takes_room_at_once(house, generation):
    run = reserve(house, 40)
    ours(house, generation, run, 55)
    assert book(house) == (40, 0, 15)
    with pytest.raises(OverBudget):
        reserve(house, 46)
    assert extend(house, run, 61) == [line()]
    assert extend(house, run, 60) == [], "what it has used already is not counted twice"
    assert book(house) == (100, 0, 0)


def test_a_run_is_counted_once_though_its_response_is_booked_too(house, generation):
    run = reserve(house, 40)
    ours(house, generation, run, 30)
    assert book(house) == (40, 0, 0), "while it is open the reservation stands for it"
    settle(house, run, 30, line())
    assert book(house) == (0, 30, 0)
    assert book(house, line("younger")) == (0, 0, 30)


def test_usage_belongs_to_the_window_of_admission(house, generation):
    run = reserve(house, 40, at_ms=TODAY[1] - 1)
    ours(house, generation, run, 55, at_ms=TOMORROW[0] + 100)
    settle(house, run, 55, at_ms=TOMORROW[0] + 200)
    assert book(house) == (0, 40, 15)
    ours(house, generation, run, 7, at_ms=TOMORROW[0] + HOUR_MS, key="late")
    assert book(house) == (0, 40, 22)
    assert kinds(house)[-1] == "late"
    assert book(house, line(window=TOMORROW)) == (0, 0, 0)


def test_a_figure_that_falls_is_corrected_by_an_entry_of_its_own(house, generation):
    run = reserve(house, 40)
    with house.database.transaction() as tx:
        told = house.row(generation, run_usage.provisional_key(run), (60, 0, 0, 0), run_id=run, at_ms=NOW_MS)
        run_usage.book_run(tx, told)
    settle(house, run, 60)
    assert book(house) == (0, 40, 20)
    ours(house, generation, run, 35, key="logged")
    with house.database.transaction() as tx:
        run_usage.drop_provisional(tx, run)
    assert book(house) == (0, 35, 0)
    assert kinds(house) == ["reserved", "settled", "late", "corrected"]
    assert ledger.replay(house.connection) == []


def test_a_report_that_is_repeated_with_more_moves_only_the_difference(house, generation):
    run = reserve(house, 40)
    house.book(house.row(generation, "k", (0, 0, 0, 30), run_id=run, at_ms=NOW_MS))
    settle(house, run, 30)
    for _ in range(5):
        house.book(house.row(generation, "k", (0, 0, 0, 33), run_id=run, at_ms=NOW_MS))
    assert book(house) == (0, 30, 3)
    assert kinds(house) == ["reserved", "settled", "late"]


def test_a_response_that_is_another_run_s_after_all_moves_between_both(house):
    younger = house.generation("child", started_ms=2000, forked_from="parent")
    elder = house.generation("parent", started_ms=1000)
    one, other = reserve(house, 40), reserve(house, 40)
    logs = [house.log(f"/l{number}") for number in range(2)]
    house.book(house.row(younger, "k", (20, 0, 0, 1), run_id=one, at_ms=NOW_MS, log_id=logs[0], offset=0))
    settle(house, one, 21)
    settle(house, other, 0)
    house.book(house.row(elder, "k", (20, 0, 0, 1), run_id=other, at_ms=NOW_MS, log_id=logs[1], offset=0))
    assert [run_totals.of(house.connection, run).tokens for run in (one, other)] == [0, 21]
    assert book(house) == (0, 0, 21)
    assert kinds(house)[-2:] == ["corrected", "late"]


def test_while_a_price_is_unknown_what_was_held_stays_committed(house, generation):
    run = reserve(house, 10, *BOTH, microusd=50)
    ours(house, generation, run, 10, cost=None)
    settle(house, run, 10, *BOTH, unpriced=1)
    assert book(house, BOTH[1]) == (0, 50, 0)
    assert ledger.book(house.connection, BOTH[1]).unpriced == 1
    ours(house, generation, run, 0, key="more", cost=30)
    assert book(house, BOTH[1]) == (0, 50, 0), "it may still be that"
    ours(house, generation, run, 0, key="dear", cost=31)
    assert book(house, BOTH[1]) == (0, 50, 11), "it is more than that"
    model = house.model("m")
    with house.database.transaction() as tx:
        unpriced.price(tx, model, None, [(one, 5) for one in unpriced.responses(tx, model, 0, 9)])
    assert book(house, BOTH[1]) == (0, 50, 16)
    assert run_totals.of(house.connection, run) == ledger.Used(10, 66, 0)
    assert ledger.book(house.connection, BOTH[1]).unpriced == 0


def test_a_limit_that_each_run_has_for_itself(house, generation):
    one, other = reserve(house, 40, EACH), reserve(house, 50, EACH)
    ours(house, generation, one, 45)
    assert book(house, EACH, one) == (40, 0, 5)
    assert book(house, EACH, other) == (50, 0, 0)
    assert book(house, EACH) == (0, 0, 0), "of a run to come"
    with pytest.raises(OverBudget):
        reserve(house, 51, EACH)
    settle(house, one, 45, EACH)
    assert book(house, EACH, one) == (0, 45, 0)
    older = house.run()
    ours(house, generation, older, 9)
    assert book(house, EACH, older) == (0, 0, 9)


def test_observed_usage_is_overrun(house):
    observed = house.generation()
    house.book(house.row(observed, "in", (1, 2, 3, 4), at_ms=TODAY[0], cost_microusd=7))
    house.book(house.row(observed, "unpriced", at_ms=TODAY[1] - 1, cost_microusd=None))
    house.book(house.row(observed, "out", (100, 0, 0, 0), at_ms=TODAY[1]))
    assert [book(house, one) for one in BOTH] == [(0, 0, 10), (0, 0, 7)]
    assert [ledger.book(house.connection, one).unpriced for one in BOTH] == [0, 1]
    assert book(house, line(window=TOMORROW)) == (0, 0, 100)
    assert ledger.book(house.connection, line()).observed == 10


def test_what_is_observed_is_told_apart_from_what_runs_used_beyond_their_hold(house, generation):
    run = reserve(house, 40)
    older = house.run()
    ours(house, generation, older, 9)
    house.book(house.row(house.generation(), "seen", (7, 0, 0, 0), at_ms=NOW_MS))
    for used, drawn, overrun in ((30, 30, 16), (25, 55, 31)):
        ours(house, generation, run, used, key=f"r{used}")
        now = ledger.book(house.connection, line())
        assert (now.held, now.drawn, now.overrun, now.observed) == (40, min(40, drawn), overrun, 16)
    settle(house, run, 55, line())
    now = ledger.book(house.connection, line())
    assert (now.held, now.drawn, now.committed, now.overrun, now.observed) == (0, 0, 55, 16, 16)


def test_a_budget_whose_window_was_edited_loses_no_run(house, generation):
    at_ms = TODAY[0] + 50 * 60_000
    done = reserve(house, 40, at_ms=at_ms)
    ours(house, generation, done, 55, at_ms=at_ms)
    settle(house, done, 55)
    reserve(house, 20, at_ms=at_ms)
    for edited in (TODAY, (TODAY[0] + 3 * 900_000, TODAY[0] + HOUR_MS), (0, 2 * TODAY[1])):
        assert book(house, line(window=edited)) == (20, 40, 15)
    assert book(house, line(window=(TODAY[0], TODAY[0] + 3 * 900_000))) == (0, 0, 0)


def test_several_books_are_those_asked_one_by_one(house, generation):
    run = reserve(house, 40, *BOTH, EACH, microusd=3)
    house.book(house.row(house.generation(), tokens=(5, 0, 0, 0), at_ms=NOW_MS, cost_microusd=9))
    lines = [*BOTH, EACH, line("other"), line(scope=ledger.Filter(lane="isolated"))]
    assert ledger.books(house.connection, lines, run) == [ledger.book(house.connection, one, run) for one in lines]


@pytest.mark.parametrize(
    ("of", "raised"),
    [
        (line(), True),
        (line(limit=7), True),
        (line("other"), False),
        (line(unit="microusd"), False),
        (line(window=TOMORROW), False),
        (line(window=(TODAY[0], TODAY[0] + 30 * DAY_MS)), True),
        (line(window=(TODAY[0] + HOUR_MS, TODAY[1])), False),
    ],
)
def test_a_grant_raises_one_limit_in_one_window(house, of, raised):
    run = house.run()
    with house.database.transaction() as tx:
        asked = approvals.ask(tx, run, "{}", 1, 10)
        approvals.decide(tx, asked, True, 2)
        approvals.grant(tx, asked, line(), None, 11, NOW_MS)
        with pytest.raises(Refused):
            approvals.grant(tx, asked, line(), None, 11, NOW_MS)
    now = ledger.book(house.connection, of)
    assert now.granted == (11 if raised else 0)
    assert now.free(of.limit) == of.limit + now.granted


def test_what_was_granted_may_be_held(house):
    run, waiting = reserve(house, 90), house.run()
    with house.database.transaction() as tx:
        asked = approvals.ask(tx, waiting, "{}", 1, 10)
        approvals.decide(tx, asked, True, 2)
        approvals.grant(tx, asked, line(), None, 20, NOW_MS)
        approvals.grant(tx, asked, EACH, waiting, 5, NOW_MS)
        ledger.reserve(tx, waiting, [line()], {"tokens": 30}, NOW_MS)
    assert ledger.book(house.connection, line()).free(100) == 0
    assert [ledger.book(house.connection, EACH, one).granted for one in (run, waiting)] == [0, 5]


def test_a_balance_that_is_not_what_its_entries_say_is_named(house):
    run = reserve(house, 40)
    with house.database.transaction() as tx:
        tx.execute("UPDATE reservations SET held = 39")
        tx.execute("UPDATE budget_sums SET committed = 5")
        tx.execute("INSERT INTO budget_sums VALUES ('ghost', 'tokens', 1, 0, 0, 0)")
    found = {(one.budget, one.run_id): (one.held, one.committed) for one in ledger.replay(house.connection)}
    assert found == {("b", run): (1, 0), ("b", None): (0, -5), ("ghost", None): (0, 0)}
