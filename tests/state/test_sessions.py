"""Is a conversation one session, seen however often, and does a reset keep all that was?"""

import msgspec
import pytest

from state import board, sessions
from state.errors import NotFound


def test_observing_again_changes_nothing(house):
    facts = {"workspace": "/w", "title": "t", "model": "m", "started_ms": 900}
    generation = house.generation(**facts)
    before = board.board(house.connection, 0)
    assert house.generation(**facts) == generation
    assert board.board(house.connection, 0) == before
    assert sessions.count(house.connection) == 1


def test_known_facts_are_not_forgotten(house):
    generation = house.generation(workspace="/w", title="t", model="m1", started_ms=900)
    house.generation(at_ms=500)
    house.generation(at_ms=2000, workspace="/other", title="other", model="m2", started_ms=950)
    found = sessions.get(house.connection, 1)
    assert (found.title, found.workspace, found.created_ms, found.last_active_ms) == ("t", "/w", 500, 2000)
    assert sessions.generation(house.connection, generation).model == "m2"


@pytest.mark.parametrize("other", [{"provider_id": "p2"}, {"source": "claude_code"}])
def test_identity_is_source_home_and_id(house, other):
    assert house.generation() != house.generation(**other)
    assert sessions.count(house.connection) == 2


def test_next_generation_and_undo_keep_everything(house):
    session = house.session()
    first = house.next_generation(session, "c1")
    house.book(house.row(first, tokens=(1, 2, 3, 4)))
    kept = sessions.generation(house.connection, first)
    second = house.next_generation(session, reason="operator_reset")
    assert sessions.get(house.connection, session).generation_id == second
    assert sessions.generation(house.connection, first) == kept
    with house.database.transaction() as tx:
        sessions.undo_generation(tx, second, first, 77)
    assert sessions.get(house.connection, session).generation_id == first
    found = sessions.generations(house.connection, session)
    assert [(one.id, one.number, one.undone_ms) for one in found] == [(first, 1, None), (second, 2, 77)]
    third = house.next_generation(session)
    assert sessions.generation(house.connection, third).number == 2, "an undone one does not count"


def test_what_the_provider_calls_it(house):
    generation = house.next_generation(house.session())
    with house.database.transaction() as tx:
        sessions.set_conversation(tx, generation, provider_id="c", model="m", workspace="/x", assignment="a")
    found = sessions.generation(house.connection, generation)
    assert (found.provider_id, found.model, found.workspace, found.assignment) == ("c", "m", "/x", "a")


def test_whose_session_it_is(house):
    plain, isolated, job = house.session(), house.session(lane="isolated"), house.session(job="j")
    newest = house.session()
    for found, wanted in (
        (("digest", "main", None), newest),
        (("digest", "isolated", None), isolated),
        (("digest", "main", "j"), job),
        (("coder", "main", None), None),
    ):
        session = sessions.owned(house.connection, *found)
        assert (session.id if session else None) == wanted
    assert plain != newest
    for get in (sessions.get, sessions.generation):
        with pytest.raises(NotFound):
            get(house.connection, 99)


def test_activity_only_moves_forward(house):
    session = house.session(at_ms=100)
    with house.database.transaction() as tx:
        sessions.touch(tx, session, 50)
        assert sessions.get(tx, session).last_active_ms == 100
        sessions.touch(tx, session, 150)
    assert sessions.get(house.connection, session).last_active_ms == 150


def test_the_board(house):
    busy = house.session(at_ms=5000)
    old, new = house.next_generation(busy, "c1"), house.next_generation(busy, "c2", reason="operator_reset")
    house.book(house.row(old, "a", (1, 0, 0, 0), at_ms=100))
    house.book(house.row(new, "b", (0, 20, 0, 300), at_ms=240_000))
    house.run(session_id=busy, state="settled", outcome="failed")
    live = house.run(session_id=busy, state="running", trigger="timer", reuse_reason="same_conversation", model="m")
    house.generation(at_ms=9000, title="seen")
    house.session(at_ms=10_000)  # without a generation yet: nothing to show
    seen, row = board.board(house.connection, 180_000)
    assert (seen.title, seen.live_run_id, seen.last_run_id, seen.total_tokens) == ("seen", None, None, 0)
    assert (row.id, row.generation, row.generation_reason, row.model) == (busy, 2, "operator_reset", "m")
    assert (row.responses, row.total_tokens, row.recent_tokens) == (2, 321, 320)
    assert (row.live_run_id, row.live_trigger, row.last_outcome, row.last_reuse) == (
        live,
        "timer",
        None,
        "same_conversation",
    )
    assert [one.id for one in board.board(house.connection, 0, limit=2)] == [seen.id]


@pytest.mark.parametrize("state", ["reserved", "starting", "running", "ending"])
def test_a_refused_run_does_not_hide_the_live_one(house, state):
    session = house.session()
    house.next_generation(session)
    live = house.run(session_id=session, state=state)
    house.run(session_id=session, state="refused", outcome="refused")
    row = board.board(house.connection, 0)[0]
    assert (row.live_run_id, row.last_outcome) == (live, "refused")


def test_rows_are_frozen(house):
    house.generation()
    row = board.board(house.connection, 0)[0]
    with pytest.raises(AttributeError):
        row.id = 5
    assert msgspec.json.encode(row)


def test_the_log_of_a_conversation_that_we_started_is_that_conversation(house):
    session = house.session()
    ours = house.next_generation(session, provider_id="5f2e")
    assert house.generation("5f2e", source="claude_code", workspace="/w") == ours
    assert house.generation("another", source="claude_code") != ours
    assert sessions.observed_in(house.connection, "/w", 0) == []
