"""Which sessions stand on top? Those that wait for the operator, then those that work; the others by last activity."""

from collections.abc import Hashable, Mapping, Sequence

from msgspec import Struct

from state.board import BoardRow
from tui.reading.states import NOTHING, WORKING_MS, Evidence, Unstarted, urgency

Row = BoardRow | Unstarted


class Ranked(Struct, frozen=True):
    """The rows in this order, and which of them are on top."""

    rows: tuple[Row, ...] = ()
    asking: frozenset[Hashable] = frozenset()
    working: frozenset[Hashable] = frozenset()
    until_ms: int | None = None
    """From then on one of them may not work any more, though nothing has been read: its log rests."""


def key_of(row: Row) -> Hashable:
    return ("run", row.run.id) if isinstance(row, Unstarted) else row.id


def ranked(
    rows: Sequence[BoardRow], unstarted: Sequence[Unstarted], known: Mapping[int, Evidence], now_ms: int
) -> Ranked:
    """Who has waited longest is first. Those that work stand by their age, the newest first: by their last activity
    they would change places with each line that one of them says."""
    by_urgency: tuple[list[BoardRow], ...] = ([], [], [])
    for row in rows:
        by_urgency[urgency(row, known.get(row.id, NOTHING), now_ms)].append(row)
    others, working, asking = by_urgency
    working.sort(key=lambda row: row.id, reverse=True)
    since = {key_of(row): row.asked_ms for row in unstarted} | {row.id: known[row.id].asked_ms for row in asking}
    waiting: list[Row] = [*unstarted, *asking]
    waiting.sort(key=lambda row: since[key_of(row)])
    rests = (row.last_active_ms + WORKING_MS for row in working if row.live_run_id is None)
    return Ranked(
        rows=(*waiting, *working, *others),
        asking=frozenset(since),
        working=frozenset(row.id for row in working),
        until_ms=min(rests, default=None),
    )
