"""What is an action? One thing that the operator can do, with its key, where it can be done, and what it is called."""

from typing import Literal

from msgspec import Struct

Context = Literal[
    "app",
    "overview",
    "table",
    "sessions",
    "jobs",
    "budgets",
    "skills",
    "runs",
    "events",
    "session",
    "run",
    "usage",
    "gone",
    "inbox",
    "talk",
    "reader",
    "job",
    "budget",
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

    name: str
    """What a keymap calls it; no two have the same."""
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
    """Needs an engine, and is not there in a console that only looks."""
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
    ("6", "events", "Events"),
)
"""Digit, context and title of every pane."""

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
    "minus": "-",
    "ctrl+@": "ctrl+space",
    "pageup": "pgup",
    "pagedown": "pgdn",
}
"""How a key is written where Textual's name for it is longer."""


def say_key(action: Action) -> str:
    """The key as a screen writes it: the first one of several."""
    return show_key(action.key.split(",")[0])


def show_key(key: str) -> str:
    return KEY_NAMES.get(key, key)
