"""How much of each limit is spent, held and free in its present window, and will it last? Then providers' own."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui import actions
from tui.lists.fresh import Fresh
from tui.panes.copies import Copies
from tui.panes.messages import BudgetOpened, DeleteAsked, EditorAsked, LookedAtOnly, SheetAsked, ask
from tui.panes.pane import Pane
from tui.reading.clients import called
from tui.reading.views import BudgetBoard
from tui.text import PURSE_WIDTH, STALE_MS, age, amount, left, moment, percent, short_path, tokens, window_name
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, span
from tui.widgets.meter import meter

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow, SubscriptionRow

LEVEL_TONES: dict[str, Tone] = {"warn": "warn", "full": "bad", "over": "bad"}
METER = 7


class BudgetsPane(Pane["BudgetRow | SubscriptionRow"]):
    """In the order of the configuration; below, what can only be looked at."""

    BINDINGS = actions.bindings("budgets")

    CONTEXT = "budgets"
    COLUMNS = (
        Column("budget", 10, grows=True, letter="B"),
        Column("spent", PURSE_WIDTH + 1, "right", letter="P"),
        Column("", METER, drop=2),
        Column("limit", PURSE_WIDTH, "right", letter="M"),
        Column("at the end", 12, drop=1),
        Column("action", 6, drop=3),
        Column("likely, low-high", 20, "right", drop=4),
        Column("window", 28, drop=5),
        Column("counts", 22, drop=6),
        Column("held", PURSE_WIDTH, "right", drop=7),
        Column("free", PURSE_WIDTH, "right", drop=8),
        Column("granted", 9, "right", drop=9),
        Column("observed", 8, "right", drop=10),
        Column("overrun", 8, "right", drop=11),
        Column("no price", 8, "right", drop=12),
        Column("warns", 5, "right", drop=13),
    )
    TEACHING = (
        "No budgets yet. A budget limits tokens or dollars",
        "per run, hour, day, week or month. What a run may",
        "cost is held first; one that does not fit is",
        "refused, or waits, as the budget says.",
        "{list.new} sets one.",
    )

    ON_ROW = Pane.ON_ROW | {"open", "edit", "delete", "editor"}
    WITH_MANY = frozenset({"delete"})

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.zone: tzinfo | None = None
        self._user = str(Path("~").expanduser())
        self.budgets: tuple[BudgetRow, ...] = ()
        self.windows: tuple[SubscriptionRow, ...] = ()
        self.fresh = Fresh()

    def take(self, board: BudgetBoard) -> None:
        self.budgets, self.windows = board.rows, board.windows
        self.fresh.take({(row.name, row.unit): spent(row) for row in board.rows})
        self._fold()

    def _fold(self) -> None:
        """With room for every limit each has a row, else each budget: that of its tightest limit."""
        from engine.runtime.boards import worst

        room = self.table.size.height - 1
        all_fit = room < 1 or len(self.budgets) + len(self.windows) <= room
        rows = (*(self.budgets if all_fit else worst(self.budgets)), *self.windows)
        if not self.known or rows != tuple(self.all_rows):
            self.show(rows)

    @property
    def need(self) -> int:
        """Lines in which each limit has its own row, folded now or not."""
        lines = len(self.budgets) + len(self.windows)
        return 2 + lines if lines else super().need

    def on_resize(self) -> None:
        super().on_resize()
        if self.known:
            self.call_after_refresh(self._fold)

    def tick(self, now_ms: int) -> None:
        self.fresh.age()
        super().tick(now_ms)

    def number(self, rows: Sequence[Any]) -> int:
        """The declared ones, each counted once."""
        return len({row.name for row in rows if not is_window(row)})

    def key(self, row: Any) -> Hashable:
        return (row.source, row.provider_home, row.name) if is_window(row) else (row.name, row.unit)

    def cells(self, row: Any) -> Sequence[Cell]:
        return self._window_cells(row) if is_window(row) else self._budget_cells(row)

    def worth(self, row: Any, title: str) -> Any:
        """By the share that is spent: tokens and dollars do not compare. Providers' windows stay below."""
        if is_window(row):
            return None
        match title:
            case "budget":
                return row.name
            case "spent":
                return row.spent / row.most if row.window != "run" and row.most else None
            case _:
                return row.most

    def can(self, action: str, row: Any) -> bool:
        return action != "editor" or not is_window(row)

    def copies(self, row: Any) -> Copies:
        return (("what it is called", window_title(row) if is_window(row) else row.name),)

    def _budget_cells(self, row: "BudgetRow") -> Sequence[Cell]:
        per_run = row.window == "run"
        return (
            span(row.name),
            span("-", "dim") if per_run else span(spent(row), self._tone(row)),
            () if per_run else meter(row.spent, row.held, row.most, row.level, METER),
            span(amount(row.unit, row.most, row.spent), "accent" if row.granted else "text"),
            outlook(row, self.now_ms, self.zone),
            span(row.action, "dim"),
            band(row),
            span(self._window(row), "dim"),
            span(row.scope, "dim"),
            span("-", "dim") if per_run else span(amount(row.unit, row.held), "accent" if row.held else "dim"),
            span("-", "dim") if per_run else span(amount(row.unit, row.free), "dim"),
            span(f"+{amount(row.unit, row.granted)}" if row.granted else "-", "accent" if row.granted else "dim"),
            span("-" if per_run else amount(row.unit, row.observed), "dim"),
            span("-" if per_run else amount(row.unit, row.overrun), "warn" if row.overrun else "dim"),
            span(f"{row.unpriced:,}" if row.unit == "microusd" else "-", "warn" if row.unpriced else "dim"),
            span(f"{row.warn_at:.0%}", "dim"),
        )

    def _tone(self, row: "BudgetRow") -> Tone:
        return self.fresh.tone((row.name, row.unit), LEVEL_TONES.get(row.level, "text"))

    def _window(self, row: "BudgetRow") -> str:
        if row.window == "run":
            return "each run by itself"
        return f"{row.window}, {left(row.window_end_ms, self.now_ms)}" if self.now_ms else row.window

    def _window_cells(self, row: "SubscriptionRow") -> Sequence[Cell]:
        share = None if row.used_percent is None else row.used_percent / 100
        level = "ok" if share is None or share < 0.8 else "warn" if share < 1 else "full"
        tone: Tone = "dim" if share is None and row.used_tokens is None else LEVEL_TONES.get(level, "text")
        home = short_path(row.provider_home, self._user)
        whose = f"{home}, {row.plan} plan" if row.plan else home
        return (
            span(window_title(row), "dim" if row.state == "reset" else "text"),
            span(tokens(row.used_tokens) if row.kind == "block" else percent(share), tone),
            () if share is None else meter(round(share * 1000), 0, 1000, level, METER),
            span("-" if row.kind == "block" else "100%", "dim"),
            span(resets(row, self.now_ms, self.zone), "dim"),
            *((),) * 2,
            span(window_words(row, self.now_ms, self.zone), "dim"),
            span(whose, "dim"),
            *((),) * 7,
        )

    def note(self) -> Cell:
        told: dict[str, dict[str, None]] = {}
        for row in self.budgets:
            if row.level == "full" and row.window != "run":
                told.setdefault(row.word, {})[row.name] = None
        if told:
            return (("  ".join(f"{word}: {', '.join(names)}" for word, names in sorted(told.items())), "bad"),)
        if not self.all_rows:
            return ()
        said = "# spent  _ held  . free" if self.budgets else self.keys.told("{list.new} sets a limit")
        return ((said, "dim"),)

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        row: Any = self.table.selected
        if row is not None and not self._only_looked_at(row):
            await ask(self.app, BudgetOpened(row.name))

    async def action_edit(self) -> None:
        row: Any = self.table.selected
        if row is not None and not self._only_looked_at(row):
            await ask(self.app, SheetAsked("budget", row.name))

    async def action_new(self) -> None:
        await ask(self.app, SheetAsked("budget"))

    def action_editor(self) -> None:
        row: Any = self.table.selected
        if row is not None:
            self.post_message(EditorAsked(entry=("budget", row.name)))

    def action_delete(self) -> None:
        if marked := self.marked:
            names = dict.fromkeys(row.name for row in marked if not is_window(row))
            self.post_message(self._with_many("delete", [(name, ("budget", name)) for name in names]))
            return
        row: Any = self.table.selected
        if row is not None and not self._only_looked_at(row):
            self.post_message(DeleteAsked("budget", row.name))

    def _only_looked_at(self, row: Any) -> bool:
        if is_window(row):
            whose = "is counted from its logs" if row.kind == "block" else "is the provider's own window"
            self.post_message(LookedAtOnly(f"{window_title(row)} {whose}: it can only be looked at"))
            return True
        return False


def is_window(row: Any) -> bool:
    """A provider's window, not a budget of ours."""
    return hasattr(row, "provider_home")


def spent(row: "BudgetRow") -> str:
    """`41.2k`, `$11.20`, `$11.20+` when responses without a price are not in it, `-` when nothing else is."""
    if row.unpriced and not row.spent:
        return "-"
    said = amount(row.unit, row.spent, row.most)
    return f"{said}+" if row.unpriced else said


def outlook(row: "BudgetRow", now_ms: int, zone: tzinfo | None) -> Cell:
    """`> 18:40`: it runs out then, before its window ends. `~52.0k`: likely so much will be spent. `ok`: nothing more.
    `full`, `over`: nothing is left. `-`: nothing was ever used. `per run`: each run has the limit for itself."""
    if row.window == "run":
        return span("per run", "dim")
    if row.level == "full":
        return span(row.word, "bad")
    if row.projection is None:
        return span("-", "dim")
    if row.projection.runs_out_ms is not None:
        return span(f"> {moment(row.projection.runs_out_ms, now_ms, zone)}", "warn")
    if row.projection.likely > row.spent:
        return span(f"~{amount(row.unit, row.projection.likely, row.most)}", "text")
    return span("ok", "dim")


def band(row: "BudgetRow") -> Cell:
    """`52.0k, 44.1k-61.2k`, `$3.20, $2.10-$4.00`, or `-`."""
    found = row.projection
    if found is None:
        return span("-", "dim")
    low, likely, high = (amount(row.unit, number) for number in (found.low, found.likely, found.high))
    return span(f"{likely}, {low}-{high}", "dim")


def window_title(row: "SubscriptionRow") -> str:
    """`codex 5 h`, `codex week`, `claude 5 h`."""
    return f"{called(row.source)} {window_name(row.window_minutes) or row.name}"


def resets(row: "SubscriptionRow", now_ms: int, zone: tzinfo | None) -> str:
    """`resets 14:05`, `ends 14:00`, or how old the figure is."""
    if stale(row, now_ms):
        return f"{age(row.logged_ms, now_ms)} old"
    if row.resets_ms is None:
        return "-"
    when = moment(row.resets_ms, now_ms, zone)
    return f"{'ends' if row.kind == 'block' else 'resets'} {when if len(when) <= 6 else when[:3]}"


def window_words(row: "SubscriptionRow", now_ms: int, zone: tzinfo | None) -> str:
    """`since 09:00, ends 14:00`, `resets Mon 09:00, logged 2 h ago`, `has reset, logged 3 d ago`."""
    until = "" if row.resets_ms is None else moment(row.resets_ms, now_ms, zone)
    if row.kind == "block":
        return f"since {moment(row.started_ms or 0, now_ms, zone)}, ends {until}"
    said = "has reset" if row.state == "reset" else f"resets {until}" if until else "does not say when it resets"
    return f"{said}, logged {age(row.logged_ms, now_ms)} ago" if stale(row, now_ms) else said


def stale(row: "SubscriptionRow", now_ms: int) -> bool:
    """Whether the figure is old enough to say so."""
    return row.state == "reset" or (row.kind == "limit" and now_ms - row.logged_ms > STALE_MS)
