"""What stays in sight: new runs, every word of the help, and what a field completes to."""

import pytest

from tui.screens.help import Help, help_lines
from tui.widgets.form import completed


@pytest.mark.parametrize(
    ("typed", "choices", "whole"),
    [
        ("r", ("review", "rest"), "review"),
        ("RE", ("review",), "review"),
        ("review", ("review", "reviewer"), "reviewer"),
        ("x", ("review",), None),
        ("r", (), None),
    ],
)
def test_what_completes_goes_on_from_what_was_typed(typed, choices, whole):
    assert completed(typed, choices) == whole


def test_on_the_first_run_the_cursor_stays_on_the_first_and_elsewhere_the_title_says_what_is_above(filled, drive):
    for _ in range(40):
        filled.run(state="settled", outcome="succeeded")

    async def scenario(pilot):
        table = pilot.app.overview.panes["runs"].table
        await pilot.sees("fix flaky test")
        await pilot.press("5")
        await pilot.sees("5 Runs  40")
        filled.run(task="brand new", state="settled", outcome="succeeded")
        await pilot.sees("5 Runs  41", "brand new")
        assert table.selected.id == 41
        assert "newer above" not in pilot.shown()
        await pilot.press("end")
        await pilot.sees("newer above")
        before = table.above
        filled.run(task="newer still", state="settled", outcome="succeeded")
        await pilot.sees(f"{before + 1} newer above")
        assert table.selected.id == 1
        await pilot.press("home")
        await pilot.sees("newer still")
        await pilot.until(lambda: "newer above" not in pilot.shown(), "nothing is above")

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 34)])
def test_no_word_of_the_help_is_cut(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("question_mark")
        await pilot.until(lambda: isinstance(pilot.app.screen, Help), "the help is open")
        await pilot.until(lambda: pilot.app.screen._page.lines, "it is drawn")
        shown = ["".join(text for text, _ in line) for line in pilot.app.screen._page.lines]
        assert max(map(len, shown)) <= size[0] - 2
        words = [word for line in help_lines() for text, _ in line for word in text.split()]
        assert [word for line in shown for word in line.split()] == words

    drive(filled.home, scenario, size)
