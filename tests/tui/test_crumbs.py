"""How did I get here? One line on every page, and esc goes exactly one back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.places.crumbs import crumb_line
from tui.screens.overview import Overview
from tui.widgets.cells import line_width


def said(names, width):
    return "".join(text for text, _ in crumb_line(names, width))


@pytest.mark.parametrize(
    ("names", "width", "line"),
    [
        (("sessions", "release notes", "run 812"), 80, "sessions > release notes > run 812"),
        (("sessions", "release notes", "run 812"), 32, "sessions > release no… > run 812"),
        (("sessions", "a very long title of a session"), 30, "sessions > a very long title …"),
        (("runs", "run 1", "a session", "run 2", "another one", "run 3"), 28, "runs > … > another … > run 3"),
    ],
)
def test_the_way_fits_and_its_end_stays(names, width, line):
    assert said(names, width) == line


@given(st.lists(st.text("abc ", min_size=1, max_size=60), min_size=2, max_size=9), st.integers(40, 120))
def test_it_is_never_wider_than_the_screen(names, width):
    line = crumb_line(names, width)
    assert line_width(line) <= width
    assert "".join(text for text, _ in line).count(" > ") >= 1


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_every_page_says_where_it_is_and_esc_goes_exactly_one_back(filled, drive, size):
    run_id = filled.run(session_id=1, agent="coder", state="settled", outcome="succeeded")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        app.run_line("session 1")
        await pilot.sees("sessions > fix flaky test")
        app.run_line(f"run {run_id}")
        await pilot.sees(f"sessions > fix flaky test > run {run_id}")
        await pilot.press("question_mark")
        await pilot.sees(f"run {run_id} > keys")
        for number in (3, 2, 1):
            assert len(app.screen_stack) == number + 1
            await pilot.press("escape")
            await pilot.until(lambda below=number: len(app.screen_stack) == below, "one page less")
        assert isinstance(app.screen, Overview)
        for line in ("usage", "inbox"):
            app.run_line(line)
            await pilot.sees("overview > ")
            await pilot.press("escape")
            await pilot.until(lambda: isinstance(app.screen, Overview), "back")

    drive(filled.home, scenario, size=size)
