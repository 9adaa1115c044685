"""What happened while no console was open? Counted and listed from where the last one was left, on the next start.

A bookmark in the state folder says until when a console was there (`state.seen`). Only what somebody should know of is
told: where nothing of the kind happened, nothing is said, however many tokens went.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from state import approvals, events, seen, spend
from state.events import Event
from state.home import Home
from state.seen import Seen
from tui.reading.event_log import ASKED, ENDED, FAILED, REFUSED, cleaned
from tui.reading.snapshot import Reading
from tui.text import age, cost, plural, token_words

LEAST_MS = 60_000
"""A console that is opened again at once has missed nothing."""
MARK_EVERY_MS, MARK_SOON_MS = 30_000, 5_000
"""How often a console that is open moves the bookmark, and how soon when events were shown; by so much a hard cut may
be off."""
SETTLES_MS = 3_000
"""So long after an engine came it tells what happened before it."""
_TOLD = (
    ENDED
    | FAILED
    | REFUSED
    | ASKED
    | {"missed", "overlap", "budget", "over_budget", "over_cap", "fell_back", "unavailable", "trouble"}
)
"""Kinds that are listed."""


class GoneBy(Struct, frozen=True):
    """What happened meanwhile."""

    since_ms: int
    until_ms: int
    ended: int
    failed: int
    refused: int
    missed: int
    crossings: int
    """Budgets that came near their limit, or were used up."""
    questions: int
    fallbacks: int
    troubles: int
    tokens: int
    cost_microusd: int
    unpriced: int
    responses: int
    rows: tuple[Event, ...]
    """Oldest first."""


def gone_by(mark: Seen | None, began_ms: int, now_ms: int) -> Callable[[Reading], GoneBy | None]:
    """A reading from the bookmark to now, for a console that began then; None where there is nothing to tell."""

    def read(reading: Reading) -> GoneBy | None:
        if mark is None or began_ms - mark.at_ms < LEAST_MS:
            return None
        rows = [cleaned(row) for row in events.after(reading.connection, mark.event_id) if row.kind in _TOLD]
        rows = [row for row in rows if row.at_ms <= now_ms]
        return _counted(reading, mark.at_ms, began_ms, rows) if rows else None

    return read


def _counted(reading: Reading, since_ms: int, until_ms: int, rows: Sequence[Event]) -> GoneBy:
    kinds = Counter(row.kind for row in rows)
    spent = spend.totals(reading.connection, spend.Span(since_ms, until_ms))
    return GoneBy(
        since_ms=since_ms,
        until_ms=until_ms,
        ended=_of(kinds, ENDED),
        failed=_of(kinds, FAILED & ENDED),
        refused=_of(kinds, REFUSED),
        missed=_of(kinds, {"missed", "overlap"}),
        crossings=_of(kinds, {"budget", "over_budget", "over_cap"}),
        questions=approvals.asked_since(reading.connection, since_ms),
        fallbacks=_of(kinds, {"fell_back"}),
        troubles=_of(kinds, {"trouble"}),
        tokens=spent.tokens,
        cost_microusd=spent.cost_microusd,
        unpriced=spent.unpriced,
        responses=spent.responses,
        rows=tuple(rows),
    )


def _of(kinds: Counter[str], wanted: frozenset[str] | set[str]) -> int:
    return sum(kinds[kind] for kind in wanted)


def counts(told: GoneBy) -> str:
    """`4 runs ended, 1 failed, 2 questions, 41.2k tokens, $0.83`: only what there is."""
    said = [
        (told.ended, plural(told.ended, "run") + " ended"),
        (told.failed, f"{told.failed:,} failed"),
        (told.refused, f"{told.refused:,} refused"),
        (told.missed, plural(told.missed, "slot") + " missed"),
        (told.crossings, plural(told.crossings, "budget") + " near or over the limit"),
        (told.questions, plural(told.questions, "question")),
        (told.fallbacks, plural(told.fallbacks, "fallback")),
        (told.troubles, plural(told.troubles, "trouble")),
        (told.tokens, token_words(told.tokens)),
        (told.responses, cost(told.cost_microusd, told.unpriced, told.responses)),
    ]
    return ", ".join(words for number, words in said if number and words != "-")


def line(told: GoneBy, lists: str, drops: str) -> str:
    """In one line, with how long it was and the keys that list and drop it, which a narrow line keeps."""
    gone = age(told.since_ms, told.until_ms)
    return f"while you were gone ({gone}; {lists} lists it, {drops} drops it): {counts(told)}"


def grave(told: GoneBy) -> bool:
    """Whether anything went otherwise than it should."""
    return any((told.failed, told.refused, told.missed, told.crossings, told.questions, told.troubles))


class Bookmark:
    """This console's hand on the bookmark: what it found, and where it puts it. Writing waits for the disk."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.found = seen.read(home)
        self._event_id: int | None = None
        self._marked_ms, self._marked_id = 0, -1
        self._settled_ms: int | None = None
        self._read = False

    def saw(self, rows: Sequence[Event]) -> None:
        """These events have been shown, newest first."""
        self._event_id = rows[0].id if rows else 0

    def engine_came(self, now_ms: int) -> None:
        """From now on it says what it found when it came: slots that were missed, runs that ended without it."""
        if self._settled_ms is None:
            self._settled_ms = now_ms + SETTLES_MS

    def due(self, now_ms: int) -> bool:
        """Whether to look, again, what happened while nobody was there."""
        settles = self._settled_ms is not None and now_ms <= self._settled_ms
        if self._event_id is None or (self._read and not settles):
            return False
        self._read = True
        return self.found is not None

    def tick(self, now_ms: int) -> None:
        """Move it along once in a while, beside the screen."""
        rest_ms = MARK_EVERY_MS if self._event_id == self._marked_id else MARK_SOON_MS
        if self._event_id is not None and now_ms - self._marked_ms >= rest_ms:
            self._marked_ms, self._marked_id = now_ms, self._event_id
            mark = Seen(now_ms, self._event_id)
            threading.Thread(target=seen.write, args=(self._home, mark), name="bookmark", daemon=True).start()

    def leave(self, now_ms: int) -> None:
        """The console is left: put it here."""
        if self._event_id is not None:
            seen.write(self._home, Seen(now_ms, self._event_id))
