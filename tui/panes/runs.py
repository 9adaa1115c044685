"""Every run that went through the gate, or was refused there, newest first."""

from collections.abc import Hashable, Sequence
from typing import Any

from state.runs import Run
from tui import actions
from tui.panes.copies import Copies
from tui.panes.messages import EditorAsked, RunOpened, StopAsked, ask
from tui.panes.pane import Pane
from tui.reading.clients import called
from tui.reading.found import RUNS_SHOWN, Found, found_runs, run_words
from tui.text import age, duration, tokens
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, Column, span

OUTCOME_TONES: dict[str, Tone] = {
    "succeeded": "text",
    "failed": "bad",
    "crashed": "bad",
    "timed_out": "bad",
    "silent": "bad",
    "could_not_start": "bad",
    "interrupted": "bad",
    "cancelled": "warn",
    "refused": "warn",
    "budget_reached": "warn",
}
WAITS_SHORT = {"approval": "your word", "budget": "budget", "claim": "claim", "slot": "place"}
"""What a run waits for, in a cell."""
RUN_COLUMNS = (
    Column("run", 5, "right"),
    Column("outcome", 16, letter="O"),
    Column("what was asked", 16, grows=True, letter="W"),
    Column("agent", 10, drop=2, letter="A"),
    Column("trigger", 10, drop=4),
    Column("conversation", 18, drop=6),
    Column("est.", 6, "right", drop=5, letter="S"),
    Column("took", 10, "right", drop=3, letter="T"),
    Column("asked", 7, "right", drop=1, letter="K"),
)


class RunsPane(Pane[Run]):
    """The last runs of all sessions."""

    BINDINGS = actions.bindings("runs")

    CONTEXT = "runs"
    COLUMNS = RUN_COLUMNS
    TEACHING = (
        "No runs yet. Whatever spends a token here is a run: it passes the same checks,",
        "reserves what it may cost, and is settled by what it used. {spawn} asks for one.",
    )

    ON_ROW = Pane.ON_ROW | {"open", "stop", "editor"}
    WITH_MANY = frozenset({"stop"})

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self._newest: Sequence[Run] = ()
        self._older: Found | None = None
        """What a filter has found among the runs that are not listed."""
        self._asks: str | None = None
        """The filter that is being looked for; one at a time."""

    def key(self, row: Run) -> Hashable:
        return row.id

    def note(self) -> Cell:
        if self._asks is not None:
            return (("looking through the older ones", "dim"),)
        if self._older is not None and self._older.more:
            return ((f"the newest {len(self._older.runs):,} that match: say more to find older ones", "warn"),)
        return ()

    def show(self, rows: Sequence[Run]) -> None:
        self._newest = rows
        super().show(self._with_older())
        self.call_after_refresh(self.draw_title)

    def narrow(self, text: str) -> None:
        super().narrow(text)
        self._look_further()

    def words(self, row: Run) -> str:
        return f"{super().words(row)}\n{run_words(row)}"

    def worth(self, row: Run, title: str) -> Any:
        match title:
            case "outcome":
                return outcome_words(row)[0]
            case "what was asked":
                return row.task or None
            case "agent":
                return called(row.agent)
            case "est.":
                return row.estimate_tokens
            case "took":
                return None if row.started_ms is None else (row.ended_ms or self.now_ms) - row.started_ms
            case _:
                return row.requested_ms

    def can(self, action: str, row: Run) -> bool:
        return row.open if action == "stop" else action != "editor" or row.started_ms is not None

    def copies(self, row: Run) -> Copies:
        more = (("what was asked", row.task), ("workspace", row.workspace))
        return (("run id", str(row.id)), *((what, text) for what, text in more if text))

    def on_table_cursor_moved(self) -> None:
        super().on_table_cursor_moved()
        self.call_after_refresh(self.draw_title)

    def cells(self, row: Run) -> Sequence[Cell]:
        return run_cells(row, self.now_ms)

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if row := self.table.selected:
            await ask(self.app, RunOpened(row.id))

    def action_stop(self) -> None:
        rows = self.chosen("stop")
        if self.marked:
            self.post_message(self._with_many("stop", [(f"run {row.id}", row.id) for row in rows]))
        elif rows:
            self.post_message(StopAsked(rows[0].id, waits=not rows[0].live))

    def action_editor(self) -> None:
        for row in self.chosen("editor"):
            self.post_message(EditorAsked(run_id=row.id))

    def _look_further(self) -> None:
        """The older runs are looked through too, by the reader; what was typed meanwhile is looked for next."""
        text = self.listing.text
        if not text or len(self._newest) < RUNS_SHOWN:
            self._take_older(None)
        elif self._asks is None:
            self._asks = text
            self.app.feed.once(found_runs(text), self._found)  # type: ignore[attr-defined]

    def _found(self, found: Found) -> None:
        self._asks = None
        if found.text == self.listing.text:
            self._take_older(found)
        else:
            self._look_further()

    def _take_older(self, found: Found | None) -> None:
        self._older = found
        self.listing.take(self._with_older())
        self._show_filtered()

    def _with_older(self) -> Sequence[Run]:
        """The newest ones, and what the filter found behind them."""
        if self._older is None or not self._newest:
            return self._newest
        last = self._newest[-1].id
        return (*self._newest, *(run for run in self._older.runs if run.id < last))


def run_cells(run: Run, now_ms: int) -> Sequence[Cell]:
    """A run in one line, wherever runs are listed."""
    said, tone = outcome_words(run)
    return (
        span(str(run.id), "dim"),
        span(said, tone),
        span(run.task or "-"),
        span(called(run.agent), "dim"),
        span(run.trigger, "dim"),
        span((run.reuse_reason or "-").replace("_", " "), "dim"),
        span(tokens(run.estimate_tokens), "dim"),
        span(took(run, now_ms), "dim"),
        span(age(run.requested_ms, now_ms) if now_ms else "", "dim"),
    )


def outcome_words(run: Run) -> tuple[str, Tone]:
    """How it ended, or in which state it is."""
    if run.live:
        return run.state, "accent"
    if run.state == "waiting":
        return f"waits: {WAITS_SHORT.get(run.waits_for or '', run.waits_for)}", waits_tone(run)
    outcome = run.outcome or run.state
    return outcome.replace("_", " "), OUTCOME_TONES.get(outcome, "text")


def waits_tone(run: Run) -> Tone:
    """The operator's word is the operator's to give; what comes by itself is only told."""
    return "warn" if run.waits_for == "approval" else "accent"


def took(run: Run, now_ms: int) -> str:
    """How long it ran; of a live run the minutes only, so that a quiet screen stays quiet."""
    if run.started_ms is None:
        return "-"
    if run.ended_ms is not None:
        return duration(run.ended_ms - run.started_ms)
    return age(run.started_ms, now_ms) if now_ms else "-"
