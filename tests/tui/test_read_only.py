"""With read-only nothing changes: not by any verb, any key or any action; neither state nor spool nor configuration."""

import asyncio
import hashlib
import json

import msgspec
import pytest

from engine.config.console import Alerts, ConsoleConfig
from engine.contract.orders import Nothing
from tui import actions
from tui.actions.keymap import Keymap
from tui.cli.commands import COMMANDS
from tui.cli.dispatch import capture
from tui.console.app import Console
from tui.console.looking import LINE
from tui.options import Flags, Options, options
from tui.panes import messages as asked
from tui.screens.help_lines import help_lines

ARGUMENTS = {
    "session show": ["1"],
    "run show": ["1"],
    "approvals show": ["1"],
    "cron preview": ["0 9 * * *"],
    "skills diff": ["style"],
    "scope check": [],
    "context": [],
}
ELSEWHERE = {"web", "demo", "drill"}
"""They serve, play or work in a throw-away home; a console that they show is as read-only as the environment says."""


def contents(folder):
    """Every file with what is in it. A reader makes empty logs beside the database."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.endswith("-shm")
        and not (path.name.endswith("-wal") and not path.stat().st_size)
    }


@pytest.fixture
def settled(filled):
    """A home that nobody is writing to."""
    filled.run(session_id=1, verdict=json.dumps({"ok": True, "checks": []}))
    filled.close()
    for folder in filled.home.folders:
        folder.mkdir(mode=0o700, exist_ok=True)
    return filled.home


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_no_verb_changes_anything(settled, monkeypatch, command):
    monkeypatch.setenv("QUARTERDECK_READ_ONLY", "1")
    name = " ".join(command.words)
    before = contents(settled.state)
    if command.writes:
        code, out, err = capture([*command.words, "x"], settled)
        assert (code, out) == (1, "")
        assert err.startswith(f"qd {name} changes something, and here is read-only")
        assert len(err.splitlines()) == 1
    elif name not in ELSEWHERE:
        code, out, err = capture([*command.words, *ARGUMENTS.get(name, [])], settled)
        assert "read-only" not in err
    assert contents(settled.state) == before


def test_every_verb_that_asks_the_engine_for_anything_is_marked():
    """By what they are for: whoever adds one must say whether it writes."""
    looks = {" ".join(command.words) for command in COMMANDS if not command.writes}
    assert looks == {
        *("sessions", "session show", "run list", "run show", "approvals", "approvals show", "templates", "task-types"),
        *("undo list", "cron list", "cron preview", "budget list", "skills", "skills diff", "context", "usage"),
        "scope check",
        *("engine status", "doctor", "web", "tour", "demo", "drill"),
    }


def looking() -> Options:
    declared = msgspec.defstruct("Declared", [("console", ConsoleConfig), ("alerts", Alerts)])
    return options(Flags(theme="dark", read_only=True), {}, declared(ConsoleConfig(), Alerts()))


PAGES = (
    None,
    asked.SessionOpened(1),
    asked.RunOpened(1),
    asked.InboxAsked(),
    asked.UsageAsked(),
    asked.SheetAsked("job", "health-check"),
    asked.SheetAsked("budget", "day"),
    asked.SheetAsked("skill_set", "review"),
    asked.SpawnAsked(),
    asked.AssignAsked("review"),
)


def test_no_key_and_no_action_changes_anything(settled):
    """Every action that writes is asked for on every widget of every page that has it, and every key of one is pressed,
    without an engine, and with what would be an order caught."""
    before = contents(settled.state)
    sent, tried = [], set()

    async def main():
        app = Console(settled, said=looking())
        app.link._order = lambda *order: sent.append(order)
        async with app.run_test(size=(120, 34)) as pilot:
            while app.config is None or not app.overview.panes["runs"].known:
                await pilot.pause(0.02)
            for page in PAGES:
                if page is not None:
                    await app.carry_out(page)
                    await pilot.pause(0.1)
                await everything(app, pilot, tried)
                while len(app.screen_stack) > 1:
                    app.pop_screen()
            for _, pane, _ in actions.PANES:
                app.overview.go_to(pane)
                for action in actions.ACTIONS:
                    if action.writes and not {"app", "overview", pane}.isdisjoint(action.where):
                        await pilot.press(*[key for key in Keymap().of(action) if key != "ctrl+@"])
                assert len(app.screen_stack) == 1, pane

    asyncio.run(main())
    assert sent == []
    assert contents(settled.state) == before
    writing = {action.name for action in actions.ACTIONS if action.writes}
    assert len(tried & writing) > len(writing) * 2 // 3, writing - tried


async def everything(app, pilot, tried):
    """Ask for every writing action of the screen that is up, whether it is offered or not."""
    screen = app.screen
    nodes = [app, screen, *screen.query("*")]
    for action in actions.ACTIONS:
        if not action.writes:
            continue
        name = action.id.partition("(")[0]
        assert not any(one.binding.id == action.name for one in screen.active_bindings.values())
        for node in nodes:
            if hasattr(node, f"action_{name}") and app.screen is screen and node.is_attached:
                tried.add(action.name)
                assert not await app.run_action(action.id, node), f"{action.name} on {node}"


def test_the_footer_and_the_help_do_not_offer_it_and_a_key_says_why(settled):
    async def main():
        app = Console(settled, said=looking())
        async with app.run_test(size=(120, 34)) as pilot:
            await pilot.pause()
            for key in ("s", "r", "x"):
                await pilot.press(key)
                assert LINE in "".join(text for text, _ in app.overview.events.lines[0]), key
            footer = "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])
            assert not {"spawn", "undo", "fresh", "attach"} & set(footer.split())
            app.overview.flash("")
            await pilot.press("z", "j")
            assert LINE not in "".join(text for text, _ in app.overview.events.lines[0])

    asyncio.run(main())
    shown = {line.action for line in help_lines(100, Keymap(), read_only=True)}
    assert not {action.name for action in actions.ACTIONS if action.writes} & shown


def test_the_line_refuses_verbs_that_write_and_runs_those_that_look(settled):
    async def main():
        app = Console(settled, said=looking())
        async with app.run_test(size=(120, 34)) as pilot:
            told = []
            app.link._post = told.append
            for line in ("undo", "budget set day --tokens 3", "run coder --task x"):
                app.run_line(line)
                assert told.pop().stdout == ""
            app.run_line("qd tour")
            while not told:
                await pilot.pause(0.02)
            assert "Five keys" in told[-1].stdout

    asyncio.run(main())


def test_no_engine_is_started_for_who_only_looks(settled):
    async def main():
        app = Console(settled, said=looking())
        assert not app.link._came()
        app.link.order("undo", Nothing())

    asyncio.run(main())
    assert not settled.lock.exists()
    assert list(settled.consoles.iterdir()) == []
