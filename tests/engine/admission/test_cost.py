"""Is a run expected to use what its like used, by declaration until there is enough of that, and is money honest?"""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.admission.calibration import Calibration
from engine.admission.cost import Declared, Rate, estimate, past_error
from state.history import PastRun

DECLARED = Declared(overhead_tokens=1_000, output_tokens=400, turns=3)
RATE = Rate(3_000_000, 15_000_000, 300_000, "config")
FREE = Rate(0, 0, 0, "local")


def past(used_tokens=1_000, prompt_tokens=100, output_tokens=0, responses=1, **rest):
    facts = {"used_microusd": None, "first_input_tokens": None, "fresh": True, "likely_tokens": None} | rest
    return PastRun(
        run_id=1,
        prompt_tokens=prompt_tokens,
        used_tokens=used_tokens,
        responses=responses,
        output_tokens=output_tokens,
        **({"basis_real": True} | facts),
    )


def asked(prompt_tokens=100, runs=(), declared=DECLARED, rate=None, calibration=None):
    return estimate(prompt_tokens, runs, declared, rate, calibration)


def tokens(told):
    return told.low_tokens, told.likely_tokens, told.high_tokens


def one_request(prompt, answer, overhead=6_900, factor=1.0):
    """An agent that asks once."""
    sent = overhead + round(factor * prompt)
    return past(sent + answer, prompt, answer, first_input_tokens=sent)


def many_requests(prompt, answers, overhead=6_900, factor=1.0):
    """An agent that asks again with all that was said so far."""
    sent = [overhead + round(factor * prompt) + sum(answers[:place]) for place in range(len(answers))]
    said = sum(answers)
    return past(sum(sent) + said, prompt, said, len(answers), first_input_tokens=sent[0])


@pytest.mark.parametrize(
    ("prompt", "declared", "factor", "expected"),
    [
        (0, Declared(0, 0, 1), None, (0, 0, 0)),
        (312, Declared(0, 400, 1), None, (312, 712, 712)),
        (312, Declared(6_900, 400, 1), None, (7_212, 7_612, 7_612)),
        (312, Declared(6_900, 400, 4), None, (7_212, 29_248, 29_248)),
        (1_000, Declared(6_900, 400, 2), 1.2, (8_100, 16_600, 16_600)),
        (1_000, Declared(0, 0, 1), 0.8, (1_000, 1_000, 1_000)),
        (312, Declared(0, 400, 0), None, (312, 712, 712)),
    ],
)
def test_what_is_declared_counts_while_there_is_no_history(prompt, declared, factor, expected):
    """Low is one request without an answer; of a spread nothing is known."""
    told = asked(prompt, declared=declared, calibration=factor and Calibration(77, factor, 9))
    assert tokens(told) == expected
    assert (told.injected_tokens, told.overhead_tokens) == (prompt, declared.overhead_tokens)
    assert (told.basis, told.runs, told.calibration) == ("declared", 0, factor)


def test_a_program_without_a_model_is_expected_to_use_nothing_until_it_tells_that_it_does():
    silent = estimate(312, [past(basis_real=False)] * 9, DECLARED, RATE, None, asks_model=False)
    assert (tokens(silent), silent.injected_tokens, silent.basis) == ((0, 0, 0), 312, "none")
    assert (silent.likely_microusd, silent.high_microusd) == (0, 0)
    assert estimate(312, [past()], DECLARED, None, None, asks_model=False) == asked(312, [past()])
    assert estimate(312, [past()] * 5, DECLARED, None, None, asks_model=False).basis == "history"


def test_history_decides_from_five_runs_on():
    four, five = asked(runs=[past()] * 4), asked(runs=[past()] * 5)
    assert (four.basis, four.runs, four.likely_tokens) == ("declared", 4, 3_700)
    assert (five.basis, five.runs, five.likely_tokens) == ("history", 5, 1_000)


def test_a_run_that_was_settled_at_its_estimate_teaches_nothing():
    guessed = past(used_tokens=9_999, basis_real=False, likely_tokens=9_999)
    assert asked(runs=[guessed] * 50).basis == "declared"
    mixed = asked(runs=[*[past()] * 5, *[guessed] * 45])
    assert (mixed.runs, mixed.high_tokens, mixed.error_median) == (5, 1_000, None)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([100, 200, 300, 400, 500], (100, 300, 500)),
        ([100, 200, 300, 400, 500, 600], (100, 350, 600)),
        ([100, 200, 300, 400, 500, 600, 700, 800, 5_000], (100, 500, 5_000)),
        (range(100, 2_000, 100), (200, 1_000, 1_800)),
        ([*range(100, 1_000, 100), 5_000], (110, 550, 4_590)),
    ],
)
def test_with_the_same_prompt_it_is_what_was_used(used, expected):
    """10th, 50th and 90th percentile; below ten runs high is the highest."""
    for shuffled in (used, reversed(list(used))):
        assert tokens(asked(50, [past(one, prompt_tokens=50) for one in shuffled])) == expected


def test_an_agent_that_asks_once_has_its_overhead_and_its_answers():
    runs = [
        one_request(prompt, answer) for prompt, answer in zip(range(100, 800, 100), range(300, 1_000, 100), strict=True)
    ]
    told = asked(2_000, runs)
    assert tokens(told) == (9_200, 9_500, 9_800)
    assert told.overhead_tokens == 6_900


@pytest.mark.parametrize("prompt", [10, 312, 8_000])
def test_the_prompt_of_a_run_of_many_requests_is_read_with_each(prompt):
    answers = [500, 200, 700, 100]
    runs = [many_requests(length, answers) for length in (100, 300, 500, 2_000, 4_000)]
    assert set(tokens(asked(prompt, runs))) == {many_requests(prompt, answers).used_tokens}


def test_the_difference_between_prompts_counts_in_tokens_of_the_provider():
    calibration = Calibration(6_900, 1.5, 20)
    runs = [many_requests(length, [500, 200], factor=1.5) for length in (100, 300, 500, 2_000, 4_000)]
    told = asked(1_000, runs, calibration=calibration)
    assert set(tokens(told)) == {many_requests(1_000, [500, 200], factor=1.5).used_tokens}
    assert (told.calibration, told.overhead_tokens) == (1.5, 6_900)


def test_a_prompt_is_not_read_more_often_than_the_input_has_room_for():
    """Four of these five requests were for titles."""
    runs = [past(used_tokens=1_500, prompt_tokens=1_000, output_tokens=300, responses=5)] * 5
    assert tokens(asked(1_000, runs)) == (1_500, 1_500, 1_500)
    assert tokens(asked(2_000, runs)) == (2_700, 2_700, 2_700)
    assert tokens(asked(2_000, runs, calibration=Calibration(0, 1.2, 9))) == (2_700, 2_700, 2_700)


def test_a_past_run_without_a_prompt_of_ours_still_tells():
    runs = [past(used_tokens=500, prompt_tokens=0, output_tokens=100, responses=2)] * 5
    assert tokens(asked(50, runs)) == (600, 600, 600)


def test_the_next_run_is_in_the_band_about_four_times_of_five():
    chance = random.Random(1)
    runs, inside = [], 0
    for _ in range(520):
        prompt = chance.randrange(100, 3_000)
        now = many_requests(prompt, [chance.randrange(200, 900) for _ in range(chance.choice((2, 3, 3, 5)))])
        if len(runs) >= 20:
            told = asked(prompt, runs[-50:])
            inside += told.low_tokens <= now.used_tokens <= told.high_tokens
        runs.append(now)
    assert 0.75 < inside / 500 < 0.87


histories = st.lists(
    st.builds(
        lambda prompt, rest, answer, responses, cost: past(
            prompt + rest + answer, prompt, answer, responses, used_microusd=cost
        ),
        st.integers(0, 9_000),
        st.integers(0, 90_000),
        st.integers(0, 9_000),
        st.integers(1, 40),
        st.none() | st.integers(0, 10**6),
    ),
    max_size=30,
)
calibrations = st.none() | st.builds(Calibration, st.integers(0, 9_000), st.floats(0.5, 3.0), st.just(9))


@given(
    prompt=st.integers(0, 20_000), runs=histories, calibration=calibrations, rate=st.sampled_from([None, RATE, FREE])
)
def test_low_likely_and_high_are_in_order_and_hold_the_prompt(prompt, runs, calibration, rate):
    told = asked(prompt, runs, rate=rate, calibration=calibration)
    assert prompt <= told.low_tokens <= told.likely_tokens <= told.high_tokens
    assert (told.likely_microusd is None) == (told.high_microusd is None)
    if told.likely_microusd is not None:
        assert 0 <= told.likely_microusd <= told.high_microusd
    if rate is not None:
        assert told.likely_microusd is not None


@given(shorter=st.integers(0, 9_000), more=st.integers(0, 9_000), runs=histories, calibration=calibrations)
def test_a_longer_prompt_is_never_expected_to_use_less(shorter, more, runs, calibration):
    one, other = (asked(prompt, runs, rate=RATE, calibration=calibration) for prompt in (shorter, shorter + more))
    assert all(less <= greater for less, greater in zip(tokens(one), tokens(other), strict=True))
    assert one.likely_microusd <= other.likely_microusd


OVERHEAD = [
    ([one_request(100, 50, overhead) for overhead in (10, 20, 30, 40, 999)], Calibration(5, 1.0, 9), 30),
    ([past(used_tokens=120, first_input_tokens=80)] * 5, None, 0),
    ([past(first_input_tokens=9_000, fresh=False)] * 5, Calibration(5, 1.0, 9), 5),
    ([past()] * 5, Calibration(5, 1.0, 9), 5),
    ([past()] * 5, None, 1_000),
    ([one_request(100, 50)] * 4, Calibration(5, 1.0, 9), 1_000),
]


@pytest.mark.parametrize(("runs", "calibration", "expected"), OVERHEAD)
def test_the_overhead_is_that_of_own_first_requests_else_of_the_model_else_declared(runs, calibration, expected):
    """Replayed history is none, so a run that resumed tells nothing about it."""
    assert asked(100, runs, calibration=calibration).overhead_tokens == expected


def test_a_factor_that_was_not_measured_is_not_shown():
    calibration = Calibration(5, 1.0, 9, measured=False)
    assert asked(calibration=calibration).calibration is None


def errors(*pairs):
    return past_error([past(used_tokens=used, likely_tokens=likely) for used, likely in pairs])


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], None),
        ([(100, 100), (100, 100)], None),
        ([(100, 100), (100, 100), (100, None)], None),
        ([(100, 100), (100, 100), (0, 50)], None),
        ([(100, 100), (100, 90), (100, 150)], (0.1, 0.5)),
        ([(100, 0), (200, 400), (400, 400), (100, 110)], (0.55, 1.0)),
        ([(1_000, 1_000 + error) for error in range(100, 2_000, 100)], (1.0, 1.8)),
    ],
)
def test_the_error_of_past_estimates_is_a_share_of_what_was_used(pairs, expected):
    assert errors(*pairs) == (expected and pytest.approx(expected))


def test_a_run_that_was_settled_at_its_estimate_does_not_make_estimates_good():
    guessed = past(used_tokens=100, likely_tokens=100, basis_real=False)
    assert past_error([guessed] * 9) is None


def test_an_estimate_says_what_its_like_were_worth():
    runs = [past(used_tokens=100, likely_tokens=likely) for likely in (100, 110, 60)]
    told = asked(runs=runs)
    assert (told.basis, told.error_median, told.error_p90) == ("declared", pytest.approx(0.1), pytest.approx(0.4))


def money(told):
    return told.likely_microusd, told.high_microusd


def test_money_is_what_the_like_of_it_cost_for_each_token():
    runs = [past(used_tokens=1_000 * n, used_microusd=2_000 * n, prompt_tokens=100) for n in (1, 2, 3, 4, 5)]
    assert money(asked(100, runs, rate=RATE)) == (6_000, 10_000)
    assert money(asked(600, runs)) == (7_000, 11_000)


def test_a_dear_run_is_high_even_when_it_is_short():
    runs = [*[past(used_microusd=1_000)] * 4, past(used_tokens=500, used_microusd=9_000)]
    told = asked(100, runs)
    assert told.high_tokens == 1_000
    assert money(told) == (1_000, 9_000)


@pytest.mark.parametrize(("priced", "expected"), [(5, (1_000, 1_000)), (4, (None, None)), (0, (None, None))])
def test_fewer_than_five_prices_make_none(priced, expected):
    runs = [*[past(used_microusd=1_000)] * priced, *[past()] * 5]
    assert money(asked(100, runs)) == expected


def test_what_has_no_price_costs_an_unknown_amount_and_what_is_free_nothing():
    for runs in ([], [past()] * 9):
        assert money(asked(runs=runs)) == (None, None)
        assert money(asked(runs=runs, rate=FREE)) == (0, 0)
    assert money(asked(runs=[past(used_microusd=0)] * 5)) == (0, 0)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (Declared(900, 0, 1), (3_000, 3_000)),
        (Declared(900, 1_000, 1), (18_000, 18_000)),
        (Declared(900, 1_000, 3), (18_600, 24_000)),
    ],
)
def test_by_rate_the_cache_serves_what_is_read_again_and_in_the_worst_case_nothing(declared, expected):
    assert money(asked(100, declared=declared, rate=RATE)) == expected


def test_by_rate_a_history_without_prices_tells_its_answers():
    runs = [past(used_tokens=3_000, output_tokens=1_000, responses=2)] * 5
    assert money(asked(100, runs, rate=RATE)) == (18_300, 21_000)
    some_priced = [*runs[1:], *[replace(run, used_microusd=1) for run in runs[1:]]]
    assert money(asked(100, some_priced, rate=RATE)) == (18_300, 21_000)


def test_a_price_for_no_tokens_tells_nothing():
    runs = [past(used_tokens=0, prompt_tokens=0, used_microusd=5)] * 5
    assert money(asked(100, runs)) == (None, None)


def test_the_order_of_the_past_does_not_matter():
    runs = [one_request(prompt, prompt, overhead=prompt) for prompt in (1, 50, 300, 700, 900)]
    assert len({asked(100, order, rate=RATE) for order in itertools.permutations(runs)}) == 1
    assert asked(100, [replace(run, run_id=9) for run in runs]) == asked(100, runs)
