"""The feed against a real database, looked at step by step: no thread and no waiting."""

import threading
import time

import pytest

from state.database import open_reader
from state.home import Home
from tui.reading import changes, details
from tui.reading.feed import Feed
from tui.reading.journal import UndoChanged

NOW_MS = (
    (time.time_ns() // 1_000_000) // 60_000 * 60_000
)  # on the minute: nothing changes in the next tenth of a second


@pytest.fixture
def watched(filled):
    """A feed that has handed out everything once, and the list of what it posts from then on."""
    posted = []
    made = Feed(filled.home, posted.append)
    made.look(NOW_MS)
    first = list(posted)
    posted.clear()
    yield made, posted, first
    made.stop()
    made._close()


def kinds(posted):
    return {type(message) for message in posted}


def test_the_first_look_hands_out_everything(watched):
    _, _, first = watched
    assert kinds(first) == {
        changes.HeaderChanged,
        changes.ConfigChanged,
        changes.SessionsChanged,
        changes.JobsChanged,
        changes.BudgetsChanged,
        changes.SkillsChanged,
        changes.InboxChanged,
        changes.RunsChanged,
        changes.EventsChanged,
        changes.NoticesChanged,
        changes.SpendChanged,
        UndoChanged,
    }
    board = next(message.board for message in first if isinstance(message, changes.SessionsChanged))
    assert [row.title for row in board.rows] == ["fix flaky test", "vendor survey"]


def test_a_quiet_state_hands_out_nothing(watched):
    made, posted, _ = watched
    assert not made.look(NOW_MS + 100)
    assert posted == []


def test_usage_changes_the_panes_that_show_usage_and_no_other(filled, watched):
    made, posted, _ = watched
    filled.spend(2, 500, key="r2")
    assert made.look(NOW_MS + 100)
    assert kinds(posted) == {changes.SessionsChanged, changes.BudgetsChanged, changes.SpendChanged}
    budget = next(message.board.rows[0] for message in posted if isinstance(message, changes.BudgetsChanged))
    assert budget.taken == 1700


def test_an_event_changes_the_strip_alone(filled, watched):
    made, posted, _ = watched
    filled.event("run 2 admitted")
    made.look(NOW_MS + 100)
    assert kinds(posted) == {changes.EventsChanged}
    assert posted[0].rows[0].text == "run 2 admitted"


def test_a_slot_changes_the_jobs_alone(filled, watched):
    made, posted, _ = watched
    filled.slot("health-check", "failed", NOW_MS + 1)
    made.look(NOW_MS + 100)
    assert kinds(posted) == {changes.JobsChanged}


def test_time_alone_moves_what_depends_on_it(watched):
    made, posted, _ = watched
    made.look(NOW_MS + 3_700_000)
    assert changes.JobsChanged in kinds(posted)
    assert changes.EventsChanged not in kinds(posted)


def test_another_configuration_is_taken_up(filled, watched):
    made, posted, _ = watched
    filled.home.config_in_force.write_text('[budget.week]\nwindow = "week"\ntokens = 5\n')
    made.look(NOW_MS + 100)
    assert {changes.ConfigChanged, changes.BudgetsChanged, changes.JobsChanged} <= kinds(posted)
    rows = next(message.board.rows for message in posted if isinstance(message, changes.BudgetsChanged))
    assert [row.name for row in rows] == ["week"]


def test_it_starts_without_a_database_and_outlives_one_that_disappears(world):
    posted = []
    made = Feed(world.home, posted.append)
    assert not made.look(NOW_MS)
    assert kinds(posted) == {changes.HeaderChanged}
    world.session("first")
    assert made.look(NOW_MS + 100)
    assert changes.SessionsChanged in kinds(posted)
    world.close()
    for path in world.home.state.glob("quarterdeck.db*"):
        path.unlink()
    assert not made.look(NOW_MS + 200)
    posted.clear()
    world.session("second")
    assert made.look(NOW_MS + 300)
    board = next(message.board for message in posted if isinstance(message, changes.SessionsChanged))
    assert [row.title for row in board.rows] == ["second"]
    made._close()


def test_a_database_that_is_none_is_said_and_then_taken_back(tmp_path):
    home = Home(config=tmp_path, state=tmp_path)
    home.database.write_bytes(b"this is no database at all, and long enough to tell" * 40)
    told = threading.Event()
    lines = []

    def post(message):
        if isinstance(message, changes.StateUnreadable):
            lines.append(message.line)
            told.set()

    made = Feed(home, post)
    made.start()
    assert told.wait(20)
    assert "quarterdeck.db" in lines[0]
    made.stop()


def test_a_detail_is_read_while_it_is_watched(filled, watched):
    made, posted, _ = watched
    made.watch(details.session_detail(1))
    made.look(NOW_MS + 100)
    assert [message.detail.session.title for message in posted] == ["fix flaky test"]
    posted.clear()
    made.unwatch()
    filled.session("another", at_ms=NOW_MS + 5)
    made.look(NOW_MS + 200)
    assert changes.DetailChanged not in kinds(posted)


def test_a_detail_that_is_not_there_says_so(watched):
    made, posted, _ = watched
    made.watch(details.run_detail(77))
    made.look(NOW_MS + 100)
    assert "no run 77" in posted[0].detail.line


def test_it_never_stays_in_a_transaction(filled, watched):
    made, _, _ = watched
    assert made._connection is not None
    assert not made._connection.in_transaction
    filled.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    busy = filled.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    assert busy == 0


def test_what_it_hands_out_is_clean(world):
    world.session("\x1b]0;owned\x07[/] \u202e" + "x" * 10_000)
    posted = []
    made = Feed(world.home, posted.append)
    made.look(NOW_MS)
    board = next(message.board for message in posted if isinstance(message, changes.SessionsChanged))
    assert "\x1b" not in board.rows[0].title
    assert len(board.rows[0].title) <= 400
    made._close()
    connection = open_reader(world.home)
    connection.close()


def test_what_makes_no_sense_is_said_and_everything_else_goes_on(filled):
    """A row that another version wrote, say: the thread must not end of it, with the numbers standing still."""
    posted, came = [], threading.Semaphore(0)

    def post(message):
        posted.append(message)
        came.release()

    def until(true):
        while not any(map(true, posted)):
            assert came.acquire(timeout=20)

    def broken(_):
        raise KeyError("later-version")

    made = Feed(filled.home, post, 0.05)
    made.once(broken, lambda _: None)
    made.once(lambda _: "answered", lambda _: None)
    made.watch(broken)
    made.start()
    try:
        until(lambda m: isinstance(m, changes.StateUnreadable) and "KeyError: 'later-version'" in m.line)
        until(lambda m: isinstance(m, changes.AskedOnce) and m.value == "answered")
        filled.session("came later")
        until(lambda m: isinstance(m, changes.SessionsChanged) and m.board.rows[0].title == "came later")
        made.unwatch()
        until(lambda m: isinstance(m, changes.StateUnreadable) and not m.line)
    finally:
        made.stop()
