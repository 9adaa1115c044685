"""How much of each limit is spent, reserved and free in its present window?"""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from tui import actions
from tui.panes.messages import DeleteAsked, SheetAsked, ask
from tui.panes.pane import Pane
from tui.text import left, tokens
from tui.theme import Tone
from tui.widgets.cells import Cell, Column, span
from tui.widgets.meter import WIDTH, meter

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow

_TONES: dict[str, Tone] = {"warn": "warn", "full": "bad"}


class BudgetsPane(Pane["BudgetRow"]):
    """In the order of the configuration."""

    BINDINGS = actions.bindings("budgets")

    CONTEXT = "budgets"
    COLUMNS = (
        Column("budget", 10, grows=True),
        Column("taken", 6, "right"),
        Column("", WIDTH, drop=2),
        Column("limit", 6, "right"),
        Column("", 4, drop=1),
        Column("window", 14, drop=3),
        Column("reserved", 8, "right", drop=5),
        Column("overrun", 8, "right", drop=6),
        Column("counts", 18, drop=4),
        Column("warns", 5, "right", drop=7),
        Column("at limit", 8, drop=8),
    )
    TEACHING = (
        "No budgets yet. A budget limits tokens in each hour, day, week",
        "or month, and is reserved before a run starts: one that does",
        "not fit is refused. Press n to set one.",
    )

    def key(self, row: "BudgetRow") -> Hashable:
        return row.name

    def cells(self, row: "BudgetRow") -> Sequence[Cell]:
        tone = _TONES.get(row.level, "text")
        return (
            span(row.name),
            span(tokens(row.taken), tone),
            meter(row.committed + row.overrun, row.held, row.limit_tokens, row.level),
            span(tokens(row.limit_tokens)),
            span({"warn": "warn", "full": "full"}.get(row.level, "ok"), tone if row.level != "ok" else "dim"),
            span(f"{row.window}, {left(row.window_end_ms, self.now_ms)}" if self.now_ms else row.window, "dim"),
            span(tokens(row.held), "accent" if row.held else "dim"),
            span(tokens(row.overrun), "warn" if row.overrun else "dim"),
            span(row.scope, "dim"),
            span(f"{row.warn_at:.0%}", "dim"),
            span(row.action, "dim"),
        )

    def note(self) -> Cell:
        full = [row.name for row in self.all_rows if row.level == "full"]
        if full:
            return ((f"full: {', '.join(full)}", "bad"),)
        return (("# spent  _ reserved  . free", "dim"),) if self.all_rows else ()

    async def on_table_row_chosen(self) -> None:
        await self.action_edit()

    async def action_edit(self) -> None:
        if row := self.table.selected:
            await ask(self.app, SheetAsked("budget", row.name))

    async def action_new(self) -> None:
        await ask(self.app, SheetAsked("budget"))

    def action_delete(self) -> None:
        if row := self.table.selected:
            self.post_message(DeleteAsked("budget", row.name))
