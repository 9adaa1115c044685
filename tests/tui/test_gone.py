"""While you were gone: what is counted, what is said, when nothing is, and how it goes away."""

import time

import pytest

from state import events, seen
from state.seen import Seen
from tui.reading.gone import LEAST_MS, MARK_EVERY_MS, MARK_SOON_MS, SETTLES_MS, Bookmark, counts, gone_by, grave, line
from tui.reading.snapshot import Reading
from tui.screens.gone import GoneScreen
from tui.screens.overview import Overview
from tui.screens.run import RunScreen

HOUR = 3_600_000
START = 1_795_003_200_000
KINDS = ("succeeded", "failed", "timed_out", "refused", "missed", "budget", "fell_back", "admitted", "config")


def happen(world, *kinds, at_ms=None, run_id=None):
    with world.open().transaction() as tx:
        for kind in kinds:
            events.add(tx, at_ms or world.now_ms - HOUR, kind, f"this is {kind}", run_id=run_id)


def read(world, mark, began_ms=None, now_ms=None):
    began_ms = began_ms or world.now_ms
    told = gone_by(mark, began_ms, now_ms or began_ms)
    return told(Reading(world.home, world.open().connection, began_ms, None, None, None))


def left(world, event_id=1, ago_ms=3 * HOUR):
    return Seen(world.now_ms - ago_ms, event_id)


def test_what_happened_is_counted_and_said_in_one_line(filled):
    happen(filled, *KINDS)
    filled.spend(1, 41_200, key="g1", at_ms=filled.now_ms - HOUR)
    filled.question(filled.run(), "{}")
    told = read(filled, left(filled))
    assert line(told, "w", "esc") == (
        "while you were gone (3 h; w lists it, esc drops it): 3 runs ended, 2 failed, 1 refused, 1 slot missed,"
        " 1 budget near or over the limit, 1 question, 1 fallback, 41.2k tokens, $0.04"
    )
    assert [row.kind for row in told.rows] == [kind for kind in KINDS if kind not in ("admitted", "config")]
    assert grave(told)


def test_what_went_well_is_not_grave(filled):
    happen(filled, "succeeded")
    told = read(filled, left(filled))
    assert counts(told) == "1 run ended"
    assert not grave(told)


@pytest.mark.parametrize("kinds", [(), ("admitted", "config", "engine", "extended")])
def test_nothing_is_told_where_nothing_happened(filled, kinds):
    happen(filled, *kinds)
    filled.spend(1, 41_200, key="g1", at_ms=filled.now_ms - HOUR)
    assert read(filled, left(filled)) is None


def test_nothing_is_told_without_a_mark_or_right_after_it(filled):
    happen(filled, "failed")
    assert read(filled, None) is None
    assert read(filled, left(filled, ago_ms=LEAST_MS - 1)) is None
    assert read(filled, left(filled, ago_ms=LEAST_MS)) is not None


def test_only_what_came_after_the_mark_whatever_the_clocks_said(filled):
    happen(filled, "failed", at_ms=filled.now_ms + HOUR)
    happen(filled, "refused", at_ms=1)
    told = read(filled, left(filled, event_id=2))
    assert [row.kind for row in told.rows] == ["refused"]


def test_text_of_others_is_clean(filled):
    with filled.open().transaction() as tx:
        events.add(tx, 1, "failed", "x\x1b[2Jy")
    assert "\x1b" not in read(filled, left(filled)).rows[0].text


def test_a_bookmark_moves_along_and_stays_where_the_console_was_left(filled, wait_for_mark):
    mark = Bookmark(filled.home)
    assert mark.found is None
    mark.tick(START - 2)
    mark.leave(START - 1)
    assert seen.read(filled.home) is None  # nothing was shown yet
    mark.saw(events.latest(filled.open().connection, 50))
    mark.tick(START)
    wait_for_mark(Seen(START, 1))
    happen(filled, "failed")
    mark.saw(events.latest(filled.open().connection, 50))
    mark.tick(START + MARK_SOON_MS)
    wait_for_mark(Seen(START + MARK_SOON_MS, 2))
    mark.tick(START + MARK_SOON_MS + MARK_EVERY_MS - 1)
    mark.tick(START + MARK_SOON_MS + MARK_EVERY_MS)
    wait_for_mark(Seen(START + MARK_SOON_MS + MARK_EVERY_MS, 2))
    mark.leave(START + 99_000)
    assert Bookmark(filled.home).found == Seen(START + 99_000, 2)


@pytest.fixture
def wait_for_mark(filled):
    def wait(expected):
        deadline = time.monotonic() + 20
        while seen.read(filled.home) != expected:
            assert time.monotonic() < deadline, seen.read(filled.home)
            time.sleep(0.01)

    return wait


def test_it_looks_once_and_again_while_an_engine_says_what_it_found(filled):
    seen.write(filled.home, left(filled))
    mark = Bookmark(filled.home)
    assert not mark.due(1)
    mark.saw(())
    assert mark.due(2)
    assert not mark.due(3)
    mark.engine_came(1000)
    assert mark.due(1000 + SETTLES_MS)
    assert not mark.due(1001 + SETTLES_MS)
    mark.engine_came(50_000)
    assert not mark.due(50_001)


@pytest.fixture
def missed(filled):
    """A console was left three hours ago; then a run failed and another was refused."""
    happen(filled, "failed", run_id=filled.run(state="settled", outcome="failed"))
    happen(filled, "refused")
    seen.write(filled.home, left(filled))
    return filled


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_a_console_says_it_and_w_lists_it(missed, drive, size):
    async def scenario(pilot):
        await pilot.sees("while you were gone (3 h; w lists it")
        await pilot.press("w")
        await pilot.sees(
            "While you were gone", "1 run ended, 1 failed", "1 refused", "this is failed", "this is refused"
        )
        assert all(len(text) <= size[0] for text in pilot.shown().splitlines())
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run it is about")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, GoneScreen), "the list again")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Overview)
        assert "while you were gone" not in pilot.shown()

    drive(missed.home, scenario, size)


def test_escape_drops_the_line_for_good(missed, drive):
    async def scenario(pilot):
        await pilot.sees("while you were gone")
        await pilot.press("escape")
        await pilot.until(lambda: "while you were gone" not in pilot.shown(), "it is gone")
        pilot.app.attending.engine_came()
        pilot.app._tick()
        await pilot.pause(0.3)
        assert "while you were gone" not in pilot.shown()
        await pilot.press("w")
        assert isinstance(pilot.app.screen, Overview)

    drive(missed.home, scenario)


def test_it_is_told_once_and_the_next_console_begins_where_this_one_was_left(missed, drive):
    async def scenario(pilot):
        await pilot.sees("while you were gone")

    async def again(pilot):
        await pilot.sees("fix flaky")
        pilot.app._tick()
        await pilot.pause(0.3)
        assert "while you were gone" not in pilot.shown()

    drive(missed.home, scenario)
    mark = seen.read(missed.home)
    assert mark.event_id == 3
    seen.write(missed.home, Seen(mark.at_ms - HOUR, mark.event_id))
    drive(missed.home, again)
