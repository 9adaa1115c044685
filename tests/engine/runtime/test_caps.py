"""Where is a run ended by what it may use itself?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.caps import Caps, reached

USED = {"tokens": 5_210, "microusd": 1_500_000}


@pytest.mark.parametrize(
    ("caps", "why"),
    [
        (Caps(), ""),
        (Caps(turns=3, tokens=5_210, microusd=1_500_000), ""),
        (Caps(turns=2), "it has asked its model 3 times; it may ask 2 times"),
        (Caps(tokens=5_000), "it has used 5,210 tokens; it may use 5,000"),
        (Caps(microusd=1_000_000), "it has cost $1.50; it may cost $1.00"),
        (Caps(tokens=0), "it has used 5,210 tokens; it may use 0"),
    ],
)
def test_the_cap_that_is_met_is_named_with_both_figures(caps, why):
    assert reached(caps, 3, USED) == why


AMOUNT = st.integers(0, 10**9)


@given(AMOUNT, AMOUNT, AMOUNT, st.builds(Caps, *(st.none() | AMOUNT for _ in range(3))))
def test_a_run_is_over_just_when_one_of_its_figures_is_above_its_cap(turns, tokens, microusd, caps):
    pairs = [(turns, caps.turns), (tokens, caps.tokens), (microusd, caps.microusd)]
    over = any(cap is not None and figure > cap for figure, cap in pairs)
    assert bool(reached(caps, turns, {"tokens": tokens, "microusd": microusd})) == over
