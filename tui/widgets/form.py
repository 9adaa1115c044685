"""A sheet's fields: a label and one line to type in, each; the keyboard goes up and down through them.

Those that are rarely said are folded into one line that says what holds of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input

from tui.clean import clean
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell
from tui.widgets.line_input import LineInput
from tui.widgets.lines import Lines
from tui.widgets.path_words import PathSuggester

LABEL_WIDTH = 11


class Field(Struct, frozen=True):
    """One field: its name is its label, `hint` stands in it while it is empty."""

    name: str
    value: str = ""
    hint: str = ""
    choices: Sequence[str] = ()
    """Completed as one types; tab or right takes the completion."""
    beside: bool = False
    """On the same line as the field before it."""
    folded: bool = False
    """Out of sight until the form is unfolded; these come last."""
    paths: bool = False
    """It names files of the workspace: these are completed too."""


class Form(Vertical):
    """The fields, top to bottom."""

    DEFAULT_CSS = """
    Form { height: auto; overflow-y: auto; scrollbar-size: 0 0; }
    Form > Horizontal { height: 1; }
    Form > Horizontal.-folded { display: none; }
    Form.-unfolded > Horizontal.-folded { display: block; }
    Form > .-fold { width: 1fr; }
    Form Lines { width: 12; }
    Form LineInput { width: 1fr; margin-right: 1; }
    """

    class Edited(Message):
        """Some field has another value."""

    def __init__(self, palette: Palette, fields: Sequence[Field]) -> None:
        super().__init__()
        self.fields = tuple(fields)
        self.folder: Callable[[], str] = lambda: self.values.get("workspace", "")
        """Where paths are looked for."""
        self._palette = palette
        self._wrong: frozenset[str] = frozenset()
        self._inputs = {field.name: self._input(field) for field in fields}
        self._labels = {field.name: Lines(palette, [((field.name, "dim"),)]) for field in fields}
        self._fold = Lines(palette, classes="-fold")

    def compose(self) -> ComposeResult:
        lines = _by_line(self.fields)
        for number, line in enumerate(lines):
            if line[0].folded and not lines[number - 1][0].folded:
                yield self._fold
            with Horizontal(classes="-folded" if line[0].folded else None):
                for field in line:
                    yield self._labels[field.name]
                    yield self._inputs[field.name]

    def on_mount(self) -> None:
        self.screen.set_focus(self._inputs[self.fields[0].name])

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields, without blanks around it."""
        return {name: line.value.strip() for name, line in self._inputs.items()}

    @property
    def completion(self) -> str | None:
        """What is shown behind the typed part of the field under the keyboard, with that part."""
        for field in self.fields:
            line = self._inputs[field.name]
            if line.has_focus and line.value and line.cursor_at_end:
                found = line.suggester
                if isinstance(found, PathSuggester):
                    return found.offered(line.value)
                return completed(line.value, field.choices)
        return None

    def take_completion(self) -> None:
        """Let the field say all of what is shown in it."""
        line = self.screen.focused
        if isinstance(line, LineInput) and (whole := self.completion) is not None:
            line.value = whole
            line.cursor_position = len(whole)

    @property
    def folded(self) -> bool:
        """Whether the fields that can be out of sight are."""
        return not self.has_class("-unfolded")

    def fold(self, folded: bool) -> None:
        """Put these out of sight, or show them and go to the first one."""
        within = [self._inputs[field.name] for field in self.fields if field.folded]
        self.set_class(not folded, "-unfolded")
        if folded and self.screen.focused in within:
            self.screen.set_focus(self._in_sight()[-1])
        elif not folded:
            self.call_after_refresh(self.screen.set_focus, within[0])

    def say_folded(self, line: Cell) -> None:
        """What the line says that stands for these."""
        self._fold.show([line])

    def step(self, by: int) -> None:
        """Go to the next field, or to the one before."""
        lines = self._in_sight()
        here = next((number for number, line in enumerate(lines) if line is self.screen.focused), 0)
        self.screen.set_focus(lines[(here + by) % len(lines)])

    def fill(self, values: Mapping[str, str]) -> None:
        """Have these fields say this."""
        for name, value in values.items():
            if name in self._inputs:
                self._inputs[name].value = value

    def mark(self, wrong: Iterable[str]) -> None:
        """These fields are wrong, and no others."""
        marked = frozenset(wrong)
        if marked != self._wrong:
            self._wrong = marked
            self._draw_labels()

    def hint(self, hints: Mapping[str, str]) -> None:
        """Say in empty fields what holds while they are empty; a field that is not named says what it said at first."""
        for field in self.fields:
            line, said = self._inputs[field.name], clean(hints.get(field.name) or field.hint)
            if line.placeholder != said:
                line.placeholder = said

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())

    def on_descendant_focus(self) -> None:
        self._draw_labels()

    def _draw_labels(self) -> None:
        """A wrong one is told by its sign too."""
        for name, line in self._inputs.items():
            wrong = name in self._wrong
            tone: Tone = "bad" if wrong else "accent" if line.has_focus else "dim"
            self._labels[name].show([((f"{name}!" if wrong else name, tone),)])

    def _in_sight(self) -> list[LineInput]:
        return [self._inputs[field.name] for field in self.fields if not (field.folded and self.folded)]

    def _input(self, field: Field) -> LineInput:
        suggester: Suggester | None = None
        if field.choices:
            suggester = SuggestFromList(field.choices, case_sensitive=False)
        elif field.paths:
            suggester = PathSuggester(lambda: self.folder(), self._offered)
        return LineInput(clean(field.value), field.hint, suggester)

    def _offered(self) -> None:
        """Whether tab completes depends on it."""
        if self.is_attached:
            self.screen.refresh_bindings()


def completed(typed: str, choices: Sequence[str]) -> str | None:
    """The first choice that goes on from what was typed, whatever its case; None when there is none."""
    begun = typed.casefold()
    return next((one for one in choices if one.casefold().startswith(begun) and len(one) > len(typed)), None)


def _by_line(fields: Sequence[Field]) -> list[list[Field]]:
    lines: list[list[Field]] = []
    for field in fields:
        if field.beside and lines:
            lines[-1].append(field)
        else:
            lines.append([field])
    return lines
