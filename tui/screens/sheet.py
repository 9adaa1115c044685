"""What is every sheet? Fields above, what the console makes of them below, written with one key when it is good."""

from collections.abc import Container, Sequence
from typing import ClassVar

from textual.app import ComposeResult

from engine.contract.verdict import Check
from tui import actions
from tui.actions import Context
from tui.screens.screen import DeckScreen
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, wrap
from tui.widgets.flash import Flash
from tui.widgets.form import Field, Form
from tui.widgets.lines import Page, TitleLines

JUDGED_INDENT = 16
"""Where the words of a check begin."""
Problem = tuple[str, str]
"""A field, and what is wrong with it."""
_AROUND = 9
"""Lines of a sheet that are not for its fields: title, keys, what is said, and three of what is made of them."""


class Sheet(DeckScreen):
    """A screen to fill in. Subclasses say which fields there are, and judge them."""

    DEFAULT_CSS = """
    Sheet { padding: 0 1; }
    Sheet > .-judgement { height: 1fr; border-top: solid $qd-line; padding-top: 0; }
    Sheet > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("sheet")
    CONTEXTS: ClassVar[tuple[Context, ...]] = ("sheet",)

    def __init__(self, palette: Palette, title: str, beside: str, fields: Sequence[Field]) -> None:
        super().__init__(palette)
        self.about = title
        self.form = Form(palette, fields)
        self.judgement = Page(palette, classes="-judgement")
        self.judgement.can_focus = False
        self._title = TitleLines(palette, title, beside)
        self._said = Flash(palette)
        self._judged: Sequence[Cell] = ()
        self._first: dict[str, str] = {}
        """What the fields say of themselves."""
        self._opened: dict[str, str] = {}
        """What they said when the sheet came up, with what had been typed before."""

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.form
        yield self.judgement
        yield self._said

    def on_mount(self) -> None:
        self._first = self.form.values
        if kept := self.deck.drafts.get(self.about):
            self.form.fill(kept)
            back = self.deck.keymap.named("back")
            self.flash(f"as you had begun it; {back} drops that, typing on keeps it")
        self._opened = self.form.values
        self.judge()

    def on_form_edited(self) -> None:
        self.judge()
        self.refresh_bindings()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    def on_resize(self) -> None:
        super().on_resize()
        self.form.styles.max_height = max(4, self.size.height - _AROUND)
        if self._judged:
            self.judgement.show(self.wrapped(self._judged))
            self.judgement.action_line(0)

    def on_input_submitted(self) -> None:
        self.form.step(1)

    def judge(self) -> None:
        """Look at the fields and say what they amount to."""
        raise NotImplementedError

    def action_save(self) -> None:
        """Write what the sheet says."""
        raise NotImplementedError

    def action_below(self, by: int) -> None:
        self.judgement.action_page(by)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "take" and self.form.completion is None:
            return False
        if action == "below" and len(self.judgement.lines) <= self.judgement.size.height:
            return False
        return super().check_action(action, parameters)

    def action_take(self) -> None:
        self.form.take_completion()

    def action_field(self, by: int) -> None:
        self.form.step(by)

    def action_back(self) -> None:
        """What was typed stays for the next time; left as it was opened, it goes."""
        typed = {name: said for name, said in self.form.values.items() if said != self._first.get(name)}
        had = self.deck.drafts.pop(self.about, None)
        if typed and self.form.values != self._opened:
            self.deck.drafts[self.about] = typed
            self.deck.tell(f"{self.about}: not written, but kept for when you open it again")
        elif had:
            self.deck.tell(f"{self.about}: not written, and dropped")
        self.dismiss()

    def flash(self, line: str, tone: Tone = "text") -> None:
        """One line above the keys."""
        self._said.flash(line, tone)

    def judged(self, lines: Sequence[Cell]) -> None:
        self._judged = lines
        self.judgement.show(self.wrapped(lines))
        self.judgement.action_line(0)
        self.refresh_bindings()

    def found_wrong(self, problems: Sequence[Problem], name: str) -> list[Cell]:
        """Mark every field that is wrong; a line for each."""
        self.form.mark(field for field, _ in problems)
        return [no_line(field if len(problems) > 1 else name, why) for field, why in problems]

    def wrapped(self, lines: Sequence[Cell]) -> list[Cell]:
        """Over as many lines as the width makes of them."""
        width = max(20, self.size.width - 2)
        return [part for line in lines for part in wrap(line, width, JUDGED_INDENT)]

    def written(self, said: str) -> None:
        """The change is in force: leave, and say so on the overview."""
        self.deck.drafts.pop(self.about, None)
        if self.is_current:
            self.dismiss()
        self.deck.tell(said)


def name_problem(kind: str, name: str, old: str, known: Container[str]) -> str:
    """Why this cannot be the name of a new one, or of the old one; empty when it can."""
    if not name:
        return "give it a name"
    if old and name != old:
        return f"a {kind} keeps its name: leave it at {old}, or write a new one with n"
    if not old and name in known:
        return f"there is a {kind} {name} already"
    odd = "".join(dict.fromkeys(char for char in name if not (char.isalnum() or char in "-_.")))
    return f"a name is made of letters, digits, - and _, without {odd}" if odd and not old else ""


def check_line(check: Check) -> Cell:
    """A check of the gate: passed, passed with a warning, or not passed."""
    if not check.ok:
        return no_line(check.name, "; ".join(filter(None, (check.why, check.warning))), check.fix)
    if check.warning:
        return ((f"{check.name:<12}", "dim"), ("!   ", "warn"), (f"{check.why}; ", "text"), (check.warning, "warn"))
    return ok_line(check.name, check.why)


def ok_line(name: str, why: str) -> Cell:
    """A check that passes."""
    return ((f"{name:<12}", "dim"), ("ok  ", "text"), (why, "text"))


def no_line(name: str, why: str, fix: str = "") -> Cell:
    """A check that does not, and what would make it pass."""
    cell: Cell = ((f"{name:<12}", "dim"), ("NO  ", "bad"), (why, "text"))
    return (*cell, ("   ", "text"), (fix, "accent")) if fix else cell
