"""What can the operator do, where, and with which key? One registry; bindings, footer, `?`, and `:` derive from it."""

from typing import Any

from textual.binding import Binding, BindingType

from tui.actions.action import GROUPS, KEY_NAMES, PANES, Action, Context, say_key, show_key
from tui.actions.console import CONSOLE
from tui.actions.lists import LISTS
from tui.actions.pages import PAGES
from tui.actions.sheets import SHEETS
from tui.actions.together import SHARED, TOGETHER, TYPED

__all__ = [
    "ACTIONS",
    "GROUPS",
    "KEY_NAMES",
    "PANES",
    "SHARED",
    "TOGETHER",
    "TYPED",
    "Action",
    "Context",
    "beyond",
    "bindings",
    "find",
    "of",
    "permit",
    "say_key",
    "show_key",
]

ACTIONS: tuple[Action, ...] = (*LISTS, *PAGES, *SHEETS, *CONSOLE)


_FOUND = {(context, action.id.partition("(")[0]): action for action in reversed(ACTIONS) for context in action.where}
"""By context and method. It is asked for every binding there is at every key."""


def of(context: Context) -> tuple[Action, ...]:
    """The actions of one context, in the order of the registry."""
    return tuple(action for action in ACTIONS if context in action.where)


def bindings(*contexts: Context) -> list[BindingType]:
    """What a widget of these contexts is bound to."""
    return [
        Binding(action.key, action.id, action.label, show=action.shown, priority=action.first, id=action.name)
        for context in contexts
        for action in of(context)
    ]


def beyond(name: str) -> Binding:
    """One of the app's own, for a dialog: it keeps its keys from the app."""
    action = next(action for action in ACTIONS if action.name == name)
    return Binding(action.key, f"app.{action.id}", action.label, show=action.shown, id=action.name)


def find(context: Context, name: str) -> Action | None:
    """The action that the method `action_<name>` carries out there."""
    return _FOUND.get((context, name))


def permit(app: Any, contexts: tuple[Context, ...], name: str) -> bool | None:
    """For `check_action`. None (greyed, without effect) while there is no engine to take an order.

    False for what changes anything in a console that only looks.

    False for a key that opens something while letters go into a line: there it is just a letter.
    """
    for context in contexts:
        action = find(context, name)
        if action is None:
            continue
        if action.first and app.typing and context not in ("sheet", "spawn", "talk"):
            return False
        if action.writes and app.read_only:
            return False
        if name == "undo" and not getattr(app, "undoable", True):
            return False
        if action.writes and not app.can_order:
            return None
    return True
