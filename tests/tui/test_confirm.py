"""A dialog that asks does nothing by an Enter that was not meant for it: too early, pasted, or typed ahead."""

import pytest
from textual import events

from tests.tui.conftest import CONFIG
from tui.screens.confirm import Confirm

LATER, SOON = 0.4, 0.01


@pytest.fixture
def dialog(filled, drive, monkeypatch):
    """Runs steps on an open dialog: a number lets so many seconds pass, a text is a key. Returns what was done."""

    def run(steps, ask=""):
        now = [100.0]
        monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
        done = []

        async def scenario(pilot):
            await pilot.sees("fix flaky test")
            confirm = Confirm(pilot.app.palette, "Really?", ("It is done.",), done.append, ask)
            await pilot.app.push_screen(confirm)
            await pilot.sees("Really?", "enter do it")
            await pilot.until(lambda: confirm._shown_at is not None, "it knows that it is on screen")
            for step in steps:
                if isinstance(step, float):
                    now[0] += step
                elif isinstance(step, events.Paste):
                    pilot.app.post_message(step)
                    await pilot.pause()
                else:
                    await pilot.press(step)

        drive(filled.home, scenario)
        return done

    return run


@pytest.mark.parametrize(
    ("steps", "done"),
    [
        (["enter"], []),
        ([0.29, "enter"], []),
        ([0.31, "enter"], [""]),
        (["enter", LATER, "enter"], [""]),
        ([LATER, "x", SOON, "enter"], []),
        ([LATER, "x", SOON, "enter", LATER, "enter"], [""]),
        ([LATER, events.Paste("yes\n")], []),
        ([LATER, events.Paste("\r\n"), events.Paste("y")], []),
        ([LATER, "escape"], []),
    ],
)
def test_only_an_enter_that_was_meant_does_it(dialog, steps, done):
    assert dialog(steps) == done


@pytest.mark.parametrize(
    ("steps", "done"),
    [
        (["w", "h", "y", "enter"], []),
        ([LATER, "w", "h", "y", SOON, "enter"], []),
        ([LATER, "w", "h", "y", 0.1, "enter"], ["why"]),
        ([LATER, events.Paste("because\nof it\n")], []),
        ([LATER, events.Paste("because\nof it\n"), 0.1, "enter"], ["because"]),
        ([LATER, "enter"], [""]),
    ],
)
def test_the_same_holds_where_a_reason_is_typed(dialog, steps, done):
    assert dialog(steps, ask="reason") == done


def test_what_will_happen_is_never_cut(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        what = ("word " * 30 + "the end of it", "x" * 120 + "!")
        await pilot.app.push_screen(Confirm(pilot.app.palette, "Really?", what, lambda _: None))
        await pilot.sees("Really?", "the end of it", "x!")

    drive(filled.home, scenario, (60, 24))


@pytest.mark.parametrize(
    ("keys", "ask", "says", "steps", "done"),
    [
        ("y", "", "y do it", [LATER, "enter", LATER, "escape"], []),
        ("y", "", "y do it", [LATER, "y"], [""]),
        ("y", "", "y do it", ["y"], []),
        ("y", "", "y do it", [LATER, "x", SOON, "y"], []),
        ("y", "reason", "enter do it", [LATER, "y", LATER, "enter"], ["y"]),
        ("f5", "reason", "f5 do it", [LATER, "y", LATER, "enter"], []),
        ("f5", "reason", "f5 do it", [LATER, "y", LATER, "f5"], ["y"]),
        ("", "reason", "no key do it", [LATER, "enter"], []),
    ],
)
def test_the_operators_own_key_does_it_and_no_other(filled, drive, monkeypatch, keys, ask, says, steps, done):
    filled.configure(f'{CONFIG}[console.keymap]\n"confirm.yes" = "{keys}"\n')
    now, did = [100.0], []
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])

    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        confirm = Confirm(pilot.app.palette, "Really?", ("It is done.",), did.append, ask)
        await pilot.app.push_screen(confirm)
        await pilot.sees("Really?", f"{says}   esc leave it as it is")
        await pilot.until(lambda: confirm._shown_at is not None, "it knows that it is on screen")
        for step in steps:
            if isinstance(step, float):
                now[0] += step
            else:
                await pilot.press(step)

    drive(filled.home, scenario)
    assert did == done
