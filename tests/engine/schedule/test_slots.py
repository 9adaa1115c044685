"""What is due now, and what if we were away? Every due time once, the newest started, the rest said."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.schedule import slots
from engine.schedule.calendar import trigger
from engine.schedule.slots import LISTED, DueSlot, due_slots

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = round(datetime(2026, 11, 21, 7, 0, tzinfo=UTC).timestamp() * 1000)
HOURLY = trigger(None, "0 * * * *", "UTC")
ABSENT = "no engine ran at that time"


def plan(due=HOURLY, *, last=None, now=NOW, anchor=NOW - 900 * DAY, enabled=True, running=False):
    before = "was still going" if running else ""
    return due_slots(due, anchor_ms=anchor, last_ms=last, now_ms=now, enabled=enabled, before=before)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"last": NOW}, []),
        ({"last": NOW - HOUR, "now": NOW - 1}, []),
        ({"last": NOW - HOUR}, [(0, "start", "")]),
        ({"last": NOW - HOUR, "now": NOW + MINUTE}, [(0, "start", "")]),
        ({"last": NOW - HOUR, "now": NOW + MINUTE + 1}, [(0, "start", "caught up")]),
        ({"last": NOW - 3 * HOUR}, [(-2, "missed", ABSENT), (-1, "missed", ABSENT), (0, "start", "")]),
        ({"last": NOW - HOUR, "running": True}, [(0, "overlap", "the run before it was still going")]),
        (
            {"last": NOW - 2 * HOUR, "enabled": False},
            [(-1, "paused", "the job is paused"), (0, "paused", "the job is paused")],
        ),
        (
            {"last": NOW - 2 * HOUR, "running": True},
            [(-1, "missed", ABSENT), (0, "overlap", "the run before it was still going")],
        ),
        ({"anchor": NOW - HOUR}, [(0, "start", "")]),
        ({"anchor": NOW - HOUR - 1}, [(-1, "missed", ABSENT), (0, "start", "")]),
        ({"anchor": NOW - HOUR, "last": NOW - 9 * HOUR}, [(0, "start", "")]),
        ({"anchor": NOW}, []),
        ({"last": NOW + 5 * HOUR}, []),
        ({"anchor": NOW + 5 * HOUR}, []),
    ],
)
def test_cases(case, expected):
    found = plan(**case)
    assert [((slot.due_ms - NOW) // HOUR, slot.action, slot.reason) for slot in found.slots] == expected
    assert found.next_ms > case.get("now", NOW)


@pytest.mark.parametrize(("late", "action"), [(DAY, "start"), (DAY + 1, "missed")])
def test_the_newest_is_caught_up_within_a_day(late, action):
    daily = trigger(None, "0 7 * * *", "UTC")
    weekly = trigger(None, "0 7 * * 6", "UTC")
    found = plan(weekly, last=NOW - 7 * DAY, now=NOW + late)
    assert [(slot.due_ms, slot.action) for slot in found.slots] == [(NOW, action)]
    found = plan(daily, last=NOW - 2 * DAY, now=NOW + DAY - 1)
    assert [slot.action for slot in found.slots] == ["missed", "start"]


def test_a_day_of_downtime():
    found = plan(last=NOW - DAY, now=NOW + 5 * MINUTE).slots
    assert [slot.action for slot in found] == ["missed"] * 23 + ["start"]
    assert [slot.due_ms for slot in found] == [NOW - DAY + HOUR * number for number in range(1, 25)]


def test_a_clock_that_goes_back_starts_nothing_and_forward_goes_on():
    first = plan(last=NOW - HOUR)
    assert plan(last=NOW, now=NOW - 3 * HOUR).slots == ()
    assert plan(last=NOW, now=NOW + 1).slots == ()
    assert plan(last=NOW, now=first.next_ms).slots == (DueSlot(first.next_ms, "start", ""),)


@pytest.mark.parametrize("missed", [LISTED - 1, LISTED, LISTED + 1, 5000])
@pytest.mark.parametrize("due", [trigger("1m", None, "UTC"), trigger(None, "* * * * *", "Europe/Berlin")])
def test_none_vanishes_in_silence(due, missed):
    found = plan(due, last=NOW - missed * MINUTE, anchor=NOW - 7000 * MINUTE).slots
    assert [slot.due_ms for slot in found] == [NOW - number * MINUTE for number in range(min(missed, LISTED))][::-1]
    assert found[-1].action == "start"
    unlisted = missed - len(found)
    assert found[0].reason == (f"{ABSENT}; {unlisted:,} due times before it are not listed" if unlisted else ABSENT)
    assert {slot.reason for slot in found[1:-1]} == {ABSENT}


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    ("due", "least"),
    [
        (trigger("1s", None, "UTC"), 31_535_000),
        (trigger(None, "* * * * *", "Europe/Berlin"), 525_000),
        (trigger(None, "*/5 9-17 * * 1-5", "America/New_York"), 27_000),
        (trigger(None, "* * * 1 *", "UTC"), 44_000),
    ],
)
def test_a_year_of_downtime_is_bounded(monkeypatch, due, least, enabled):
    walked = []
    step = slots.next_due_ms
    monkeypatch.setattr(slots, "next_due_ms", lambda *given: walked.append(1) or step(*given))
    found = plan(due, last=NOW - 365 * DAY, enabled=enabled).slots
    assert len(found) == LISTED
    assert len(walked) < 5 * LISTED
    said = found[0].reason.removesuffix(" due times before it are not listed").rpartition(" ")[2]
    assert least <= int(said.replace(",", "")) <= 31_536_000
    assert found[0].action == ("missed" if enabled else "paused")


@given(
    every=st.integers(1, 300),
    last=st.integers(-20_000, 20_000),
    anchor=st.integers(-20_000, 20_000),
    enabled=st.booleans(),
    running=st.booleans(),
)
def test_whatever_happened(every, last, anchor, enabled, running):
    due = trigger(f"{every}s", None, "UTC")
    anchor_ms, last_ms = NOW + anchor * 1000, NOW + last * 1000
    found = plan(due, last=last_ms, anchor=anchor_ms, enabled=enabled, running=running)
    times = [slot.due_ms for slot in found.slots]
    assert times == sorted(set(times))
    assert all(max(anchor_ms, last_ms) < at <= NOW for at in times)
    assert sum(slot.action == "start" for slot in found.slots) == (enabled and not running and bool(times))
    assert all(slot.reason or slot.action == "start" for slot in found.slots)
    if times:
        assert found.next_ms == times[-1] + every * 1000
        again = plan(due, last=times[-1], anchor=anchor_ms, enabled=enabled, running=running)
        assert (again.slots, again.next_ms) == ((), found.next_ms)
