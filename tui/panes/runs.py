"""Every run that went through the gate, or was refused there, newest first."""

from collections.abc import Hashable, Sequence

from state.runs import Run
from tui import actions
from tui.panes.messages import RunOpened, StopAsked, ask
from tui.panes.pane import Pane
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
    Column("outcome", 16),
    Column("what was asked", 16, grows=True),
    Column("agent", 10, drop=2),
    Column("trigger", 10, drop=4),
    Column("conversation", 18, drop=6),
    Column("est.", 6, "right", drop=5),
    Column("took", 10, "right", drop=3),
    Column("asked", 7, "right", drop=1),
)


class RunsPane(Pane[Run]):
    """The last runs of all sessions."""

    BINDINGS = actions.bindings("runs")

    CONTEXT = "runs"
    COLUMNS = RUN_COLUMNS
    TEACHING = (
        "No runs yet. Whatever spends a token here is a run: it passes the same checks,",
        "reserves what it may cost, and is settled by what it used. Press s to ask for one.",
    )

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette)
        self.table.keeps_first = True

    def key(self, row: Run) -> Hashable:
        return row.id

    def note(self) -> Cell:
        return ((f"{self.table.above:,} newer above", "accent"),) if self.table.above else ()

    def show(self, rows: Sequence[Run]) -> None:
        super().show(rows)
        self.call_after_refresh(self.draw_title)

    def on_table_cursor_moved(self) -> None:
        super().on_table_cursor_moved()
        self.call_after_refresh(self.draw_title)

    def cells(self, row: Run) -> Sequence[Cell]:
        return run_cells(row, self.now_ms)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.table.selected
        if row is not None and action == "stop" and not row.open:
            return False
        return super().check_action(action, parameters)

    async def on_table_row_chosen(self) -> None:
        await self.action_open()

    async def action_open(self) -> None:
        if row := self.table.selected:
            await ask(self.app, RunOpened(row.id))

    def action_stop(self) -> None:
        if row := self.table.selected:
            self.post_message(StopAsked(row.id, waits=not row.live))


def run_cells(run: Run, now_ms: int) -> Sequence[Cell]:
    """A run in one line, wherever runs are listed."""
    said, tone = outcome_words(run)
    return (
        span(str(run.id), "dim"),
        span(said, tone),
        span(run.task or "-"),
        span(run.agent, "dim"),
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
