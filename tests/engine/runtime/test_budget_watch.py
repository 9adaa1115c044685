"""Is it said when a budget nears its limit, whoever spent it, and not said any more when that is over?"""

import asyncio

from engine.runtime.budget_watch import BudgetWatch
from state import events, sessions, usage

DAY = '[budget.day]\nwindow = "day"\ntokens = 1000\nwarn_at = 0.5\naction = "warn"\n'


def notices(house):
    return [one.text for one in events.notices(house.connection) if one.key.startswith("budget ")]


def observe(house, tokens, key="k"):
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
    assert notices(house) == ["budget day: 500 of 1,000 taken today (50%)"]
    assert [one.kind for one in events.latest(house.connection, 9)] == ["budget"]
    house.clock.at_ms += 86_400_000
    watch.look()
    assert notices(house) == []


def test_raising_the_limit_takes_the_notice_away(house):
    house.configure(DAY)
    watch = BudgetWatch(house.database, house.settings, house.clock)
    observe(house, 900)
    watch.look()
    assert notices(house) == ["budget day: 900 of 1,000 taken today (90%)"]
    house.configure(DAY.replace("1000", "9000"))
    watch.look()
    assert notices(house) == []


def test_a_run_that_is_reserved_warns_too(house):
    async def go():
        house.configure(DAY.replace("1000", "500"))
        await house.ask()
        BudgetWatch(house.database, house.settings, house.clock).look()
        assert len(notices(house)) == 1

    asyncio.run(go())
