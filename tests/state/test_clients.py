"""Which programs are held, what runs asked, which model was gone, and who else used a conversation?"""

import pytest

from state import approvals, clients, events, fallbacks, forks, run_usage, sessions, usage


def test_a_client_is_live_until_it_ends_and_belongs_to_its_conversation(house):
    one, other = house.generation("p1"), house.generation("p2")
    first, second = house.run(generation_id=one), house.run(generation_id=other)
    with house.database.transaction() as tx:
        clients.begin(tx, first, one, "s1", 5)
        clients.begin(tx, second, other, "s2", 6)
        clients.deal(tx, first, 70)
        assert [client.id for client in clients.live(tx)] == [first, second]
        assert clients.of_generation(tx, one) == [clients.Client(first, one, "s1", 5, 70, None)]
        clients.end(tx, first, 9)
        clients.end(tx, first, 10)
        assert clients.get(tx, first).ended_ms == 9
        assert clients.of_generation(tx, one) == []
        assert [client.id for client in clients.live(tx)] == [second]
        assert clients.get(tx, 99) is None


def test_a_run_that_starts_a_second_program_is_held_by_that_one(house):
    generation, fresh = house.generation("p1"), house.generation("p2")
    run = house.run(generation_id=generation)
    with house.database.transaction() as tx:
        clients.begin(tx, run, generation, "s1", 5)
        clients.deal(tx, run, 70)
        clients.end(tx, run, 6)
        clients.begin(tx, run, fresh, "s2", 7)
        assert clients.live(tx) == [clients.Client(run, fresh, "s2", 7, 0, None)]


def test_what_a_run_asks_stands_beside_what_is_asked_about_its_budget(house):
    run = house.run()
    with house.database.transaction() as tx:
        budget = approvals.ask(tx, run, "{}", 1, 9)
        one = approvals.ask(tx, run, '{"a":1}', 2, 9, request_id="q1")
        two = approvals.ask(tx, run, '{"a":2}', 3, 9, request_id="q2")
        assert approvals.of_run(tx, run).id == budget
        assert [asked.id for asked in approvals.permissions(tx, run)] == [one, two]
        assert approvals.asked_by(tx, run, "q2").id == two
        assert approvals.asked_by(tx, run, "q3") is None
        assert approvals.asked_by(tx, run + 1, "q2") is None
        assert approvals.withdraw_one(tx, one, 4)
        assert not approvals.withdraw_one(tx, one, 5)
        assert [asked.id for asked in approvals.pending(tx)] == [budget, two]
        approvals.withdraw(tx, run, 6)
        assert approvals.pending(tx) == []


def test_a_run_is_marked_once_and_has_the_newest_successor(house):
    first = house.run()
    with house.database.transaction() as tx:
        events.add(tx, 1, "unavailable", "it is gone", run_id=first)
        events.add(tx, 2, "failed", "it failed", run_id=first)
    ((event, run),) = fallbacks.marked(house.connection, 0)
    assert run == first
    assert fallbacks.marked(house.connection, event) == []
    assert fallbacks.successor(house.connection, first) is None
    house.run(falls_back_from=first)
    newest = house.run(falls_back_from=first)
    assert fallbacks.successor(house.connection, first) == newest


def test_a_fork_says_where_it_comes_from(house):
    generation = house.generation("p1")
    with house.database.transaction() as tx:
        forks.note(tx, generation, "p0")
    assert sessions.generation(house.connection, generation).forked_from == "p0"


@pytest.mark.parametrize(
    ("facts", "since_ms", "seen"),
    [
        ({}, 500, 500),
        ({}, 501, None),
        ({"run_id": 1}, 0, None),
        ({"log_id": None}, 0, None),
    ],
)
def test_only_what_a_log_tells_and_no_run_of_ours_did_is_somebody_elses(house, facts, since_ms, seen):
    generation = house.generation("p1")
    house.run(generation_id=generation)
    values = {"run_id": None, "log_id": 1} | facts
    row = usage.UsageRow(1, "k", generation, values["run_id"], 500, None, 1, 0, 0, None, None, 1, None, 0, 0)
    with house.database.transaction() as tx:
        usage.book(tx, [row._replace(log_id=values["log_id"])])
    assert run_usage.last_by_others_ms(house.connection, generation, since_ms) == seen
