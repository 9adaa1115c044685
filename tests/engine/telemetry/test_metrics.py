"""Figures of pace, projection, caching, context and windows: by table where known, by property where not."""

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.contract.usage import RateLimit
from engine.telemetry.metrics import (
    BLOCK_MS,
    FADED_MIN,
    HOUR_MS,
    MINUTE_MS,
    Block,
    ContextWindow,
    Course,
    Hour,
    Projection,
    block_with,
    blocks,
    cache_hit_ratio,
    context_fill,
    context_window,
    course,
    ewma_per_minute,
    lasting_per_minute,
    project,
    runs_out_at,
    subscription_windows,
    trend,
)

TOKENS = st.integers(0, 10**9)
TIMES = st.integers(0, 30 * 24 * HOUR_MS)
COURSES = st.builds(
    lambda pace, mean, spread, wrong, part: Course(pace, mean, spread, spread * wrong, pace * part),
    *(st.floats(0, 10**7), st.floats(0, 10**7), st.floats(0, 10**9), st.floats(0, 1), st.floats(0, 1)),
)
BURN = st.lists(st.integers(0, 10**7), max_size=FADED_MIN)


def clock_hours(tokens, minutes):
    """One hour for each figure, the last of which has only gone on for so many minutes."""
    hours = [Hour(number, at * HOUR_MS) for at, number in enumerate(tokens)]
    return [*hours[:-1], Hour(tokens[-1], hours[-1].start_ms, minutes)]


def ends(hours):
    return hours[-1].start_ms + hours[-1].minutes * MINUTE_MS


@pytest.mark.parametrize(
    ("minutes", "half_life_min", "elapsed_share", "rate"),
    [
        ([], 5.0, 1.0, 0),
        ([0, 0, 0], 5.0, 0.5, 0),
        ([600], 5.0, 1.0, 600),
        ([600], 5.0, 0.1, 600),
        ([0, 900, 0], 1.0, 0.0, 600),
        ([900, 0, 0], 1.0, 0.0, 300),
        ([900, 0, 300], 1.0, 0.5, 375),
    ],
)
def test_the_pace_by_its_formula(minutes, half_life_min, elapsed_share, rate):
    assert ewma_per_minute(minutes, half_life_min, elapsed_share) == pytest.approx(rate)


@given(TOKENS, st.integers(1, 60), st.floats(0.5, 60), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_a_steady_pace_is_found_exactly(tokens, complete, half_life_min, share):
    minutes = [tokens * 4] * complete + [round(tokens * 4 * share)]
    assert ewma_per_minute(minutes, half_life_min, share) == pytest.approx(tokens * 4)


@given(st.lists(TOKENS, min_size=1, max_size=90), st.floats(0.5, 60))
def test_a_pace_lies_between_the_slowest_and_the_fastest_minute(minutes, half_life_min):
    rate = ewma_per_minute(minutes, half_life_min)
    assert min(minutes) * (1 - 1e-9) <= rate <= max(minutes) * (1 + 1e-9)


def test_what_is_recent_weighs_more_and_half_a_life_ago_half_as_much():
    ago = [ewma_per_minute([0] * (20 - age) + [100] + [0] * age + [0], elapsed_share=0.0) for age in range(20)]
    assert ago == sorted(ago, reverse=True)
    assert ago[5] == pytest.approx(ago[0] / 2)


@pytest.mark.parametrize(
    ("minutes", "elapsed_share", "rate"),
    [
        ([], 1.0, 0),
        ([0] * 20, 1.0, 0),
        ([0] * 19 + [60_000], 1.0, 0),
        ([60_000] + [0] * 5, 1.0, 0),
        ([100] * 20, 1.0, 100),
        ([100] * 19 + [40], 0.4, 100),
        ([9999] * 30 + [100] * 20, 1.0, 100),
        ([0] * 5 + [100] * 15, 1.0, 100 * 13 / 14.5),
        ([0] * 15 + [100] * 5, 1.0, 100 * 4 / 14.5),
        ([100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 900], 1.0, 100 / 14.5),
        ([100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 900], 1.0, 50 / 14.5),
    ],
)
def test_a_burn_that_lasts_is_known_after_a_quarter_of_an_hour_and_one_burst_is_none(minutes, elapsed_share, rate):
    assert lasting_per_minute(minutes, elapsed_share) == pytest.approx(rate)


@given(BURN, st.integers(0, FADED_MIN - 1), st.integers(0, 10**7), st.floats(0, 1))
def test_more_in_any_minute_never_gives_a_slower_burn(minutes, at, more, elapsed_share):
    minutes = [0] * (FADED_MIN - len(minutes)) + minutes
    hotter = [number + more if place == at else number for place, number in enumerate(minutes)]
    assert lasting_per_minute(hotter, elapsed_share) >= lasting_per_minute(minutes, elapsed_share) - 1e-6


@given(BURN, st.integers(0, 10**7))
def test_a_fresh_burn_never_slows_the_course_and_only_widens_the_band_downwards(minutes, pace):
    hours = [Hour(pace * 60, at * HOUR_MS) for at in range(24)]
    without, lasting = course(hours, ends(hours)), lasting_per_minute(minutes)
    found = course(hours, ends(hours), lasting)
    assert found.pace == max(without.pace, lasting)
    assert (found.mean, found.spread, found.error) == (without.mean, without.spread, without.error)
    calm, hot = (project(0, ends(hours), ends(hours) + HOUR_MS, going) for going in (without, found))
    assert calm.low - 1 <= hot.low <= calm.low + 1
    assert hot.likely >= calm.likely


@given(TOKENS, TOKENS, TIMES, TIMES, COURSES, st.floats(0, 10**7))
def test_a_limit_is_reached_never_before_now_and_sooner_the_faster_it_burns(spent, limit, now, end, going, more):
    slow, fast = (
        project(spent, now, end, replace(going, pace=pace), limit) for pace in (going.pace, going.pace + more)
    )
    if slow.runs_out_ms is not None:
        assert now <= fast.runs_out_ms <= slow.runs_out_ms + 1
        assert slow.runs_out_ms == now or slow.runs_out_ms <= end


def test_a_projection_by_hand():
    going = Course(pace=20.0, mean=10.0, spread=300.0)
    found = project(1000, HOUR_MS, 5 * HOUR_MS, going, limit=2500)
    assert found == Projection(3400, 4000, 4600, 2 * HOUR_MS + 30 * MINUTE_MS)
    assert project(1000, HOUR_MS, 5 * HOUR_MS, going, limit=1600).runs_out_ms == HOUR_MS + 30 * MINUTE_MS
    assert project(1000, HOUR_MS, 5 * HOUR_MS, going, limit=4000).runs_out_ms is None


@given(TOKENS, TIMES, TIMES, COURSES)
def test_a_projection_is_in_order_and_never_below_what_is_spent(spent, now, end, going):
    found = project(spent, now, end, going)
    assert spent <= found.low <= found.likely <= found.high


@given(TOKENS, TIMES, TIMES, st.integers(0, 24 * HOUR_MS), COURSES)
def test_more_time_left_never_lowers_a_projection(spent, now, end, more, going):
    less, longer = (project(spent, now, at, going) for at in (end, end + more))
    assert (less.low <= longer.low, less.likely <= longer.likely, less.high <= longer.high) == (True, True, True)


@given(TOKENS, TIMES, TIMES, st.floats(0, 10**7))
def test_without_spending_no_more_is_likely(spent, now, end, spread):
    found = project(spent, now, end, Course(0.0, 0.0, spread), limit=spent + 1)
    assert (found.low, found.likely, found.runs_out_ms) == (spent, spent, None)


@given(TOKENS, TIMES, TIMES, COURSES)
def test_a_window_that_is_over_holds_what_was_spent(spent, end, since, going):
    assert project(spent, end + since, end, going) == Projection(spent, spent, spent)


@given(st.integers(0, 10**6), st.integers(1, 200), st.integers(1, 60))
def test_steady_hours_are_found_exactly_however_few(tokens, number, minutes):
    """The hour that has only begun counts as the part that it is."""
    hours = clock_hours([60 * tokens] * number, minutes)
    hours[-1] = Hour(tokens * minutes, hours[-1].start_ms, minutes)
    found = course(hours, ends(hours))
    assert (found.pace, found.mean) == (pytest.approx(tokens), pytest.approx(tokens))


@example([7] * 6, 2)
@given(st.lists(st.sampled_from([0, 0, 7, 500, 90_000]), min_size=6, max_size=400), st.integers(1, 2))
def test_nothing_jumps_when_the_clock_hour_turns(tokens, minutes):
    """At :59 the hour is all but over; then it is a whole one, and the next has begun without usage."""
    before, after = clock_hours(tokens, 60 - minutes), clock_hours([*tokens, 0], minutes)
    old, new = course(before, ends(before)), course(after, ends(after))
    for name in ("pace", "mean"):
        assert getattr(new, name) == pytest.approx(getattr(old, name), rel=0.075)
    assert abs(new.spread - old.spread) <= 0.1 * (old.spread + 60 * old.mean) + 1e-9


@given(st.lists(TOKENS, min_size=6, max_size=200), st.integers(1, 60), TIMES)
def test_hours_that_differ_make_a_band(tokens, minutes, left):
    hours = clock_hours(tokens, minutes)
    assume(any(tokens) and len(set(tokens)) > 1)
    found = project(0, ends(hours), ends(hours) + left + MINUTE_MS, course(hours, ends(hours)))
    assert found.low < found.high


def test_idle_hours_widen_the_band_and_lower_the_mean():
    busy, idle = clock_hours([600] * 12, 60), clock_hours([600, 0] * 6, 60)
    busy, idle = (course(hours, ends(hours)) for hours in (busy, idle))
    assert (busy.spread, busy.mean) == (pytest.approx(0), pytest.approx(10))
    assert idle.spread == pytest.approx(300, rel=0.02)
    assert idle.mean == pytest.approx(5, rel=0.02)


def test_the_fewer_hours_are_known_the_wider_is_the_band():
    widths = []
    for number in (2, 12, 200):
        hours = clock_hours([600, 0] * number, 60)
        found = project(0, ends(hours), ends(hours) + 100 * HOUR_MS, course(hours, ends(hours)))
        widths.append(found.high - found.likely)
    assert widths[0] > 2 * widths[1] > 2 * widths[2] > 0


def test_what_is_an_hour_older_weighs_half_in_the_pace():
    paces = []
    for age in range(3):
        hours = clock_hours([0] * (20 - age) + [600] + [0] * age, 60)
        paces.append(course(hours, ends(hours)).pace)
    assert paces[0] == pytest.approx(2 * paces[1]) == pytest.approx(4 * paces[2])


@given(TOKENS, TOKENS, TIMES, TIMES, st.floats(0, 10**7))
def test_a_limit_is_reached_inside_of_the_window_or_not_at_all(limit, spent, now, end, rate):
    at = runs_out_at(limit, spent, now, end, rate)
    if spent >= limit:
        assert at == now
    elif at is not None:
        assert now < at <= end
        assert spent + rate * (at - now) / MINUTE_MS >= limit * (1 - 1e-9)
    else:
        assert spent + rate * max(0, end - now) / MINUTE_MS <= limit * (1 + 1e-9)


@pytest.mark.parametrize(
    ("prompt", "ratio"),
    [((0, 0, 0), None), ((100, 0, 0), 0), ((0, 100, 0), 1), ((10, 80, 10), 0.8), ((20, 0, 80), 0)],
)
def test_the_cache_hit_ratio_is_the_part_read_of_all_input(prompt, ratio):
    assert cache_hit_ratio(*prompt) == ratio


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        ([], "steady"),
        ([0.1, 0.5, 0.9], "steady"),
        ([0.1, 0.1, 0.9, 0.9], "rising"),
        ([0.9, 0.9, 0.1, 0.1], "falling"),
        ([0.5, 0.5, 0.54, 0.54], "steady"),
        ([0.5, 0.5, 0.56, 0.56], "rising"),
        ([0.0, 0.9, 0.9, 0.9, 0.9, 0.9], "steady"),
        ([None, 0.1, 0.1, None, 0.9, 0.9], "rising"),
        ([0.1, 0.1, None, 0.9], "steady"),
        ([0.5, 0.5, 0.0, 0.5, 0.5], "steady"),
    ],
)
def test_a_trend_compares_the_halves(ratios, words):
    assert trend(ratios) == words


@given(st.lists(st.floats(0, 1), max_size=40))
def test_a_trend_read_backwards_is_the_opposite(ratios):
    opposite = {"rising": "falling", "falling": "rising", "steady": "steady"}
    assert trend(ratios[::-1]) == opposite[trend(ratios)]


@pytest.mark.parametrize(
    ("tokens", "window", "fill"),
    [(None, 200_000, None), (50_000, None, None), (50_000, 0, None), (50_000, 200_000, 0.25), (0, 10, 0), (20, 10, 2)],
)
def test_how_full_a_context_is(tokens, window, fill):
    assert context_fill(tokens, window) == fill


@pytest.mark.parametrize(
    ("told", "window"),
    [
        ((1, 2, 3), ContextWindow(1, "log")),
        ((None, 2, 3), ContextWindow(2, "config")),
        ((0, None, 3), ContextWindow(3, "prices")),
        ((None, None, None), ContextWindow(None, "unknown")),
    ],
)
def test_who_says_how_large_a_window_is(told, window):
    assert context_window(*told) == window


def test_blocks_by_hand():
    ten = 10 * HOUR_MS
    times = [ten + 59 * MINUTE_MS, ten + 4 * HOUR_MS, ten + BLOCK_MS - 1, ten + BLOCK_MS, ten + 3 * BLOCK_MS + 1]
    assert [(block.start_ms, block.end_ms, block.responses) for block in blocks(times)] == [
        (ten, ten + BLOCK_MS, 3),
        (ten + BLOCK_MS, ten + 2 * BLOCK_MS, 1),
        (ten + 3 * BLOCK_MS, ten + 4 * BLOCK_MS, 1),
    ]


@given(st.lists(TIMES, max_size=60))
def test_every_response_is_in_exactly_one_block(times):
    found = blocks(times)
    assert sum(block.responses for block in found) == len(times)
    for block in found:
        inside = [at for at in times if block.start_ms <= at < block.end_ms]
        assert (len(inside), min(inside), max(inside)) == (block.responses, block.first_ms, block.last_ms)
        assert (block.end_ms - block.start_ms, block.start_ms % HOUR_MS) == (BLOCK_MS, 0)
        assert block.first_ms - block.start_ms < HOUR_MS
    for block, after in pairwise(found):
        assert block.end_ms <= after.start_ms


@given(st.lists(TIMES, min_size=2, max_size=60))
def test_a_gap_of_five_hours_always_starts_a_block(times):
    ordered = sorted(times)
    starts = [block.first_ms for block in blocks(times)]
    assert all(after in starts for at, after in pairwise(ordered) if after - at >= BLOCK_MS)


@given(st.lists(TIMES, min_size=1, max_size=60))
def test_one_by_one_gives_the_same_last_block(times):
    current = None
    for at in sorted(times):
        current = block_with(current, at)
    assert current == blocks(times)[-1]


@given(st.lists(st.integers(0, BLOCK_MS - 1), min_size=1, max_size=20))
def test_inside_of_a_block_the_order_does_not_matter(times):
    forth = back = Block(0, BLOCK_MS, HOUR_MS - 1, HOUR_MS - 1, 1)
    for at, other in zip(times, reversed(times), strict=True):
        forth, back = block_with(forth, at), block_with(back, other)
    assert forth == back


@given(TIMES, st.integers(1, HOUR_MS))
def test_what_is_older_than_a_block_is_no_next_response(at, earlier):
    current = block_with(None, at)
    with pytest.raises(ValueError, match="before its block"):
        block_with(current, current.start_ms - earlier)


def limit(**changed):
    fields = {"name": "primary", "at_ms": 1000, "used_percent": 34.0, "window_minutes": 300, "resets_at_ms": 9000}
    return RateLimit(**{**fields, "plan": "pro", **changed})


@pytest.mark.parametrize(
    ("logged", "now_ms", "expected"),
    [
        (limit(), 8999, ("current", 34.0, 9000, 1)),
        (limit(), 9000, ("reset", None, None, None)),
        (limit(resets_at_ms=None), 1000 + 300 * MINUTE_MS - 1, ("current", 34.0, None, None)),
        (limit(resets_at_ms=None), 1000 + 300 * MINUTE_MS, ("reset", None, None, None)),
        (limit(resets_at_ms=None, window_minutes=None), 10**15, ("undated", 34.0, None, None)),
    ],
)
def test_a_figure_holds_until_its_window_ends(logged, now_ms, expected):
    (window,) = subscription_windows([logged], now_ms)
    assert (window.state, window.used_percent, window.resets_at_ms, window.left_ms) == expected
    assert (window.name, window.window_minutes, window.logged_ms, window.plan) == (
        "primary",
        logged.window_minutes,
        1000,
        "pro",
    )


def test_the_latest_of_each_name_counts():
    early, late = limit(used_percent=90.0), limit(at_ms=2000, used_percent=5.0)
    week = limit(name="secondary", window_minutes=10_080)
    for order in ([early, late, week], [week, late, early]):
        found = subscription_windows(order, 3000)
        assert [(window.name, window.used_percent) for window in found] == [("primary", 5.0), ("secondary", 34.0)]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_window_is_current_exactly_until_it_resets(now_ms, resets_at_ms):
    assume(resets_at_ms > 0)
    (window,) = subscription_windows([limit(resets_at_ms=resets_at_ms)], now_ms)
    assert (window.state == "current") is (now_ms < resets_at_ms)
    assert (window.used_percent is None) is (now_ms >= resets_at_ms)
