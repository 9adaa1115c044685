"""Which limit is met first, by table and by property?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.job import Job
from engine.execution.limits import IDLE, Limits

BOOT = 10_000.0
"""How far the two clocks are apart: the machine has slept."""


def limits_of(silence_s: float | None = None, grace_s: float = 5.0) -> Limits:
    """Of a run that started at 100 and may take 30 s."""
    fields = {"argv": ["x"], "env": {}, "cwd": "/", "timeout_s": 30, "grace_s": grace_s, "output_cap": 1}
    job = Job(json.dumps({**fields, "silence_s": silence_s}).encode(), {})
    return Limits(job, 100.0, 130.0)


def turn(busy: bool, until: float) -> bytes:
    """By the monotonic clock of the test."""
    return json.dumps({"busy": busy, "until_boottime_s": until + BOOT}).encode()


def at(limits: Limits, now: float) -> tuple[float, str]:
    return limits.next(now, now + BOOT)[:2]


def test_the_deadline() -> None:
    assert limits_of().next(110, BOOT + 110) == (20, "timed_out", "timed out after 30 s")
    assert at(limits_of(), 131) == (-1, "timed_out")


def test_silence_counts_from_the_start_and_from_each_word() -> None:
    limits = limits_of(silence_s=8)
    assert limits.next(100, BOOT + 100) == (8, "silent", "silent for 8 s")
    limits.heard(107)
    assert at(limits, 110) == (5, "silent")
    limits.heard(129)
    assert at(limits, 129) == (1, "timed_out")


def test_who_waits_for_a_word_is_not_silent_and_silence_begins_anew_afterwards() -> None:
    limits = limits_of(silence_s=8)
    limits.asks(True, 101)
    assert at(limits, 125) == (5, "timed_out"), "it may still be late"
    limits.asks(True, 126)
    limits.asks(False, 127)
    limits.asks(False, 129)
    assert limits.next(129, BOOT + 129)[:2] == (1, "timed_out")
    limits.told(turn(True, 500), 129)
    assert at(limits, 130) == (7, "silent")
    other = limits_of(silence_s=8)
    other.asks(True, 101)
    other.asks(False, 120)
    other.asks(False, 121)
    assert at(other, 121) == (7, "silent")


def test_a_busy_turn_takes_the_place_of_the_deadline() -> None:
    limits = limits_of()
    limits.told(turn(True, 500), 120)
    assert limits.next(140, BOOT + 140) == (360, "timed_out", "its turn timed out")


def test_who_waits_for_a_turn_is_neither_late_nor_silent() -> None:
    limits = limits_of(silence_s=8)
    limits.told(turn(False, 500), 120)
    assert at(limits, 400) == (100, IDLE)
    assert at(limits, 501) == (-1, IDLE)


def test_silence_begins_anew_with_a_turn_but_not_with_each_look() -> None:
    limits = limits_of(silence_s=8)
    limits.told(turn(False, 500), 120)
    limits.told(turn(True, 500), 400)
    limits.told(turn(True, 500), 405)
    assert at(limits, 406) == (2, "silent")


def test_who_was_told_to_leave_has_the_grace_and_no_turn_saves_it() -> None:
    limits = limits_of(grace_s=5)
    limits.told(turn(False, 200), 120)
    limits.leave(200)
    limits.told(turn(True, 900), 201)
    assert at(limits, 203) == (2, "succeeded")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"busy": true}', b'{"busy": true, "until_boottime_s": null}'])
def test_a_damaged_turn_is_an_error(text: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        limits_of().told(text + b" ", 100)


times = st.floats(0, 1000, allow_nan=False)


@given(times, times, st.one_of(st.none(), st.floats(0.1, 100)), st.one_of(st.none(), st.tuples(st.booleans(), times)))
def test_there_is_always_a_limit_and_time_only_brings_it_nearer(
    heard: float, waited: float, silence_s: float | None, said: tuple[bool, float] | None
) -> None:
    limits = limits_of(silence_s)
    limits.heard(100 + heard)
    if said is not None:
        limits.told(turn(*said), 100 + heard)
    first, later = at(limits, 100 + heard), at(limits, 100 + heard + waited)
    assert first[1] == later[1]
    assert first[0] - later[0] == pytest.approx(waited, abs=1e-6)
    assert (first[1] == IDLE) == (said is not None and not said[0])
