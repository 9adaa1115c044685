"""Go: one line at the bottom that takes any `qd` verb, or the name of a pane. Completes as you type, remembers."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input

from tui import actions
from tui.cli.commands import COMMANDS
from tui.theme import Palette
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines

HISTORY_CAP = 200
_MORE = {"cron": "jobs", "inbox": "inbox", "approvals": "inbox", "help": "help", "keys": "help", "quit": "quit"}
PLACES = {name: name for _, name, _ in actions.PANES} | _MORE
"""Words that go somewhere instead of running a verb."""


class _PromptLine(LineInput):
    """The line itself; going right at its end completes."""

    def passes_on(self, key: str) -> bool:
        return key == "right"


class Prompt(ModalScreen[None]):
    """The line. `run` gets what was entered; `history` belongs to the app and outlives us."""

    BINDINGS = actions.bindings("prompt")
    CSS = """
    Prompt { align: left bottom; background: transparent; }
    Prompt > Vertical { height: 2; background: $background; }
    Prompt Horizontal { height: 1; }
    Prompt .-mark { width: 1; }
    Prompt LineInput, Prompt LineInput:focus { width: 1fr; background: $background; }
    """

    def __init__(self, palette: Palette, history: list[str], run: Callable[[str], None]) -> None:
        super().__init__()
        self._palette, self._history, self._run = palette, history, run
        self._at = len(history)
        self._hints = Lines(palette)
        self._words = sorted({*PLACES, *(" ".join(command.words) for command in COMMANDS)})
        self._input = _PromptLine(suggester=SuggestFromList(self._words, case_sensitive=False))

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._hints
            with Horizontal():
                yield Lines(self._palette, [((":", "accent"),)], classes="-mark")
                yield self._input

    def on_mount(self) -> None:
        self.set_focus(self._input)
        self._hint("")

    def on_input_changed(self, event: Input.Changed) -> None:
        self._hint(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value.strip()
        if line and self._history[-1:] != [line]:
            self._history.append(line)
            del self._history[:-HISTORY_CAP]
        self.dismiss()
        if line:
            self._run(line)

    def action_complete(self) -> None:
        """Take the first word that begins like this."""
        found = self._matches(self._input.value)
        if found and self._input.cursor_position == len(self._input.value):
            self._input.value = f"{found[0]} "
            self._input.cursor_position = len(self._input.value)
        else:
            self._input.action_cursor_right()

    def action_earlier(self) -> None:
        self._recall(-1)

    def action_later(self) -> None:
        self._recall(1)

    def action_back(self) -> None:
        self.dismiss()

    def _recall(self, by: int) -> None:
        self._at = max(0, min(len(self._history), self._at + by))
        self._input.value = self._history[self._at] if self._at < len(self._history) else ""
        self._input.cursor_position = len(self._input.value)

    def _matches(self, typed: str) -> list[str]:
        return [word for word in self._words if word.startswith(typed.casefold()) and word != typed] if typed else []

    def _hint(self, typed: str) -> None:
        found = self._matches(typed) if typed else self._words
        said = "  ".join(found) if found else "enter runs it as: qd " + typed if typed else ""
        self._hints.show([((said, "dim"),)])
