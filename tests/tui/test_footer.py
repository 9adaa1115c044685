"""What stands in the footer while a line is typed in? What entering it does, and only keys that are there."""

import pytest

from tests.tui.conftest import CONFIG
from tui.panes import messages


def footer(app):
    return "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])


async def says(pilot, *texts):
    await pilot.until(lambda: all(text in footer(pilot.app) for text in texts), f"in the footer: {texts}")


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_a_filter_line_says_that_enter_keeps_it(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await says(pilot, "enter open")
        assert "keep it" not in footer(pilot.app)
        await pilot.press("slash", *"ven")
        await says(pilot, "enter keep it", "esc back")
        assert "open" not in footer(pilot.app)
        await pilot.press("enter")
        await says(pilot, "enter open")
        assert "fix flaky" not in pilot.shown()
        await pilot.press("question_mark", "slash", *"spawn")
        await says(pilot, "enter keep it")
        await pilot.press("enter")
        await says(pilot, "enter do it")

    drive(filled.home, scenario, size=size)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_a_line_to_talk_says_that_enter_says_it(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        pilot.app.post_message(messages.TalkAsked(1))
        await says(pilot, "enter say it", "esc back")
        await pilot.press("tab")
        await pilot.until(lambda: "say it" not in footer(pilot.app), "nothing is typed")

    drive(filled.home, scenario, size=size)


def test_a_sheet_says_that_enter_goes_on(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.until(lambda: pilot.app.config is not None, "the configuration is known")
        pilot.app.post_message(messages.SheetAsked("budget"))
        await says(pilot, "ctrl+s write it", "enter next field")

    drive(filled.home, scenario)


def test_a_line_is_entered_by_the_key_in_force_and_by_no_other(filled, drive):
    filled.configure(CONFIG + '[console.keymap]\n"filter.keep" = "f5"\n')

    async def scenario(pilot):
        pane = pilot.app.overview.panes["sessions"]
        await pilot.sees("fix flaky test")
        await pilot.press("slash", *"ven")
        await says(pilot, "f5 keep it")
        await pilot.press("enter")
        assert pane.query("LineInput")
        await pilot.press("f5")
        await pilot.until(lambda: not pane.query("LineInput"), "it is kept")
        assert pane.listing.text == "ven"

    drive(filled.home, scenario)
