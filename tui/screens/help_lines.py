"""What does `?` list? The keys that work here now, then every other one, then what the letters mean. Written by the
registry and the keymap, so that it cannot be out of date."""

from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from tui import actions
from tui.actions import Action
from tui.actions.keymap import Keymap
from tui.actions.together import PLACES
from tui.lists.sift import sieve
from tui.reading.event_log import LEVELS
from tui.screens import legend
from tui.widgets.cells import Cell, wrap
from tui.widgets.table import MARK

_INDENT, _WORDS_FROM, _WIDE = 15, 30, 90
"""An explanation that needs several lines goes on below its label; from so many cells on, below its own beginning."""
_AT_THE_END = (
    ("52.0k, 44-61k", "likely, low-high: the band is a standard deviation of past hours, idle ones included"),
    ("-", "nothing was ever used that the budget counts"),
)
"""What the columns `at the end` and `likely, low-high` of the budgets say."""
_MARKS = (
    ("heavy type", "it has just changed"),
    ("~ behind it", "some of it is estimated, or never came as a finished figure"),
    ("+ behind it", "some of it has no price: it costs more"),
    (f"{MARK} in a row", "it is marked"),
    ("^ v in a head", "the rows are ordered by this column, upwards or downwards"),
)


class HelpLine(Struct, frozen=True):
    """One line of the page."""

    cell: Cell
    key: tuple[str, ...]
    """What makes it the same line when others come or go."""
    action: str = ""
    """What it explains, by name; nothing on headings and letters."""
    stops: bool = False
    """Whether the cursor stops here: at the first line of each explanation."""


def help_lines(
    width: int, keymap: Keymap, live: Collection[str] = (), found: str = "", read_only: bool = False
) -> list[HelpLine]:
    """Those that contain what is sought; of `live`, the names of actions, twice: first where they work."""
    shown = [action for action in actions.ACTIONS if not (read_only and action.writes)]
    here = sorted((a for a in shown if a.name in live), key=lambda a: list(actions.GROUPS).index(a.group))
    lines = [*_section("here", "Here, now", here, keymap, width, found)]
    for group, title in actions.GROUPS.items():
        there = [action for action in shown if action.group == group]
        lines += _section(group, f"{title}: all" if live else title, there, keymap, width, found)
    for title, letters in _letters():
        told = [(letter, keymap.told(said)) for letter, said in letters]
        lines += _legend(title, told, width, found)
    return lines


def _letters() -> tuple[tuple[str, Iterable[tuple[str, str]]], ...]:
    return (
        ("Sessions, first column", legend.SESSION_LETTERS),
        ("Sessions, figures", legend.SESSION_FIGURES),
        ("Jobs, first column", legend.JOB_LETTERS),
        ("Jobs, last slots: the newest is the last one", legend.SLOT_LETTERS),
        ("Timeline of a session: its runs", legend.RUN_LETTERS),
        ("Timeline of a session: its conversations", legend.CONVERSATION_LETTERS),
        ("Skills found, first column", legend.SKILL_LETTERS),
        ("Budgets, and how fast tokens go", legend.BUDGET_FIGURES),
        ("Budgets, at the end of their window", _AT_THE_END),
        ("Events, second column", [(letter, said) for letter, (said, _) in LEVELS.items()]),
        ("Figures everywhere", _MARKS),
    )


def _section(id: str, title: str, there: list[Action], keymap: Keymap, width: int, found: str) -> Iterator[HelpLine]:
    """A heading, its actions, and an empty line; nothing where none is left."""
    indent = _WORDS_FROM if width >= _WIDE else _INDENT
    kept = [(action, line) for action in there if _matches(line := _action_line(action, keymap, id != "here"), found)]
    if kept:
        yield HelpLine(((title, "head"),), (id, "", ""))
        for action, line in kept:
            for number, part in enumerate(wrap(line, width, indent)):
                yield HelpLine(part, (id, action.name, str(number)), action.name, stops=number == 0)
        yield HelpLine((), (id, "", "end"))


def _legend(title: str, letters: Iterable[tuple[str, str]], width: int, found: str) -> Iterator[HelpLine]:
    lines: list[Cell] = [((f"  {letter:<12} ", "accent"), (said, "text")) for letter, said in letters]
    kept = [line for line in lines if _matches(line, f"{found}")]
    if kept:
        yield HelpLine(((title, "head"),), (title, "", ""))
        for at, line in enumerate(kept):
            for number, part in enumerate(wrap(line, width, _INDENT)):
                yield HelpLine(part, (title, str(at), str(number)), stops=number == 0)
        yield HelpLine((), (title, "", "end"))


def _action_line(action: Action, keymap: Keymap, says_where: bool) -> Cell:
    keys = " ".join(dict.fromkeys(actions.show_key(key) for key in keymap.of(action))) or "no key"
    asks = " Asks first." if action.dangerous else ""
    where = ", ".join(dict.fromkeys(PLACES.get(context, context) for context in action.where))
    said = f"{action.help[0].upper()}{action.help[1:]}."
    return (
        (f"  {keys:<12} ", "accent"),
        (f"{action.label:<14} ", "bold"),
        (f"{said}{asks}", "text"),
        (f"  {where}" if says_where else "", "dim"),
    )


def _matches(line: Cell, found: str) -> bool:
    return not found or sieve(found).lets_through("\n".join(text for text, _ in line).casefold())
