"""The console driven by keys, with a real feed on a real database and no engine behind it."""

import subprocess
import sys

import pytest

from engine.contract.orders import ResetSession
from tui.messages import EngineCame, OrderFailed
from tui.reading.journal import UndoChanged
from tui.screens.confirm import Confirm
from tui.screens.help import Help
from tui.screens.overview import Overview
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen
from tui.theme import ANSI

HOSTILE = [
    "\x1b]52;c;aGFjaw==\x07",
    "\x1b[2J\x1b[31m",
    "[/]",
    "[bold",
    "[@click=app.bell]x",
    "\u202egnp",
    "x" * 10_000,
    "\ud83d",
]


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20), (200, 60)])
def test_the_overview_shows_everything_there_is(filled, drive, size):
    async def scenario(pilot):
        await pilot.sees("1 Sessions", "2 Cron jobs", "3 Token budgets", "4 Skill sets")
        await pilot.sees("fix flaky test", "health-check", "day", "none", "1.2k", "run 1 admitted")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(filled.home, scenario, size)


def test_sixteen_colours_are_enough(filled, drive):
    async def scenario(pilot):
        await pilot.sees("1 Sessions", "fix flaky test")
        await pilot.press("2", "E")
        await pilot.sees("Job health-check", "next fires")

    drive(filled.home, scenario, theme=ANSI)


def test_too_small_says_so_and_recovers(filled, drive):
    async def scenario(pilot):
        await pilot.sees("too small: need 60x20")
        await pilot.resize_terminal(120, 34)
        await pilot.sees("1 Sessions", "4 Skill sets", "fix flaky test")
        await pilot.press("down")
        await pilot.until(lambda: pilot.app.overview.panes["sessions"].table.cursor == 1, "the keyboard works again")

    drive(filled.home, scenario, (50, 10))


def test_empty_panes_teach(world, drive):
    world.open()

    async def scenario(pilot):
        await pilot.sees(
            "No sessions yet", "s spawns one", "No jobs yet", "No budgets yet", "n sets one", "n makes a set"
        )
        await pilot.press("5")
        await pilot.sees("No runs yet")

    drive(world.home, scenario)


def test_it_opens_without_any_state_at_all(world, drive):
    async def scenario(pilot):
        await pilot.sees("quarterdeck", "engine none", "1 Sessions")
        world.session("came later")
        await pilot.sees("came later")

    drive(world.home, scenario)


def test_what_comes_when_the_screens_have_been_closed_is_told_to_nobody(world, drive):
    """The feed and the engine do not know yet that the console is leaving."""
    apps = []

    async def scenario(pilot):
        apps.append(pilot.app)
        await pilot.sees("1 Sessions")
        closed = pilot.app._close_all

        async def and_late_ones():
            await closed()
            pilot.app.post_message(UndoChanged(()))
            pilot.app.post_message(EngineCame())
            pilot.app.post_message(OrderFailed("run", "too late"))

        pilot.app._close_all = and_late_ones

    drive(world.home, scenario)
    assert not apps[0].screen_stack


def test_only_what_changed_comes_and_the_cursor_stays(filled, drive):
    async def scenario(pilot):
        await pilot.sees("vendor survey")
        await pilot.press("down")
        table = pilot.app.overview.panes["sessions"].table
        await pilot.until(lambda: table.selected and table.selected.title == "vendor survey", "the cursor is on it")
        filled.session("newest of all", at_ms=filled.now_ms + 900_000)
        await pilot.sees("newest of all")
        assert table.selected.title == "vendor survey"
        assert table.cursor == 2

    drive(filled.home, scenario)


def test_digits_focus_then_zoom_and_escape_goes_back(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("2")
        assert pilot.app.overview.focused_pane.CONTEXT == "jobs"
        await pilot.press("2")
        await pilot.until(lambda: "1 Sessions" not in pilot.shown(), "the pane has the whole screen")
        await pilot.sees("2 Cron jobs", "Europe/Berlin")
        await pilot.press("escape")
        await pilot.sees("1 Sessions", "4 Skill sets")
        await pilot.press("4", "z")
        await pilot.sees("Skills found", "origin")
        await pilot.press("5")
        await pilot.sees("5 Runs")
        await pilot.press("escape")
        await pilot.sees("1 Sessions")

    drive(filled.home, scenario)


def test_a_filter_narrows_as_one_types(filled, drive):
    async def scenario(pilot):
        await pilot.sees("vendor survey", "fix flaky test")
        await pilot.press("slash", *"VEND")
        await pilot.until(lambda: "fix flaky test" not in pilot.shown(), "only what matches")
        await pilot.sees("vendor survey", "1 of 2")
        await pilot.press("enter")
        await pilot.sees("/vend")
        await pilot.press("escape")
        await pilot.sees("vendor survey", "fix flaky test")

    drive(filled.home, scenario)


def test_help_comes_from_the_registry(filled, drive):
    async def scenario(pilot):
        await pilot.press("question_mark")
        await pilot.until(lambda: isinstance(pilot.app.screen, Help), "help is open")
        await pilot.sees("fresh session", "spawn")
        await pilot.press("end")
        await pilot.sees("reserved by a live run")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, Overview), "help is closed")

    drive(filled.home, scenario)


def test_the_footer_offers_what_can_be_done_here(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test", "r fresh session")
        await pilot.press("down")
        await pilot.until(lambda: "fresh session" not in pilot.shown(), "an observed session cannot be reset")
        await pilot.press("2")
        await pilot.sees("f fire now", "p pause")

    drive(filled.home, scenario)


def test_without_an_engine_nothing_that_writes_is_offered(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        assert "s spawn" not in pilot.shown()
        await pilot.press("s", "r")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Overview)

    drive(filled.home, scenario, can_order=False)


def test_reset_says_what_will_happen_and_orders_exactly_that(filled, drive, monkeypatch):
    ordered = []
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])

    async def scenario(pilot):
        app = pilot.app
        app.link.order = lambda kind, body, done=None, failed=None: ordered.append((kind, body))
        await pilot.sees("fix flaky test")
        await pilot.press("r")
        await pilot.until(lambda: isinstance(app.screen, Confirm), "the dialog is open")
        await pilot.sees("generation 2 starts", "generation 1 is kept", "u undoes this")
        await pilot.press("enter")
        assert ordered == [], "the enter came too early to have been meant"
        now[0] += 0.31
        await pilot.press(*"too chatty", "enter")
        assert ordered == [], "the enter came in one go with the text before it"
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: not isinstance(app.screen, Confirm), "the dialog is gone")

    drive(filled.home, scenario)
    assert ordered == [("reset", ResetSession(session_id=1, seen_generation_id=1, note="too chatty"))]


def test_an_early_escape_leaves_everything_as_it_is(filled, drive):
    async def scenario(pilot):
        pilot.app.link.order = lambda *_: pytest.fail("nothing was to be ordered")
        await pilot.sees("fix flaky test")
        await pilot.press("r")
        await pilot.until(lambda: isinstance(pilot.app.screen, Confirm), "the dialog is open")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, Overview), "the dialog is gone")

    drive(filled.home, scenario)


def test_a_job_sheet_shows_the_next_fires_or_what_is_wrong_and_writes_the_entry(filled, drive):
    written = []

    async def scenario(pilot):
        app = pilot.app
        app.link.put_entry = lambda section, name, values, done=None, failed=None: written.append(
            (section, name, values)
        )
        await pilot.sees("health-check")
        await pilot.press("2", "n")
        await pilot.sees("New job", "give it a name")
        await pilot.press(*"nightly", "tab", "tab", *"0 7 * *")
        await pilot.sees("cron takes five")
        await pilot.press(*" 1-5")
        await pilot.sees("next fires", "Europe/Berlin", "07:00:00", "06:00:00 UTC")
        await pilot.press("ctrl+s")
        await pilot.until(lambda: written, "the entry is written")

    drive(filled.home, scenario)
    section, name, values = written[0]
    assert (section, name) == ("job", "nightly")
    assert values["cron"] == "0 7 * * 1-5"
    assert values["every"] is None
    assert values["agent"] == "digest"


def test_a_budget_is_edited_in_place_with_its_books_beside(filled, drive):
    written = []

    async def scenario(pilot):
        pilot.app.link.put_entry = lambda *given: written.append(given[:3])
        await pilot.sees("60.0k")
        await pilot.press("3", "E")
        await pilot.sees("Budget day", "1,200 of 60,000")
        await pilot.press("tab", "tab", *["backspace"] * 5, *"1.5M")
        await pilot.sees("of 1,500,000")
        await pilot.press("ctrl+s")
        await pilot.until(lambda: written, "the entry is written")

    drive(filled.home, scenario)
    assert written[0][:2] == ("budget", "day")
    assert written[0][2]["tokens"] == 1_500_000


def test_typing_fast_keeps_the_order_of_keys(filled, drive):
    async def scenario(pilot):
        await pilot.sees("health-check")
        await pilot.press("2", "n")
        await pilot.sees("New job")
        form = pilot.app.screen.form
        for key in ("a", "b", "backspace", "c", "tab", "1", "m"):
            pilot.app.post_message(_key(key))
        await pilot.until(lambda: form.values["every"] == "1m", "the second field has what came after tab")
        assert form.values["name"] == "ac"

    drive(filled.home, scenario)


@pytest.mark.parametrize(("opener", "line"), [("colon", ":budu"), ("slash", "budu"), ("s", "budu")])
def test_what_is_typed_behind_an_opening_key_goes_to_what_it_opens(filled, drive, opener, line):
    async def scenario(pilot):
        pilot.app.link.order = lambda *_: pytest.fail("a letter of the text was taken for a key")
        pilot.app.link.preview = lambda *_: None
        await pilot.sees("fix flaky test", "health-check")
        for key in (opener, "b", "u", "d", "u"):
            pilot.app.post_message(_key(key))
        await pilot.sees(line)

    drive(filled.home, scenario)


def _key(name):
    from textual import events

    return events.Key(name, {"colon": ":", "slash": "/"}.get(name, name if len(name) == 1 else None))


def test_enter_opens_a_session_with_its_generations(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is open")
        await pilot.sees("sessions > fix flaky test", "fresh: the session's first run", "1,200 tokens")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, Overview), "and closed")

    drive(filled.home, scenario)


def test_a_run_tells_why_what_and_says_what_it_says_as_it_comes(filled, drive):
    from state import receipts, runs

    values = {
        "session_id": 1, "generation_id": 1, "agent": "coder", "adapter": "command", "lane": "main", "task": "do it",
        "trigger": "operator", "task_type": "chat", "workspace": "/w", "can_read": "[]", "can_write": "[]",
        "inject": "[]", "state": "running", "reused": 1, "reuse_reason": "same_conversation", "estimate_tokens": 210,
        "verdict": '{"ok":true,"checks":[{"name":"scope","ok":true,"why":"inside"}],"estimate_tokens":210}',
        "requested_ms": filled.now_ms, "started_ms": filled.now_ms + 500,
    }  # fmt: skip
    with filled.open().transaction() as tx:
        run_id = runs.add(tx, values)
        part = '[{"kind":"file","source":"README.md","chars":9,"tokens":3,"sha256":"x","stable":true}]'
        receipts.store(tx, receipts.Receipt(run_id=run_id, parts=part, tokens=3, chars=9))
    folder = filled.home.run_folder(run_id)
    folder.mkdir(parents=True)

    async def scenario(pilot):
        await pilot.sees("1 running")
        await pilot.press("5", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        await pilot.sees("resumed: same workspace", "scope", "inside", "README.md", "x stop run")
        (folder / "stdout.log").write_bytes(b"\x1b[31mhello\x1b[0m there\n")
        await pilot.sees("hello", "there")
        assert "\x1b" not in pilot.shown()

    drive(filled.home, scenario)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_do_no_harm(world, drive, text):
    text = text.encode("utf-8", "replace").decode()
    world.session(f"begin {text}", model=text)
    world.skill(text)
    world.event(text)
    world.notice("config", "error", text)

    async def scenario(pilot):
        await pilot.sees("begin")
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is open")
        await pilot.press("escape", "4", "4")
        await pilot.sees("Skills found")
        assert "\x1b" not in pilot.shown()
        assert "\u202e" not in pilot.shown()

    drive(world.home, scenario)


def test_notices_stay_while_they_hold(filled, drive):
    filled.notice("config", "error", "quarterdeck.toml:2: limits.timout: unknown key")
    filled.notice("scan", "info", "reading logs: 12 of 400 files")

    async def scenario(pilot):
        await pilot.sees("unknown key", "reading logs: 12 of 400 files", "…")
        from state import events

        with filled.open().transaction() as tx:
            events.drop_notice(tx, "config")
        await pilot.until(lambda: "unknown key" not in pilot.shown(), "the notice is gone")

    drive(filled.home, scenario)


def test_the_line_goes_to_panes_and_completes(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("colon", *"bud", "tab")
        await pilot.sees(":budget")
        await pilot.press("ctrl+u", *"jobs", "enter")
        await pilot.until(lambda: pilot.app.overview.focused_pane.CONTEXT == "jobs", "we are in the jobs")
        await pilot.press("colon", "up")
        await pilot.sees(":jobs")

    drive(filled.home, scenario)


def test_nothing_heavy_is_imported_before_the_first_paint():
    program = (
        "import sys, tui.console.app\n"
        "heavy = {'tiktoken', 'croniter', 'tomlkit', 'watchfiles', 'sqlite_utils', 'httpx', \n"
        "         'engine.runtime.boards', 'engine.runtime.engine', 'tui.cli.dispatch', 'statistics',\n"
        "         'tui.reading.figures'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_keys_that_come_in_one_go_act_in_their_order(filled, drive):
    """A slow link delivers several at once: the `n` after a `3` is for the budgets."""

    async def scenario(pilot):
        from textual import events

        await pilot.sees("fix flaky test")
        for key in ("2", "3", "n"):
            pilot.app.post_message(events.Key(key, key))
        await pilot.sees("New budget")

    drive(filled.home, scenario)
