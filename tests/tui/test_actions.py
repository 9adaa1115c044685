"""One registry: nothing bound twice in one place, nothing without a handler, nothing missing from the help."""

import itertools

import pytest

from tui import actions
from tui.actions.keymap import Keymap
from tui.actions.together import shares
from tui.console.app import Console
from tui.panes.budgets import BudgetsPane
from tui.panes.events import EventsPane
from tui.panes.jobs import JobsPane
from tui.panes.runs import RunsPane
from tui.panes.sessions import SessionsPane
from tui.panes.skills import SkillsPane
from tui.screens.budget import BudgetScreen
from tui.screens.budget_sheet import BudgetSheet
from tui.screens.confirm import Confirm
from tui.screens.gone import GoneScreen
from tui.screens.help import Help
from tui.screens.help_lines import help_lines
from tui.screens.inbox import InboxScreen
from tui.screens.job import JobScreen
from tui.screens.job_sheet import JobSheet
from tui.screens.output import Reader
from tui.screens.overview import Overview
from tui.screens.prompt import Prompt
from tui.screens.result import Result
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen
from tui.screens.skill import SkillScreen
from tui.screens.skill_sheets import AssignSheet, SkillSetSheet
from tui.screens.spawn import SpawnSheet
from tui.screens.talk import TalkBar
from tui.screens.usage import UsageScreen
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
    "events": (EventsPane,),
    "usage": (UsageScreen,),
    "gone": (GoneScreen,),
    "session": (SessionScreen,),
    "run": (RunScreen,),
    "inbox": (InboxScreen,),
    "talk": (TalkBar,),
    "reader": (Reader,),
    "job": (JobScreen,),
    "budget": (BudgetScreen,),
    "skill": (SkillScreen,),
    "page": (Page,),
    "sheet": (JobSheet, BudgetSheet, SkillSetSheet, AssignSheet),
    "spawn": (SpawnSheet,),
    "confirm": (Confirm,),
    "help": (Help,),
    "result": (Result,),
    "prompt": (Prompt,),
}


@pytest.mark.parametrize("contexts", actions.TOGETHER, ids=" ".join)
def test_a_key_means_one_thing_in_one_place(contexts):
    keys = [(key, action) for context in contexts for action in actions.of(context) for key in action.key.split(",")]
    for (one, first), (other, second) in itertools.combinations(keys, 2):
        clash = one == other and not shares(first.name, second.name)
        assert not clash, f"{one} is both {first.id} and {second.id} in {contexts}"


def test_every_context_has_actions_and_every_action_a_handler():
    used = {context for action in actions.ACTIONS for context in action.where}
    assert used == set(HANDLERS)
    for context, kinds in HANDLERS.items():
        for action, kind in itertools.product(actions.of(context), kinds):
            assert hasattr(kind, f"action_{action.id.partition('(')[0]}"), f"{kind.__name__} cannot {action.id}"


def test_everything_is_in_the_help_with_its_key():
    page = ["".join(text for text, _ in line.cell) for line in help_lines(200, Keymap())]
    for action in actions.ACTIONS:
        assert any(actions.say_key(action) in line and action.label in line for line in page), action.id


def test_groups_are_known():
    assert {action.group for action in actions.ACTIONS} == set(actions.GROUPS)


def test_what_writes_needs_an_engine():
    class Deaf:
        can_order = False
        typing = False
        read_only = False

    class Willing(Deaf):
        can_order = True

    class Looking(Willing):
        read_only = True

    for action in actions.ACTIONS:
        for context in action.where:
            name = action.id.partition("(")[0]
            assert actions.permit(Willing(), (context,), name) is True
            assert actions.permit(Deaf(), (context,), name) is (None if action.writes else True)
            assert actions.permit(Looking(), (context,), name) is not action.writes


def test_what_destroys_asks():
    asking = {action.id for action in actions.ACTIONS if action.dangerous}
    assert asking == {"reset", "stop", "delete", "approve", "deny", "allow"}
