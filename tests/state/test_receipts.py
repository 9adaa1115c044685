"""What was a prompt made of, what was the one before it, and what does a conversation hold already?"""

import json

import pytest

from state import receipts, runs
from state.receipts import Receipt


def part(kind, sha256="1", source="x", **more):
    return {"kind": kind, "source": source, "chars": 1, "tokens": 1, "sha256": sha256, "stable": True} | more


@pytest.fixture
def generation(house):
    return house.next_generation(house.session())


@pytest.fixture
def ran(house, generation):
    """A run in the generation, with its receipt; returns its id."""

    def ran(*parts, generation_id=generation, **columns):
        session_id = house.connection.execute(
            "SELECT session_id FROM generations WHERE id = ?", (generation_id,)
        ).fetchone()[0]
        told = {"state": "settled", "outcome": "succeeded", "started_ms": 1} | columns
        run_id = house.run(session_id=session_id, generation_id=generation_id, **told)
        with house.database.transaction() as tx:
            receipts.store(tx, Receipt(run_id, json.dumps(parts), len(parts), 1))
        return run_id

    return ran


def session_of(house, run_id):
    return runs.get(house.connection, run_id).session_id


def test_a_receipt_comes_back_as_it_was_stored(house):
    run_id = house.run()
    kept = Receipt(run_id, "[]", 1, 2, '{"model":"spawn"}', '{"part":"file a"}', 4200)
    assert receipts.of_run(house.connection, run_id) is None
    with house.database.transaction() as tx:
        receipts.store(tx, kept)
    assert receipts.of_run(house.connection, run_id) == kept


def test_the_receipt_of_a_run_that_waited_is_replaced(house):
    run_id = house.run(state="waiting")
    for tokens in (1, 2):
        with house.database.transaction() as tx:
            receipts.store(tx, Receipt(run_id, "[]", tokens, 2))
    assert receipts.of_run(house.connection, run_id).tokens == 2


@pytest.mark.parametrize("state", ["reserved", "starting", "running", "ending", "settled"])
def test_the_last_in_a_session_is_of_the_newest_admitted_run(house, ran, state):
    ran(part("task", "old"))
    newest = ran(part("task", "new"), state=state)
    ran(part("task", "refused"), state="refused")
    ran(part("task", "waiting"), state="waiting")
    house.run(session_id=session_of(house, newest), state="settled")  # without a receipt
    assert receipts.last_in_session(house.connection, session_of(house, newest)).run_id == newest


def test_the_last_before_another_run(house, ran):
    first, second, third = ran(part("task")), ran(part("task")), ran(part("task"))
    session = session_of(house, first)
    assert receipts.last_in_session(house.connection, session, third).run_id == second
    assert receipts.last_in_session(house.connection, session, first) is None
    assert receipts.last_in_session(house.connection, session + 1) is None
    assert [one.run_id for one in receipts.in_session(house.connection, session, 2)] == [third, second]


def test_a_conversation_holds_what_it_was_sent(house, ran, generation):
    ran(part("instructions"), part("tools"), part("file", "1", "a"), part("file", "2", "b"))
    held = (part("instructions", sent=False), part("tools", sent=False))
    ran(*held, part("file", "1", "a", sent=False), part("file", "2", "b"), part("task", "3", "task"))
    assert receipts.sent_in_generation(house.connection, generation) == {
        ("instructions", "x", "1"),
        ("tools", "x", "1"),
        ("file", "a", "1"),
        ("file", "b", "2"),
        ("task", "task", "3"),
    }


def test_an_older_version_must_be_sent_again(house, ran, generation):
    ran(part("instructions", "1"))
    ran(part("instructions", "2"))
    assert receipts.sent_in_generation(house.connection, generation) == {("instructions", "x", "2")}


def test_what_may_have_reached_it_is_sent_again_both_ways(house, ran, generation):
    """A run with a newer version was cut off: neither version can be counted on."""
    ran(part("instructions", "1"), part("tools"))
    ran(part("instructions", "2"), part("tools", sent=False), outcome="timed_out")
    assert receipts.sent_in_generation(house.connection, generation) == {("tools", "x", "1")}


def test_only_the_newest_prompt_is_looked_at(house, ran, generation):
    ran(part("instructions"), part("tools"))
    ran(part("instructions", sent=False))
    assert receipts.sent_in_generation(house.connection, generation) == {("instructions", "x", "1")}


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "refused", "outcome": "refused"},
        {"state": "waiting", "outcome": None, "started_ms": None},
        {"state": "reserved", "outcome": None, "started_ms": None},
        {"outcome": "could_not_start", "started_ms": None},
        {"outcome": "could_not_start"},
        {"outcome": "failed"},
        {"outcome": "timed_out"},
        {"outcome": "cancelled"},
        {"outcome": "interrupted"},
        {"outcome": None, "state": "running"},
    ],
)
def test_what_never_came_through_is_not_held(house, ran, generation, columns):
    ran(part("instructions"), **columns)
    assert receipts.sent_in_generation(house.connection, generation) == set()


@pytest.mark.parametrize("outcome", ["succeeded", "budget_reached"])
def test_what_a_run_was_given_that_went_on_is_held(house, ran, generation, outcome):
    ran(part("instructions"), outcome=outcome)
    assert receipts.sent_in_generation(house.connection, generation) == {("instructions", "x", "1")}


def test_another_generation_holds_nothing_of_it(house, ran, generation):
    ran(part("instructions"))
    other = house.next_generation(house.session())
    assert receipts.sent_in_generation(house.connection, other) == set()
