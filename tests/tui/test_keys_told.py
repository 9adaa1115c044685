"""What the operator reads about keys is what the keys are: with every key changed, no screen names an old one."""

import json
import re

import pytest
from textual.widgets import Input

from engine.config.console import ConsoleConfig
from tests.tui.conftest import CONFIG
from tests.tui.test_inbox import asked, permission
from tests.tui.test_skill_page import BEFORE, NOW
from tui import actions
from tui.actions.keymap import Keymap, keymap, parse_key
from tui.panes import messages
from tui.screens.help import Help
from tui.widgets.footer import KeyFooter
from tui.widgets.lines import Lines, Page

SIZE = (200, 60)
_MODIFIERS = ("", "alt+", "ctrl+", "shift+", "alt+ctrl+", "alt+shift+", "ctrl+shift+")
OTHER = {
    action.name: f"{modifier}f{number}"
    for action, (modifier, number) in zip(
        actions.ACTIONS, ((one, number) for one in _MODIFIERS for number in range(1, 25)), strict=False
    )
}
"""For each action a key that nothing has as shipped, and that no line takes as a letter."""
CHANGED = keymap("default", OTHER)
ENGLISH = {"up", "down", "home", "end", "space", "delete", "left", "right"}
"""Keys that are words of their own in a sentence."""


def _old():
    """How screens write the keys as shipped."""
    keys = {actions.show_key(key) for action in actions.ACTIONS for key in action.key.split(",")}
    long = "|".join(re.escape(key) for key in sorted(keys - ENGLISH, key=len, reverse=True) if len(key) > 1)
    letters = "".join(key for key in keys if len(key) == 1 and key.isalpha() and key != "a")
    titles = "|".join(re.escape(title) for _, _, title in actions.PANES)
    return (
        rf"(?<![\w+/-])(?:{long})(?![\w+-])",
        rf"(?<![\w'$./:,-])[{letters}](?=: [a-z]| [a-z]+s\b| writes| never)",
        r"(?i:\b(?:press|then)) (?!a )\S(?!\w)",
        r"(?:^|  )[/:?] [a-z]",
        rf"\b\d (?:{titles})",
    )


OLD = [re.compile(pattern) for pattern in _old()]


def old_keys(lines):
    """What in these lines names a key as shipped."""
    return [(found[0], line.strip()) for line in lines for pattern in OLD if (found := pattern.search(line))]


def told(app):
    """All that the screens tell: what is on top, and what of its pages and lists is scrolled out of sight."""
    lines = [strip.text for strip in app.screen._compositor.render_strips()]
    for widget in app.screen.query("*"):
        if isinstance(widget, Page | Lines) and widget.display:
            lines += ["".join(text for text, _ in line) for line in widget.lines]
        if isinstance(widget, Input):
            lines.append(widget.placeholder)
    if isinstance(app.screen, Help):
        lines += ["".join(text for text, _ in line.cell) for line in app.screen.table.rows if line.action == ""]
    return lines


def footer_keys(app):
    lines = [line for footer in app.screen.query(KeyFooter) for line in footer.lines]
    return [text for line in lines for text, tone in line if tone == "accent"]


class Looker:
    """Looks at each screen that the scenario comes to."""

    def __init__(self, pilot, keys=CHANGED):
        self.pilot, self.app, self.keys = pilot, pilot.app, keys
        self.found = []

    async def look(self, *texts):
        """When this is on screen."""
        await self.pilot.sees(*texts)
        self.found += old_keys(told(self.app))
        mine = {actions.show_key(key) for action in actions.ACTIONS for key in self.keys.of(action)}
        assert set(footer_keys(self.app)) <= mine

    async def do(self, name):
        await self.pilot.press(self.keys.of(next(a for a in actions.ACTIONS if a.name == name))[0])

    async def open(self, message):
        self.app.post_message(message)
        await self.pilot.pause()

    async def home(self):
        while len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        await self.pilot.pause()


def in_toml(keys):
    return "[console.keymap]\n" + "".join(f"{json.dumps(name)} = {json.dumps(key)}\n" for name, key in keys.items())


def test_every_action_can_have_another_key_and_none_is_left_with_its_own():
    assert CHANGED.problems == ()
    for action in actions.ACTIONS:
        assert CHANGED.of(action) == (OTHER[action.name],) == (parse_key(OTHER[action.name]),)
        assert not set(CHANGED.of(action)) & set(action.key.split(","))


@pytest.mark.parametrize(
    "line",
    [
        "Press n to set one.",
        "n sets a limit",
        "enter do it   esc leave it as it is",
        "needs me: a question is open, press i",
        "4 Skill sets  1  0 skills found",
        "skill deploy is held: 4, then c",
        "   ctrl+c interrupts",
        "it asks: y allows, n denies",
        "I writes one, D never asks again",
        "i: say something",
        "s spawn   / filter   : go",
        "  pgdn: rest",
        "  tab goes here;  meta: carried by every prompt",
    ],
)
def test_a_line_that_names_an_old_key_is_found(line):
    assert old_keys([line])


async def empty_panes(look):
    await look.look("No sessions yet", "No jobs yet", "No budgets yet", "sets one", "makes a set", "no configuration")
    for name, text in (("runs", "No runs yet"), ("events", "Nothing has happened yet"), ("sessions", "No sessions")):
        await look.do(f"go.{name}")
        await look.look(text)
        await look.do("list.filter")
        await look.look("~fuzzy")
        await look.do("back")
    await look.do("back")
    for name, text in (("inbox", "Nothing waits"), ("usage.open", "who uses tokens"), ("help", "Here, now")):
        await look.do(name)
        await look.look(text)
        await look.home()


def test_empty_panes_teach_the_keys_in_force(world, drive):
    world.open()

    async def scenario(pilot):
        await pilot.until(lambda: pilot.app.config is not None, "it is known that nothing is declared")
        pilot.app.use_keys(ConsoleConfig(keymap=OTHER))
        pilot.app.overview.look_for_config()
        pilot.app._tick()
        await pilot.sees(f"{CHANGED.named('spawn')} spawn   ")
        look = Looker(pilot)
        await empty_panes(look)
        assert look.found == []

    drive(world.home, scenario, SIZE)


@pytest.fixture
def asking(filled):
    """A live run that asks, one that waits for approval, and a held skill, under other keys."""
    filled.configure(CONFIG + in_toml(OTHER))
    filled.skill_file("style", NOW, allowed=BEFORE)
    waits = filled.run(session_id=1, waits_for="approval", expires_ms=filled.now_ms + 43_200_000)
    filled.question(waits, asked(waits))
    live = filled.run(session_id=1, state="running", started_ms=filled.now_ms - 5_000)
    permission(filled, live, what="".join(f"step {number}\n" for number in range(90)))
    filled.event("run 1 admitted")
    return filled, waits, live


def test_pages_and_dialogs_tell_the_keys_in_force(asking, drive):
    filled, waits, live = asking

    async def scenario(pilot):
        look = Looker(pilot)
        await look.look("fix flaky test", "need me", "f1 open")
        await look.do("go.skills")
        await look.do("go.skills")
        await look.look("Skills found", "goes here")
        await look.do("back")
        await look.open(messages.SkillChoiceAsked())
        await look.look("several skills are held")
        await look.do("inbox")
        await look.look("is held: ", f"approve   {CHANGED.named('question.deny')} deny")
        await pilot.press(CHANGED.named("row.last"))
        await look.do("row.last")
        await look.look("skill      style", "shows what changed")
        await look.home()
        for message, text in (
            (messages.RunOpened(waits), "on the overview answers"),
            (messages.RunOpened(live), "on the overview answers"),
            (messages.JobOpened("health-check"), "next fires"),
            (messages.BudgetOpened("day"), "by agent"),
            (messages.SessionOpened(1), "it asks: "),
            (messages.TalkAsked(1), "it asks: "),
        ):
            await look.open(message)
            await look.look(text)
            if not pilot.app.typing:
                await look.do("help")
                await look.look("Here, now")
            await look.home()
        for message, text in (
            (messages.StopAsked(live), "leave it as it is"),
            (messages.DeleteAsked("job", "weekly"), "leave it as it is"),
            (messages.ResetAsked(1), "undoes this until"),
        ):
            await look.open(message)
            await look.look(text)
            await look.home()
        assert look.found == []

    drive(filled.home, scenario, SIZE)


def test_talk_tells_the_keys_in_force_and_they_act(filled, drive):
    filled.configure(CONFIG + in_toml(OTHER))
    ordered = []

    async def scenario(pilot):
        look = Looker(pilot)
        await look.look("fix flaky test")
        pilot.app.link.order = lambda *order: ordered.append(order)
        await look.open(messages.TalkAsked(1))
        await look.look("sends it", f"{CHANGED.named('talk.say')} say it")
        await look.do("session.interrupt")
        await look.look("nothing is being answered")
        await pilot.press(*"go on", "enter")
        await pilot.pause()
        assert ordered == []
        await look.do("talk.say")
        await pilot.until(lambda: ordered, "it is said")
        assert look.found == []

    drive(filled.home, scenario, SIZE)


@pytest.mark.parametrize(("size", "text"), [(SIZE, "takes the marked one"), ((50, 10), "quits")])
def test_the_line_to_go_anywhere_and_a_small_terminal_tell_the_keys_in_force(filled, drive, size, text):
    filled.configure(CONFIG + in_toml(OTHER))

    async def scenario(pilot):
        look = Looker(pilot)
        await pilot.until(lambda: pilot.app.config is not None, "the keys are known")
        if size == SIZE:
            await look.do("prompt")
        await look.look(text)
        assert look.found == []

    drive(filled.home, scenario, size)


def test_the_spawn_sheet_and_a_search_tell_the_keys_in_force(filled, drive):
    filled.configure(CONFIG + in_toml(OTHER))

    async def scenario(pilot):
        look = Looker(pilot)
        await look.look("fix flaky test")
        await look.do("spawn")
        await look.look("Spawn a subagent", f"{CHANGED.named('spawn.fold')}  ")
        await look.home()
        run_id = filled.run(session_id=1, agent="coder", state="settled", outcome="succeeded")
        await look.open(messages.RunOpened(run_id))
        await look.look("succeeded")
        await look.do("text.find")
        await look.look(f"{CHANGED.named('filter.keep')} keep it")
        await pilot.press(*"task")
        await look.look(f"{CHANGED.named('text.next')} next", f"{CHANGED.named('back')} ends it")
        assert look.found == []

    drive(filled.home, scenario, SIZE)


def test_as_shipped_the_same_walk_finds_them(world, drive):
    world.open()

    async def scenario(pilot):
        pilot.app.overview.look_for_config()
        look = Looker(pilot, Keymap())
        await empty_panes(look)
        assert {line for _, line in look.found} > {"n sets one.", "n writes one.", "s spawns one that needs no model."}

    drive(world.home, scenario, SIZE)
