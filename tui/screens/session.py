"""One session: its generations with what each has spent, and its runs with why each resumed or began afresh."""

from collections.abc import Hashable, Sequence

from textual.app import ComposeResult

from engine.sessions.reuse import WORDS
from state.runs import Run
from state.sessions import OURS, Generation
from tui import actions, changes
from tui.panes.messages import AttachAsked, ResetAsked, RunOpened, StopAsked, TalkAsked, UndoAsked, ask
from tui.panes.runs import outcome_words, took
from tui.reading import Gone
from tui.screens.screen import DeckScreen
from tui.screens.session_figures import figure_lines
from tui.text import TREND_MARKS, age, ago, cost, percent, plural, stamp, tokens
from tui.theme import Palette, Tone
from tui.views import GENERATIONS_SHOWN, SessionDetail, session_detail
from tui.widgets.cells import Cell, Column, Placed, cut, place, span
from tui.widgets.flash import Flash
from tui.widgets.lines import Lines
from tui.widgets.table import Table

_COLUMNS = (
    Column("run", 5, "right"),
    Column("outcome", 16),
    Column("conversation: why resumed or fresh", 34, grows=True),
    Column("gen", 3, "right", drop=5),
    Column("what it was asked", 24, drop=4),
    Column("est.", 6, "right", drop=3),
    Column("took", 10, "right", drop=2),
    Column("asked", 7, "right", drop=1),
)
_GENERATION_COLUMNS = (
    Column("", 1),
    Column("gen", 4, "right"),
    Column("started", 11, drop=1),
    Column("in", 6, "right"),
    Column("cache rd", 8, "right", drop=2),
    Column("cache wr", 8, "right", drop=3),
    Column("out", 6, "right"),
    Column("cost", 8, "right"),
    Column("ctx", 4, "right"),
    Column("cache", 5, "right"),
    Column("why", 30, grows=True),
    Column("model", 16, drop=4),
)


class SessionScreen(DeckScreen):
    """Generations above, runs below; enter opens a run."""

    DEFAULT_CSS = """
    SessionScreen { padding: 0 1; }
    SessionScreen > .-summary { height: 4; }
    SessionScreen > .-generations { height: auto; }
    SessionScreen > .-figures { height: auto; margin-top: 1; }
    SessionScreen > .-runs { height: 1; margin-top: 1; }
    SessionScreen > .-said { height: 1; }
    """
    BINDINGS = actions.bindings("session")
    CONTEXTS = ("session",)

    def __init__(self, palette: Palette, session_id: int) -> None:
        super().__init__(palette)
        self.session_id = session_id
        self.detail: SessionDetail | None = None
        self.table: Table[Run] = Table(_COLUMNS, self._key, self._cells, palette)
        self._summary = Lines(palette, classes="-summary")
        self._generations = Lines(palette, classes="-generations")
        self._figures = Lines(palette, classes="-figures")
        self._runs_title = Lines(palette, classes="-runs")
        self._said = Flash(palette)

    def compose_body(self) -> ComposeResult:
        yield self._summary
        yield self._generations
        yield self._figures
        yield self._runs_title
        yield self.table
        yield self._said

    def on_mount(self) -> None:
        self.table.focus()

    def on_screen_resume(self) -> None:
        self.deck.feed.watch(session_detail(self.session_id))

    def on_resize(self) -> None:
        self._draw()

    def take(self, change: changes.Change) -> None:
        match change:
            case changes.DetailChanged(SessionDetail() as detail) if detail.session.id == self.session_id:
                self.detail = detail
                self.table.show(detail.runs)
                self._draw()
                self.refresh_bindings()
            case changes.DetailChanged(Gone(line)):
                self._said.stand(((line, "warn"),))
            case _:
                pass

    def tick(self, now_ms: int) -> None:
        super().tick(now_ms)
        self.table.refresh_changed()
        self._draw()

    def flash(self, line: str, tone: Tone = "text") -> None:
        self._said.flash(line, tone)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open" and self.table.selected is None:
            return False
        if action == "stop" and self._open is None:
            return False
        if action in ("reset", "talk") and (self.detail is None or self.detail.session.agent is None):
            return False
        return super().check_action(action, parameters)

    def on_table_cursor_moved(self) -> None:
        self.refresh_bindings()

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if run := self.table.selected:
            await ask(self.app, RunOpened(run.id))

    async def action_talk(self) -> None:
        await ask(self.app, TalkAsked(self.session_id))

    def action_attach(self) -> None:
        self.post_message(AttachAsked(self.session_id))

    def action_reset(self) -> None:
        self.post_message(ResetAsked(self.session_id))

    def action_stop(self) -> None:
        if run := self._open:
            self.post_message(StopAsked(run.id, waits=not run.live))

    def action_undo(self) -> None:
        self.post_message(UndoAsked())

    def action_back(self) -> None:
        self.deck.feed.unwatch()
        self.dismiss()

    @property
    def _open(self) -> Run | None:
        runs: Sequence[Run] = self.detail.runs if self.detail else ()
        return next((run for run in runs if run.open), None)

    def _draw(self) -> None:
        if self.detail is None:
            return
        self._summary.show(summary_lines(self.detail, self.now_ms))
        lines = generation_lines(self.detail, self.now_ms, max(40, self.size.width - 2))
        self._generations.styles.height = len(lines)
        self._generations.show(lines)
        figures = figure_lines(self.detail, self.now_ms, max(40, self.size.width - 2))
        self._figures.styles.height = len(figures)
        self._figures.show(figures)
        teach = "" if self.detail.runs else "   none of ours: what it spends is read from its client's log"
        self._runs_title.show([(("Runs", "head"), (f"  {len(self.detail.runs):,}{teach}", "dim"))])

    def _key(self, run: Run) -> Hashable:
        return run.id

    def _cells(self, run: Run) -> Sequence[Cell]:
        said, tone = outcome_words(run)
        numbers = {g.id: g.number for g in self.detail.generations} if self.detail else {}
        number = numbers.get(run.generation_id) if run.generation_id is not None else None
        return (
            span(str(run.id), "dim"),
            span(said, tone),
            span(reuse_words(run)),
            span("-" if number is None else str(number), "dim"),
            span(run.task or run.job or "-", "dim"),
            span(tokens(run.estimate_tokens), "dim"),
            span(took(run, self.now_ms), "dim"),
            span(age(run.requested_ms, self.now_ms) if self.now_ms else "", "dim"),
        )


def reuse_words(run: Run) -> str:
    """Why the conversation was resumed or started afresh, as a sentence."""
    if run.reuse_reason is None:
        return "refused before it had one" if run.state == "refused" else "-"
    return WORDS.get(run.reuse_reason, run.reuse_reason.replace("_", " "))


def summary_lines(detail: SessionDetail, now_ms: int) -> list[Cell]:
    session = detail.session
    spent = sum(_spent(generation) for generation in detail.generations)
    standing = sum(generation.undone_ms is None for generation in detail.generations)
    who = session.agent or session.source
    kind = f"{session.lane} lane" if session.source == OURS else "observed: watched and counted, not gated"
    return [
        ((f"{who} ", "accent"), ("> ", "dim"), (session.title or session.job or f"session {session.id}", "bold")),
        (("workspace  ", "dim"), (session.workspace or "unknown", "text"), (f"   {kind}", "dim")),
        (
            ("spent      ", "dim"),
            (f"{spent:,} tokens", "text"),
            (f", {_money_words(detail.generations)}", "text"),
            (f" over {plural(standing, 'generation')}", "dim"),
            (f"   last active {ago(session.last_active_ms, now_ms)}", "dim"),
            (f"   session {session.id}", "dim"),
        ),
    ]


def generation_lines(detail: SessionDetail, now_ms: int, width: int) -> list[Cell]:
    """The newest generations, the one that the session stands in marked with `>`."""
    shown = detail.generations[-GENERATIONS_SHOWN:]
    older = len(detail.generations) - len(shown)
    placed = place(_GENERATION_COLUMNS, width)
    lines = [_joined(placed, tuple(span(column.title, "dim") for column in _GENERATION_COLUMNS))]
    if older:
        lines.append(((f"  {plural(older, 'older generation')} not shown", "dim"),))
    return [*lines, *(_joined(placed, _generation_cells(detail, generation, now_ms)) for generation in shown)]


def _joined(placed: Sequence[Placed], cells: Sequence[Cell]) -> Cell:
    blank: Cell = ((" ", "text"),)
    parts = [cut(cells[at.index], at.width, _GENERATION_COLUMNS[at.index].align) for at in placed]
    return tuple(spot for part in parts for spot in (*part, *blank))


def _generation_cells(detail: SessionDetail, generation: Generation, now_ms: int) -> Sequence[Cell]:
    here = generation.id == detail.session.generation_id
    undone = "  (undone)" if generation.undone_ms is not None else ""
    why = WORDS.get(generation.reason, generation.reason.replace("_", " "))
    note = f'  "{generation.note}"' if generation.note else ""
    tone: Tone = "text" if here else "dim"
    found = detail.figures.get(generation.id)
    unknown = generation.read == 0
    figures = (
        generation.input_tokens,
        generation.cache_read_tokens,
        generation.cache_write_tokens,
        generation.output_tokens,
    )
    ratio = f"{percent(found.ratio)}{TREND_MARKS.get(found.trend or '', '')}" if found else "-"
    return (
        span(">" if here else " ", "accent"),
        span(str(generation.number), tone),
        span(_started(generation.started_ms, now_ms), "dim"),
        *(span("-" if unknown else tokens(number), tone) for number in figures),
        span(_cost(generation) if generation.responses else "-", tone),
        span(percent(found.fill) if found else "-", tone),
        span(ratio, tone),
        ((f"{why}{undone}", tone), (note, "dim")),
        span(generation.model or "-", "dim"),
    )


def _started(at_ms: int, now_ms: int) -> str:
    """`11-21 05:53` this year, else the day."""
    said = stamp(at_ms, None)
    return said[5:] if said[:4] == stamp(now_ms, None)[:4] else said[:10]


def _cost(generation: Generation, short: bool = True) -> str:
    return cost(generation.cost_microusd, generation.unpriced, generation.responses, short)


def _money_words(generations: Sequence[Generation]) -> str:
    """`$0.83`, `$0.83 (12 of 40 responses have no price)`, `cost unknown`."""
    responses = sum(generation.responses for generation in generations)
    unpriced = sum(generation.unpriced for generation in generations)
    said = cost(sum(generation.cost_microusd for generation in generations), unpriced, responses, short=False)
    if responses == 0 or said == "-":
        return "cost unknown"
    return f"{said} ({unpriced:,} of {responses:,} responses have no price)" if unpriced else said


def _spent(generation: Generation) -> int:
    return (
        generation.input_tokens
        + generation.cache_read_tokens
        + generation.cache_write_tokens
        + generation.output_tokens
    )
