"""How did a run end? Who ended it counts, whatever came first. And what did it use?"""

import msgspec
import pytest

from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.outcome import EndRecord, Stop, StoppedAt
from engine.contract.verdict import Estimate
from engine.runtime import caps
from engine.runtime.settling import book_usage, judge
from state import logs, receipts, responses, run_usage, runs, sessions, usage

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


class Logged:
    """A run of a client that keeps a log."""

    def __init__(self, house, adapter="claude_code", **run):
        self.house = house
        with house.database.transaction() as tx:
            session = sessions.open_session(tx, agent="a", lane="main", job=None, title=None, workspace="/w", at_ms=1)
            start = {"provider_home": "/h", "provider_id": "p", "model": None, "workspace": None, "note": None}
            source = "claude_code" if adapter == "claude_code" else "quarterdeck"
            self.generation = sessions.start_generation(
                tx, session, source=source, reason="first_run", at_ms=1, **start
            )
            values = {"agent": "a", "adapter": adapter, "lane": "main", "trigger": "operator", "task_type": "chat"}
            lists = {"task": "", "workspace": "/w", "can_read": "[]", "can_write": "[]", "inject": "[]"}
            state = {"state": "running", "estimate_tokens": 0, "verdict": "{}", "requested_ms": 1, "started_ms": 1}
            ids = {"session_id": session, "generation_id": self.generation}
            self.run_id = runs.add(tx, values | lists | state | ids | run)
            file = logs.LogFile(0, "claude_code", "/l", 1, 1, 1, 1, 1, "h", "", 1, "{}", "{}", 1)
            self.log_id = logs.advance(tx, file, {}, {}, False)

    def log(self, *kinds):
        """The client's log tells of responses: input, cache read, cache write and output."""
        with self.house.database.transaction() as tx:
            made = [self._row(f"k{number}", one) for number, one in enumerate(kinds)]
            usage.book(tx, made)
            run_usage.drop_provisional(tx, self.run_id)

    def _row(self, key, kinds):
        given, read, written, got = kinds
        counts = (given, read, written, None, None, got, None)
        return usage.UsageRow(2, key, self.generation, self.run_id, 5, None, *counts, 0, 0, log_id=self.log_id)

    def settle(self, result):
        with self.house.database.transaction() as tx:
            book_usage(tx, runs.get(tx, self.run_id), "succeeded", result, 9)

    @property
    def used(self):
        found = responses.of_run(self.house.connection, self.run_id)
        kinds = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        return tuple(sum(getattr(one, kind) for one in found) for kind in kinds)


FIRST, SECOND = (500, 10, 20, 30), (600, 40, 50, 7)
BOTH = AdapterResult("", ok=True, usage=RunUsage(1100, 37, 50, 70), turns=2)
SUM = (1100, 50, 70, 37)


@pytest.mark.parametrize("known", [(), (FIRST,), (FIRST, SECOND)])
def test_a_run_has_used_all_that_it_told_however_far_its_clients_log_is(house, known):
    """A client writes its log behind its output: settled in between, a part of the turn would be its bill."""
    run = Logged(house)
    run.log(*known)
    run.settle(BOTH)
    assert run.used == SUM
    for told in ((FIRST,), (FIRST, SECOND))[len(known) :]:
        run.log(*told)
        assert run.used == SUM
    assert {one.log for one in responses.of_run(house.connection, run.run_id)} == {"/l"}


@pytest.mark.parametrize(
    "result",
    [
        None,
        AdapterResult("", ok=True, turns=2),
        msgspec.structs.replace(BOTH, turns=1),
        msgspec.structs.replace(BOTH, turns=None),
        msgspec.structs.replace(BOTH, usage=RunUsage(1, 1)),
    ],
)
def test_beside_a_log_that_has_told_it_nothing_is_booked(house, result):
    run = Logged(house)
    run.log(FIRST)
    run.settle(result)
    assert run.used == FIRST


def test_an_estimate_counts_what_goes_with_the_prompt_as_input(house):
    """All that a conversation holds is sent again, and is no answer."""
    cost = Estimate(100, 5000, 5100, 5500, 5500, None, None, "declared")
    run = Logged(house, adapter="anthropic", estimate=msgspec.json.encode(cost).decode(), estimate_tokens=5500)
    with house.database.transaction() as tx:
        receipts.store(tx, receipts.Receipt(run.run_id, "[]", 100, 400))
    run.settle(None)
    assert run.used == (5100, 0, 0, 400)
