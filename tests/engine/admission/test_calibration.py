"""Is a provider's way of counting found, whatever else lies among the requests, and else left open?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.admission.calibration import Calibration, fit
from state.history import FirstRequest

LENGTHS = (100, 400, 900, 2_000, 5_000)


def request(counted, reported, agent="coder", task_type="research"):
    return FirstRequest(agent, task_type, counted, reported)


def line(lengths, overhead, factor, **kind):
    return [request(length, overhead + round(factor * length), **kind) for length in lengths]


@pytest.mark.parametrize(("overhead", "factor"), [(0, 1.0), (6_900, 1.0), (6_900, 1.25), (0, 0.8), (120, 2.5)])
def test_a_line_is_found(overhead, factor):
    assert fit(line(LENGTHS, overhead, factor)) == Calibration(overhead, pytest.approx(factor), 5)


def test_requests_of_the_same_length_do_not_disturb_it():
    assert fit(line(LENGTHS * 2, 6_900, 1.25)) == Calibration(6_900, pytest.approx(1.25), 10)


@given(
    overhead=st.integers(0, 30_000),
    factor=st.floats(0.6, 2.5),
    start=st.integers(20, 500),
    steps=st.lists(st.integers(40, 900), min_size=19, max_size=60),
    noise=st.data(),
)
def test_a_fifth_of_the_points_may_be_anything(overhead, factor, start, steps, noise):
    lengths = [start + sum(steps[:place]) for place in range(len(steps) + 1)]
    points = line(lengths, overhead, factor)
    wrong = noise.draw(st.sets(st.sampled_from(range(len(points))), max_size=len(points) // 5))
    for place in wrong:
        points[place] = request(lengths[place], noise.draw(st.integers(0, 500_000)))
    found = fit(points)
    assert found.measured
    for length in (lengths[0], lengths[-1]):
        expected = overhead + factor * length
        assert found.overhead_tokens + found.factor * length == pytest.approx(expected, rel=0.03, abs=50)


@pytest.mark.parametrize("points", [[], line(LENGTHS[:4], 6_900, 1.2)])
def test_a_few_requests_tell_nothing(points):
    assert fit(points) is None


@pytest.mark.parametrize(
    "lengths", [(300, 300, 300, 300, 300), (900, 950, 1_000, 1_050, 1_100), (100, 100, 100, 2_000, 2_000)]
)
def test_prompts_that_are_much_alike_leave_the_factor_open(lengths):
    """All of the difference passes for overhead then: 6,900 and a fifth of the prompt."""
    found = fit(line(lengths, 6_900, 1.2))
    middle = sorted(lengths)[2]
    assert found == Calibration(6_900 + round(0.2 * middle), 1.0, 5, measured=False)


def test_from_a_fifth_of_difference_on_the_factor_is_measured():
    assert fit(line((800, 850, 900, 950, 1_000), 6_900, 1.2)).measured
    assert not fit(line((801, 850, 900, 950, 1_000), 6_900, 1.2)).measured


def test_kinds_of_run_are_not_compared_with_each_other():
    """Long prompts with no overhead and short ones with much are no tokenizer that counts backwards."""
    long = line((4_000, 5_000, 6_000, 7_000), 0, 1.2, agent="plain")
    short = line((100, 200, 300, 400), 9_000, 1.2, agent="tools")
    assert fit(long + short).factor == pytest.approx(1.2)
    by_task_type = line((100, 200, 300, 400), 9_000, 1.2, agent="plain", task_type="chat")
    assert fit(long + by_task_type).factor == pytest.approx(1.2)


def test_kinds_with_one_length_of_prompt_each_leave_the_factor_open():
    points = [
        one for length, agent in enumerate("abc", 1) for one in line((1_000 * length,) * 3, 5_000, 1.5, agent=agent)
    ]
    assert fit(points) == Calibration(6_000, 1.0, 9, measured=False)


@pytest.mark.parametrize(("steep", "expected"), [(40.0, 3.0), (0.01, 0.5)])
def test_a_factor_is_none_of_a_tokenizer_beyond_its_bounds(steep, expected):
    assert fit(line(LENGTHS, 6_900, steep)).factor == expected


def test_a_request_that_cannot_hold_the_prompt_is_left_out():
    titles = [request(length, 30) for length in LENGTHS]
    assert fit(titles) is None
    assert fit(line(LENGTHS, 6_900, 1.25) + titles * 3) == Calibration(6_900, pytest.approx(1.25), 5)


def test_a_request_without_a_prompt_of_ours_is_left_out():
    assert fit([request(0, 6_900)] * 9) is None


def test_an_overhead_is_not_negative():
    assert fit([request(length, 2 * length - 60) for length in LENGTHS]).overhead_tokens == 0
