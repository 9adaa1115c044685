"""Is it said when a budget nears its limit, whoever spent it, and not said any more when that is over?"""

from engine.runtime import budget_watch
from engine.runtime.budget_lines import budget_lines
from engine.runtime.budget_watch import BudgetWatch
from state import events, ledger, runs, sessions, usage
from tests.tui.conftest import RUN

DAY = '[budget.day]\nwindow = "day"\ntokens = 1000\nwarn_at = 0.5\naction = "warn"\n'


def notices(house):
    return [one.text for one in events.notices(house.connection) if one.key.startswith("budget ")]


def observe(house, tokens, key="k", cost_microusd=None):
    """A session that is not ours uses so much."""
    with house.database.transaction() as tx:
        generation_id = sessions.observe(
            tx,
            source="claude_code",
            provider_home="/h",
            provider_id="p",
            started_ms=None,
            last_active_ms=house.clock.now_ms(),
            workspace="/elsewhere",
            title=None,
            model=None,
        )
        row = usage.UsageRow(
            source_id=usage.SOURCE_IDS["claude_code"],
            key=key,
            generation_id=generation_id,
            run_id=None,
            at_ms=house.clock.now_ms(),
            model_id=None,
            input_tokens=tokens,
            cache_read_tokens=0,
            cache_write_tokens=0,
            cache_write_5m_tokens=None,
            cache_write_1h_tokens=None,
            output_tokens=0,
            reasoning_tokens=None,
            basis=0,
            confidence=0,
            cost_microusd=cost_microusd,
        )
        usage.book(tx, [row], usage.Memory())


def test_observed_usage_warns_once_and_until_the_window_is_over(house):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    watch.look()
    assert notices(house) == []
    observe(house, 499)
    watch.look()
    assert notices(house) == []
    observe(house, 1, "one more")
    watch.look()
    watch.look()
    assert notices(house) == ["budget day: spent 500 of 1,000 today (50%)"]
    assert [one.kind for one in events.latest(house.connection, 9)] == ["budget"]
    house.clock.at_ms += 86_400_000
    watch.look()
    assert notices(house) == []


def test_raising_the_limit_takes_the_notice_away(house):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 900)
    watch.look()
    assert notices(house) == ["budget day: spent 900 of 1,000 today (90%)"]
    house.configure(DAY.replace("1000", "9000"))
    watch.look()
    assert notices(house) == []


def hold(house, tokens):
    """A run that is admitted now and holds so much; returns its id and the line."""
    now_ms = house.clock.now_ms()
    with house.database.transaction() as tx:
        run_id = runs.add(tx, RUN | {"requested_ms": now_ms, "admitted_ms": now_ms, "state": "running"})
        (line,) = budget_lines(tx, "day", house.settings.config.budget["day"], house.settings.config, now_ms)
        ledger.reserve(tx, run_id, [line], {"tokens": tokens}, now_ms)
    return run_id, line


def test_what_is_held_warns_of_nothing_and_is_told_apart_where_it_fills_a_budget(house):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 100)
    hold(house, 850)
    watch.look()
    assert notices(house) == []
    run_id, line = hold(house, 50)
    watch.look()
    assert notices(house) == ["budget day is full: spent 100, held 900 of 1,000 today (10%)"]
    with house.database.transaction() as tx:
        ledger.settle(tx, run_id, ledger.Used(10, 0, 0), [line], house.clock.now_ms())
    watch.look()
    assert notices(house) == [], "withdrawn as soon as it has settled"


def test_it_is_told_once_for_each_level_though_it_comes_and_goes(house):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 500)
    for _ in range(3):
        run_id, line = hold(house, 500)
        watch.look()
        with house.database.transaction() as tx:
            ledger.settle(tx, run_id, ledger.Used(0, 0, 0), [line], house.clock.now_ms())
        watch.look()
    observe(house, 501, "more")
    watch.look()
    said = [one.text for one in reversed(events.latest(house.connection, 9)) if one.kind == "budget"]
    assert said == [
        "budget day is full: spent 500, held 500 of 1,000 today (50%)",
        "budget day is over: spent 1,001 of 1,000 today (100%)",
    ]


def test_an_engine_that_comes_after_does_not_tell_again(house):
    house.configure(DAY)
    for key in ("before", "after"):
        observe(house, 600, key)
        BudgetWatch(house.database, house.settings, house.clock).look()
        house.configure(DAY.replace("1000", "9000").replace("0.5", "0.05"))
    assert notices(house) == ["budget day: spent 1,200 of 9,000 today (13%)"]
    assert [one.kind for one in events.latest(house.connection, 9)] == ["budget"]


def test_a_budget_with_two_limits_has_one_line_of_the_worse_one(house):
    house.configure(DAY + "usd = 0.001\n")
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 900)
    watch.look()
    assert notices(house) == ["budget day: spent 900 of 1,000 today (90%)"]
    observe(house, 1, "dear", cost_microusd=950)
    watch.look()
    assert notices(house) == ["budget day: spent $0.000950 of $0.001000 today (95%)"]
    observe(house, 60, "more", cost_microusd=1)
    watch.look()
    assert notices(house) == ["budget day: spent 961 of 1,000 today (96%)"]
    assert len([one for one in events.latest(house.connection, 9) if one.kind == "budget"]) == 1


def test_nothing_is_computed_while_nobody_writes_and_no_window_turns(house, monkeypatch):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 600)
    watch.look()
    looked = []
    levels = budget_watch.budget_levels
    monkeypatch.setattr(budget_watch, "budget_levels", lambda *given: looked.append(1) or levels(*given))
    watch.look()
    assert looked == []
    house.clock.at_ms += 86_400_000
    watch.look()
    assert looked == [1]
