"""Does the past teach what was reported, of runs alike and of first requests, and nothing else?"""

import pytest

from state import history, runs
from state.run_usage import provisional_key


class Past:
    """A house in which runs have settled."""

    def __init__(self, house):
        self.house = house
        self.generation = house.generation()
        self.log = house.log()
        self._count = 0

    def settled(self, *responses, prompt=100, **columns):
        """A run of these responses, each (tokens, fields of its row); returns its id."""
        facts = {"agent": "coder", "task_type": "research", "model": "m", "state": "settled", "outcome": "succeeded"}
        run_id = self.house.run(**(facts | {"reused": 0} | columns))
        with self.house.database.transaction() as tx:
            tx.execute("INSERT INTO receipts (run_id, parts, tokens, chars) VALUES (?, '[]', ?, 0)", (run_id, prompt))
        for tokens, fields in responses:
            self._count += 1
            facts = {"run_id": run_id, "model": "m", "log_id": self.log} | fields
            self.house.book(self.house.row(self.generation, f"k{self._count}", tokens, **facts))
        return run_id

    def told_itself(self, tokens, basis="per_run", **columns):
        """A run of which no log tells; only its own output, or not even that."""
        run_id = self.settled(**columns)
        key = provisional_key(run_id)
        self.house.book(self.house.row(self.generation, key, tokens, "quarterdeck", run_id=run_id, basis=basis))
        return run_id

    def runs(self, agent="coder", task_type="research", model="m", **limit):
        return history.past_runs(self.house.connection, agent, task_type, model, **limit)

    def ids(self, *kind, **limit):
        return [run.run_id for run in self.runs(*kind, **limit)]

    def points(self, model="m", **limit):
        return history.calibration_points(self.house.connection, model, **limit)


@pytest.fixture
def past(house):
    return Past(house)


def response(tokens=(1, 2, 4, 8), **fields):
    return tokens, fields


def test_a_run_is_told_by_all_of_its_responses(past):
    run_id = past.settled(
        response((50, 3, 2, 20), at_ms=3_000, cost_microusd=70),
        response((10, 1_000, 500, 30), at_ms=2_000, cost_microusd=7),
        prompt=312,
        likely_tokens=1_700,
    )
    assert past.runs() == [
        history.PastRun(
            run_id,
            prompt_tokens=312,
            used_tokens=1_615,
            used_microusd=77,
            responses=2,
            output_tokens=50,
            first_input_tokens=1_510,
            fresh=True,
            likely_tokens=1_700,
            basis_real=True,
        )
    ]


def test_of_two_responses_in_the_same_instant_the_one_that_was_booked_first_is_the_first(past):
    past.settled(response((1, 0, 0, 0)), response((2, 0, 0, 0)))
    assert past.runs()[0].first_input_tokens == 1


def test_flags_are_true_or_false(past):
    past.settled(response())
    assert past.runs()[0].fresh is True
    assert past.runs()[0].basis_real is True


@pytest.mark.parametrize(("reused", "fresh"), [(0, True), (1, False), (None, False)])
def test_a_run_is_fresh_when_it_is_known_that_it_resumed_nothing(past, reused, fresh):
    past.settled(response(), reused=reused)
    assert [run.fresh for run in past.runs()] == [fresh]


@pytest.mark.parametrize(("costs", "expected"), [((3, 4), 7), ((3, None), None), ((None, None), None), ((0, 0), 0)])
def test_what_a_run_cost_is_unknown_when_any_response_has_no_price(past, costs, expected):
    past.settled(*[response(cost_microusd=cost) for cost in costs])
    assert past.runs()[0].used_microusd == expected


@pytest.mark.parametrize(
    "columns",
    [
        {"agent": "ops"},
        {"task_type": "chat"},
        {"model": "n"},
        {"model": None},
        {"outcome": "failed"},
        {"outcome": "timed_out"},
        {"outcome": "cancelled"},
        {"outcome": "interrupted"},
        {"state": "running", "outcome": None},
        {"state": "ending"},
    ],
)
def test_only_runs_that_are_alike_and_succeeded_teach(past, columns):
    run_id = past.settled(response())
    past.settled(response(), **columns)
    assert past.ids() == [run_id]


def test_runs_for_which_no_model_was_asked_are_alike(past):
    past.settled(response())
    run_id = past.settled(response(), model=None)
    assert past.ids("coder", "research", None) == [run_id]


def test_a_run_that_was_settled_at_its_estimate_does_not_teach(past):
    past.told_itself((100, 0, 0, 400), "estimated")
    past.settled()
    assert past.runs() == []
    assert past.points() == []


def test_what_a_run_told_itself_is_a_total_and_no_first_request(past):
    run_id = past.told_itself((900, 0, 0, 40))
    told = past.runs()[0]
    assert (told.run_id, told.used_tokens, told.responses, told.first_input_tokens) == (run_id, 940, 1, None)
    assert past.points() == []


def test_a_run_without_a_receipt_does_not_teach(past, house):
    run_id = past.settled(response())
    with house.database.transaction() as tx:
        tx.execute("DELETE FROM receipts WHERE run_id = ?", (run_id,))
    assert past.runs() == []
    assert past.points() == []


def test_the_newest_come_first_and_no_more_than_are_wanted(past):
    made = [past.settled(response()) for _ in range(4)]
    assert past.ids() == made[::-1]
    assert past.ids(limit=2) == made[:1:-1]


def test_runs_that_do_not_teach_take_no_place_of_others_until_four_times_as_many_are_looked_at(past):
    run_id = past.settled(response())
    for _ in range(7):
        past.settled(response(), outcome="failed")
    assert past.ids(limit=2) == [run_id]
    past.told_itself((1, 0, 0, 1), "estimated")
    assert past.ids(limit=2) == []


def test_runs_of_other_kinds_take_no_place_at_all(past):
    run_id = past.settled(response())
    for agent, task_type in (("ops", "research"), ("coder", "chat")):
        for _ in range(9):
            past.settled(response(), agent=agent, task_type=task_type)
    assert past.ids(limit=2) == [run_id]


def test_an_empty_past(past):
    assert past.runs() == []
    assert past.points() == []


def test_first_requests_are_those_of_fresh_runs_of_all_agents_however_they_ended(past):
    past.settled(response((10, 20, 70, 5)), response((900, 0, 0, 5), at_ms=9_000), prompt=90)
    past.settled(response((200, 0, 0, 5)), prompt=150, agent="ops", task_type="chat", outcome="timed_out")
    assert past.points() == [
        history.FirstRequest("ops", "chat", counted_tokens=150, reported_tokens=200),
        history.FirstRequest("coder", "research", counted_tokens=90, reported_tokens=100),
    ]


@pytest.mark.parametrize("columns", [{"reused": 1}, {"reused": None}, {"model": "n"}, {"state": "running"}])
def test_no_other_run_calibrates(past, columns):
    past.settled(response(), **columns)
    assert past.points() == []


def test_no_model_is_calibrated_by_runs_that_asked_for_none(past):
    past.settled(response(), model=None)
    assert past.points(None) == []


def test_first_requests_are_bounded_too(past):
    for prompt in range(1, 5):
        past.settled(response(), prompt=prompt)
    assert [one.counted_tokens for one in past.points(limit=2)] == [4, 3]
    for _ in range(19):
        past.settled()
    assert [one.counted_tokens for one in past.points(limit=2)] == [4]
    past.settled()
    assert past.points(limit=2) == []
    assert len(past.points(limit=3)) == 3


def test_neither_question_sorts_or_reads_a_whole_table(house, past):
    """Whatever the number of runs."""
    for sql, values in ((history._PAST_RUNS, ("a", "t", "m", 1, 1)), (history._FIRST_REQUESTS, ("m", 1, 1))):
        plan = house.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
        outermost = [line for _, parent, _, line in plan if parent == 0]
        assert outermost
        assert not [line for line in outermost if line.startswith("SCAN") or "TEMP B-TREE" in line]
        assert "SEARCH f USING INDEX usage_by_run (run_id=?)" in [line for *_, line in plan]


def test_settling_and_late_prices_count_at_once(past, house):
    run_id = past.settled(response((5, 0, 0, 5), cost_microusd=None), state="running", outcome=None)
    assert past.runs() == []
    with house.database.transaction() as tx:
        runs.settle(tx, run_id, outcome="succeeded", why="", exit_code=0, signal=None, summary="", ended_ms=9)
    assert past.runs()[0].used_microusd is None
    with house.database.transaction() as tx:
        tx.execute("UPDATE usage SET cost_microusd = 3 WHERE run_id = ?", (run_id,))
    assert past.runs()[0].used_microusd == 3
