"""What did each provider response use? One row per response, whoever reports it and however often.

The report with the highest output wins, on a tie a final one over a partial one, because clients write a response
several times while it streams, and may write a smaller copy after the final one. Its day is that of its earliest
report. It belongs to the conversation that had it first, whichever log is read first; what another log repeats is a
link.
"""

import zlib
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

from msgspec import Struct

from state import rollups

SOURCES = ("quarterdeck", "claude_code", "codex", "openclaw", "gemini", "opencode")
SOURCE_IDS = {name: number for number, name in enumerate(SOURCES, 1)}
BASES = ("per_run", "session_delta", "streamed", "estimated", "partial")
CONFIDENCES = ("final", "partial", "inferred")
_FINAL = CONFIDENCES.index("final")


class UsageRow(NamedTuple):
    """One response as it is booked: the columns of its row. Tokens; `input_tokens` is the uncached part only."""

    source_id: int
    key: str
    generation_id: int
    run_id: int | None
    at_ms: int
    model_id: int | None
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int
    reasoning_tokens: int | None
    basis: int
    """Index into `BASES`."""
    confidence: int
    """Index into `CONFIDENCES`."""
    log_id: int | None = None
    offset: int | None = None
    factors: str | None = None
    raw: str | None = None
    price_id: int | None = None
    cost_microusd: int | None = None


class Booked(Struct):
    """What a booking did."""

    new: int = 0
    changed: int = 0
    repeated: dict[tuple[int, str], int] = {}
    """Reports of responses that were known, by (log, rule): `copy` in another conversation's log, `replay` in another
    log of the same one, `stream` in the same log. A log that is read again repeats nothing."""


class Memory:
    """What a booking must know of the ones before it, while the same process reads on."""

    def __init__(self, rereading: dict[int, int] | None = None) -> None:
        self.rereading = rereading or {}
        """Logs that were read from their start again, with how far they had been read before: up to there their own
        rows are no repetition."""

    def is_reread(self, report: UsageRow) -> bool:
        """Whether this report was read before, by us."""
        before = None if report.log_id is None else self.rereading.get(report.log_id)
        return before is not None and (report.offset or 0) < before


_COLUMNS = UsageRow._fields
INSERT = (
    f"INSERT INTO usage (key_hash, {', '.join(_COLUMNS)}) VALUES (?, {', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (key_hash) DO NOTHING"
)
_AT_HASH = f"SELECT id, {', '.join(_COLUMNS)} FROM usage WHERE key_hash = ?"
_UPDATE = f"UPDATE usage SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = ?"


def key_hash(source_id: int, key: str) -> int:
    """Where a response's row is found: an index of small numbers costs half of one of ids. Two responses may share a
    hash; the later one then has the next that is free. Rows are never deleted, so that no gap hides one."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass"), source_id)


def book(tx: Connection, responses: Sequence[UsageRow], memory: Memory | None = None) -> Booked:
    """Book responses, each once, and move every roll-up by the difference."""
    booked = Booked()
    if not responses:
        return booked
    last_id = tx.execute("SELECT ifnull(max(id), 0) FROM usage").fetchone()[0]
    before = tx.total_changes
    tx.executemany(INSERT, [(key_hash(row.source_id, row.key), *row) for row in responses])
    booked.new = tx.total_changes - before
    if booked.new:
        rollups.add_new(tx, last_id)
    if booked.new < len(responses):
        _Rebooking(tx, booked, last_id, memory or Memory()).run(responses)
    return booked


class _Rebooking:
    """Reports of responses that have a row already."""

    def __init__(self, tx: Connection, booked: Booked, last_id: int, memory: Memory) -> None:
        self._tx = tx
        self._booked = booked
        self._last_id = last_id
        self._memory = memory
        self._elders: dict[tuple[int, int | None, int, int | None], bool] = {}

    def run(self, responses: Sequence[UsageRow]) -> None:
        for report in responses:
            usage_id, known, free_hash = self._look_up(report)
            if known is None:
                self._insert(report, free_hash)
            elif usage_id <= self._last_id or known != report:
                self._again(usage_id, known, report)

    def _look_up(self, report: UsageRow) -> tuple[int, UsageRow | None, int]:
        """The row of this response, or the hash under which it would have to be stored."""
        place = key_hash(report.source_id, report.key)
        while (found := self._tx.execute(_AT_HASH, (place,)).fetchone()) is not None:
            known = UsageRow(*found[1:])
            if (known.key, known.source_id) == (report.key, report.source_id):
                return found[0], known, place
            place += 1
        return 0, None, place

    def _insert(self, report: UsageRow, place: int) -> None:
        usage_id = self._tx.execute(INSERT, (place, *report)).lastrowid
        assert usage_id is not None, "it has just been inserted"
        rollups.take(self._tx, usage_id, 1)
        self._booked.new += 1

    def _again(self, usage_id: int, known: UsageRow, report: UsageRow) -> None:
        takes_over = known.generation_id != report.generation_id and self._is_elder(report, known)
        owner, other = (report, known) if takes_over else (known, report)
        better = (report.output_tokens, report.confidence == _FINAL) > (known.output_tokens, known.confidence == _FINAL)
        winner = report if better else known
        evidence = owner if takes_over else winner if winner.log_id is not None else report
        row = winner._replace(
            generation_id=owner.generation_id,
            run_id=owner.run_id,
            at_ms=min(known.at_ms, report.at_ms),
            log_id=evidence.log_id,
            offset=evidence.offset,
        )
        if row != known:
            rollups.take(self._tx, usage_id, -1)
            self._tx.execute(_UPDATE, (*row, usage_id))
            rollups.take(self._tx, usage_id, 1)
            self._booked.changed += 1
        if known.log_id is not None and other.log_id is not None:
            self._note(usage_id, owner, other, known, report)

    def _note(self, usage_id: int, owner: UsageRow, other: UsageRow, known: UsageRow, report: UsageRow) -> None:
        """Count the repetition, and link the conversation that repeats it."""
        assert other.log_id is not None, "asked only for what a log tells"
        if owner.generation_id != other.generation_id:
            linked = self._tx.execute(
                "INSERT INTO copies (usage_id, generation_id, log_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (usage_id, other.generation_id, other.log_id),
            )
            if linked.rowcount:
                self._count(other.log_id, "copy")
            elif not self._memory.is_reread(report):
                self._count(other.log_id, "stream")
        elif owner.log_id != other.log_id:
            self._count(other.log_id, "replay")
        elif known.offset != report.offset and not self._memory.is_reread(report):
            self._count(other.log_id, "stream")

    def _count(self, log_id: int, rule: str) -> None:
        repeated = self._booked.repeated
        repeated[log_id, rule] = repeated.get((log_id, rule), 0) + 1

    def _is_elder(self, report: UsageRow, known: UsageRow) -> bool:
        """Whether the conversation that reports now had the response before the one that it is booked for.

        The fork that names its parent is the younger. Else the one that began first, and of two that began alike (a
        copy begins with the copied rows) the one whose log was last written earlier: the other was continued. All of
        this is known from a log's first batch on, so that no verdict depends on how far a log is read.
        """
        pair = (report.generation_id, report.log_id, known.generation_id, known.log_id)
        if pair not in self._elders:
            self._elders[pair] = self._decide_elder(*pair)
        return self._elders[pair]

    def _decide_elder(self, new: int, new_log: int | None, known: int, known_log: int | None) -> bool:
        new_parent, *new_life = self._life(new, new_log)
        known_parent, *known_life = self._life(known, known_log)
        if known_parent is not None and known_parent == new_life[-1]:
            return True
        if new_parent is not None and new_parent == known_life[-1]:
            return False
        return bool(new_life < known_life)

    def _life(self, generation_id: int, log_id: int | None) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._tx.execute(
            "SELECT g.forked_from, g.started_ms, ifnull((SELECT mtime_ns FROM log_files WHERE id = ?), 0),"
            " ifnull(g.provider_id, '') FROM generations g WHERE g.id = ?",
            (log_id, generation_id),
        ).fetchone()
        return found
