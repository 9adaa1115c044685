"""The last line: what can be done here, now. Derived from the bindings that are active, so it cannot lie."""

from collections.abc import Iterator

from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from tui import actions
from tui.actions.keymap import NO_KEY, Keymap
from tui.widgets.cells import Cell, Span, line_width
from tui.widgets.lines import Lines

_NAMED = {action.name: action for action in actions.ACTIONS}
_ORDER = {action.id: number for number, action in enumerate(actions.ACTIONS)}
_LAST = ("filter", "zoom", "prompt", "help", "leave", "back")
"""These stand at the end, and are kept when there is little room."""
_SPARE = ("zoom", "delete", "filter")
"""These go first."""
_ENTERS = frozenset({"say", "keep"})
"""What a line is entered for."""
ENTER = "enter"


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
    active_keys: dict[str, dict[str, str]] = {}
    keymap: Keymap = screen.app.keymap  # type: ignore[attr-defined]
    for key, binding in _meant(screen, keymap):
        active_keys.setdefault(binding.action, {})[key] = binding.id or ""
        said = screen.app.label_of(binding)  # type: ignore[attr-defined]
        seen[binding.action] = (_first(keymap, active_keys[binding.action]), said)
    firsts = sorted((a for a in seen if a not in _LAST), key=lambda a: _ORDER[a])
    lasts = [a for a in _LAST if a in seen]
    if "undo" in seen and _width([seen[a] for a in firsts + lasts if a not in _SPARE]) > width:
        seen["undo"] = (seen["undo"][0], "undo")  # what it has undone is told once it has
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


def _meant(screen: Screen[object], keymap: Keymap) -> Iterator[tuple[str, Binding]]:
    """What each key does now, of what is in the registry."""
    line = screen.focused if isinstance(screen.focused, Input) else None
    for key, active in screen.active_bindings.items():
        binding = active.binding
        if active.node is line and line is not None:
            yield from _entered(line, key, keymap)
        elif active.enabled and binding.show and binding.action in _ORDER and key != NO_KEY and not _typed(screen, key):
            yield key, binding


def _entered(line: Input, key: str, keymap: Keymap) -> Iterator[tuple[str, Binding]]:
    """What entering a line does. The line has that key for itself, and its holders hear of it."""
    if key != ENTER:
        return
    bound = ((node, binding) for node in line.ancestors for binding in node.BINDINGS if isinstance(binding, Binding))
    for node, binding in bound:
        meant = binding.action in _ENTERS and keymap.means(key, binding.id or "")
        if meant and node.check_action(binding.action, ()):
            yield key, binding
            return


def _first(keymap: Keymap, active: dict[str, str]) -> str:
    """The first of its keys that means it now, by names of actions: another one may have taken one."""
    wanted = (key for name in active.values() for key in keymap.of(_NAMED[name]))
    return actions.show_key(next((key for key in wanted if key in active), next(iter(active))))


def _typed(screen: Screen[object], key: str) -> bool:
    """Whether the focused widget takes this key as a letter."""
    character = key if len(key) == 1 else {"slash": "/", "colon": ":", "question_mark": "?", "plus": "+"}.get(key)
    return screen.focused is not None and screen.focused.check_consume_key(key, character)


def _width(pairs: list[tuple[str, str]]) -> int:
    return sum(line_width(((f"{key} {label}   ", "dim"),)) for key, label in pairs) - 3
