"""One job: what became of its due times and why, when it is due next, and what it puts into its prompts. Live."""

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any

from textual.app import ComposeResult

from tui import actions
from tui.panes.jobs import slot_letter
from tui.panes.messages import JobFired, JobPaused, RunOpened, ask
from tui.panes.runs import outcome_words, took
from tui.reading import changes
from tui.reading.job_page import Fired, JobPage, job_page
from tui.reading.snapshot import Reading
from tui.screens.entry import EntryPage
from tui.screens.talk_lines import part_name
from tui.text import MINUTE_MS, age, clock, due, moment, plural, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, Span, span, wrap
from tui.widgets.lines import Lines
from tui.widgets.table import Table

_LEAST_WIDTH, _NAME = 40, 11
_TALL = 24
"""In fewer lines the due times need the room: what is too long is cut."""
_COLUMNS = (
    Column("", 1),
    Column("due", 9),
    Column("became", 12),
    Column("run", 6, "right", drop=1),
    Column("tokens", 6, "right"),
    Column("took", 10, "right", drop=2),
    Column("late", 6, "right", drop=3),
    Column("why", 16, grows=True),
)


class JobScreen(EntryPage):
    """What it is above, its due times below, the newest last; enter opens the run of one."""

    DEFAULT_CSS = """
    JobScreen > .-facts { height: auto; }
    JobScreen > Table { margin-top: 1; }
    """
    SECTION = "job"
    BINDINGS = actions.bindings("job")
    CONTEXTS = ("job",)

    def __init__(self, palette: Palette, name: str) -> None:
        super().__init__(palette, name)
        self.shown: JobPage | None = None
        self._seconds = False
        """Whether due times are told with their seconds."""
        self.table: Table[Fired] = Table(_COLUMNS, self._key, self._cells, palette)
        self._facts = Lines(palette, classes="-facts")

    def compose_body(self) -> ComposeResult:
        yield self._facts
        yield self.table
        yield self.said

    def on_mount(self) -> None:
        self.table.focus()

    def reading(self) -> Callable[[Reading], Any]:
        return job_page(self.about)

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(JobPage() as page) if page.row.name == self.about:
                self._take(page)
            case _:
                super().take(change)

    def tick(self, now_ms: int) -> None:
        self.table.refresh_changed()
        super().tick(now_ms)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open" and (self.table.selected is None or self.table.selected.run is None):
            return False
        return super().check_action(action, parameters)

    def on_table_cursor_moved(self) -> None:
        self.draw()
        self.refresh_bindings()

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if (row := self.table.selected) and row.run is not None:
            await ask(self.app, RunOpened(row.run.id))

    def action_fire(self) -> None:
        self.post_message(JobFired(self.about))

    def action_pause(self) -> None:
        if self.shown is not None:
            self.post_message(JobPaused(self.about, enabled=not self.shown.row.enabled))

    def _take(self, page: JobPage) -> None:
        newest = self.shown is None or self.table.cursor >= len(self.table.rows) - 1
        self.shown, self._seconds = page, fires_within_minutes(page)
        self.table.show(page.fired)
        if newest:
            self.table.move_to(len(page.fired) - 1)
        self.draw()
        self.refresh_bindings()

    def draw(self) -> None:
        if self.shown is None:
            return
        width = max(_LEAST_WIDTH, self.size.width - 2)
        at = self.table.cursor if self.shown.fired else None
        parts = self._lines(self.shown, width, at)
        if self.size.height >= _TALL:
            parts = [part for line in parts for part in wrap(line, width, _NAME)]
        if len(parts) != len(self._facts.lines):
            self._facts.styles.height = len(parts)
        self._facts.show(parts)

    def _lines(self, page: JobPage, width: int, at: int | None) -> list[Cell]:
        row = page.row
        state: Cell = (("   paused", "warn"),) if not row.enabled else (("   scheduled", "text"),)
        head: Cell = ((row.agent, "accent"), *state)
        fires = ", ".join(self._due(at_ms) for at_ms in page.fires_ms) or "none while it is paused"
        each = "not known yet" if row.tokens_per_fire is None else f"{row.tokens_per_fire:,}"
        return [
            head,
            _fact("due", row.trigger, f"{row.zone}, {row.lane} lane"),
            _fact("next fires", fires),
            _fact("tokens", each, "for each fire, as the mean of its last runs"),
            _fact("injects", *_injects(page)),
            *([_fact("task", page.task)] if page.task else []),
            _fact("slots", f"{len(page.fired):,}", _SLOTS) if page.fired else _fact("slots", "none was due yet"),
            *([strip(page.fired, at, width)] if at is not None else []),
        ]

    def _due(self, at_ms: int) -> str:
        zone = self.deck.zone
        return due(at_ms, self.now_ms, zone) if self.now_ms else clock(at_ms, zone)

    def _was_due(self, due_ms: int) -> str:
        return moment(due_ms, self.now_ms, self.deck.zone, self._seconds)

    def _key(self, row: Fired) -> Hashable:
        return row.slot.due_ms

    def _cells(self, row: Fired) -> Sequence[Cell]:
        slot, run = row.slot, row.run
        said, tone = (slot.state, _tone(slot.state)) if run is None else outcome_words(run)
        late = run.started_ms - slot.due_ms if run is not None and run.started_ms is not None else None
        return (
            (slot_letter(slot.state),),
            span(self._was_due(slot.due_ms) if self.now_ms else "", "dim"),
            span(said, tone),
            span("-" if run is None else str(run.id), "dim"),
            span(tokens(run.used_tokens or None) if run is not None and not run.open else "-"),
            span("-" if run is None else took(run, self.now_ms), "dim"),
            span("-" if late is None else age(0, late).replace("now", "no"), "dim"),
            span(slot.reason or (run.why if run is not None else None) or "", "dim"),
        )


def fires_within_minutes(page: JobPage) -> bool:
    """Whether a minute can have several of its due times: then they are told with their seconds."""
    times = (*(one.slot.due_ms for one in page.fired), *page.fires_ms)
    return any(later - earlier < MINUTE_MS for earlier, later in pairwise(times))


_SLOTS = "the last due times, oldest first; [] is where the cursor is"


def strip(fired: Sequence[Fired], at: int, width: int) -> Cell:
    """A letter for each due time, as many as there is room for around the cursor, which is set apart."""
    room = width - 4
    first = max(0, min(at - room // 2, len(fired) - room))
    letters = [slot_letter(one.slot.state) for one in fired[first : first + room]]
    place = at - first
    here: Span = (f"[{letters[place][0]}]", "accent")
    return (("  ", "text"), *letters[:place], here, *letters[place + 1 :])


def _injects(page: JobPage) -> tuple[str, str]:
    """What the last prompt carried, with its tokens; before the first what is declared."""
    said = "as its agent or its task type says" if page.inject is None else ", ".join(page.inject) or "no file"
    sent = [part for part in page.parts if part.sent]
    if not sent:
        return said, ""
    each = ", ".join(f"{part_name(part)} {tokens(part.tokens)}" for part in sent)
    return said, f"its last prompt: {plural(sum(part.tokens for part in sent), 'token')}: {each}"


def _tone(state: str) -> Tone:
    return slot_letter(state)[1]


def _fact(name: str, value: str, beside: str = "") -> Cell:
    return ((name.ljust(_NAME), "dim"), (value, "text"), (f"   {beside}" if beside else "", "dim"))
