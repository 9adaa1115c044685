"""`?` shows the keys that work here first, narrows, and does what the line says."""

import pytest

from tui import actions
from tui.actions.keymap import Keymap, keymap
from tui.screens.help import Help
from tui.screens.help_lines import help_lines
from tui.widgets.cells import line_width


def texts(lines):
    return ["".join(text for text, _ in line.cell) for line in lines]


@pytest.mark.parametrize("width", [58, 78, 118, 200])
def test_nothing_is_cut_however_narrow_it_is(width):
    lines = help_lines(width, Keymap(), {"spawn"})
    assert all(line_width(line.cell) <= width for line in lines)
    every = " ".join(" ".join(texts(lines)).split())
    for action in actions.ACTIONS:
        assert action.label in every
        assert " ".join(action.help.split())[1:] in every, action.name


def test_what_works_here_comes_first_with_what_acts_before_what_moves():
    lines = help_lines(118, Keymap(), {"row.up", "spawn", "session.reset"})
    here = [line.action for line in lines[: next(n for n, line in enumerate(lines) if not line.cell)] if line.stops]
    assert set(here) == {"row.up", "spawn", "session.reset"}
    assert here[-1] == "row.up"
    assert texts(lines)[0] == "Here, now"


def test_the_keys_are_the_operators():
    page = texts(help_lines(118, keymap("vim", {"spawn": "f9", "undo": ""})))
    assert any("home g g" in line and "first" in line for line in page)
    assert any(line.strip().startswith("f9") and "spawn" in line for line in page)
    assert any(line.strip().startswith("no key") and "undo" in line for line in page)


@pytest.mark.parametrize(
    ("found", "there", "gone"), [("refresh", "more often", "Sessions"), ("!spawn", "undo", "spawn")]
)
def test_it_can_be_narrowed(found, there, gone):
    page = "\n".join(texts(help_lines(118, Keymap(), (), found)))
    assert there in page
    assert gone not in page


def test_a_console_that_only_looks_does_not_explain_what_it_has_not():
    shown = {line.action for line in help_lines(118, Keymap(), read_only=True)} - {""}
    assert shown == {action.name for action in actions.ACTIONS if not action.writes}


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_enter_closes_the_page_and_does_it(filled, drive, size):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        await pilot.press("question_mark")
        await pilot.sees("Here, now", "enter does what the line says")
        assert app.screen.table.selected.stops
        await pilot.press("slash", *"full size", "enter")
        await pilot.until(lambda: app.screen.table.selected.action == "pane.zoom", "narrowed to one")
        await pilot.press("enter")
        await pilot.until(lambda: app.overview.zoomed == "sessions", "done")
        assert len(app.screen_stack) == 1

    drive(filled.home, scenario, size=size)


def test_what_works_elsewhere_is_not_done_here(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("question_mark")
        await pilot.sees("Here, now")
        await pilot.press("slash", *"next field", "enter", "enter")
        await pilot.sees("that works elsewhere")
        await pilot.press("escape")
        await pilot.sees("enter does what the line says")
        assert isinstance(pilot.app.screen, Help)

    drive(filled.home, scenario)


def test_the_cursor_goes_from_explanation_to_explanation(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("question_mark")
        await pilot.sees("Here, now")
        table = pilot.app.screen.table
        for _ in range(8):
            await pilot.press("j")
            assert table.selected.stops
        await pilot.press("home", "k")
        assert table.selected.stops

    drive(filled.home, scenario, size=(60, 20))
