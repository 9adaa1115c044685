"""How did a run end? Who ended it counts, whatever came first."""

import msgspec
import pytest

from engine.contract.launch import AdapterResult
from engine.contract.outcome import EndRecord, Stop, StoppedAt
from engine.runtime import caps
from engine.runtime.settling import judge
from state import runs

BUDGET = Stop("budget_reached", (StoppedAt("day", "tokens", 2000, 0),))


def ended(outcome, **facts):
    known = {"exit_code": None, "signal": None, "started_ms": 1, "ended_ms": 2, "duration_s": 0.001}
    return EndRecord(outcome, **known | facts)


@pytest.fixture
def stopped(house):
    """A run that was stopped for a reason, or for none."""

    def make(stop):
        with house.database.transaction() as tx:
            reason = None if stop is None else msgspec.json.encode(stop).decode()
            values = {"agent": "a", "adapter": "digest", "lane": "main", "trigger": "operator", "task_type": "chat"}
            lists = {"task": "", "workspace": "/w", "can_read": "[]", "can_write": "[]", "inject": "[]"}
            state = {"state": "ending", "estimate_tokens": 0, "verdict": "{}", "requested_ms": 1}
            return runs.get(tx, runs.add(tx, values | lists | state | {"stop_reason": reason}))

    return make


@pytest.mark.parametrize(
    ("stop", "end", "outcome"),
    [
        (None, "cancelled", "cancelled"),
        (None, "interrupted", "interrupted"),
        (BUDGET, "cancelled", "budget_reached"),
        (BUDGET, "failed", "budget_reached"),
        (BUDGET, "interrupted", "budget_reached"),
        (BUDGET, "succeeded", "succeeded"),
        (BUDGET, "timed_out", "timed_out"),
        (Stop("operator"), "cancelled", "cancelled"),
        (Stop("operator"), "failed", "failed"),
        (Stop("operator"), "interrupted", "interrupted"),
        (Stop("operator"), "succeeded", "succeeded"),
        (Stop("operator", BUDGET.at), "cancelled", "cancelled"),
    ],
)
def test_the_outcome_says_who_ended_it(stopped, stop, end, outcome):
    assert judge(stopped(stop), ended(end), None)[0] == outcome


GOOD, BAD = AdapterResult("done", ok=True), AdapterResult("", ok=False, why="its turn was broken off")


@pytest.mark.parametrize(
    ("stop", "end", "result", "outcome"),
    [
        (None, "succeeded", GOOD, "succeeded"),
        (None, "succeeded", BAD, "failed"),
        (None, "crashed", GOOD, "crashed"),
        (None, "silent", GOOD, "silent"),
        (None, "timed_out", GOOD, "timed_out"),
        (Stop("operator"), "succeeded", BAD, "cancelled"),
        (Stop("operator"), "failed", BAD, "cancelled"),
        (Stop("operator"), "succeeded", GOOD, "succeeded"),
        (Stop("operator"), "timed_out", BAD, "timed_out"),
        (Stop("operator"), "crashed", BAD, "crashed"),
        (BUDGET, "succeeded", BAD, "failed"),
    ],
)
def test_an_answer_counts_only_with_how_its_program_ended(stopped, stop, end, result, outcome):
    assert judge(stopped(stop), ended(end), result)[0] == outcome


def test_a_run_over_its_own_cap_says_which(stopped, house):
    run = stopped(None)
    with house.database.transaction() as tx:
        caps.note(tx, run, "it has used 9 tokens; it may use 8", 1)
        run = runs.get(tx, run.id)
    assert judge(run, ended("cancelled"), None) == ("budget_reached", "it has used 9 tokens; it may use 8")


def test_a_run_that_the_operator_stopped_says_so(stopped):
    assert judge(stopped(Stop("operator")), ended("cancelled"), None)[1] == "stopped by the operator"
