"""Do the breakdowns of a live screen say the same as every other view of the ledger?"""

import pytest

from state import breakdown, spend
from state.rollups import Sums
from state.spend import Span

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NOW_MS = 500_000 * HOUR_MS + 25 * MINUTE_MS


@pytest.fixture
def spent(house):
    """Two lanes, two sources, three models, over a day and a half."""
    session = house.session(agent="coder", lane="main")
    ours, theirs = house.next_generation(session), house.generation("p1")
    run = house.run(generation_id=ours, lane="isolated", agent="digest")
    back = [0, 30_000, 59 * MINUTE_MS, 61 * MINUTE_MS, 20 * HOUR_MS, 30 * HOUR_MS]
    for number, ago_ms in enumerate(back):
        at_ms = NOW_MS - ago_ms
        tokens, model = (1, 10, 100, 1000 * (number + 1)), f"m{number % 2}"
        house.book(house.row(ours, f"a{number}", tokens, at_ms=at_ms, model=model, source="quarterdeck"))
        house.book(house.row(ours, f"b{number}", tokens, at_ms=at_ms, run_id=run, source="quarterdeck"))
        house.book(house.row(theirs, f"c{number}", tokens, at_ms=at_ms, model="m2", cost_microusd=None))
    return house


@pytest.mark.parametrize("span", [Span(), Span(NOW_MS - HOUR_MS, NOW_MS + 1), Span(NOW_MS - 31 * HOUR_MS, NOW_MS)])
def test_a_mix_adds_up_to_what_each_of_its_parts_is_said_to_be(spent, span):
    found = breakdown.sums(spent.connection, span)
    for place, name in enumerate(breakdown.BY):
        by_label: dict[str | None, list[Sums]] = {}
        for mix, sums in found.items():
            by_label.setdefault(mix[place], []).append(sums)
        added = {label: Sums(*map(sum, zip(*parts, strict=True))) for label, parts in by_label.items()}
        assert added == {group.label: group.sums for group in spend.by(spent.connection, name, span)}, name


def test_minutes_by_mix_add_up_to_the_minutes_of_all(spent):
    end_ms = NOW_MS + MINUTE_MS
    rows = breakdown.per_minute(spent.connection, end_ms - HOUR_MS, end_ms)
    assert {mix.lane for mix in rows} == {"main", "isolated"}
    assert [sum(minute) for minute in zip(*rows.values(), strict=True)] == spend.per_minute(
        spent.connection, end_ms - HOUR_MS, end_ms
    )


def test_hours_are_whole_and_silent_ones_are_zero(spent):
    first_ms = NOW_MS // HOUR_MS * HOUR_MS - 23 * HOUR_MS
    hours = breakdown.per_hour(spent.connection, first_ms, NOW_MS + 1)
    for number, tokens in enumerate(hours):
        start_ms = first_ms + number * HOUR_MS
        assert tokens == spend.totals(spent.connection, Span(start_ms, start_ms + HOUR_MS)).tokens
    assert len(hours) == 24
    assert 0 in hours


def test_lanes_come_with_the_largest_first(spent):
    lanes = breakdown.by_lane(spent.connection, NOW_MS - HOUR_MS)
    assert lanes == sorted(lanes, key=lambda lane: -lane[1])
    grouped = spend.by(spent.connection, "lane", Span((NOW_MS - HOUR_MS) // MINUTE_MS * MINUTE_MS))
    assert dict(lanes) == {group.label: group.sums.tokens for group in grouped}
