"""What waits for my word? Each open question, and each skill that must be allowed anew."""

from collections.abc import Hashable, Sequence
from typing import Any

from textual.app import ComposeResult

from tui import actions
from tui.panes.messages import SkillOpened, ask
from tui.reading import changes
from tui.reading.asked import Asked
from tui.screens.question import HeldSkill, asks_for, decision, held_lines, held_skills, lacks, question_lines
from tui.screens.screen import DeckScreen
from tui.text import age, ago, due, plural, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, span, wrap
from tui.widgets.flash import Flash
from tui.widgets.lines import Lines, Page
from tui.widgets.table import Table

_COLUMNS = (
    Column("run", 5, "right"),
    Column("agent", 12),
    Column("wants to", 20, grows=True),
    Column("likely", 7, "right"),
    Column("lacks", 14, drop=3),
    Column("asked", 7, "right", drop=2),
    Column("expires", 14, drop=1),
)
_LISTED = 5
_INDENT = 11
TEACHING = (
    "Nothing waits for your word.",
    'A run that does not fit into a budget with action = "ask" appears here, and starts when you approve it;',
    'so does what a live agent with permissions = "ask" wants to do, which waits until you answer.',
)
HELD = "is held: {go.skills}, then {skill.look}"


class InboxScreen(DeckScreen):
    """The open questions, oldest first, then the held skills; below, all of the one under the cursor."""

    DEFAULT_CSS = """
    InboxScreen { padding: 0 1; }
    InboxScreen > .-title { height: 2; }
    InboxScreen > Page { border-top: solid $qd-line; }
    InboxScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("inbox")
    CONTEXTS = ("inbox",)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.table: Table[Asked | HeldSkill] = Table(_COLUMNS, self._key, self._cells, palette)
        self.page = Page(palette)
        self._title = Lines(palette, classes="-title")
        self._said = Flash(palette)
        self._seen: Any = ()
        """What the page was made of."""
        self._questions: tuple[Asked, ...] | None = None
        """None until they are known: the cursor begins on the first of them, not on a skill."""
        self._held: tuple[HeldSkill, ...] = ()

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self.table
        yield self.page
        yield self._said

    def on_mount(self) -> None:
        self.table.focus()
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.InboxChanged(rows):
                self._questions = rows
                self._show()
            case changes.SkillsChanged(board):
                self._held = held_skills(board)
                self._show()
            case changes.StateUnreadable(line):
                self.flash(line, "bad")
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.table.refresh_changed()
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def on_table_cursor_moved(self) -> None:
        self._draw()
        self.page.action_end(-1)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.table.selected
        if action == "other" and row is None:
            return False
        if action in ("approve", "deny") and not (isinstance(row, Asked) and row.readable):
            return False
        if action == "follow" and not isinstance(row, HeldSkill):  # an enter too many opens nothing
            return False
        return super().check_action(action, parameters)

    async def on_table_row_chosen(self) -> None:
        await self.action_follow()

    async def action_follow(self) -> None:
        """To the skill that is held."""
        row = self.table.selected
        if isinstance(row, HeldSkill):
            await ask(self.app, SkillOpened(row.name, row.path, row.why))

    def action_approve(self) -> None:
        self._decide(approve=True)

    def action_deny(self) -> None:
        self._decide(approve=False)

    def action_other(self) -> None:
        self.set_focus(self.page if self.table.has_focus else self.table)

    def action_back(self) -> None:
        self.dismiss()

    def _decide(self, *, approve: bool) -> None:
        row = self.table.selected
        if isinstance(row, Asked):
            self.post_message(decision(row, approve, self.deck.zone))

    def _show(self) -> None:
        if self._questions is None:
            return
        self.table.show((*self._questions, *self._held))
        self._draw()
        self.refresh_bindings()

    def _draw(self) -> None:
        number, row = len(self.table.rows), self.table.selected
        said = self._counts()
        self._title.show([((", ".join(said), "bold"),)])
        self.table.styles.height = 1 + min(_LISTED, number) if number else 0
        width = max(40, self.size.width - 2)
        seen = (row, width, self.deck.keymap, self._ages(row) if isinstance(row, Asked) else ())
        if seen != self._seen:  # a task may be long, and breaking it into lines takes its time
            self._seen = seen
            self._show_question(row, width)

    def _counts(self) -> list[str]:
        questions = self._questions or ()
        live = sum(row.permission is not None for row in questions)
        said = [f"{plural(len(questions) - live, 'run')} waiting for your word"] if len(questions) > live else []
        said += [f"{plural(live, 'question')} of live runs"] if live else []
        return [*said, f"{plural(len(self._held), 'skill')} held"] if self._held else said

    def _ages(self, row: Asked) -> tuple[str, str]:
        return ago(row.asked_ms, self.now_ms), due(row.expires_ms, self.now_ms, self.deck.zone)

    def _show_question(self, row: Asked | HeldSkill | None, width: int) -> None:
        lines = [span(line, "dim") for line in TEACHING]
        if isinstance(row, Asked):
            lines = question_lines(row, self.now_ms, self.deck.zone)
        elif row is not None:
            lines = held_lines(row, self.deck.keymap)
        self.page.show([part for line in lines for part in wrap(line, width, _INDENT if row else 0)])

    def _key(self, row: Asked | HeldSkill) -> Hashable:
        return row.path if isinstance(row, HeldSkill) else row.id

    def _cells(self, row: Asked | HeldSkill) -> Sequence[Cell]:
        if isinstance(row, HeldSkill):
            said = f"skill {row.name} {self.deck.keymap.told(HELD)}"
            return (span("-", "dim"), span("-", "dim"), span(said, "warn"), *((),) * 4)
        told, known = row.question, row.question or row.permission
        return (
            span(str(row.run_id), "dim"),
            span(known.agent if known else "?", "text"),
            span(asks_for(row)),
            span(tokens(told.likely_tokens if told else None)),
            span(lacks(told) if told else "-", "warn"),
            span(age(row.asked_ms, self.now_ms) if self.now_ms else "", "dim"),
            span(due(row.expires_ms, self.now_ms, self.deck.zone) if self.now_ms else "", "dim"),
        )
