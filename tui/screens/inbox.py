"""What waits for my word? Each open question as it is stored, and what a yes would grant."""

from collections.abc import Hashable, Sequence
from datetime import tzinfo
from typing import Any

from textual.app import ComposeResult

from engine.runtime.questions import Question, Raise
from tui import actions, changes
from tui.asked import HASH_SHOWN, Asked
from tui.panes.messages import DecisionAsked
from tui.screens.screen import DeckScreen
from tui.text import age, ago, amount, amount_in_full, due, money, plural, stamp, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, span, wrap
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
    'A run that does not fit into a budget with action = "ask" appears here, and starts when you approve it.',
)
_WINDOWS = {"5h": "five hours"}


class InboxScreen(DeckScreen):
    """The open questions, oldest first; below, all of the one under the cursor."""

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
        self.table: Table[Asked] = Table(_COLUMNS, self._key, self._cells, palette)
        self.page = Page(palette)
        self._title = Lines(palette, classes="-title")
        self._said = Lines(palette, classes="-said")
        self._seen: Any = ()
        """What the page was made of."""

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
                self.table.show(rows)
                self._draw()
                self.refresh_bindings()
            case changes.StateUnreadable(line):
                self.flash(line, "bad")
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.table.refresh_changed()
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.show([((line, tone),)])

    def on_table_cursor_moved(self) -> None:
        self._draw()
        self.page.action_end(-1)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.table.selected
        if action == "other" and row is None:
            return False
        if action in ("approve", "deny") and (row is None or row.question is None):
            return False
        return super().check_action(action, parameters)

    def action_approve(self) -> None:
        self._decide(approve=True)

    def action_deny(self) -> None:
        self._decide(approve=False)

    def action_other(self) -> None:
        self.set_focus(self.page if self.table.has_focus else self.table)

    def action_back(self) -> None:
        self.dismiss()

    def _decide(self, *, approve: bool) -> None:
        if row := self.table.selected:
            title = f"{'Approve' if approve else 'Deny'} run {row.run_id}?"
            self.post_message(DecisionAsked(row.id, approve, row.sha256, title, consequences(row, approve)))

    def _draw(self) -> None:
        number, row = len(self.table.rows), self.table.selected
        said = f"   {plural(number, 'run')} waiting for your word" if number else ""
        self._title.show([(("Needs me", "bold"), (said, "dim"))])
        self.table.styles.height = 1 + min(_LISTED, number) if number else 0
        width = max(40, self.size.width - 2)
        seen = (row, width, row and (ago(row.asked_ms, self.now_ms), due(row.expires_ms, self.now_ms, self.deck.zone)))
        if seen != self._seen:  # a task may be long, and breaking it into lines takes its time
            self._seen = seen
            self._show_question(row, width)

    def _show_question(self, row: Asked | None, width: int) -> None:
        lines = [span(line, "dim") for line in TEACHING]
        if row is not None:
            lines = question_lines(row, self.now_ms, self.deck.zone)
        self.page.show([part for line in lines for part in wrap(line, width, _INDENT if row else 0)])

    def _key(self, row: Asked) -> Hashable:
        return row.id

    def _cells(self, row: Asked) -> Sequence[Cell]:
        told = row.question
        return (
            span(str(row.run_id), "dim"),
            span(told.agent if told else "?", "text"),
            span(" ".join(row.task) or "-"),
            span(tokens(told.likely_tokens if told else None)),
            span(_lacks(told) if told else "-", "warn"),
            span(age(row.asked_ms, self.now_ms) if self.now_ms else "", "dim"),
            span(due(row.expires_ms, self.now_ms, self.deck.zone) if self.now_ms else "", "dim"),
        )


def question_lines(row: Asked, now_ms: int, zone: tzinfo | None) -> list[Cell]:
    """All that the stored question says, and the mark by which an answer names it."""
    told = row.question
    if told is None:
        unread = span("the stored question cannot be read, so it cannot be answered: withdraw its run", "bad")
        return [unread, *_block("stored", row.task), _stored(row)]
    return [
        *_block(f"run {row.run_id}", (f"{told.agent}, {told.task_type}, asked for by {_asker(told)}",)),
        *_block("task", row.task),
        *_block("may write", row.can_write or ("nothing in its workspace",)),
        *_block("expected", (_expected(told),)),
        *(line for one in told.raises for line in _raise_lines(one, zone)),
        *_block("asked", (f"{ago(row.asked_ms, now_ms)}, expires {due(row.expires_ms, now_ms, zone)}",)),
        _stored(row),
    ]


def consequences(row: Asked, approve: bool) -> tuple[str, ...]:
    """What an answer does, line by line, for the dialog that asks."""
    mark = f"question {row.id}, sha256 {row.sha256[:HASH_SHOWN]}"
    if not approve or row.question is None:
        return ("It is refused; nothing was spent.", mark)
    granted = (f"Budget {one.budget}: {_granted(one)}." for one in row.question.raises)
    return (*granted, "The run starts when all else fits.", mark)


def _asker(told: Question) -> str:
    return f"{told.trigger}, job {told.job}" if told.job else told.trigger


def _expected(told: Question) -> str:
    cost = "price not known" if told.high_microusd is None else money(told.high_microusd, short=False)
    return f"{told.likely_tokens:,} tokens likely, at most {told.high_tokens:,}; at most {cost}"


def _raise_lines(one: Raise, zone: tzinfo | None) -> list[Cell]:
    taken, need, limit = (amount_in_full(one.unit, number) for number in (one.taken, one.need, one.limit))
    said = f"{one.budget}: {taken} taken + {need} needed of {limit}{_window(one, zone)}"
    return _block("budget", (said, _granted(one)))


def _window(one: Raise, zone: tzinfo | None) -> str:
    if one.window == "run":
        return " per run"
    return f" in the {_WINDOWS.get(one.window, one.window)} since {stamp(one.window_start_ms, zone)}"


def _granted(one: Raise) -> str:
    """What approving grants, and for how long."""
    where = "for this run alone" if one.window == "run" else "until that window ends"
    more, then = amount_in_full(one.unit, one.amount), amount_in_full(one.unit, one.limit + one.amount)
    return f"approving raises it by {more} to {then}, {where}"


def _lacks(told: Question) -> str:
    return ", ".join(f"{one.budget} {amount(one.unit, one.amount)}" for one in told.raises)


def _stored(row: Asked) -> Cell:
    return (("stored     ", "dim"), (f"{row.length:,} bytes, sha256 {row.sha256[:HASH_SHOWN]}", "text"))


def _block(name: str, lines: Sequence[str]) -> list[Cell]:
    """A fact of one line or several; the name stands before the first."""
    return [
        ((f"{'' if number else name:<{_INDENT}}", "dim"), (line, "text")) for number, line in enumerate(lines or ("-",))
    ]
