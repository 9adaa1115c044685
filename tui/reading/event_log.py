"""What happened, event by event, how grave was it, and what is it about? All that is kept, read on as it grows."""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from msgspec import Struct
from msgspec.structs import replace

from state import events
from state.events import EVENTS_KEPT, Event
from tui.clean import clean
from tui.reading.snapshot import Reading
from tui.text import clock, stamp
from tui.theme import Tone
from tui.widgets.cells import Cell, Column, span

FAILED = frozenset({"failed", "crashed", "timed_out", "silent", "could_not_start", "interrupted", "violation"})
"""Kinds that say how a run ended badly."""
REFUSED = frozenset({"refused", "run_refused"})
ENDED = FAILED - {"violation"} | {"succeeded", "cancelled", "budget_reached"}
ASKED = frozenset({"asks", "waiting"})
_TROUBLE = FAILED | {"trouble", "unreadable", "bad_order", "config_error"}
_LOOK = (
    REFUSED
    | ASKED
    | {"cancelled", "budget_reached", "over_budget", "over_cap", "budget", "missed", "overlap", "unavailable"}
    | {"fell_back", "resume_refused", "unheard", "expired", "denied", "noted"}
)
LEVELS: dict[str, tuple[str, Tone]] = {
    "x": ("trouble", "bad"),
    "!": ("worth a look", "warn"),
    ".": ("as it goes", "dim"),
}
"""Letter, word and tone."""
COLUMNS = (
    Column("time", 8, letter="M"),
    Column("L", 1),
    Column("kind", 14, letter="K"),
    Column("what happened", 24, grows=True),
    Column("run", 5, "right", drop=1, letter="U"),
    Column("session", 7, "right", drop=3),
    Column("job", 14, drop=2, letter="J"),
)


class EventLog(Struct, frozen=True):
    """Every event that is kept, oldest first."""

    rows: tuple[Event, ...]


def event_log() -> Callable[[Reading], EventLog]:
    """A reading that goes on where it was: only what is new is read, and cleaned."""
    known: tuple[Event, ...] = ()

    def read(reading: Reading) -> EventLog:
        nonlocal known
        if known and events.last_id(reading.connection) < known[-1].id:
            known = ()  # another state has taken its place
        new = events.after(reading.connection, known[-1].id if known else 0)
        if new:
            known = (*known, *map(cleaned, new))[-EVENTS_KEPT:]
        return EventLog(known)

    return read


def cleaned(event: Event) -> Event:
    """Only what may be somebody else's text: twenty thousand of them are read at once."""
    kind, text, job = clean(event.kind), clean(event.text), event.job and clean(event.job)
    if (kind, text, job) == (event.kind, event.text, event.job):
        return event
    return replace(event, kind=kind, text=text, job=job)


def level(kind: str) -> str:
    """`x`: trouble. `!`: worth a look. `.`: as it goes."""
    return "x" if kind in _TROUBLE else "!" if kind in _LOOK else "."


def event_cells(event: Event, zone: tzinfo | None, now_ms: int) -> Sequence[Cell]:
    """An event in one line, wherever events are listed."""
    letter = level(event.kind)
    tone = LEVELS[letter][1]
    return (
        span(_when(event.at_ms, zone, now_ms), "dim"),
        span(letter, tone),
        span(event.kind.replace("_", " "), tone),
        span(event.text),
        span("-" if event.run_id is None else str(event.run_id), "dim"),
        span("-" if event.session_id is None else str(event.session_id), "dim"),
        span(event.job or "-", "dim"),
    )


def event_words(event: Event) -> str:
    """The text that a filter looks in."""
    return f"{event.kind} {LEVELS[level(event.kind)][0]} {event.text} {event.job or ''}"


def _when(at_ms: int, zone: tzinfo | None, now_ms: int) -> str:
    """`14:05:09`; of another day `21 14:05`."""
    said = stamp(at_ms, zone)
    return clock(at_ms, zone) if said[:10] == stamp(now_ms or at_ms, zone)[:10] else said[8:16]
