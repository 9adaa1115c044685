"""The last line: what can be done here, now. Derived from the bindings that are active, so it cannot lie."""

from textual.screen import Screen

from tui import actions
from tui.widgets.cells import Cell, Span, line_width
from tui.widgets.lines import Lines

_ORDER = {action.id: number for number, action in enumerate(actions.ACTIONS)}
_KEYS: dict[str, list[str]] = {}
"""Of each action, wherever it is: in one place it may have another key than elsewhere."""
for _action in actions.ACTIONS:
    _KEYS.setdefault(_action.id, []).extend(_action.key.split(","))
_LAST = ("filter", "zoom", "prompt", "help", "leave", "back")
"""These stand at the end, and are kept when there is little room."""
_SPARE = ("zoom", "undo", "delete", "filter")
"""These go first."""


class KeyFooter(Lines):
    """Keys with a word each; what cannot be done now is not there."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self.draw)

    def on_resize(self) -> None:
        self.draw(self.screen)

    def draw(self, screen: Screen[object]) -> None:
        """Look at the active bindings again."""
        if self.is_attached and self.size.width:
            self.show([footer_line(screen, self.size.width)])


def footer_line(screen: Screen[object], width: int) -> Cell:
    """The keys that fit, in the order of the registry; actions on the row first, the console's own last."""
    seen: dict[str, tuple[str, str]] = {}
    keys: dict[str, set[str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if _typed(screen, binding.key) or not active.enabled or not binding.show:
            continue
        if binding.action in _ORDER:
            keys.setdefault(binding.action, set()).add(binding.key)
            seen[binding.action] = (_first(binding.action, keys[binding.action]), binding.description)
    firsts = sorted((a for a in seen if a not in _LAST), key=lambda a: _ORDER[a])
    lasts = [a for a in _LAST if a in seen]
    for spare in _SPARE:
        if _width([seen[a] for a in firsts + lasts]) > width:
            firsts, lasts = [a for a in firsts if a != spare], [a for a in lasts if a != spare]
    while firsts and _width([seen[a] for a in firsts + lasts]) > width:
        firsts.pop()
    while lasts and _width([seen[a] for a in firsts + lasts]) > width:
        lasts.pop(0)
    line: list[Span] = []
    for action in firsts + lasts:
        key, label = seen[action]
        line += [(key, "accent"), (f" {label}   ", "dim")]
    return (*line[:-1], (line[-1][0].rstrip(), "dim")) if line else ()


def _first(action: str, active: set[str]) -> str:
    """The first of its keys that means it now: another action may have taken one."""
    return actions.show_key(next((key for key in _KEYS[action] if key in active), _KEYS[action][0]))


def _typed(screen: Screen[object], key: str) -> bool:
    """Whether the focused widget takes this key as a letter."""
    character = key if len(key) == 1 else {"slash": "/", "colon": ":", "question_mark": "?", "plus": "+"}.get(key)
    return screen.focused is not None and screen.focused.check_consume_key(key, character)


def _width(pairs: list[tuple[str, str]]) -> int:
    return sum(line_width(((f"{key} {label}   ", "dim"),)) for key, label in pairs) - 3
