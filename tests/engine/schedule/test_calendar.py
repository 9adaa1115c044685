"""Does a job fire when real cron would, in every zone, through gaps and folds?"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.schedule.calendar import count_due, next_due_ms, next_fires_ms, trigger, zone_named

DAY_MS = 86_400_000


def ms(text):
    return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


def fires(cron, zone, after, count):
    """The next fires after a UTC instant, in UTC."""
    found = next_fires_ms(trigger(None, cron, zone), 0, ms(after), count)
    return [datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%d %H:%M") for at_ms in found]


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # Gap of an hour at 2026-03-29 01:00 UTC: 02:00 CET becomes 03:00 CEST. A fixed time fires once, right after.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("0,15,30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29 01:00", "03-30 00:00"]),
        ("30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29 01:00", "03-29 01:30", "03-30 00:30"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29 01:00", "03-30 01:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-29 00:30", "03-29 01:30", "03-29 02:30"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", ["03-30 00:00", "03-30 00:30"]),
        # Fold of an hour at 2026-10-25 01:00 UTC: fixed times on the first pass, starred ones on both.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45", ["10-26 01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15", ["10-26 01:30"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T23:00",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"],
        ),
        ("0 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25 00:00", "10-26 01:00"]),
        ("30 2 * * *", "America/New_York", "2026-03-08T00:00", ["03-08 07:00", "03-09 06:30"]),
        ("30 1 * * *", "America/New_York", "2026-11-01T00:00", ["11-01 05:30", "11-02 06:30"]),
        ("* 1 * * *", "America/New_York", "2026-11-01T05:58", ["11-01 05:59", "11-01 06:00", "11-01 06:01"]),
        # Half an hour: gap 2026-10-03 15:30 UTC (02:00 -> 02:30), fold 2026-04-04 15:00 UTC (02:00 -> 01:30).
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["10-03 15:30", "10-04 15:15"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", ["04-04 14:45", "04-05 15:15"]),
        ("0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:30", ["04-04 14:00", "04-04 15:30", "04-04 16:30"]),
        ("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30", ["04-04 15:00", "04-04 15:30", "04-04 16:00"]),
        ("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:30", ["10-03 16:00", "10-03 17:00"]),
        # Midnight does not exist on 2026-09-06 in Santiago: 00:00 becomes 01:00 at 04:00 UTC.
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", ["09-06 04:00", "09-07 03:00"]),
        ("30 0 * * 0", "America/Santiago", "2026-09-05T12:00", ["09-06 04:00", "09-13 03:30"]),
        ("0 * * * *", "America/Santiago", "2026-09-06T02:30", ["09-06 03:00", "09-06 04:00", "09-06 05:00"]),
        # 23:00 to 24:00 happens twice on 2026-04-04 there.
        ("30 23 * * *", "America/Santiago", "2026-04-04T12:00", ["04-05 02:30", "04-06 03:30"]),
        # Friday 2011-12-30 did not exist in Apia: 24 hours are no gap that cron makes up for.
        ("0 12 * * *", "Pacific/Apia", "2011-12-28T23:00", ["12-29 22:00", "12-30 22:00"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00", ["12-29 22:00"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29T12:00", ["12-29 22:00", "12-30 10:00", "12-30 22:00"]),
        ("0 9 * * *", "Asia/Kolkata", "2026-03-29T00:00", ["03-29 03:30", "03-30 03:30"]),
        # Leap days, and days that few months have.
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["02-29 00:00", "02-29 00:00"]),
        ("0 0 31 * *", "UTC", "2026-01-31T00:00", ["03-31 00:00", "05-31 00:00"]),
        # Day of month and day of week: either, unless one of them is starred.
        ("0 0 13 * 5", "UTC", "2026-11-01T00:00", ["11-06 00:00", "11-13 00:00", "11-20 00:00"]),
        ("0 0 10 * 5", "UTC", "2026-11-05T00:00", ["11-06 00:00", "11-10 00:00", "11-13 00:00"]),
        ("0 0 * * 5", "UTC", "2026-11-01T00:00", ["11-06 00:00", "11-13 00:00"]),
        ("0 0 */2 * 5", "UTC", "2026-11-01T00:00", ["11-13 00:00", "11-27 00:00"]),
        ("0 0 13 * */7", "UTC", "2026-11-01T00:00", ["12-13 00:00"]),
        ("0 0 1-31 * 5", "UTC", "2026-11-01T00:00", ["11-02 00:00", "11-03 00:00"]),
        ("0 0 13 * 0-6", "UTC", "2026-11-01T00:00", ["11-02 00:00", "11-03 00:00"]),
        ("0 0 31 2 1", "UTC", "2026-01-31T00:00", ["02-02 00:00", "02-09 00:00"]),
        # Ways to write a field.
        ("5-5 * * * *", "UTC", "2026-01-01T00:00", ["01-01 00:05", "01-01 01:05"]),
        ("0 0 1 JUL *", "UTC", "2026-01-01T00:00", ["07-01 00:00"]),
        ("0 0 * apr sun", "UTC", "2026-01-01T00:00", ["04-05 00:00", "04-12 00:00"]),
        ("0 0 * * 7", "UTC", "2026-01-01T00:00", ["01-04 00:00", "01-11 00:00"]),
        ("0 0 * * 5-7", "UTC", "2026-01-01T00:00", ["01-02 00:00", "01-03 00:00", "01-04 00:00", "01-09 00:00"]),
        (
            "10-30/10,45 6 * * *",
            "UTC",
            "2026-01-01T00:00",
            ["01-01 06:10", "01-01 06:20", "01-01 06:30", "01-01 06:45"],
        ),
        ("*/100 * * * *", "UTC", "2026-01-01T00:00", ["01-01 01:00", "01-01 02:00"]),
        ("  0   0\t* * *  ", "UTC", "2026-01-01T00:00", ["01-02 00:00"]),
    ],
)
def test_cases(cron, zone, after, expected):
    assert fires(cron, zone, after, len(expected)) == expected


def test_a_skipped_day_is_not_made_up_for_later():
    due = trigger(None, "0 12 30 12 *", "Pacific/Apia")
    assert next_due_ms(due, 0, ms("2011-12-29T22:00")) == ms("2012-12-29T22:00")


def test_a_century_without_a_leap_day():
    due = trigger(None, "0 0 29 2 *", "UTC")
    assert next_due_ms(due, 0, ms("2096-03-01T00:00")) == ms("2104-02-29T00:00")


@pytest.mark.parametrize(
    ("cron", "what"),
    [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields; cron takes five: minute, hour, day of month, month, day of week"),
        ("* * * * * *", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("@reboot", "has 1 fields"),
        ("60 * * * *", "'60' is no minute; it goes from 0 to 59"),
        ("-1 * * * *", "'-1' is no minute"),
        ("0 24 * * *", "'24' is no hour; it goes from 0 to 23"),
        ("0 0 0 * *", "'0' is no day of month; it goes from 1 to 31"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of week; it goes from 0 to 7"),
        ("0 0 L * *", "'L' is no day of month"),
        ("0 0 l * *", "'l' is no day of month"),
        ("0 0 15W * *", "'15W' is no day of month"),
        ("0 0 * * 5L", "'5L' is no day of week"),
        ("0 0 * * l5", "'l5' is no day of week"),
        ("0 0 * * 1#2", "'1#2' is no day of week"),
        ("0 0 ? * *", "'?' is no day of month"),
        ("H * * * *", "'H' is no minute"),
        ("R * * * *", "'R' is no minute"),
        ("5/15 * * * *", "steps like */5"),
        ("1,5/15 * * * *", "'1,5/15' is no minute"),
        ("*/0 * * * *", "a step must be at least 1"),
        ("5-1 * * * *", "5-1 runs backwards"),
        ("0 0 * * fri-mon", "fri-mon runs backwards"),
        ("1- * * * *", "'1-' is no minute"),
        ("1,,2 * * * *", "'1,,2' is no minute"),
        ("*-5 * * * *", "'*-5' is no minute"),
        ("jan * * * *", "'jan' is no minute"),
        ("0 0 * * jan", "'jan' is no day of week"),
        ("0 0 * january *", "'january' is no month"),
        ("\u0663 * * * *", "is no minute"),
        ("1.5 * * * *", "'1.5' is no minute"),
        ("9" * 5000 + " * * * *", "is no minute"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 2,4,6 *", "never fires"),
    ],
)
def test_refusals(cron, what):
    with pytest.raises(ValueError) as raised:
        trigger(None, cron, "UTC")
    assert what in str(raised.value)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "Europe", "../etc", "/etc/localtime", "\0", "x" * 5000, "+02:00"])
def test_no_zones(zone):
    for attempt in (zone_named, lambda zone: trigger(None, "* * * * *", zone)):
        with pytest.raises(ValueError, match="there is no time zone"):
            attempt(zone)


@pytest.mark.parametrize(("every", "cron"), [(None, None), ("1m", "* * * * *")])
def test_exactly_one(every, cron):
    with pytest.raises(ValueError, match="exactly one"):
        trigger(every, cron, "UTC")


@pytest.mark.parametrize(
    ("every", "anchor", "after", "due"),
    [
        ("10s", 5000, 5000, 15_000),
        ("10s", 5000, 14_999, 15_000),
        ("10s", 5000, 15_000, 25_000),
        ("10s", 5000, 0, 15_000),
        ("1.5s", 0, 1500, 3000),
    ],
)
def test_intervals(every, anchor, after, due):
    assert next_due_ms(trigger(every, None, "UTC"), anchor, after) == due


def test_what_changes_due_times_changes_the_spec():
    triggers = [
        trigger("1m", None, "UTC"),
        trigger("2m", None, "UTC"),
        trigger(None, "0 0 * * *", "UTC"),
        trigger(None, "0 0 * * *", "Asia/Kolkata"),
        trigger(None, "1 0 * * *", "UTC"),
    ]
    assert len({one.spec for one in triggers}) == len(triggers)
    assert trigger("60s", None, "Asia/Kolkata").spec == triggers[0].spec, "an interval knows no zone"
    assert [one.words for one in triggers[::2]] == ["every 1 min", "0 0 * * *", "1 0 * * *"]


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]


def field(low, high, *names):
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda two: f"{min(two)}-{max(two)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, high)).map(lambda two: f"{two[0]}/{two[1]}")
    item = st.one_of(number, span, step, *([st.sampled_from(names)] if names else []))
    return st.one_of(st.just("*"), st.lists(item, min_size=1, max_size=3).map(",".join))


crons = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12, "jan", "DEC"), field(0, 7, "sun", "Fri")).map(
    " ".join
)
instants = st.integers(ms("2024-01-01T00:00"), ms("2030-01-01T00:00"))


def built(cron, zone):
    try:
        return trigger(None, cron, zone)
    except ValueError as error:
        assume("never fires" not in str(error))
        raise


@settings(max_examples=300, deadline=None)
@given(cron=crons, zone=st.sampled_from(ZONES), after=instants, later=st.integers(0, 3 * DAY_MS))
def test_strictly_after_and_monotone(cron, zone, after, later):
    due = built(cron, zone)
    first = next_due_ms(due, 0, after)
    assert first > after
    assert first % 60_000 == 0
    assert next_due_ms(due, 0, first - 1) == first, "nothing lies between"
    assert next_due_ms(due, 0, after + later) >= first
    assert next_due_ms(due, 0, first) > first


def meets(cron, at):
    """Vixie cron's own rule, written out once more."""
    minute, hour, day, month, weekday = cron.split()

    def said(text, value, low, high, names=()):
        for item in text.split(","):
            base, _, step = item.partition("/")
            first, dash, last = ("*", "", "") if base == "*" else base.partition("-")
            start = low if first == "*" else names.index(first.lower()) + low if first.isalpha() else int(first)
            end = high if first == "*" else int(last) if dash else start
            if value in range(start, end + 1, int(step or 1)):
                return True
        return False

    days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    number = at.isoweekday() % 7
    on_weekday = said(weekday, number, 0, 7, days) or (number == 0 and said(weekday, 7, 0, 7, days))
    on_day = said(day, at.day, 1, 31)
    either = not (day.startswith("*") or weekday.startswith("*"))
    return (
        said(minute, at.minute, 0, 59)
        and said(hour, at.hour, 0, 23)
        and said(month, at.month, 1, 12, months)
        and (on_day or on_weekday if either else on_day and on_weekday)
    )


@settings(max_examples=200, deadline=None)
@given(cron=crons, after=instants)
def test_against_every_minute_of_a_day(cron, after):
    due = built(cron, "UTC")
    start = after - after % 60_000
    minutes = [start + 60_000 * number for number in range(1, 1441)]
    expected = [at for at in minutes if meets(cron, datetime.fromtimestamp(at / 1000, UTC))][:20]
    found = []
    while len(found) < 20 and (start := next_due_ms(due, 0, start)) <= minutes[-1]:
        found.append(start)
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(cron=crons, after=instants, length=st.integers(0, 2 * DAY_MS))
def test_counting_agrees_with_walking(cron, after, length):
    due = built(cron, "UTC")
    walked, at = 0, after
    while walked <= 300 and (at := next_due_ms(due, 0, at)) <= after + length:
        walked += 1
    assume(walked <= 300)
    assert count_due(due, 0, after, after + length) == walked


@given(
    every=st.integers(1, 5000), anchor=instants, after=st.integers(-9_000_000, 9_000_000), length=st.integers(0, 10**7)
)
def test_intervals_are_anchored(every, anchor, after, length):
    due = trigger(f"{every}s", None, "UTC")
    first = next_due_ms(due, anchor, anchor + after)
    assert first > max(anchor, anchor + after)
    assert (first - anchor) % (every * 1000) == 0
    assert first - max(anchor, anchor + after) <= every * 1000
    last = anchor + after + length
    assert count_due(due, anchor, anchor + after, last) == max(0, (last - first) // (every * 1000) + 1)


@settings(max_examples=200, deadline=None)
@given(zone=st.sampled_from(ZONES), hour=st.integers(0, 23), minute=st.integers(0, 59), after=instants)
def test_a_daily_job_fires_once_on_each_day(zone, hour, minute, after):
    due = trigger(None, f"{minute} {hour} * * *", zone)
    local = [
        datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()
        for at_ms in next_fires_ms(due, 0, after, 4)
    ]
    assert [day - local[0] for day in local] == [timedelta(days=number) for number in range(4)]
