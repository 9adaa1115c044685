"""What has a session been through, in the order of time? Its conversations and its runs, a row for each."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Literal

from msgspec import Struct

from engine.sessions.reuse import WORDS
from state.runs import Run
from state.sessions import OURS, Generation
from tui.panes.runs import outcome_words, took
from tui.reading.details import SessionDetail
from tui.text import cost, moment, tokens
from tui.theme import Tone
from tui.widgets.cells import Cell, Column, span

COLUMNS = (
    Column("", 1),
    Column("when", 9),
    Column("run", 6, "right"),
    Column("trigger", 10, drop=2),
    Column("tokens", 6, "right"),
    Column("cost", 6, "right", drop=1),
    Column("took", 10, "right", drop=3),
    Column("conversation: why resumed or fresh", 20, grows=True),
    Column("what it was asked", 34, drop=4),
)
OUTCOME_LETTERS: dict[str, str] = {
    "succeeded": "v",
    "failed": "f",
    "crashed": "f",
    "could_not_start": "f",
    "timed_out": "t",
    "silent": "t",
    "interrupted": "i",
    "cancelled": "c",
    "refused": "r",
    "budget_reached": "b",
}
BEGUN, RESET, FORK, UNDONE = "+", "R", "F", "U"
"""A conversation that began: by itself, by the operator's reset, as a copy of another; and one that was undone."""


class Entry(Struct, frozen=True):
    """A conversation or a run."""

    kind: Literal["generation", "run"]
    id: int
    at_ms: int
    letter: str
    tone: Tone
    name: str
    trigger: str
    tokens: int | None
    """None where nobody knows."""
    cost: str
    why: str
    task: str
    run: Run | None = None
    here: bool = False
    """The conversation that the session stands in."""

    @property
    def key(self) -> tuple[str, int]:
        return self.kind, self.id


def entries(detail: SessionDetail) -> tuple[Entry, ...]:
    """Oldest first. A conversation stands before the first run in it, whose asking began it."""
    first: dict[int, int] = {}
    for run in detail.runs:
        if run.generation_id is not None:
            first[run.generation_id] = min(run.requested_ms, first.get(run.generation_id, run.requested_ms))
    begun = [_begun(detail, one, first.get(one.id)) for one in detail.generations]
    found = [*begun, *map(_ran, detail.runs)]
    return tuple(sorted(found, key=lambda one: (one.at_ms, one.kind, one.id)))


def cells(entry: Entry, now_ms: int, zone: tzinfo | None) -> Sequence[Cell]:
    """A row of the table, for COLUMNS."""
    calm: Tone = "text" if entry.here or entry.run is not None else "dim"
    return (
        span(entry.letter, entry.tone),
        span(moment(entry.at_ms, now_ms, zone) if now_ms else "", "dim"),
        span(entry.name, "accent" if entry.here else "dim"),
        span(entry.trigger, "dim"),
        span(tokens(entry.tokens), calm),
        span(entry.cost, calm),
        span("" if entry.run is None else took(entry.run, now_ms), "dim"),
        span(entry.why, calm),
        span(entry.task, "dim"),
    )


def reuse_words(run: Run) -> str:
    """Why the conversation was resumed or started afresh, as a sentence."""
    if run.reuse_reason is None:
        return "refused before it had one" if run.state == "refused" else "-"
    return WORDS.get(run.reuse_reason, run.reuse_reason.replace("_", " "))


def begun_words(generation: Generation) -> str:
    """Why the conversation began, by whom it was undone, whose copy it is, and what the operator said."""
    why = WORDS.get(generation.reason, generation.reason.replace("_", " "))
    fork = f"  (a copy of {generation.forked_from})" if generation.forked_from else ""
    undone = "  (undone)" if generation.undone_ms is not None else ""
    return f"{why}{fork}{undone}" + (f'  "{generation.note}"' if generation.note else "")


def _begun(detail: SessionDetail, generation: Generation, first_ms: int | None) -> Entry:
    letter = BEGUN
    if generation.forked_from or generation.reason == "forked":
        letter = FORK
    elif generation.reason == "operator_reset":
        letter = RESET
    if generation.undone_ms is not None:
        letter = UNDONE
    known = generation.responses or (generation.read and generation.source != OURS)
    return Entry(
        kind="generation",
        id=generation.id,
        at_ms=min(generation.started_ms, first_ms or generation.started_ms),
        letter=letter,
        tone="accent" if letter != UNDONE else "dim",
        name=f"gen {generation.number}",
        trigger="",
        tokens=spent(generation) if known else None,
        cost=cost(generation.cost_microusd, generation.unpriced, generation.responses) if generation.responses else "-",
        why=begun_words(generation),
        task=generation.model or "",
        here=generation.id == detail.session.generation_id,
    )


def _ran(run: Run) -> Entry:
    _, tone = outcome_words(run)
    return Entry(
        kind="run",
        id=run.id,
        at_ms=run.requested_ms,
        letter=letter_of(run),
        tone=tone,
        name=str(run.id),
        trigger=run.trigger,
        tokens=used(run),
        cost=run_cost(run),
        why=reuse_words(run),
        task=run.task or run.job or "",
        run=run,
    )


def letter_of(run: Run) -> str:
    """One letter for how it ended, or for what it does."""
    if run.state == "waiting":
        return "!" if run.waits_for == "approval" else "z"
    return ">" if run.live else OUTCOME_LETTERS.get(run.outcome or run.state, "?")


def used(run: Run) -> int | None:
    """Tokens; None while it has told of none, and where it has ended without a word of them."""
    nothing_booked = run.open or (run.started_ms is not None and not run.unpriced)
    return None if nothing_booked and not run.used_tokens else run.used_tokens


def run_cost(run: Run) -> str:
    """`-` where nothing has a price; `+` behind it where some has none."""
    if not run.used_tokens:
        return "-" if used(run) is None or run.unpriced else "$0.00"
    return cost(run.used_microusd, run.unpriced, run.unpriced + bool(run.used_microusd or not run.unpriced))


def spent(generation: Generation) -> int:
    """Tokens of all kinds."""
    return (
        generation.input_tokens
        + generation.cache_read_tokens
        + generation.cache_write_tokens
        + generation.output_tokens
    )
