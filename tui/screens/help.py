"""Which keys are there, and what do the letters mean? Written by the registry, so that it cannot be out of date."""

from collections.abc import Iterable

from textual.app import ComposeResult

from tui import actions, legend
from tui.actions import Action
from tui.screens.screen import DeckScreen
from tui.theme import Palette
from tui.widgets.cells import Cell, wrap
from tui.widgets.lines import Page, TitleLines

_PLACES = {
    "app": "everywhere",
    "overview": "overview",
    "table": "lists",
    "session": "session",
    "run": "run",
    "inbox": "inbox",
    "talk": "talk",
    "skill": "skill",
    "page": "pages",
    "sheet": "sheets",
    "spawn": "spawn sheet",
    "confirm": "dialogs",
    "help": "this page",
    "result": "results",
    "prompt": "the : line",
}

_INDENT, _WORDS_FROM, _WIDE = 15, 30, 90
"""An explanation that needs several lines goes on below its label; from so many cells on, below its own beginning."""
_OF_A_LETTER = 2
"""Spans of a line that explains a letter: it has no label before its words."""
_AT_THE_END = (
    ("52.0k, 44-61k", "likely, low-high: the band is a standard deviation of past hours, idle ones included"),
    ("-", "not known before six hours after the first usage that the budget counts"),
)
"""What the columns `at the end` and `likely, low-high` of the budgets say."""


class Help(DeckScreen):
    """One page to scroll."""

    DEFAULT_CSS = """
    Help { padding: 0 1; }
    """
    BINDINGS = actions.bindings("help")
    CONTEXTS = ("help",)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self._page = Page(palette)

    def compose_body(self) -> ComposeResult:
        yield TitleLines(self.palette, "Keys", "what can be done now stands in the last line of a screen")
        yield self._page

    def on_resize(self) -> None:
        width = max(40, self.size.width - 2)
        wide = width >= _WIDE
        self._page.show(
            [
                part
                for line in help_lines()
                for part in wrap(line, width, _WORDS_FROM if wide and len(line) > _OF_A_LETTER else _INDENT)
            ]
        )

    def action_back(self) -> None:
        self.dismiss()


def help_lines() -> list[Cell]:
    """Every action by group, then every letter."""
    lines: list[Cell] = []
    for group, title in actions.GROUPS.items():
        lines += [((title, "head"),)]
        lines += [_action_line(action) for action in actions.ACTIONS if action.group == group]
        lines.append(())
    for title, letters in (
        ("Sessions, first column", legend.SESSION_LETTERS),
        ("Sessions, figures", legend.SESSION_FIGURES),
        ("Jobs, first column", legend.JOB_LETTERS),
        ("Jobs, last slots: the newest is the last one", legend.SLOT_LETTERS),
        ("Budgets, and how fast tokens go", legend.BUDGET_FIGURES),
        ("Budgets, at the end of their window", _AT_THE_END),
    ):
        lines += [((title, "head"),), *_letter_lines(letters), ()]
    return lines


def _action_line(action: Action) -> Cell:
    keys = " ".join(actions.show_key(key) for key in action.key.split(","))
    asks = " Asks first." if action.dangerous else ""
    where = ", ".join(dict.fromkeys(_place(context) for context in action.where))
    said = f"{action.help[0].upper()}{action.help[1:]}."
    return (
        (f"  {keys:<12} ", "accent"),
        (f"{action.label:<14} ", "bold"),
        (f"{said}{asks}", "text"),
        (f"  {where}", "dim"),
    )


def _letter_lines(letters: Iterable[tuple[str, str]]) -> list[Cell]:
    return [((f"  {letter:<12} ", "accent"), (said, "text")) for letter, said in letters]


def _place(context: str) -> str:
    titles: dict[str, str] = {name: title for _, name, title in actions.PANES}
    return titles.get(context) or _PLACES[context]
