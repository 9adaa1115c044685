"""Why does a key do nothing here, now? One short line for each that has a meaning in this place and nothing to do."""

from collections.abc import Callable, Iterable
from typing import Any

from tui.actions import ACTIONS, Action, find
from tui.console.looking import LINE
from tui.text import plural

_SILENT = frozenset({"back", "list.open", "filter.keep", "help.run", "session.open"})
"""Keys that are pressed once too often without harm, and a key that means several things."""
_LINES = {
    "gone.open": "nothing is told of what happened while no console was open: it has been seen",
    "run.stop": "nothing runs or waits here that could be ended",
    "init.write": "there is a configuration already: it is not written over",
    "init.decline": "no configuration is offered to be written",
    "skill.look": "no skill is held here, and the cursor is on none",
    "text.next": "nothing is searched for yet",
    "text.before": "nothing is searched for yet",
    "question.approve": "nothing waits for your word here",
    "question.deny": "nothing waits for your word here",
    "sheet.take": "",
    "spawn.wait": "there is nothing that it could wait for",
}
"""Where the reason does not depend on what the cursor is on."""
_OF_NONE = "the empty set is always there: it has no skills and belongs to nobody"


def meant(key: str, here: Iterable[str], keys_of: Callable[[Action], Iterable[str]]) -> list[Action]:
    """What this key is for in these contexts."""
    contexts = set(here)
    return [one for one in ACTIONS if not contexts.isdisjoint(one.where) and key in keys_of(one)]


def line(app: Any, action: Action) -> str:
    """Empty where nothing has to be said."""
    if action.name in _SILENT:
        return ""
    if action.writes and app.read_only:
        return f"{action.label}: {LINE}"
    if action.writes and not app.can_order:
        return f"{action.label}: there is no engine to take an order just now"
    if action.name == "undo":
        return str(app.taking_back.why_not)
    asked = getattr(app.screen, "why_not", None)
    said = asked(action.id) if asked is not None else ""
    return said or _of_list(app, action) or _LINES.get(action.name, f"{action.label}: there is nothing to do it with")


def _of_list(app: Any, action: Action) -> str:
    """What the rows of a list have to do with it."""
    if app.screen is not app.overview:
        return ""
    pane = app.overview.focused_pane
    if find(pane.CONTEXT, action.id.partition("(")[0]) is None or action.id not in pane.ON_ROW:
        return ""
    if not pane.table.rows:
        return f"{action.label}: the list is empty"
    if pane.marked and action.id in pane.WITH_MANY:
        return f"{action.label}: it can be done with none of the {plural(len(pane.marked), 'marked row')}"
    said = getattr(pane, "why_not", None)
    if said is not None and pane.table.selected is not None:
        return str(said(action.id, pane.table.selected))
    return _OF_NONE if pane.CONTEXT == "skills" and action.id != "look" else ""
