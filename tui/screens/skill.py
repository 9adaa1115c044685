"""What is in this skill, and what has changed since it was allowed? All of its text, hidden characters spelled out."""

from textual.app import ComposeResult

from tui import actions
from tui.panes.messages import AllowAsked
from tui.reading.asked import HASH_SHOWN
from tui.reading.skill_page import SkillPage
from tui.screens.screen import DeckScreen
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, span, wrap
from tui.widgets.flash import Flash
from tui.widgets.lines import Lines, Page


class SkillScreen(DeckScreen):
    """The difference first, then the whole text. It shows one reading of the file, and allows just that."""

    DEFAULT_CSS = """
    SkillScreen { padding: 0 1; }
    SkillScreen > .-title { height: 2; }
    SkillScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("skill")
    CONTEXTS = ("skill",)

    def __init__(self, palette: Palette, shown: SkillPage) -> None:
        super().__init__(palette)
        self.about = shown.name
        self.shown = shown
        self._page = Page(palette)
        self._said = Flash(palette)

    def compose_body(self) -> ComposeResult:
        yield Lines(self.palette, [_standing(self.shown)], classes="-title")
        yield self._page
        yield self._said

    def on_mount(self) -> None:
        self._page.focus()

    def on_resize(self) -> None:
        width = max(40, self.size.width - 2)
        self._page.show([part for line in skill_lines(self.shown) for part in wrap(line, width, 2)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "allow" and not self.shown.why:
            return False
        return super().check_action(action, parameters)

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def action_allow(self) -> None:
        self.post_message(AllowAsked(self.shown.name, self.shown.path, self.shown.sha256, self.shown.others))

    def action_back(self) -> None:
        self.dismiss()


OTHER_HELD = "another file of this name is held too: "


def skill_lines(shown: SkillPage) -> list[Cell]:
    """The page, line by line."""
    facts: list[Cell] = [
        (("file       ", "dim"), (shown.path, "text")),
        (("sha256     ", "dim"), (shown.sha256[:HASH_SHOWN], "text")),
    ]
    if shown.why:
        facts.append((("held       ", "dim"), (shown.why, "warn")))
    facts += [(("beside     ", "dim"), (OTHER_HELD, "warn"), (path, "text")) for path in shown.others]
    changed = [span(line, _tone(line)) for line in shown.changes]
    if changed:
        changed = [(), span("what changed", "head"), *changed]
    return [*facts, *changed, (), span("the whole text, as it is now", "head"), *(span(line) for line in shown.text)]


def _standing(shown: SkillPage) -> Cell:
    return (("held: not what you allowed", "warn"),) if shown.why else (("not held", "dim"),)


def _tone(line: str) -> Tone:
    if line.startswith(("---", "+++", "@@")):
        return "dim"
    return "accent" if line.startswith("+") else "bad" if line.startswith("-") else "text"
