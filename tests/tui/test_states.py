"""In which state is a session, and what is the evidence?"""

import json

import pytest

from engine.config.load import parse
from engine.runtime import boards
from engine.runtime.settings import CHECKS
from state import approvals
from state.board import BoardRow, board
from tests.tui.conftest import CONFIG, NOW_MS
from tui.panes.urgent import ranked
from tui.reading.snapshot import Reading
from tui.reading.states import (
    NOTHING,
    RANKS,
    WORKING_MS,
    Evidence,
    Unstarted,
    evidence,
    state_of,
    unstarted,
    urgency,
)

MIN = 60_000


def row(**fields):
    usual = dict.fromkeys(BoardRow.__struct_fields__) | {
        "id": 1, "source": "claude_code", "lane": "main", "last_active_ms": NOW_MS - 3 * MIN, "workspace": "/w",
    }  # fmt: skip
    return BoardRow(**usual | fields)


OURS = {"agent": "coder"}


@pytest.mark.parametrize(
    ("fields", "known", "letter", "word", "why"),
    [
        (OURS, {}, ".", "idle", "nothing has run yet"),
        (OURS | {"last_outcome": "timed_out"}, {}, ".", "idle", "last run timed out"),
        (OURS | {"live_run_id": 8, "live_trigger": "timer"}, {}, ">", "working", "run 8, timer"),
        (
            OURS | {"live_run_id": 8},
            {"asks": "Bash rm -rf build", "asked_ms": NOW_MS - 3 * MIN},
            "!",
            "needs me",
            "asks: Bash rm -rf build",
        ),
        (OURS, {"waits_run": 9, "waits_for": "claim"}, "z", "waiting", "run 9 waits for another run's claim"),
        (OURS, {"fires_ms": NOW_MS + 4 * MIN}, "z", "on timer", "fires in 4 min"),
        (OURS | {"live_run_id": 8}, {"fires_ms": NOW_MS + MIN}, ">", "working", "run 8, live"),
        (OURS, {"gone": True, "fires_ms": NOW_MS + MIN}, "x", "gone", "no folder w any more"),
        ({}, {}, "o", "unknown", "observed, its log rests"),
        ({"last_active_ms": NOW_MS - WORKING_MS + 1}, {}, ">", "working", "its log grew just now"),
        ({"last_active_ms": NOW_MS - WORKING_MS}, {}, "o", "unknown", "observed, its log rests"),
        ({"last_active_ms": NOW_MS}, {"gone": True}, ">", "working", "its log grew just now"),
        ({}, {"gone": True}, "x", "gone", "no folder w any more"),
        ({"last_active_ms": NOW_MS - MIN + 1}, {"gone": True}, "o", "unknown", "observed, its log rests"),
        (OURS | {"last_active_ms": NOW_MS}, {}, ".", "idle", "nothing has run yet"),
    ],
)
def test_the_first_evidence_counts_and_without_any_it_is_unknown(fields, known, letter, word, why):
    state = state_of(row(**fields), Evidence(**known), NOW_MS)
    assert (state.letter, state.word, state.why) == (letter, word, why)
    assert RANKS[-state.rank] == letter
    assert urgency(row(**fields), Evidence(**known), NOW_MS) == {"!": 2, ">": 1}.get(letter, 0)


@pytest.fixture
def reading(world):
    def read(now_ms=NOW_MS):
        config = parse(CONFIG, world.home.config_file, CHECKS)
        return Reading(world.home, world.open().connection, now_ms, config, boards, None)

    return read


@pytest.fixture
def found(reading):
    def read(now_ms=NOW_MS):
        here = reading(now_ms)
        return evidence(here, board(here.connection, 0))

    return read


def asks(world, session, run_state="running", **what):
    run = world.run(session_id=session, state=run_state)
    told = {"run_id": run, "agent": "coder", "tool": "Bash", "what": "rm -rf build", "path": None} | what
    with world.open().transaction() as tx:
        approvals.ask(tx, run, json.dumps(told), NOW_MS - MIN, NOW_MS + MIN, request_id="r1")


def test_without_anything_there_is_no_evidence(world, found):
    world.session("observed")
    world.session("ours", agent="coder")
    assert found() == {}
    assert Evidence() == NOTHING


def test_an_open_question_is_named(world, found):
    session, _ = world.session("ours", agent="coder")
    asks(world, session)
    (one,) = found().values()
    assert (one.asks, one.asked_ms) == ("Bash rm -rf build", NOW_MS - MIN)


def test_what_is_asked_cannot_do_anything_to_the_terminal(world, found):
    session, _ = world.session("ours", agent="coder")
    asks(world, session, what="x\x1b]52;c;eA==\x07\u202eevil\n" + "y" * 500)
    (one,) = found().values()
    assert one.asks.isprintable()
    assert len(one.asks) <= 120


def test_a_run_that_waits_says_for_what(world, found):
    session, _ = world.session("ours", agent="coder")
    run = world.run(session_id=session, state="waiting", waits_for="slot")
    (one,) = found().values()
    assert (one.waits_run, one.waits_for, one.asks) == (run, "slot", None)


def test_one_that_waits_for_a_word_asks(world, found):
    session, _ = world.session("ours", agent="coder")
    run = world.run(session_id=session, state="waiting", waits_for="approval")
    (one,) = found().values()
    assert one.asks == f"run {run} would go over a budget"


@pytest.mark.parametrize(("job", "timed"), [("health-check", True), ("weekly", False), ("never-declared", False)])
def test_a_job_that_is_not_paused_fires(world, found, job, timed):
    session, _ = world.session("ours", agent="coder")
    world.sql("UPDATE sessions SET job = ? WHERE id = ?", job, session)
    assert [one.fires_ms is not None for one in found().values()] == ([True] if timed else [])


def test_a_workspace_is_gone_when_the_folder_that_held_it_is_there(world, found, tmp_path):
    here, gone, elsewhere = tmp_path / "here", tmp_path / "gone", tmp_path / "no" / "where"
    here.mkdir()
    for number, path in enumerate((here, gone, elsewhere)):
        session, _ = world.session(f"s{number}", at_ms=NOW_MS - number)
        world.sql("UPDATE sessions SET workspace = ? WHERE id = ?", str(path), session)
    known = found()
    assert [session for session, one in known.items() if one.gone] == [2]


def test_a_run_without_a_session_that_waits_for_a_word_is_told_until_it_is_answered(world, reading):
    session, _ = world.session("ours", agent="coder")
    begun = world.run(session_id=session, state="waiting", waits_for="approval")
    alone = world.run(session_id=None, state="waiting", waits_for="approval", task="spawned\x1b[2J")
    world.run(session_id=None, state="waiting", waits_for="slot")
    world.question(begun, "{}")
    number = world.question(alone, "{}")
    (one,) = unstarted(reading())
    assert (one.run.id, one.asks) == (alone, f"run {alone} would go over a budget")
    assert one.run.task.isprintable()
    with world.open().transaction() as tx:
        approvals.decide(tx, number, False, NOW_MS)
    assert unstarted(reading()) == ()


def test_who_waits_longest_is_first_then_who_works_then_the_newest():
    rows = [
        row(id=1, last_active_ms=NOW_MS - WORKING_MS + 400),
        row(id=2, agent="coder", last_active_ms=NOW_MS - 1000),
        row(id=3, agent="coder", last_active_ms=NOW_MS - 2000),
        row(id=4, agent="coder", last_active_ms=NOW_MS - 3000, live_run_id=9),
        row(id=5, agent="coder", last_active_ms=NOW_MS - 4000),
    ]
    run = Unstarted(type("Run", (), {"id": 7})(), "a word", NOW_MS - 5)
    known = {5: Evidence(asks="Bash", asked_ms=NOW_MS - 9), 3: Evidence(asks="Edit", asked_ms=NOW_MS - 1)}
    found = ranked(rows, (run,), known, NOW_MS)
    assert found.rows == (rows[4], run, rows[2], rows[3], rows[0], rows[1])
    assert (found.asking, found.working) == ({5, ("run", 7), 3}, {4, 1})
    assert found.until_ms == NOW_MS + 400
    later = ranked(rows, (), known, found.until_ms)
    assert [one.id for one in later.rows] == [5, 3, 4, 1, 2]
    assert (later.working, later.until_ms) == ({4}, None)
