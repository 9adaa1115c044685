"""Every event: newest last, followed, narrowed, and opened on what it is about."""

import pytest

from state import events
from state.events import EVENTS_KEPT
from tui.reading.event_log import ASKED, ENDED, FAILED, REFUSED, event_log, level
from tui.reading.snapshot import Reading
from tui.screens.overview import Overview
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen


@pytest.fixture
def eventful(filled):
    run = filled.run(state="settled", outcome="failed", session_id=1, generation_id=1)
    with filled.open().transaction() as tx:
        events.add(tx, filled.now_ms, "failed", "coder failed  12 tokens", run_id=run, session_id=1, job="nightly")
        events.add(tx, filled.now_ms, "reset", "generation 2 starts", session_id=1)
        for number in range(60):
            events.add(tx, filled.now_ms, "admitted", f"number {number}")
    return filled


def reading(world):
    return Reading(world.home, world.open().connection, world.now_ms, None, None, None)


def test_the_log_goes_on_where_it_was(filled):
    read = event_log()
    first = read(reading(filled)).rows
    filled.event("two\x1b[2J")
    second = read(reading(filled)).rows
    assert second[:-1] == first
    assert second[0] is first[0]
    assert "\x1b" not in second[-1].text
    assert read(reading(filled)).rows == second


def test_another_state_begins_anew(filled):
    read = event_log()
    filled.event("two")
    assert len(read(reading(filled)).rows) == 2
    filled.sql("DELETE FROM events")
    filled.sql("INSERT INTO events VALUES (1, 0, 'note', 'first of another', NULL, NULL, NULL)")
    assert [row.text for row in read(reading(filled)).rows] == ["first of another"]


def test_no_more_are_kept_than_the_state_keeps(filled):
    read = event_log()
    read(reading(filled))
    with filled.open().transaction() as tx:
        tx.executemany(
            "INSERT INTO events VALUES (NULL, 0, 'note', ?, NULL, NULL, NULL)", [(str(n),) for n in range(EVENTS_KEPT)]
        )
    rows = read(reading(filled)).rows
    assert len(rows) == EVENTS_KEPT
    assert rows[-1].text == str(EVENTS_KEPT - 1)


def test_every_kind_has_a_level():
    assert {level(kind) for kind in FAILED} == {"x"}
    assert {level(kind) for kind in REFUSED | ASKED} == {"!"}
    assert {level(kind) for kind in ("admitted", "succeeded", "config", "engine", "")} == {"."}
    assert FAILED - {"violation"} < ENDED


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_the_newest_is_last_and_followed(eventful, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("6")
        await pilot.sees("6 Events", "63", "number 59")
        assert "number 0 " not in pilot.shown()
        eventful.event("here is one more")
        await pilot.sees("here is one more", "64")
        await pilot.press("up", "up")
        await pilot.sees("end follows the newest")
        assert " below" not in pilot.shown(), "both are in sight"
        eventful.event("not looked at")
        await pilot.sees("65, ", ", 1 below")
        await pilot.press("end")
        eventful.event("again it follows")
        await pilot.sees("again it follows")
        await pilot.until(lambda: "end follows" not in pilot.shown(), "which needs no telling")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())
        await pilot.press("escape")
        await pilot.sees("1 Sessions", "2 Cron jobs")
        assert "detail" not in pilot.app.feed._views

    drive(eventful.home, scenario, size)


def test_a_filter_looks_at_kinds_levels_and_text(eventful, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("6", "slash", *"trouble", "enter")
        await pilot.sees("1 of 63", "coder failed")
        await pilot.press("escape")
        await pilot.press("slash", *"number 5", "enter")
        await pilot.sees("15 of 63")

    drive(eventful.home, scenario)


def test_enter_opens_the_run_else_the_session_else_nothing(eventful, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("6", "home")
        await pilot.sees("run 1 admitted")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Overview)
        await pilot.press("down", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run")
        await pilot.press("escape")
        eventful.event("while it was covered")
        await pilot.sees("6 Events", "64")
        await pilot.press("down", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session")

    drive(eventful.home, scenario)


def test_it_is_not_read_while_it_is_not_shown(eventful, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        assert not pilot.app.overview.panes["events"].known
        await pilot.press("tab", "tab", "tab", "tab")
        assert pilot.app.overview.zoomed is None

    drive(eventful.home, scenario)
