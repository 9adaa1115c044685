"""In which window of a budget does an instant lie? Calendar windows of the zone, without a hole or an overlap."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.admission.windows import window_of

HOUR_MS = 3_600_000


def ms(text):
    return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


def said(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("kind", "zone", "now", "start", "end"),
    [
        ("hour", "UTC", "2026-11-21T07:59", "2026-11-21T07:00", "2026-11-21T08:00"),
        ("hour", "Asia/Kolkata", "2026-11-21T07:59", "2026-11-21T07:30", "2026-11-21T08:30"),
        ("hour", "Asia/Kathmandu", "2026-11-21T07:59", "2026-11-21T07:15", "2026-11-21T08:15"),
        ("hour", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:00", "2026-10-25T01:00"),
        ("hour", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:00", "2026-10-25T02:00"),
        ("day", "UTC", "2026-11-21T00:00", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("day", "Europe/Berlin", "2026-11-20T23:00", "2026-11-20T23:00", "2026-11-21T23:00"),
        ("day", "Europe/Berlin", "2026-11-20T22:59", "2026-11-19T23:00", "2026-11-20T23:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
        ("day", "America/Santiago", "2026-09-06T12:00", "2026-09-06T04:00", "2026-09-07T03:00"),
        ("day", "America/Santiago", "2026-09-06T03:59", "2026-09-05T04:00", "2026-09-06T04:00"),
        ("day", "Pacific/Apia", "2011-12-30T09:00", "2011-12-29T10:00", "2011-12-30T10:00"),
        ("day", "Pacific/Apia", "2011-12-30T11:00", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("week", "UTC", "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", "UTC", "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00"),
        ("week", "Europe/Berlin", "2026-03-29T12:00", "2026-03-22T23:00", "2026-03-29T22:00"),
        ("month", "UTC", "2026-01-31T23:59", "2026-01-01T00:00", "2026-02-01T00:00"),
        ("month", "UTC", "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "America/New_York", "2026-03-31T12:00", "2026-03-01T05:00", "2026-04-01T04:00"),
        ("month", "Europe/Berlin", "2026-10-31T23:30", "2026-10-31T23:00", "2026-11-30T23:00"),
    ],
)
def test_cases(kind, zone, now, start, end):
    assert tuple(map(said, window_of(kind, ZoneInfo(zone), ms(now)))) == (start, end)


def at_hour(hour):
    return ms("2026-11-21T00:00") + round(hour * HOUR_MS)


@pytest.mark.parametrize(
    ("busy", "now", "start"),
    [
        ([], 9.5, 9),
        ([9], 9, 9),
        ([9], 13.99, 9),
        ([9], 14, 14),
        ([9], 20.5, 20),
        ([9, 13], 14.5, 14),
        ([9, 13, 14], 18.5, 14),
        ([9, 13, 15], 19.9, 15),
        ([9, 13, 15], 14.5, 14),
        ([9, 12, 16, 20], 20.5, 16),
        ([9, 12, 16, 21], 21.5, 21),
        ([15], 9.5, 9),
        ([-30, -26, 9], 10, 9),
    ],
)
def test_a_block_of_five_hours_begins_with_the_first_busy_hour_after_the_last_block(busy, now, start):
    found = window_of("5h", ZoneInfo("Asia/Kathmandu"), at_hour(now), [at_hour(hour) for hour in busy])
    assert found == (at_hour(start), at_hour(start + 5))


@given(busy=st.lists(st.integers(-60, 60), max_size=30).map(sorted), now=st.floats(-60, 60))
def test_a_block_has_the_instant_that_was_asked_about(busy, now):
    hours = [at_hour(hour) for hour in busy]
    start, end = window_of("5h", ZoneInfo("UTC"), at_hour(now), hours)
    assert start <= at_hour(now) < end == start + 5 * HOUR_MS
    assert window_of("5h", ZoneInfo("UTC"), start, sorted([*hours, start])) == (start, end), "usage now moves it not"


def test_the_window_of_a_run_has_no_length():
    assert window_of("run", ZoneInfo("UTC"), 12_345) == (12_345, 12_345)


@settings(max_examples=300)
@given(
    kind=st.sampled_from(["hour", "day", "week", "month"]),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Asia/Kathmandu", "Australia/Lord_Howe"]
    ),
    now=st.integers(ms("2020-01-01T00:00"), ms("2030-01-01T00:00")),
)
def test_windows_lie_side_by_side(kind, zone, now):
    start, end = window_of(kind, ZoneInfo(zone), now)
    assert start <= now < end
    assert window_of(kind, ZoneInfo(zone), start) == (start, end)
    assert window_of(kind, ZoneInfo(zone), end - 1) == (start, end)
    assert window_of(kind, ZoneInfo(zone), end)[0] == end
    assert kind != "hour" or end - start == HOUR_MS
    assert start % 900_000 == end % 900_000 == 0, "budgets are summed by quarter hours"
