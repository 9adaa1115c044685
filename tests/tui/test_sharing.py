"""How many lines has each pane of the overview?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.conftest import CONFIG, NOW_MS
from tui.screens.sharing import LEAST, heights, shared

PANES = ("sessions", "jobs", "budgets", "skills")


@pytest.mark.parametrize(
    ("room", "upper", "lower", "lines"),
    [
        (30, 100, 7, (23, 7)),
        (30, 4, 7, (23, 7)),
        (30, 100, 100, (18, 12)),
        (30, 8, 100, (8, 22)),
        (30, 3, 100, (3, 27)),
        (10, 100, 100, (5, 5)),
        (11, 100, 100, (6, 5)),
        (9, 100, 100, (5, 4)),
        (9, 100, 3, (6, 3)),
    ],
)
def test_the_upper_one_has_what_the_lower_one_does_not_need(room, upper, lower, lines):
    assert shared(room, upper, lower, 0.6) == lines


@given(st.integers(10, 80), st.integers(1, 200), st.integers(1, 200), st.floats(0.3, 0.7))
def test_every_line_is_given_and_who_needs_it_has_a_title_and_three_rows(room, upper, lower, fair):
    above, below = shared(room, upper, lower, fair)
    assert above + below == room
    assert above >= min(upper, LEAST)
    assert below >= min(lower, LEAST)
    if upper + lower <= room:
        assert below == lower


@given(st.fixed_dictionaries(dict.fromkeys(PANES, st.integers(3, 200))), st.integers(20, 90), st.integers(0, 2))
def test_all_lines_between_the_header_and_the_keys_are_shared(needs, height, notices):
    wide = heights(needs, height, notices, wide=True)
    assert wide["sessions"] + wide["jobs"] == height - 4 - notices
    assert wide["budgets"] + wide["skills"] == height - 7 - notices
    narrow = heights(needs, height, notices, wide=False)
    assert sum(narrow[name] for name in PANES) == narrow["left"] + narrow["right"] == height - 3 - notices
    assert min(narrow[name] for name in PANES) >= 3
    if height - notices >= 24:
        assert all(narrow[name] >= min(needs[name], LEAST) for name in PANES)


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_the_panes_are_as_high_as_they_are_to_be_and_are_laid_out_anew_only_for_another_number_of_rows(
    world, drive, size
):
    world.configure(CONFIG)
    for number in range(40):
        world.session(f"number {number}", agent="coder", at_ms=NOW_MS - number * 60_000)

    async def scenario(pilot):
        overview = pilot.app.overview

        def heights_now():
            return {name: overview.panes[name].size.height for name in PANES}

        await pilot.sees("number 0")
        await pilot.until(lambda: overview._heights, "all is known")
        ruled = ("jobs", "skills") if size[0] >= 100 else ()
        wanted = {name: overview._heights[name] - (name in ruled) for name in PANES}
        await pilot.until(lambda: heights_now() == wanted, f"they are {wanted}")
        assert not ruled or not any(overview.panes[name].table.below for name in ruled), "they have what they need"
        anew = []
        overview.query_one = lambda *given: anew.append(given)
        world.session("one more", agent="coder", at_ms=NOW_MS + 60_000)
        await pilot.sees("one more")
        assert anew == []
        del overview.query_one
        await pilot.press("1")
        await pilot.until(lambda: heights_now()["sessions"] == overview.query_one("#body").size.height, "all of it")

    drive(world.home, scenario, size)
