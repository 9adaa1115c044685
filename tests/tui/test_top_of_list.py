"""Where is the cursor of a list, and what does the title say of the rows that are out of sight?"""

import pytest

from tests.tui.conftest import CONFIG, NOW_MS

MIN = 60_000


@pytest.fixture
def deck(world):
    """Three idle sessions."""
    world.configure(CONFIG)
    for number, name in enumerate(("alpha notes", "beta", "gamma notes")):
        world.session(name, agent="coder", at_ms=NOW_MS - number * MIN)
    return world


def title(pane):
    return "".join(text for text, _ in pane.title_line.lines[0])


async def seen(pilot, rows=3):
    pane = pilot.app.overview.panes["sessions"]
    await pilot.until(lambda: len(pane.table.rows) == rows, f"{rows} rows")
    return pane


def test_a_filter_begins_at_the_top_and_what_was_gone_to_in_it_is_kept_when_it_is_dropped(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("down", "slash", *"notes", "enter")
        assert pane.table.cursor == 0
        await pilot.press("down", "escape")
        await pilot.until(lambda: len(pane.table.rows) == 3, "dropped")
        assert pane.title_of(pane.table.selected) == "gamma notes"
        await pilot.press("home", "slash", *"gam", "escape")
        await pilot.until(lambda: len(pane.table.rows) == 3, "dropped again")
        assert pane.table.cursor == 0

    drive(deck.home, scenario)


@pytest.mark.parametrize(("moved", "first"), [((), True), (("down", "up"), True), (("down",), False)])
def test_what_comes_to_the_top_is_under_a_cursor_that_nobody_has_moved(deck, drive, moved, first):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press(*moved)
        before = pane.table.selected.id
        deck.session("newest", agent="coder", at_ms=NOW_MS + MIN)
        await seen(pilot, rows=4)
        assert pane.table.rows[0].title == "newest"
        assert (pane.table.cursor == 0) is first
        assert (pane.table.selected.id == before) is not first

    drive(deck.home, scenario)


def test_the_title_tells_what_is_out_of_sight_and_paints_it_only_when_that_changes(world, drive):
    world.configure(CONFIG)
    for number in range(40):
        world.session(f"number {number}", agent="coder", at_ms=NOW_MS - number * MIN)

    async def scenario(pilot):
        pane = await seen(pilot, rows=40)
        await pilot.press("1")
        await pilot.until(lambda: pane.table.below, "some have no room")
        room = pane.table.size.height - 1
        await pilot.sees(f"1 Sessions  40, {40 - room} below")
        await pilot.press("end")
        await pilot.sees(f"1 Sessions  40, {40 - room} above")
        assert "below" not in title(pane)
        painted = []
        pane.title_line.refresh = lambda *regions, **_: painted.extend(regions)
        await pilot.press("up")
        pane.tick(pane.now_ms)
        assert painted == []
        await pilot.press(*["up"] * (room - 1))
        assert f"{40 - room - 1} above, 1 below" in title(pane)
        assert painted

    drive(world.home, scenario)
