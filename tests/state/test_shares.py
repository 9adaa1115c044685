"""Who used what a budget counts, largest first; checked against a plain sum over all responses."""

import pytest

from state import shares
from state.counted import Filter
from state.spend import Span
from tests.tui.conftest import NOW_MS, World

HOUR = 3_600_000
EVER = Span(NOW_MS - 48 * HOUR, NOW_MS + HOUR)


@pytest.fixture
def used(tmp_path):
    world = World(tmp_path / "home")
    mine, generation = world.session("mend the pump", agent="coder")
    _, observed = world.session("vendor survey")
    first = world.run(session_id=mine, agent="coder", job="nightly", task="", lane="main")
    second = world.run(session_id=mine, agent="ops", task="look", lane="isolated")
    world.book(generation, (10, 0, 0, 5), key="a", run_id=first, cost_microusd=900)
    world.book(generation, (100, 0, 0, 0), key="b", run_id=second, cost_microusd=1)
    world.book(observed, (1, 2, 3, 4), key="c", cost_microusd=50)
    world.book(observed, (7_000, 0, 0, 0), key="old", at_ms=NOW_MS - 72 * HOUR)
    yield world.open().connection
    world.close()


def largest(connection, group, unit="tokens", limit=5, **scope):
    found = shares.largest(connection, group, unit, Filter(**scope), EVER, limit)
    return [(one.id, one.label, one.amount) for one in found]


@pytest.mark.parametrize(
    ("group", "found"),
    [
        ("agent", [(None, "ops", 100), (None, "coder", 15), (None, "claude_code", 10)]),
        ("session", [(1, "mend the pump", 115), (2, "vendor survey", 10)]),
        ("job", [(None, "nightly", 15)]),
        ("run", [(2, "look", 100), (1, "nightly", 15)]),
    ],
)
def test_the_largest_comes_first_and_what_is_out_of_the_span_does_not_count(used, group, found):
    assert largest(used, group) == found
    assert largest(used, group, limit=1) == found[:1]


def test_in_money_another_one_may_be_the_largest(used):
    assert largest(used, "agent", "microusd")[0] == (None, "coder", 900)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ({"agent": "coder"}, [(1, "mend the pump", 15)]),
        ({"lane": "isolated"}, [(1, "mend the pump", 100)]),
        ({"job": "nightly"}, [(1, "mend the pump", 15)]),
        ({"source": "claude_code"}, [(2, "vendor survey", 10)]),
        ({"task_type": "subagent"}, [(1, "mend the pump", 115)]),
        ({"model": "none"}, []),
    ],
)
def test_only_what_the_budget_counts_is_there(used, scope, found):
    assert largest(used, "session", **scope) == found
