"""What can the operator do, where, and with which key? One registry; bindings, footer, `?`, and `:` derive from it."""

from typing import Any, Literal

from msgspec import Struct
from textual.binding import Binding, BindingType

Context = Literal[
    "app",
    "overview",
    "table",
    "sessions",
    "jobs",
    "budgets",
    "skills",
    "runs",
    "session",
    "run",
    "inbox",
    "talk",
    "skill",
    "page",
    "sheet",
    "spawn",
    "confirm",
    "help",
    "result",
    "prompt",
]
"""A pane, a screen, or what is the same on several of them."""


class Action(Struct, frozen=True):
    """One thing that can be done. A widget of context `where` has the method `action_<id>`."""

    id: str
    key: str
    """Textual's names, the first one is shown."""
    label: str
    """For the footer: a word or two."""
    help: str
    """For `?`: what it does, in one line."""
    group: str
    where: tuple[Context, ...]
    dangerous: bool = False
    """Asks before it is done."""
    writes: bool = False
    """Needs an engine; not offered while there is none."""
    shown: bool = True
    """In the footer; the others are in `?` only."""
    first: bool = False
    """Acts in the order of typing, before any widget sees the key: what is typed next goes to what this opens."""


PANES: tuple[tuple[str, Context, str], ...] = (
    ("1", "sessions", "Sessions"),
    ("2", "jobs", "Cron jobs"),
    ("3", "budgets", "Token budgets"),
    ("4", "skills", "Skill sets"),
    ("5", "runs", "Runs"),
)
"""Digit, context and title of every pane."""

_LISTS: tuple[Context, ...] = tuple(context for _, context, _ in PANES)

ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "open", "open what the cursor is on", "list", ("sessions", "runs", "session"), first=True),
    Action(
        "edit",
        "enter",
        "edit",
        "edit what the cursor is on; a skill is shown",
        "list",
        ("jobs", "budgets", "skills"),
        writes=True,
        first=True,
    ),
    Action(
        "spawn",
        "s",
        "spawn",
        "ask for a run: a scoped subagent; the verdict shows as you type",
        "act",
        ("overview",),
        writes=True,
        first=True,
    ),
    Action(
        "inbox",
        "i",
        "inbox",
        "what needs you: what waits for your word, and your answer to it",
        "act",
        ("overview",),
        first=True,
    ),
    Action(
        "talk",
        "t",
        "talk",
        "say something in the session, and read the answer as it comes",
        "act",
        ("sessions", "session"),
        writes=True,
        first=True,
    ),
    Action(
        "attach",
        "a",
        "attach",
        "open the agent's own program on the conversation, here, until you leave it",
        "act",
        ("sessions", "session"),
        writes=True,
    ),
    Action("say", "enter", "say it", "say what the line says", "act", ("talk",), writes=True),
    Action("approve", "y", "approve", "approve exactly what is shown", "act", ("inbox", "talk"), True, writes=True),
    Action(
        "deny",
        "n",
        "deny",
        "deny it: a run that waits is refused, a live one is told no",
        "act",
        ("inbox", "talk"),
        True,
        writes=True,
    ),
    Action("allow", "y", "allow", "allow the skill exactly as it is shown", "act", ("skill",), True, writes=True),
    Action(
        "reset",
        "r",
        "fresh session",
        "start the session's next generation; nothing old is deleted",
        "act",
        ("sessions", "session"),
        dangerous=True,
        writes=True,
    ),
    Action(
        "stop",
        "x",
        "stop run",
        "end the live run, or withdraw the one that waits",
        "act",
        ("sessions", "session", "runs", "run"),
        True,
        writes=True,
    ),
    Action(
        "stop",
        "ctrl+x",
        "stop run",
        "end the live run, or withdraw the one that waits",
        "act",
        ("talk",),
        True,
        writes=True,
        first=True,
    ),
    Action("fire", "f", "fire now", "run the job now, beside its schedule", "act", ("jobs",), writes=True),
    Action("pause", "p", "pause", "pause the job, or let it go on", "act", ("jobs",), writes=True),
    Action("new", "n", "new", "declare a new one", "act", ("jobs", "budgets", "skills"), writes=True, first=True),
    Action(
        "assign", "g", "give to agents", "say which agents have this set", "act", ("skills",), writes=True, first=True
    ),
    Action(
        "delete",
        "d,delete",
        "delete",
        "take it out of the configuration; its history stays",
        "act",
        ("jobs", "budgets", "skills"),
        dangerous=True,
        writes=True,
    ),
    Action(
        "look", "c", "what changed", "look at a skill that is not what you allowed", "list", ("skills",), first=True
    ),
    Action("undo", "u", "undo", "take back the last act that can be", "act", ("overview", "session"), writes=True),
    Action("filter", "slash", "filter", "show only rows that contain a text", "find", _LISTS, first=True),
    Action(
        "zoom",
        "z,plus",
        "full size",
        "give the pane the whole screen, or put it back",
        "find",
        ("overview",),
        first=True,
    ),
    Action(
        "pane('sessions')",
        "1",
        "sessions",
        "go to Sessions; again: full size",
        "find",
        ("overview",),
        first=True,
        shown=False,
    ),
    Action(
        "pane('jobs')", "2", "jobs", "go to Cron jobs; again: full size", "find", ("overview",), first=True, shown=False
    ),
    Action(
        "pane('budgets')",
        "3",
        "budgets",
        "go to Token budgets; again: full size",
        "find",
        ("overview",),
        first=True,
        shown=False,
    ),
    Action(
        "pane('skills')",
        "4",
        "skills",
        "go to Skill sets; again: full size",
        "find",
        ("overview",),
        first=True,
        shown=False,
    ),
    Action(
        "pane('runs')",
        "5",
        "runs",
        "every run, newest first, full size",
        "find",
        ("overview",),
        first=True,
        shown=False,
    ),
    Action("next_pane", "tab", "next pane", "go to the next pane", "find", ("overview",), first=True, shown=False),
    Action(
        "previous_pane",
        "shift+tab",
        "previous pane",
        "go to the pane before",
        "find",
        ("overview",),
        first=True,
        shown=False,
    ),
    Action("other", "tab", "list, question", "from the list to the question, and back", "find", ("inbox",), first=True),
    Action(
        "other",
        "tab",
        "read, answer",
        "from the line to what is asked or was said, where y and n answer, and back",
        "find",
        ("talk",),
        first=True,
    ),
    Action("cursor(-1)", "up,k", "up", "one row up", "move", ("table",), shown=False),
    Action("cursor(1)", "down,j", "down", "one row down", "move", ("table",), shown=False),
    Action("page(-1)", "pageup,ctrl+b", "page up", "one screenful up", "move", ("table", "page"), shown=False),
    Action("page(1)", "pagedown,ctrl+f", "page down", "one screenful down", "move", ("table", "page"), shown=False),
    Action("end(-1)", "home", "first", "to the first row", "move", ("table", "page"), shown=False),
    Action("end(1)", "end", "last", "to the last row", "move", ("table", "page"), shown=False),
    Action("line(-1)", "up,k", "up", "one line up", "move", ("page",), shown=False),
    Action("line(1)", "down,j", "down", "one line down", "move", ("page",), shown=False),
    Action(
        "save", "ctrl+s", "write it", "write what the sheet says, when it is good", "sheet", ("sheet",), writes=True
    ),
    Action("save", "ctrl+s", "spawn", "spawn, when every check passes", "sheet", ("spawn",), writes=True),
    Action(
        "wait", "ctrl+t", "wait", "ask now, and let it wait for a claim or a place", "sheet", ("spawn",), writes=True
    ),
    Action(
        "fold",
        "ctrl+o",
        "more fields",
        "show the fields that are rarely said, or fold them",
        "sheet",
        ("spawn",),
        shown=False,
    ),
    Action(
        "below(1)",
        "pagedown",
        "more below",
        "scroll what is said below the fields",
        "sheet",
        ("sheet", "spawn"),
        first=True,
    ),
    Action("below(-1)", "pageup", "back up", "scroll it back", "sheet", ("sheet", "spawn"), shown=False, first=True),
    Action("take", "tab", "complete", "take the completion that is shown", "sheet", ("sheet", "spawn"), first=True),
    Action("field(1)", "tab,down,enter", "next field", "to the next field", "sheet", ("sheet", "spawn"), first=True),
    Action(
        "field(-1)",
        "shift+tab,up",
        "previous field",
        "to the field before",
        "sheet",
        ("sheet", "spawn"),
        shown=False,
        first=True,
    ),
    Action("yes", "enter", "do it", "do what the dialog says", "sheet", ("confirm",)),
    Action("complete", "tab,right", "complete", "take the completion", "sheet", ("prompt",)),
    Action("earlier", "up", "earlier", "the line before this one", "sheet", ("prompt",)),
    Action("later", "down", "later", "the line after this one", "sheet", ("prompt",), shown=False),
    Action(
        "back",
        "escape",
        "back",
        "leave: the filter, the full size, the screen",
        "console",
        ("overview", "session", "run", "inbox", "skill", "help", "result", "sheet", "spawn", "confirm", "prompt"),
    ),
    Action(
        "back",
        "escape",
        "interrupt/back",
        "have the run leave its turn; again: leave the screen, the run goes on",
        "console",
        ("talk",),
    ),
    Action("prompt", "colon", "go", "type any qd verb, or the name of a pane", "console", ("app",), first=True),
    Action("help", "question_mark", "keys", "this page", "console", ("app",), first=True),
    Action("leave", "q,ctrl+c", "quit", "leave the console; what runs goes on", "console", ("app",)),
)

GROUPS: dict[str, str] = {
    "act": "Do",
    "list": "Open",
    "find": "Find",
    "move": "Move",
    "sheet": "In a sheet",
    "console": "Console",
}
"""Groups in the order of the help page, with their titles."""

KEY_NAMES = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "escape": "esc",
    "plus": "+",
    "pageup": "pgup",
    "pagedown": "pgdn",
}
"""How a key is written where Textual's name for it is longer."""


def of(context: Context) -> tuple[Action, ...]:
    """The actions of one context, in the order of the registry."""
    return tuple(action for action in ACTIONS if context in action.where)


def bindings(*contexts: Context) -> list[BindingType]:
    """What a widget of these contexts is bound to."""
    return [
        Binding(
            key, action.id, action.label, show=action.shown, priority=action.first, id=f"{context}.{action.id}.{key}"
        )
        for context in contexts
        for action in of(context)
        for key in action.key.split(",")
    ]


def find(context: Context, name: str) -> Action | None:
    """The action that the method `action_<name>` carries out there."""
    return next((action for action in of(context) if action.id.partition("(")[0] == name), None)


def say_key(action: Action) -> str:
    """The key as a screen writes it: the first one of several."""
    return show_key(action.key.split(",")[0])


def show_key(key: str) -> str:
    return KEY_NAMES.get(key, key)


def permit(app: Any, contexts: tuple[Context, ...], name: str) -> bool | None:
    """For `check_action`. None (greyed, without effect) while there is no engine to take an order.

    False for a key that opens something while letters go into a line: there it is just a letter.
    """
    for context in contexts:
        action = find(context, name)
        if action is None:
            continue
        if action.first and app.typing and context not in ("sheet", "spawn", "talk"):
            return False
        if action.writes and not app.can_order:
            return None
    return True
