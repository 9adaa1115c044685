"""What does the list of sessions show first, what does its title count, and what does it not know?"""

import time

import pytest

from tests.tui.conftest import CONFIG, NOW_MS
from tui.panes.sessions import SessionsPane
from tui.reading.states import WORKING_MS
from tui.screens.run import RunScreen
from tui.widgets.cells import place


@pytest.fixture
def deck(world):
    """Idle sessions, one that asks, one that works, and a run that waits for a word and has no session."""
    world.configure(CONFIG)
    for number in range(8):
        _, generation = world.session(f"idle {number}", agent="coder", at_ms=NOW_MS - number * 60_000)
        world.spend(generation, 900, key=f"r{number}")
    asks, _ = world.session("asks", agent="coder", at_ms=NOW_MS - 90 * 60_000)
    works, _ = world.session("works", agent="coder", at_ms=NOW_MS - 91 * 60_000)
    world.run(session_id=works, state="running")
    world.question(world.run(session_id=asks, state="waiting", waits_for="approval"), "{}")
    world.question(world.run(session_id=None, state="waiting", waits_for="approval", task="spawned"), "{}")
    world.sql("UPDATE approvals SET asked_ms = asked_ms - 1000 WHERE run_id = 2")
    return world


def pane_of(pilot):
    return pilot.app.overview.panes["sessions"]


def title(pane):
    return "".join(text for text, _ in pane.title_line.lines[0])


async def listed(pilot, rows=11):
    pane = pane_of(pilot)
    await pilot.until(lambda: len(pane.table.rows) == rows, f"{rows} rows")
    return pane


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_what_waits_for_me_is_first_and_the_title_counts_the_rows(deck, drive, size):
    async def scenario(pilot):
        pane = await listed(pilot)
        assert [pane.title_of(row) for row in pane.table.rows[:4]] == ["asks", "spawned", "works", "idle 0"]
        assert [pane.state(row).letter for row in pane.table.rows[:4]] == ["!", "!", ">", "."]
        assert "1 working, 2 need me: run 2" in title(pane)
        assert [line for line in pilot.shown().splitlines() if line.startswith("! ") and "spawned" in line]
        await pilot.press("slash", *"work", "enter")
        await pilot.until(lambda: len(pane.table.rows) == 1, "filtered")
        assert "1 working" in title(pane)
        assert "need" not in title(pane)

    drive(deck.home, scenario, size)


def test_a_run_without_a_session_is_opened_and_ended_by_its_row_and_no_more(deck, drive):
    stopped = []

    async def scenario(pilot):
        app = pilot.app
        app.link.order = lambda kind, body, done=None, failed=None: stopped.append((kind, body.run_id))
        pane = await listed(pilot)
        await pilot.press("down")
        row = pane.table.selected
        assert pane.key(row) == ("run", 3)
        assert [pane.can(one, row) for one in ("open", "stop", "copy")] == [True] * 3
        assert [pane.can(one, row) for one in ("talk", "attach", "reset")] == [False] * 3
        assert pane.why_not("talk", row) == "it has no session yet"
        drawn = dict(zip([column.title for column in pane.COLUMNS], pane.cells(row), strict=True))
        unknown = ("id", "ctx", "cache", "tok/h", "cost", "spent", "gen")
        assert {name: drawn[name][0][0] for name in unknown} == dict.fromkeys(unknown, "-")
        assert drawn["why"][0][0] == "asks: run 3 would go over a budget"
        assert pane.copies(row)[0] == ("run id", "3")
        for column in pane.COLUMNS:
            pane.worth(row, column.title)
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(app.screen, RunScreen), "its run is open")
        assert app.screen.run_id == 3

    drive(deck.home, scenario)


def test_when_it_is_answered_its_row_goes_and_the_cursor_stays_on_its_own(deck, drive):
    async def scenario(pilot):
        pane = await listed(pilot)
        await pilot.press("down", "down")
        assert pane.title_of(pane.table.selected) == "works"
        deck.sql("UPDATE approvals SET state = 'denied', decided_ms = 1 WHERE run_id = 3")
        await listed(pilot, 10)
        assert pane.title_of(pane.table.selected) == "works"
        assert pane.table.cursor == 1

    drive(deck.home, scenario)


def test_who_stops_to_work_by_time_alone_goes_down(deck, drive):
    now_ms = time.time_ns() // 1_000_000 + 60_000
    deck.session("watched", at_ms=now_ms)

    async def scenario(pilot):
        pane = await listed(pilot, 12)
        assert pane.title_of(pane.table.rows[2]) == "watched"
        assert "2 working" in title(pane)
        pane.tick(now_ms + WORKING_MS)
        assert [pane.title_of(row) for row in pane.table.rows[2:4]] == ["works", "watched"]
        assert "1 working" in title(pane)

    drive(deck.home, scenario)


def test_what_was_never_counted_is_no_zero(deck, drive):
    async def scenario(pilot):
        pane = await listed(pilot)
        row = next(row for row in pane.table.rows if pane.title_of(row) == "works")
        drawn = dict(zip([column.title for column in pane.COLUMNS], pane.cells(row), strict=True))
        assert {drawn[name][0][0] for name in ("tok/h", "cost", "spent", "cache", "ctx")} == {"-"}
        assert {pane.worth(row, name) for name in ("tok/h", "cost", "spent")} == {None}
        await pilot.press("down", "down", "enter")
        await pilot.sees("tokens and cost unknown over 1 generation", "nothing counted yet")

    drive(deck.home, scenario)


def test_of_a_log_that_was_read_and_tells_of_nothing_zero_is_known(deck, drive):
    _, generation = deck.session("empty", at_ms=NOW_MS - 100 * 60_000)
    deck.sql("UPDATE generations SET read = ? WHERE id = ?", 1, generation)

    async def scenario(pilot):
        pane = await listed(pilot, 12)
        drawn = dict(zip([column.title for column in pane.COLUMNS], pane.cells(pane.table.rows[-1]), strict=True))
        assert [drawn[name][0][0] for name in ("tok/h", "spent", "cost")] == ["0", "0", "-"]

    drive(deck.home, scenario)


def test_at_full_size_the_id_is_there_and_why_has_room():
    placed = {SessionsPane.COLUMNS[one.index].title: one.width for one in place(SessionsPane.COLUMNS, 120)}
    assert {"id", "why", "active"} <= set(placed)
    assert "spent" not in placed
    assert placed["why"] >= len("asks: run 12 would go over a budget")
    assert placed["session"] >= 20
    widest = {SessionsPane.COLUMNS[one.index].title for one in place(SessionsPane.COLUMNS, 200)}
    assert widest == {column.title for column in SessionsPane.COLUMNS}
