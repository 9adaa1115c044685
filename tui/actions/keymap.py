"""Which key does what for this operator? A preset, changed by `[console.keymap]`.

An entry that cannot be is told in one line, and the rest holds.
"""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from tui.actions import ACTIONS, TOGETHER, TYPED, Action, show_key
from tui.actions.action import Context
from tui.actions.together import PLACES, shares

PRESETS: dict[str, dict[str, str]] = {
    "default": {},
    "vim": {
        "back": "escape,h",
        "list.open": "enter,l",
        "list.edit": "enter,l",
        "help.run": "enter,l",
        "row.first": "home,g g",
        "row.last": "end,G",
        "skill_set.assign": "a",
    },
}
"""What differs from the registry. `j`, `k`, `ctrl+d`, `ctrl+u`, `/` and `n` are there without it."""

UNBOUND = "no key"
"""What stands where the key of an action would, when it has none."""
NO_KEY = "<none>"
"""For Textual, which takes an empty entry for none at all: no terminal sends this."""

_NAMED = {
    *("enter", "escape", "tab", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown"),
    *("up", "down", "left", "right", "space"),
    *(f"f{number}" for number in range(1, 25)),
}
_ALIASES = {"esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "return": "enter", "+": "plus"}
_MODIFIERS = ("alt", "ctrl", "shift")
_IN_TEXT = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)?)\}")
"""The name of an action where a text has its key."""
_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Textual's names of characters where they are not Unicode's."""


class Keymap(Struct, frozen=True):
    """The keys in force, by the name of the action; what differs from the registry."""

    keys: dict[str, tuple[str, ...]] = {}
    problems: tuple[str, ...] = ()
    """What of the configuration does not hold: one line each."""

    def of(self, action: Action) -> tuple[str, ...]:
        """Every key of it, the first one is shown; none when it was taken away."""
        return self.keys.get(action.name, _split(action.key))

    def say(self, action: Action) -> str:
        """The key as a screen writes it: the first one of several."""
        return show_key(next(iter(self.of(action)), UNBOUND))

    def named(self, name: str) -> str:
        """The same, by the action's name."""
        return self.say(_action(name))

    def told(self, text: str) -> str:
        """A text of ours with the keys in it: `{list.new} sets one` is `n sets one`."""
        return _IN_TEXT.sub(lambda found: self.named(found[1]), text)

    def means(self, key: str, name: str) -> bool:
        """Whether this is one of the keys of the action."""
        return key in self.of(_action(name))

    @property
    def chords(self) -> frozenset[str]:
        """Those of two keys, one after the other."""
        return frozenset(key for keys in self.keys.values() for key in keys if " " in key)

    def for_textual(self) -> dict[str, str]:
        """As `App.set_keymap` takes it: bindings have the names of actions as ids."""
        return {name: ",".join(keys) or NO_KEY for name, keys in self.keys.items()}


SHIPPED = Keymap()
"""As the registry has them: nothing was changed."""


def keymap(preset: str, changes: Mapping[str, str], actions: Iterable[Action] = ACTIONS) -> Keymap:
    """The preset with these changes, as far as they can be."""
    known = {action.name: action for action in actions}
    base = {name: _split(keys) for name, keys in PRESETS[preset].items() if name in known}
    wanted: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for name, keys in changes.items():
        read = _read(name, keys, known)
        if isinstance(read, str):
            problems.append(f"keymap: {read}")
        else:
            wanted[name] = read
    while wanted and (clash := next(_clashes(base | wanted, known), None)) is not None:
        loser, key, other, place = _whose(clash, list(wanted))
        del wanted[loser]
        problems.append(f"keymap: {loser} cannot be on {show_key(key)}: {other} has it in {place}; move that first")
    return Keymap(base | wanted, tuple(problems))


def clashes(keys: Mapping[str, tuple[str, ...]], actions: Iterable[Action] = ACTIONS) -> list[tuple[str, ...]]:
    """Every two actions that share a key in one place: their names, the key, and the place."""
    return list(_clashes(keys, {action.name: action for action in actions}))


def parse_key(text: str) -> str | None:
    """Textual's name of a key as an operator writes it: `R`, `ctrl+r`, `f5`, `esc`, `?`, `g g`. None: there is none."""
    text = text.strip()
    if " " in text:
        parts = [parse_key(part) for part in text.split()]
        return " ".join(part for part in parts if part) if len(parts) == 2 and all(map(_is_letter, parts)) else None
    if text == "+":
        return "plus"
    *modifiers, base = text.split("+")
    if len(set(modifiers)) != len(modifiers) or not set(modifiers) <= set(_MODIFIERS):
        return None
    if modifiers == ["shift"] and len(base) == 1 and base.isalpha():
        return base.upper()
    key = _base(base, bool(modifiers))
    return None if key is None else "+".join((*sorted(modifiers), key))


def is_typed(key: str) -> bool:
    """Whether a line takes it as a character."""
    return len(key) == 1 or key == "space" or key in _CHARACTERS.values()


def _base(text: str, modified: bool) -> str | None:
    if len(text) == 1 and text.isprintable():
        return text.lower() if modified else _CHARACTERS.get(text, text)
    name = _ALIASES.get(text.lower(), text.lower())
    return name if name in _NAMED or name in _CHARACTERS.values() else None


def _name(character: str) -> str:
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


_CHARACTERS = {chr(code): _name(chr(code)) for code in range(33, 127) if not chr(code).isalnum()}


def _action(name: str) -> Action:
    return next(action for action in ACTIONS if action.name == name)


def _is_letter(key: str | None) -> bool:
    return key is not None and is_typed(key)


def _split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(",") if key.strip())


def _read(name: str, keys: str, known: Mapping[str, Action]) -> tuple[str, ...] | str:
    """The keys of one entry, or what is wrong with it."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        return f"there is no action {name!r}" + (
            f"; did you mean {near[0]}?" if near else "; docs/keys.md has them all"
        )
    found: list[str] = []
    for text in keys.split(",") if keys.strip() else ():
        key = parse_key(text)
        if key is None:
            return f"{name}: {text.strip()!r} is no key; write R, ctrl+r, f5, esc, comma, or two letters: g g"
        if is_typed(key.split()[0]) and _before_letters(known[name]):
            return f"{name} cannot be on {show_key(key)}: that is a letter in a line where it works"
        found.append(key)
    return tuple(dict.fromkeys(found))


def _before_letters(action: Action) -> bool:
    return not TYPED.isdisjoint(action.where) and (action.first or TYPED.issuperset(action.where))


def _clashes(keys: Mapping[str, tuple[str, ...]], known: Mapping[str, Action]) -> Iterator[tuple[str, ...]]:
    """Two actions of one place on one key, or a key that begins a chord of the same place."""
    for contexts in TOGETHER:
        there = [action for action in known.values() if not set(contexts).isdisjoint(action.where)]
        bound = [(key, action) for action in there for key in keys.get(action.name, _split(action.key))]
        for (one, first), (other, second) in itertools.combinations(bound, 2):
            if first.name != second.name and _same(one, other) and not shares(first.name, second.name):
                yield first.name, second.name, one, place_name(contexts)


def place_name(contexts: Iterable[Context]) -> str:
    """What a place is called: by the pane or the screen that makes it one."""
    found = [context for context in contexts if context not in ("app", "overview", "table", "page")]
    return PLACES[found[-1]]


def _same(one: str, other: str) -> bool:
    return one == other or (" " in one + other and (one.split()[0] == other or other.split()[0] == one))


def _whose(clash: tuple[str, ...], wanted: list[str]) -> tuple[str, str, str, str]:
    """Which entry of the operator's gives way, and to what: the one that was written last."""
    first, second, key, place = clash
    mine = [name for name in (first, second) if name in wanted]
    loser = max(mine, key=wanted.index)
    return loser, key, second if loser == first else first, place
