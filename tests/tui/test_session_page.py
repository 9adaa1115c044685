"""A session on one screen: its timeline, the text that the cursor is on, and the line, in any size of terminal."""

import json

import pytest

from state import receipts, runs, sessions
from tests.tui.test_talk import orders_of
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen


def ended(world, number, **fields):
    """A run of the session that is over; returns its id."""
    values = {
        "session_id": 1, "generation_id": 1, "state": "settled", "outcome": "succeeded", "task": f"turn {number}",
        "requested_ms": world.now_ms + 1_000 * number, "reuse_reason": "same_conversation", "trigger": "operator",
    }  # fmt: skip
    return world.run(**values | fields)


async def opened(pilot):
    await pilot.sees("fix flaky test")
    await pilot.press("enter")
    await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is open")
    await pilot.until(lambda: pilot.app.screen.talk is not None, "and read")


def at(pilot):
    row = pilot.app.screen.table.selected
    return row.name if row is not None else None


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_it_begins_at_the_newest_and_tab_goes_to_its_text(filled, drive, size):
    for number in range(5):
        ended(filled, number)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("gen 1", "sessions > fix flaky test", "say something")
        assert at(pilot) == "5"
        assert ("> turn 4" in pilot.shown()) is (size[0] >= 100)
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())
        await pilot.press("tab", "enter")
        await pilot.sees("> turn 4")
        assert isinstance(pilot.app.screen, SessionScreen), "an enter too many opens nothing"
        assert ("gen 1" in pilot.shown()) is (size[0] >= 100)
        await pilot.press("tab")
        await pilot.sees("gen 1")
        assert pilot.app.screen.table.has_focus

    drive(filled.home, scenario, size)


def test_the_text_goes_where_the_cursor_goes_and_older_turns_are_read_when_they_are_wanted(filled, drive):
    for number in range(30):
        ended(filled, number, task=f"turn {number} " + "and so on " * 60)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("> turn 29")
        await pilot.press("up", "up", "up")
        await pilot.sees("> turn 26")
        assert at(pilot) == "27"
        await pilot.press("home")
        await pilot.sees("generation 1 < fresh: the session's first run")
        await pilot.press("down", "down")
        await pilot.sees("> turn 1 and")
        assert at(pilot) == "2"
        await pilot.press("end")
        await pilot.sees("> turn 29")

    drive(filled.home, scenario)


def test_a_cursor_on_the_newest_follows_and_any_other_stays_where_it_is(filled, drive):
    for number in range(3):
        ended(filled, number)

    async def scenario(pilot):
        await opened(pilot)
        ended(filled, 3)
        await pilot.sees("> turn 3")
        await pilot.until(lambda: at(pilot) == "4", "the cursor went along")
        await pilot.press("up", "up")
        ended(filled, 4)
        await pilot.sees("turn 4")
        assert at(pilot) == "2"

    drive(filled.home, scenario)


def test_a_text_that_was_scrolled_stays_where_it_is_when_the_row_only_changes(filled, drive):
    for number in range(12):
        run_id = ended(filled, number, task=f"turn {number} " + "and so on " * 60)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("> turn 11")
        page = pilot.app.screen.reader.page
        page.action_end(-1)
        await pilot.until(lambda: page.scroll_y == 0, "it is scrolled to its beginning")
        with filled.open().transaction() as tx:
            runs.update(tx, run_id, {"outcome": "failed", "used_tokens": 77_000})
        await pilot.sees("77.0k")
        await pilot.pause()
        assert page.scroll_y == 0

    drive(filled.home, scenario)


def test_enter_opens_the_run_and_escape_comes_back_to_its_row(filled, drive):
    for number in range(9):
        ended(filled, number)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.press("up", "up", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        assert pilot.app.screen.run_id == 7
        ended(filled, 9)
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is there again")
        await pilot.sees("turn 9")
        assert at(pilot) == "7"

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_a_turn_tells_what_it_carried_and_where_the_cache_broke(filled, drive, size):
    run_id = ended(filled, 0)
    parts = [
        {"kind": "instructions", "source": "AGENTS.md", "chars": 9, "tokens": 900, "sha256": "x", "stable": True,
         "sent": False},
        {"kind": "file", "source": "notes\x1b[2J.md", "chars": 9, "tokens": 1_164, "sha256": "x", "stable": True},
        {"kind": "task", "source": "task", "chars": 9, "tokens": 38, "sha256": "x", "stable": False},
    ]  # fmt: skip
    broke = {"part": "file notes.md", "why": "changed", "kept_tokens": 900, "lost_tokens": 1_164}
    with filled.open().transaction() as tx:
        found = receipts.Receipt(
            run_id=run_id, parts=json.dumps(parts), tokens=1_202, chars=27, cache_break=json.dumps(broke)
        )
        receipts.store(tx, found)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.press("tab")
        await pilot.sees("carried 1,202 tokens: file notes�[2J.md", "1.2k, task 38;")
        await pilot.sees("held already: instructions AGENTS.md")
        await pilot.sees("cache broke at file notes.md: changed;", "1,164", "anew")

    drive(filled.home, scenario, size)


def test_a_reset_stands_in_the_timeline_with_the_operators_reason(filled, drive):
    ended(filled, 0)
    with filled.open().transaction() as tx:
        sessions.start_generation(
            tx, 1, source="quarterdeck", provider_home="", provider_id=None, model=None, workspace=None,
            reason="operator_reset", note="too chatty", at_ms=filled.now_ms + 5_000,
        )  # fmt: skip

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("R ", "gen 2", 'generation 2   fresh: you reset the session  "too chatty"')
        assert at(pilot) == "gen 2"
        assert "enter open" not in pilot.shown(), "a conversation has no page of its own"

    drive(filled.home, scenario)


def test_of_an_observed_session_its_responses_are_told_and_nobody_can_be_told_anything(world, drive):
    _, generation = world.session("vendor survey")
    for number in range(3):
        world.book(generation, (41, 11_000, 150, 512), key=f"r{number}", at_ms=world.now_ms + 4_000 * number)

    async def scenario(pilot):
        await pilot.sees("vendor survey")
        await pilot.press("enter")
        await pilot.sees("gen 1", "not gated", "responses   the last 3, as its log tells", "11.0k    150     41    512")
        assert not pilot.app.screen.bar.line.region
        ordered = orders_of(pilot)
        await pilot.press("i", "x", "enter")
        await pilot.pause()
        assert ordered == []
        world.book(generation, (1, 0, 0, 5), key="r9", at_ms=world.now_ms + 14_000)
        await pilot.sees("the last 4, as")

    drive(world.home, scenario)


def test_escape_leaves_the_line_first_and_ctrl_c_never_the_console(filled, drive):
    async def scenario(pilot):
        await opened(pilot)
        await pilot.press("i", *"hello")
        await pilot.until(lambda: pilot.app.screen.bar.line.value == "hello", "it is typed")
        await pilot.press("escape")
        assert pilot.app.screen.table.has_focus
        assert pilot.app.screen.bar.line.value == "hello", "the words are kept"
        await pilot.press("ctrl+c", "ctrl+c")
        await pilot.sees("nothing is being answered")
        assert isinstance(pilot.app.screen, SessionScreen)
        await pilot.press("escape")
        await pilot.until(lambda: not isinstance(pilot.app.screen, SessionScreen), "and then the screen")

    drive(filled.home, scenario)


def test_nobody_talks_from_a_console_that_only_looks(filled, drive, monkeypatch):
    async def scenario(pilot):
        monkeypatch.setattr(type(pilot.app), "read_only", property(lambda _: True))
        await opened(pilot)
        await pilot.sees("gen 1")
        await pilot.press("i")
        await pilot.pause()
        assert not pilot.app.screen.bar.line.has_focus
        assert "i talk" not in pilot.shown()

    drive(filled.home, scenario)


def test_what_did_not_change_is_not_drawn_again(filled, drive):
    run_id = ended(filled, 0)

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("> turn 0")
        screen, drawn = pilot.app.screen, []
        for widget in (screen.table, screen.reader.page, screen._title, screen.bar._said):
            widget.refresh = lambda *regions, **_: drawn.append(regions)
        filled.session("another")
        screen.tick(screen.now_ms + 1)
        screen._take(screen.talk)
        assert drawn == []
        with filled.open().transaction() as tx:
            runs.update(tx, run_id, {"outcome": "failed", "why": "exit code 2"})
        await pilot.until(lambda: drawn, "a change is")

    drive(filled.home, scenario)
