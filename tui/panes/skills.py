"""Which skills may whom see, and what does that cost every prompt? Full size also lists every skill found here."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from state.skills import Skill
from tui import actions
from tui.panes.copies import Copies
from tui.panes.messages import (
    AssignAsked,
    CopyAsked,
    DeleteAsked,
    EditorAsked,
    SheetAsked,
    SkillChoiceAsked,
    SkillOpened,
    ask,
)
from tui.panes.pane import Pane
from tui.reading.views import SkillBoard
from tui.text import plural, tokens
from tui.theme import Palette
from tui.widgets.cells import Cell, Column, span
from tui.widgets.lines import Lines
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.runtime.boards import SkillSetRow

_SKILL_COLUMNS = (
    Column("", 1),
    Column("skill", 24),
    Column("meta", 6, "right"),
    Column("body", 6, "right"),
    Column("origin", 12, drop=1),
    Column("problem, else what it is for", 30, drop=2, grows=True),
)
_OF_SETS = ("assign", "delete", "mark", "mark_all", "sort_by", "sort_next")
_OF_SKILLS = ("edit", "editor", "copy")
"""What can be done with one of the skills below the sets, and what only with a set."""
_TITLE = 18
"""Cells of the title before its note."""


class SkillsPane(Pane["SkillSetRow"]):
    """The empty set first; the skills themselves below, when there is room."""

    BINDINGS = actions.bindings("skills")

    DEFAULT_CSS = """
    SkillsPane > .-found { display: none; }
    SkillsPane.-zoomed > .-found { display: block; }
    SkillsPane.-zoomed > Table.-found { height: 2fr; }
    SkillsPane.-zoomed > Lines.-found { margin-top: 1; }
    """

    CONTEXT = "skills"
    COLUMNS = (
        Column("set", 12, letter="S"),
        Column("skills", 6, "right"),
        Column("meta", 6, "right", letter="M"),
        Column("body", 6, "right", drop=2, letter="B"),
        Column("used by", 16, grows=True),
    )
    TEACHING = ("No skill sets yet.",)
    ON_ROW = Pane.ON_ROW | {"open", "edit", "assign", "delete", "editor"}
    WITH_MANY = frozenset({"delete"})

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.found: tuple[Skill, ...] = ()
        self.held: Mapping[str, str] = {}
        """By path, why a skill must be allowed anew."""
        self.found_title = Lines(palette, classes="-found")
        self.found_table: Table[Skill] = Table(_SKILL_COLUMNS, lambda skill: skill.path, self._skill_cells, palette)
        self.found_table.add_class("-found")

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield self.found_title
        yield self.found_table

    def take(self, board: SkillBoard) -> None:
        self.found, self.held = board.found, board.held
        self.found_table.show(sorted(board.found, key=lambda skill: skill.path not in board.held))
        self._draw_found_title()
        self.show(board.sets)

    def key(self, row: "SkillSetRow") -> Hashable:
        return row.name

    def cells(self, row: "SkillSetRow") -> Sequence[Cell]:
        missing = len(row.missing)
        number = f"{len(row.skills)}"
        return (
            span(row.name, "dim" if row.name == "none" else "text"),
            span(number, "warn" if missing else "text"),
            span(tokens(row.meta_tokens), "text" if row.meta_tokens else "dim"),
            span(tokens(row.body_tokens), "text" if row.body_tokens else "dim"),
            span(f"missing here: {', '.join(row.missing)}", "warn")
            if missing
            else span(", ".join(row.used_by) or "nobody", "dim"),
        )

    def worth(self, row: "SkillSetRow", title: str) -> Any:
        return {"set": row.name, "meta": row.meta_tokens, "body": row.body_tokens}[title]

    def can(self, action: str, row: "SkillSetRow") -> bool:
        return row.name != "none" or action in ("copy", "mark", "open")

    def copies(self, row: "SkillSetRow") -> Copies:
        return (("the set's name", row.name),)

    def note(self) -> Cell:
        if not self.known:
            return ()
        if self.held:
            names = list(dict.fromkeys(skill.name for skill in self.found if skill.path in self.held))
            said = f"! {plural(len(names), 'skill')} changed since you allowed it: {', '.join(names)}"
            short = f"! changed: {', '.join(names)}"
            return ((said if len(said) + _TITLE <= self.size.width else short, "warn"),)
        broken = sum(skill.problem is not None for skill in self.found)
        if broken:
            return ((f"{plural(broken, 'skill')} with a problem", "warn"),)
        if len(self.all_rows) <= 1:
            makes = self.keys.told("{list.new} makes a set")
            return ((f"{plural(len(self.found), 'skill')} found; {makes}", "dim"),)
        return ((f"{plural(len(self.found), 'skill')} found", "dim"),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "look":
            return super().check_action(action, parameters) if self._to_look_at() else False
        if self.found_table.has_focus:
            if action in _OF_SETS or (action in _OF_SKILLS and not self._to_look_at()):
                return False
            return actions.permit(self.app, (self.CONTEXT,), action)
        return super().check_action(action, parameters)

    async def on_table_row_chosen(self) -> None:
        await self.action_edit()

    async def action_look(self) -> None:
        """Open the skill under the cursor; from the sets the one that must be allowed anew, or the choice of them."""
        if len(self.held) > 1 and not self.found_table.has_focus:
            await ask(self.app, SkillChoiceAsked())
        elif skill := self._to_look_at():
            await ask(self.app, SkillOpened(skill.name, skill.path, self.held.get(skill.path, "")))

    def choose_held(self) -> None:
        """Put the keyboard on the first of the skills that must be allowed anew; they stand on top."""
        self.screen.set_focus(self.found_table)
        self.found_table.move_to(0)
        self.refresh_bindings()

    def _to_look_at(self) -> Skill | None:
        if self.found_table.has_focus:
            return self.found_table.selected
        return next((skill for skill in self.found if skill.path in self.held), None)

    def step_inside(self, by: int) -> bool:
        """From the sets to the skills below them, or back, where both are there. Returns whether it went."""
        tables = (self.table, self.found_table)
        here, there = tables if by > 0 else reversed(tables)
        if not self.has_class("-zoomed") or not here.has_focus or not self.found:
            return False
        self.screen.set_focus(there)
        self.refresh_bindings()
        return True

    async def action_edit(self) -> None:
        """The set under the cursor; a skill can only be looked at."""
        if self.found_table.has_focus:
            await self.action_look()
        elif row := self.table.selected:
            await ask(self.app, SheetAsked("skill_set", row.name))

    async def action_new(self) -> None:
        await ask(self.app, SheetAsked("skill_set"))

    async def action_assign(self) -> None:
        if row := self.table.selected:
            await ask(self.app, AssignAsked(row.name))

    def action_delete(self) -> None:
        rows = self.chosen("delete")
        if self.marked:
            self.post_message(self._with_many("delete", [(row.name, ("skill_set", row.name)) for row in rows]))
        elif rows:
            self.post_message(DeleteAsked("skill_set", rows[0].name))

    def action_editor(self) -> None:
        """The skill's own file, or the set's entry."""
        if self.found_table.has_focus:
            if skill := self.found_table.selected:
                self.post_message(EditorAsked(path=skill.path))
        elif row := self.table.selected:
            self.post_message(EditorAsked(entry=("skill_set", row.name)))

    def action_copy(self) -> None:
        skill = self.found_table.selected if self.found_table.has_focus else None
        if skill is None:
            super().action_copy()
        else:
            self.post_message(CopyAsked("the skill's file", skill.path))

    def _skill_cells(self, skill: Skill) -> Sequence[Cell]:
        why = self.held.get(skill.path, "")
        alone = sum(other.name == skill.name for other in self.found) == 1
        trouble = (why.removeprefix(f"{skill.path} ") if alone else why) or skill.problem
        return (
            span("!" if skill.path in self.held else " ", "warn"),
            span(skill.name),
            span(tokens(skill.meta_tokens)),
            span(tokens(skill.body_tokens)),
            span(skill.origin, "dim"),
            span(trouble, "warn") if trouble else span(skill.description, "dim"),
        )

    def _draw_found_title(self) -> None:
        goes = self.keys.told("{pane.next} goes here")
        note = f"  {goes};  meta: carried by every prompt that is allowed the skill;  body: read when it is used"
        self.found_title.show([(("  Skills found", "head"), (f"  {len(self.found):,}", "dim"), (note, "dim"))])
