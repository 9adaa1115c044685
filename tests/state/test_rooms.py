"""Slots, claims, runs, journal, events, notices and skills: is each thing recorded once and found again?"""

import pytest

from state import claims, events, journal, receipts, runs, skills, slots
from state.errors import NotFound
from state.slots import Mark, Slot


def test_a_due_time_is_noted_at_most_once(house):
    with house.database.transaction() as tx:
        assert slots.note(tx, Slot("j", 10, "started", None, None, 1))
        assert not slots.note(tx, Slot("j", 10, "missed", 7, "again", 2))
        assert slots.note(tx, Slot("k", 10, "missed", None, None, 1))
        assert slots.note(tx, Slot("j", 20, "paused", None, "x", 1))
    assert slots.latest(house.connection, "j", 9) == [
        Slot("j", 20, "paused", None, "x", 1),
        Slot("j", 10, "started", None, None, 1),
    ]
    assert slots.latest(house.connection, "j", 1)[0].due_ms == 20
    assert slots.last_due_ms(house.connection, "j", 100) == 20
    assert slots.last_due_ms(house.connection, "j", 19) == 10
    assert slots.last_due_ms(house.connection, "none", 100) is None


def test_what_became_of_a_slot(house):
    with house.database.transaction() as tx:
        for due_ms in (10, 20):
            slots.note(tx, Slot("j", due_ms, "started", None, None, 1))
        slots.update(tx, "j", 10, "started", 5, None)
        slots.update(tx, "j", 10, "failed", None, "exit code 1")
        slots.interrupt_unstarted(tx, "the engine ended")
    assert slots.strip(house.connection, 9) == {
        "j": [
            Slot("j", 10, "failed", 5, "exit code 1", 1),
            Slot("j", 20, "interrupted", None, "the engine ended", 1),
        ]
    }


def test_the_strip_has_the_newest_of_every_job_oldest_first(house):
    with house.database.transaction() as tx:
        for job in "ab":
            for due_ms in (3, 1, 2):
                slots.note(tx, Slot(job, due_ms, "missed", None, None, 1))
    found = slots.strip(house.connection, 2)
    assert {job: [slot.due_ms for slot in strip] for job, strip in found.items()} == {"a": [2, 3], "b": [2, 3]}


def test_marks(house):
    with house.database.transaction() as tx:
        slots.set_mark(tx, Mark("j", "every 60", 5))
        slots.set_mark(tx, Mark("j", "every 90", 6))
        slots.set_mark(tx, Mark("k", "every 1", 7))
        slots.drop_mark(tx, "k")
    assert slots.marks(house.connection) == {"j": Mark("j", "every 90", 6)}


def test_claims_live_as_long_as_their_run(house):
    one, two = house.run(agent="a"), house.run(agent="b")
    with house.database.transaction() as tx:
        first = claims.claim(tx, one, "w", "/w", '["x", "y"]', "{}", 5)
        second = claims.claim(tx, two, "w", "/w", '["x"]', "{}", 6)
        assert claims.held(tx, one) == [first]
        claims.release(tx, one, 7)
    assert [(claim.token, claim.agent, claim.claimed_ms) for claim in claims.live(house.connection)] == [
        (second, "b", 6)
    ]
    assert claims.held(house.connection, one) == []


def test_a_run_from_the_gate_to_its_end(house):
    session = house.session()
    generation = house.next_generation(session)
    run = house.run(session_id=session, generation_id=generation)
    refused = house.run(session_id=session, state="refused")
    with house.database.transaction() as tx:
        runs.mark_starting(tx, run)
        runs.mark_started(tx, run, 50)
        receipts.store(tx, receipts.Receipt(run, "[]", 5, 20))
        assert [one.id for one in runs.live(tx)] == [run]
        assert runs.used(tx, generation)
        assert runs.last_in_session(tx, session).id == run
        assert [one.id for one in runs.latest(tx, 9, session)] == [refused, run]
        runs.settle(tx, run, outcome="failed", why="x", exit_code=1, signal=None, summary="s", ended_ms=60)
    found = runs.get(house.connection, run)
    assert (found.state, found.outcome, found.started_ms, found.ended_ms, found.live) == (
        "settled",
        "failed",
        50,
        60,
        False,
    )
    assert receipts.of_run(house.connection, run).tokens == 5
    assert receipts.of_run(house.connection, refused) is None
    assert runs.live(house.connection) == []
    with pytest.raises(NotFound):
        runs.get(house.connection, 99)


def test_mean_tokens_of_the_last_ten_settled_runs(house):
    generation = house.next_generation(house.session())
    assert runs.mean_tokens(house.connection, "j") is None
    for number in range(12):
        run = house.run(job="j", state="settled")
        house.book(house.row(generation, f"r{number}", (1000 if number < 2 else number, 0, 0, 0), run_id=run))
    house.book(house.row(generation, "live", (9999, 0, 0, 0), run_id=house.run(job="j")))
    assert runs.mean_tokens(house.connection, "j") == round(sum(range(2, 12)) / 10)


def test_the_newest_act_is_undone_first_and_once(house):
    with house.database.transaction() as tx:
        first = journal.add(tx, 1, "reset", "session 1", "{}")
        second = journal.add(tx, 2, "reset", "session 2", "{}")
        journal.add(tx, 3, "stop", "run 3")
        assert journal.last_undoable(tx).id == second
        journal.mark_undone(tx, second, 4)
        assert journal.last_undoable(tx).id == first
        journal.mark_undone(tx, first, 5)
        assert journal.last_undoable(tx) is None
    assert [entry.subject for entry in journal.latest(house.connection, 2)] == ["run 3", "session 2"]


def test_events_do_not_grow_for_ever(house, monkeypatch):
    monkeypatch.setattr(events, "EVENTS_KEPT", 3)
    run = house.run()
    with house.database.transaction() as tx:
        events.trim(tx)
        for number in range(5):
            events.add(tx, 100 - number, "kind", str(number), run_id=run if number == 1 else None)
        events.trim(tx)
    found = events.latest(house.connection, 99)
    assert [event.text for event in found] == ["4", "3", "2"], "in the order in which they happened, whatever the clock"
    assert events.latest(house.connection, 99, run_id=run) == []


def test_a_notice_stays_until_it_is_dropped(house):
    with house.database.transaction() as tx:
        events.raise_notice(tx, events.Notice("config", "error", "old", 1))
        events.raise_notice(tx, events.Notice("config", "error", "new", 3))
        events.raise_notice(tx, events.Notice("scan", "info", "x", 2))
    assert [notice.text for notice in events.notices(house.connection)] == ["x", "new"]
    assert events.notice(house.connection, "config").text == "new"
    with house.database.transaction() as tx:
        events.drop_notice(tx, "config")
    assert events.notice(house.connection, "config") is None


def test_the_inventory_of_skills_is_replaced(house):
    one, two = (skills.Skill(f"/{name}", name, "d", "user", 1, 2, "h", None) for name in "ba")
    with house.database.transaction() as tx:
        skills.replace(tx, [one, two])
    assert skills.found(house.connection) == [two, one]
    with house.database.transaction() as tx:
        skills.replace(tx, [one])
    assert skills.found(house.connection) == [one]
