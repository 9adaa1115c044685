"""Do all views of one ledger agree, and are days those of the zone?"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import spend
from state.rollups import Sums
from state.spend import Span

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = int(datetime(2026, 10, 24, tzinfo=UTC).timestamp() * 1000)
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati"]

responses = st.lists(
    st.tuples(
        st.integers(START_MS, START_MS + 4 * DAY_MS),
        st.tuples(*[st.integers(0, 999)] * 4),
        st.integers(0, 2),
        st.sampled_from([None, "m1", "m2"]),
        st.sampled_from([None, 5]),
    ),
    max_size=40,
)


def short_spans(at_ms):
    """A response and a span of some seconds or minutes about it."""
    return st.tuples(st.integers(-90_000, 90_000), st.integers(0, 200_000)).map(
        lambda moved: Span(at_ms + moved[0], at_ms + moved[0] + moved[1])
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), near=st.lists(st.integers(0, 180_000), min_size=1, max_size=8))
def test_a_span_of_seconds_is_exact(house, data, near):
    fill(house, [(START_MS + at_ms, (1, 0, 0, 0), number % 3, None, 0) for number, at_ms in enumerate(near)])
    span = data.draw(short_spans(START_MS + near[0]))
    inside = sum(span.since_ms <= START_MS + at_ms < span.until_ms for at_ms in near)
    assert spend.totals(house.connection, span).responses == inside
    assert sum(group.sums.responses for group in spend.by(house.connection, "day", span)) == inside


instants = st.integers(START_MS - HOUR_MS, START_MS + 4 * DAY_MS + HOUR_MS)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(responses=responses, since=instants, until=instants, zone=st.sampled_from(ZONES))
def test_day_month_session_model_and_block_totals_agree_with_the_rows(house, responses, since, until, zone):
    fill(house, responses)
    for span in (Span(), Span(since, until)):
        whole = spend.totals(house.connection, span)
        inside = [one for one in responses if span.since_ms <= one[0] < span.until_ms]
        assert whole.responses == len(inside)
        assert whole.tokens == sum(sum(tokens) for _, tokens, *_ in inside)
        assert whole.cost_microusd == sum(cost or 0 for *_, cost in inside)
        assert whole.unpriced == sum(cost is None for *_, cost in inside)
        for by in spend.GROUPS:
            groups = spend.by(house.connection, by, span, ZoneInfo(zone))
            added = Sums(*map(sum, zip(*(group.sums for group in groups), strict=True))) if groups else Sums()
            assert added == whole, by
            assert len({group.label for group in groups}) == len(groups)
            assert all(group.sums.responses for group in groups)
    by_day = {group.label: group.sums.tokens for group in spend.by(house.connection, "day", zone=ZoneInfo(zone))}
    expected = {}
    for at_ms, tokens, *_ in responses:
        day = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d")
        expected[day] = expected.get(day, 0) + sum(tokens)
    assert by_day == expected


def fill(house, responses):
    with house.database.transaction() as tx:
        for table in ("usage", "usage_minutes", "usage_hours", "usage_days", "generations", "sessions"):
            tx.execute(f"DELETE FROM {table}")
    generations = [house.generation(f"p{number}") for number in range(3)]
    house.book(
        *(
            house.row(generations[place], str(number), tokens, at_ms=at_ms, model=model, cost_microusd=cost)
            for number, (at_ms, tokens, place, model, cost) in enumerate(responses)
        )
    )


def at(*when, zone="UTC", fold=0):
    return int(datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def one_each(house, *times):
    fill(house, [(time, (1, 0, 0, 0), 0, None, 0) for time in times])


def labels(house, by, zone="UTC"):
    return {group.label: group.sums.tokens for group in spend.by(house.connection, by, zone=ZoneInfo(zone))}


def test_days_are_those_of_the_zone_and_of_its_summer_time(house):
    one_each(
        house, at(2026, 10, 24, 21, 59), at(2026, 10, 24, 22, 0), at(2026, 10, 25, 22, 59), at(2026, 10, 25, 23, 0)
    )
    assert labels(house, "day", "Europe/Berlin") == {"2026-10-24": 1, "2026-10-25": 2, "2026-10-26": 1}
    assert labels(house, "day") == {"2026-10-24": 2, "2026-10-25": 2}
    assert labels(house, "month", "Pacific/Kiritimati") == {"2026-10": 4}


def test_an_hour_that_the_clock_shows_twice_is_two(house):
    one_each(house, at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30), at(2026, 10, 25, 2, 30))
    assert labels(house, "hour", "Europe/Berlin") == {
        "2026-10-25T02:00+02:00": 1,
        "2026-10-25T02:00+01:00": 1,
        "2026-10-25T03:00": 1,
    }


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_a_zone_that_is_off_by_parts_of_an_hour_has_exact_days(house, zone):
    midnight = at(2026, 10, 25, zone=zone)
    one_each(house, midnight - 1, midnight, midnight + 1)
    assert labels(house, "day", zone) == {"2026-10-24": 1, "2026-10-25": 2}
    assert labels(house, "hour", zone) == {"2026-10-24T23:00": 1, "2026-10-25T00:00": 2}


def test_a_block_lasts_five_hours_from_the_hour_of_its_first_response(house):
    one_each(house, at(2026, 10, 24, 9, 50), at(2026, 10, 24, 13, 59), at(2026, 10, 24, 14, 0), at(2026, 10, 25, 1, 1))
    assert labels(house, "block") == {
        "2026-10-24T09:00+00:00": 2,
        "2026-10-24T14:00+00:00": 1,
        "2026-10-25T01:00+00:00": 1,
    }


def test_silent_minutes_are_zero(house):
    house.book(house.row(house.generation(), tokens=(1, 1, 1, 1), at_ms=125_000))
    assert spend.per_minute(house.connection, 0, 180_000) == [0, 0, 4]


def test_models_without_a_price_are_named(house):
    generation = house.generation()
    for key, model, cost in (("a", "m1", None), ("b", "m1", 3), ("c", None, None), ("d", "m2", 0)):
        house.book(house.row(generation, key, model=model, cost_microusd=cost))
    assert spend.unpriced(house.connection) == {"m1": 1, "unknown": 1}


def test_what_runs_were_for_is_asked_of_runs(house):
    session = house.session(job="health")
    generation = house.next_generation(session)
    run = house.run(generation_id=generation, trigger="timer", task_type="cron", job="health")
    house.book(house.row(generation, "a", (1, 0, 0, 0), run_id=run), house.row(house.generation(), "b", (2, 0, 0, 0)))
    assert labels(house, "trigger") == {None: 2, "timer": 1}
    assert labels(house, "task_type") == {None: 2, "cron": 1}
    assert labels(house, "job") == {None: 2, "health": 1}
    assert labels(house, "agent") == {None: 2, "digest": 1}
    assert labels(house, "source") == {"codex": 2, "quarterdeck": 1}
