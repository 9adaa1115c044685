"""Which actions are there at the same time? What shares a place must not share a key."""

from tui.actions.action import PANES, Context

_PAGES: tuple[tuple[Context, ...], ...] = (
    ("app", "session", "table"),
    ("app", "session", "talk"),
    ("app", "session", "talk", "page"),
    ("app", "session", "reader", "page"),
    ("app", "run", "reader", "page"),
    ("app", "job", "table"),
    ("app", "budget", "page"),
    ("app", "usage", "page"),
    ("app", "gone", "table"),
    ("app", "inbox", "table"),
    ("app", "inbox", "page"),
    ("app", "skill", "page"),
    ("app", "help", "table"),
    ("app", "result", "page"),
    ("app", "sheet"),
    ("app", "spawn"),
    ("confirm",),
    ("prompt",),
)
TOGETHER: tuple[tuple[Context, ...], ...] = (*(("app", "overview", "table", pane) for _, pane, _ in PANES), *_PAGES)
"""Contexts that are active at once."""

SHARED: dict[str, frozenset[str]] = {
    "sheet.take": frozenset({"field.next"}),
    "session.interrupt": frozenset({"leave"}),
    "talk.say": frozenset({"list.open"}),
    "filter.keep": frozenset({"list.open", "list.edit", "help.run", "hint.follow"}),
}
"""Actions that have the key of one of these by intent, while they can be done: the footer then shows which one it is.
With any other one it is a clash."""


def shares(one: str, other: str) -> bool:
    """Whether two actions, by name, may have one key in one place."""
    return other in SHARED.get(one, ()) or one in SHARED.get(other, ())


TYPED: frozenset[Context] = frozenset({"sheet", "spawn", "talk", "prompt"})
"""Where letters go into a line: no action that acts before the line does may be on one."""

PLACES: dict[Context, str] = {
    "app": "everywhere",
    "overview": "overview",
    "table": "lists",
    **{context: title for _, context, title in PANES},
    "session": "session",
    "run": "run",
    "job": "job",
    "budget": "budget",
    "reader": "text",
    "usage": "tokens",
    "gone": "missed",
    "inbox": "inbox",
    "talk": "talk",
    "skill": "skill",
    "page": "pages",
    "sheet": "sheets",
    "spawn": "spawn sheet",
    "confirm": "dialogs",
    "help": "keys",
    "result": "results",
    "prompt": "the : line",
}
"""What each is called where keys are explained."""
