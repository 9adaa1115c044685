"""The operator's own keys, chords, the refresh rate and the line after `:`, in the console itself."""

import pytest

from engine.config.console import ConsoleConfig
from tests.tui.conftest import CONFIG
from tui.console.keyed import RATES_S, say_rate
from tui.reading import changes

RATES = ("100 ms", "250 ms", "500 ms", "1 s", "2 s", "5 s", "10 s")


def footer(app):
    return "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])


def header(app):
    return "".join(text for text, _ in app.overview.header.lines[0])


def test_a_keymap_holds_from_the_first_moment_and_follows_the_configuration(filled, drive):
    filled.configure(CONFIG + '[console.keymap]\nspawn = "f7"\n')

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        assert "f7 spawn" in footer(app)
        await pilot.press("s")
        assert len(app.screen_stack) == 1
        await pilot.press("f7")
        await pilot.until(lambda: len(app.screen_stack) == 2, "the sheet is open")
        await pilot.press("escape")
        app.use_keys(ConsoleConfig(keymap={"inbox": "f8", "spawn": ""}))
        await pilot.pause()
        assert "f8 inbox" in footer(app)
        assert "spawn" not in footer(app)
        await pilot.press("s", "f7", "i")
        assert len(app.screen_stack) == 1

    drive(filled.home, scenario)


def test_what_does_not_hold_is_a_notice_until_it_is_mended(filled, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        app.use_keys(ConsoleConfig(keymap={"spawn": "q", "no.such": "x", "undo": "zz"}))
        await pilot.sees("keymap: there is no action 'no.such'", "2 more entries do not hold: qd doctor")
        app.use_keys(ConsoleConfig(keymap={"spawn": "q"}))
        await pilot.sees("keymap: spawn cannot be on q: leave has it")
        app.use_keys(ConsoleConfig())
        await pilot.until(lambda: "keymap" not in pilot.shown(), "the notice is gone")

    drive(filled.home, scenario)


def test_a_vim_user_finds_what_is_expected(filled, drive):
    for number in range(40):
        filled.session(f"session number {number}")
    filled.configure(CONFIG + '[console]\nkeys = "vim"\n')

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("session number")
        table = app.overview.panes["sessions"].table
        await pilot.press("G")
        assert table.cursor == len(table.rows) - 1
        await pilot.press("g", "g")
        assert table.cursor == 0
        await pilot.press("ctrl+d")
        half = table.cursor
        assert 0 < half < table.size.height
        await pilot.press("g", "j", "ctrl+u")
        assert table.cursor == 1
        await pilot.press("slash", *"gg")
        await pilot.until(lambda: app.screen.query_one("LineInput").value == "gg", "letters stay letters")
        await pilot.press("escape", "l")
        await pilot.until(lambda: len(app.screen_stack) == 2, "opened")
        await pilot.press("h")
        await pilot.until(lambda: len(app.screen_stack) == 1, "back")

    drive(filled.home, scenario)


def test_plus_and_minus_change_the_rate_of_the_feed_and_the_clock(filled, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        assert "every" not in header(app)
        await pilot.press("minus")
        await pilot.sees("changes are looked for every 250 ms")
        assert (app.refresh_s, app.feed.every_s) == (0.25, 0.25)
        await pilot.press(*["minus"] * 9)
        await pilot.until(lambda: "every 10 s" in header(app), "the header says so")
        assert app.clock._interval == 10
        await pilot.press(*["plus"] * 9)
        assert (app.refresh_s, app.feed.every_s, app.clock._interval) == (0.1, 0.1, 1.0)
        await pilot.until(lambda: "every" not in header(app), "as it was")

    drive(filled.home, scenario)


@pytest.mark.parametrize(("every_s", "said"), list(zip(RATES_S, RATES, strict=True)))
def test_a_rate_is_said_as_it_is_typed(every_s, said):
    assert say_rate(every_s) == said


def test_a_line_goes_anywhere(filled, drive):
    run_id = filled.run(session_id=1, task="look at it")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test", "vendor survey")
        await pilot.until(lambda: changes.RunsChanged in app.latest, "runs are known")
        await pilot.press("colon", *"sessions /vendor", "enter")
        await pilot.until(lambda: len(app.overview.panes["sessions"].table.rows) == 1, "narrowed")
        await pilot.press("colon", *"sessions @coder", "enter")
        await pilot.until(lambda: "fix flaky" in pilot.shown() and "vendor" not in pilot.shown(), "of one agent")
        await pilot.press("colon", *"job week", "enter")
        await pilot.sees("cron jobs > weekly")
        await pilot.press("escape", "colon", *"skill-set rev", "enter")
        await pilot.until(lambda: app.overview.panes["skills"].table.selected.name == "review", "the cursor is on it")
        await pilot.press("colon", *f"run {run_id}", "enter")
        await pilot.sees(f"> run {run_id}")
        await pilot.press("colon", *"sesions", "enter")
        await pilot.sees("there is no 'sesions'; did you mean sessions")

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_what_could_come_is_listed_and_tab_takes_it(filled, drive, size):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        await pilot.press("colon", *"session ")
        await pilot.sees("> session 1", "coder fix flaky test")
        await pilot.press(*"ven", "tab", "enter")
        await pilot.sees("sessions > vendor survey")
        await pilot.press("escape", "colon", "up")
        await pilot.sees(":session 2")
        await pilot.press("ctrl+u", *"bud", "ctrl+n", "tab")
        await pilot.until(lambda: app.screen.query_one("LineInput").value == "budget ", "the second one")
        await pilot.press("ctrl+u", *"runs", "enter")
        await pilot.until(lambda: app.overview.zoomed == "runs", "there")

    drive(filled.home, scenario, size=size)
