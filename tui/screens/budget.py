"""One budget: what is spent, held and free of it, where it will end, and who used it. Live."""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from state.shares import Share
from tui import actions
from tui.panes.budgets import LEVEL_TONES, METER, band, outlook
from tui.reading import changes
from tui.reading.budget_page import BudgetPage, BudgetUse, budget_page
from tui.reading.snapshot import Reading
from tui.screens.entry import EntryPage
from tui.text import amount, amount_in_full, left, moment, percent, plural
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Span, cut, wrap
from tui.widgets.lines import Lines, Page
from tui.widgets.meter import meter

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow

_LEAST_WIDTH, _MOST_BAR = 40, 60
_NAME, _AMOUNT = 13, 10
_HEADS = {"agent": "by agent", "session": "by session", "job": "by job", "run": "largest runs"}


class BudgetScreen(EntryPage):
    """One page that follows; a part of it for each unit of the budget."""

    DEFAULT_CSS = "BudgetScreen > .-title { height: 2; }"
    SECTION = "budget"
    BINDINGS = actions.bindings("budget")
    CONTEXTS = ("budget",)

    def __init__(self, palette: Palette, name: str) -> None:
        super().__init__(palette, name)
        self.shown: BudgetPage | None = None
        self._title = Lines(palette, classes="-title")
        self._page = Page(palette)

    def compose_body(self) -> ComposeResult:
        yield self._title
        yield self._page
        yield self.said

    def on_mount(self) -> None:
        self._page.focus()

    def reading(self) -> Callable[[Reading], Any]:
        return budget_page(self.about)

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(BudgetPage() as page) if page.name == self.about:
                self.shown = page
                self.draw()
            case _:
                super().take(change)

    def draw(self) -> None:
        if self.shown is None:
            return
        width = max(_LEAST_WIDTH, self.size.width - 2)
        self._title.show([title_line(self.shown.uses)])
        lines = [line for use in self.shown.uses for line in use_lines(use, width, self.now_ms, self.deck.zone)]
        self._page.show([part for line in lines for part in wrap(line, width, _NAME)])


def title_line(uses: Sequence[BudgetUse]) -> Cell:
    """How much of it is spent, in each of its units."""
    spans: list[Span] = []
    for row in (use.row for use in uses):
        unit = "tokens" if row.unit == "tokens" else "dollars"
        said = "each run has it for itself" if row.window == "run" else f"{percent(row.share)} spent{_state(row)}"
        spans += [(f"{'   ' if spans else ''}{unit} ", "dim"), (said, "text" if row.window == "run" else _tone(row))]
    return tuple(spans)


def use_lines(use: BudgetUse, width: int, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """One unit of a budget."""
    row = use.row
    head: Cell = (
        ("tokens" if row.unit == "tokens" else "dollars", "head"),
        (f"   counts {row.scope}; what does not fit: {row.action}; warns at {row.warn_at:.0%}", "dim"),
    )
    if row.window == "run":
        most = amount_in_full(row.unit, row.most)
        return [head, _fact("limit", most, "each run has it for itself: nothing adds up"), ()]
    return [head, *_books(row, now_ms, zone), (), *_course(row, width, now_ms, zone), (), *_users(use, width)]


def _books(row: "BudgetRow", now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """Spent with what it is made of, held and free: with the limit they add up."""
    granted = f", {amount_in_full(row.unit, row.granted)} of it granted for this window" if row.granted else ""
    lines = [
        _fact("limit", amount_in_full(row.unit, row.most), f"declared {amount(row.unit, row.limit)}{granted}"),
        _fact("spent", *_sum(row), _tone(row)),
        *_spent(row),
        _fact("held", amount_in_full(row.unit, row.held), "reserved by live runs, and not used yet"),
        _fact("free", amount_in_full(row.unit, row.free), _free(row), _tone(row)),
    ]
    if row.unpriced:
        lines.append(_fact("no price", plural(row.unpriced, "response"), "so more than this was spent", "warn"))
    ends = moment(row.window_end_ms, now_ms, zone)
    since = moment(row.window_start_ms, now_ms, zone)
    beside = f"{row.window}, since {since}"
    lines.append(_fact("resets", f"{ends}, {left(row.window_end_ms, now_ms)}" if now_ms else ends, beside))
    return lines


def _sum(row: "BudgetRow") -> tuple[str, str]:
    if row.unpriced and not row.spent:
        return "-", "nothing of it has a price"
    return amount_in_full(row.unit, row.spent) + ("+" if row.unpriced else ""), f"{percent(row.share)} of the limit"


def _spent(row: "BudgetRow") -> list[Cell]:
    """Whose it is, where it is anybody's."""
    parts = (
        ("live", row.live, "by runs that are live, of what they reserved"),
        ("committed", row.committed, "by runs that are over"),
        ("observed", row.observed, "by sessions that are not ours, and by runs older than this budget"),
        ("overrun", row.overrun, "by our runs beyond what was free for them"),
    )
    return [_fact(f"  {name}", amount_in_full(row.unit, number), said) for name, number, said in parts if number]


def _free(row: "BudgetRow") -> str:
    """What part is left, or why nothing is."""
    if row.spent > row.most:
        return f"over by {amount_in_full(row.unit, row.spent - row.most)}"
    if row.level == "full":
        return "full: what is held is let go when its runs are over" if row.held else "full"
    return f"{percent(row.free / row.most)} of the limit" if row.most else ""


def _state(row: "BudgetRow") -> str:
    return f", {row.word}" if row.level == "full" else ""


def _course(row: "BudgetRow", width: int, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """What is spent beside what it will be at the end of the window, on one scale."""
    room = min(_MOST_BAR, width - _NAME - 2)
    if row.projection is None:
        bar = meter(row.spent, row.held, row.most, row.level, room)
        return [_bar("now", bar), _fact("at the end", "-", "nothing was ever used that it counts")]
    found = row.projection
    most = max(row.most, found.high, row.spent + row.held, 1)
    lines = [
        _bar("now", cut(meter(row.spent, row.held, most, row.level, room), room)),
        _bar("at the end", spread(found.low, found.likely, found.high, most, room)),
        _bar("limit", _at(row.most, most, room)),
    ]
    said = outlook(row, now_ms, zone)
    lines.append((("".ljust(_NAME), "dim"), *said, ("   likely, low-high: ", "dim"), *band(row)))
    return lines


def spread(low: int, likely: int, high: int, most: int, room: int) -> Cell:
    """`  (---|-----)`: low, likely and high on a scale that ends at `most`."""
    first, middle, last = (min(room - 1, number * room // most) for number in (low, likely, high))
    line = [" "] * room
    line[first : last + 1] = ["-"] * (last + 1 - first)
    line[first], line[last] = "(", ")"
    line[middle] = "|"
    return (("".join(line).rstrip(), "accent"),)


def _at(number: int, most: int, room: int) -> Cell:
    return ((" " * min(room - 1, number * room // most) + "^", "text"),)


def _users(use: BudgetUse, width: int) -> list[Cell]:
    lines: list[Cell] = []
    for group, users in use.users:
        if users:
            lines += [((_HEADS[group], "head"),), *(_user(use.row, one, width) for one in users), ()]
    return lines or [(("nobody has used any of it in this window", "dim"),), ()]


def _user(row: "BudgetRow", one: Share, width: int) -> Cell:
    share = one.amount / row.spent if row.spent else None
    number = "" if one.id is None else f"{one.id} "
    name: Cell = ((number, "dim"), (one.label or "without a name", "text" if one.label else "dim"))
    figures: tuple[Span, ...] = (
        (f"{amount(row.unit, one.amount, row.most):>{_AMOUNT}}", "text"),
        (f"{percent(share):>6}  ", "dim"),
        *meter(one.amount, 0, max(1, row.spent), width=METER),
        ("  ", "dim"),
    )
    return (*figures, *cut(name, max(8, width - _AMOUNT - METER - 10)))


def _bar(name: str, bar: Cell) -> Cell:
    return ((name.ljust(_NAME), "dim"), *bar)


def _fact(name: str, value: str, beside: str = "", tone: Tone = "text") -> Cell:
    return ((name.ljust(_NAME), "dim"), (value, tone), (f"   {beside}" if beside else "", "dim"))


def _tone(row: "BudgetRow") -> Tone:
    return LEVEL_TONES.get(row.level, "text")
