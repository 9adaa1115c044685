"""One registry: nothing bound twice in one place, nothing without a handler, nothing missing from the help."""

import itertools

import pytest

from tui import actions, legend
from tui.app import Console
from tui.panes.budgets import BudgetsPane
from tui.panes.jobs import JobsPane
from tui.panes.runs import RunsPane
from tui.panes.sessions import SessionsPane
from tui.panes.skills import SkillsPane
from tui.screens.budget_sheet import BudgetSheet
from tui.screens.confirm import Confirm
from tui.screens.help import Help, help_lines
from tui.screens.inbox import InboxScreen
from tui.screens.job_sheet import JobSheet
from tui.screens.overview import Overview
from tui.screens.prompt import Prompt
from tui.screens.result import Result
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen
from tui.screens.skill import SkillScreen
from tui.screens.skill_sheets import AssignSheet, SkillSetSheet
from tui.screens.spawn import SpawnSheet
from tui.screens.talk import TalkScreen
from tui.widgets.lines import Page
from tui.widgets.table import Table

HANDLERS = {
    "app": (Console,),
    "overview": (Overview,),
    "table": (Table,),
    "sessions": (SessionsPane,),
    "jobs": (JobsPane,),
    "budgets": (BudgetsPane,),
    "skills": (SkillsPane,),
    "runs": (RunsPane,),
    "session": (SessionScreen,),
    "run": (RunScreen,),
    "inbox": (InboxScreen,),
    "talk": (TalkScreen,),
    "skill": (SkillScreen,),
    "page": (Page,),
    "sheet": (JobSheet, BudgetSheet, SkillSetSheet, AssignSheet),
    "spawn": (SpawnSheet,),
    "confirm": (Confirm,),
    "help": (Help,),
    "result": (Result,),
    "prompt": (Prompt,),
}
TOGETHER = [("app", "overview", "table", pane) for _, pane, _ in actions.PANES] + [
    ("app", "session", "table"),
    ("app", "run", "page"),
    ("app", "inbox", "table"),
    ("app", "inbox", "page"),
    ("app", "talk", "page"),
    ("app", "skill", "page"),
    ("app", "help", "page"),
    ("app", "result", "page"),
    ("app", "sheet"),
    ("app", "spawn"),
    ("confirm",),
    ("prompt",),
]
"""Contexts that are active at the same time."""


@pytest.mark.parametrize("contexts", TOGETHER, ids=" ".join)
def test_a_key_means_one_thing_in_one_place(contexts):
    keys = [
        (key, action.id)
        for context in contexts
        for action in actions.of(context)
        for key in action.key.split(",")
        if action.id != "take"  # only while a completion is shown; the footer then gives the other its next key
    ]
    for (one, first), (other, second) in itertools.combinations(keys, 2):
        assert one != other, f"{one} is both {first} and {second} in {contexts}"


def test_every_context_has_actions_and_every_action_a_handler():
    used = {context for action in actions.ACTIONS for context in action.where}
    assert used == set(HANDLERS)
    for context, kinds in HANDLERS.items():
        for action, kind in itertools.product(actions.of(context), kinds):
            assert hasattr(kind, f"action_{action.id.partition('(')[0]}"), f"{kind.__name__} cannot {action.id}"


def test_everything_is_in_the_help_with_its_key():
    page = ["".join(text for text, _ in line) for line in help_lines()]
    for action in actions.ACTIONS:
        assert any(actions.say_key(action) in line and action.label in line for line in page), action.id
    for letter, meaning in (*legend.SESSION_LETTERS, *legend.SLOT_LETTERS, *legend.JOB_LETTERS):
        assert any(line.strip().startswith(letter) and meaning in line for line in page)


def test_groups_are_known():
    assert {action.group for action in actions.ACTIONS} == set(actions.GROUPS)


def test_what_writes_needs_an_engine():
    class Deaf:
        can_order = False
        typing = False

    class Willing:
        can_order = True
        typing = False

    for action in actions.ACTIONS:
        for context in action.where:
            name = action.id.partition("(")[0]
            assert actions.permit(Willing(), (context,), name) is True
            assert actions.permit(Deaf(), (context,), name) is (None if action.writes else True)


def test_what_destroys_asks():
    asking = {action.id for action in actions.ACTIONS if action.dangerous}
    assert asking == {"reset", "stop", "delete", "approve", "deny", "allow"}
