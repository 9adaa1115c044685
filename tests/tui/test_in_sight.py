"""What stays in sight: new runs, every word of the help, and what a field completes to."""

import pytest

from tui.screens.help import Help
from tui.screens.help_lines import help_lines
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
        assert " above" not in pilot.shown()
        await pilot.press("end")
        await pilot.sees(" above")
        before = table.above
        filled.run(task="newer still", state="settled", outcome="succeeded")
        await pilot.sees(f"5 Runs  42, {before + 1} above")
        assert table.selected.id == 1
        await pilot.press("home")
        await pilot.sees("newer still")
        await pilot.until(lambda: " above" not in pilot.shown(), "nothing is above")

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 34)])
def test_no_word_of_the_help_is_cut(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("question_mark")
        await pilot.until(lambda: isinstance(pilot.app.screen, Help), "the help is open")
        rows = pilot.app.screen.table.rows
        shown = ["".join(text for text, _ in row.cell) for row in rows]
        assert max(map(len, shown)) <= size[0] - 2
        live = {row.action for row in rows if row.key[0] == "here"}
        words = [
            word for row in help_lines(400, pilot.app.keymap, live) for text, _ in row.cell for word in text.split()
        ]
        assert [word for line in shown for word in line.split()] == words

    drive(filled.home, scenario, size)
