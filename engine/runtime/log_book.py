"""How does what a reader sends get into the books? In transactions of a few milliseconds, each response priced."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from engine.contract.clock import Clock
from engine.contract.usage import (
    Cursor,
    Discovered,
    Gone,
    LogBatch,
    Progress,
    RateLimit,
    ReaderMessage,
    SeenSession,
    SessionPart,
    Unreadable,
)
from engine.runtime.pricing import Model, PriceBook, Priced
from engine.runtime.scan import Scan
from engine.telemetry.prices import DEFAULT_PROVIDERS
from state import events, logs, run_usage, sessions, usage
from state.database import Connection, Database, storing
from state.errors import Unstorable
from state.usage import UsageRow

SCAN_NOTICE = "scan"
READER_NOTICE = "reader"
_DISCOVERED_AT_ONCE = 150
_AIM_S = 0.006
"""What one transaction of the write connection should take: a reservation may be waiting for it."""
_CHECKPOINT_S = 0.020
"""After how much writing a checkpoint is due; left to SQLite it comes inside a transaction."""
_BATCH_WEIGHT = 8
"""A batch costs as much as so many responses, however few it has."""
_LATEST_MS = 253_402_300_799_000
"""The end of the year 9999: a later date is damage, and could not be shown."""

_DEAREST_MICROUSD = 10**11

_BASIS = {name: number for number, name in enumerate(usage.BASES)}
_CONFIDENCE = {name: number for number, name in enumerate(usage.CONFIDENCES)}


class LogBook:
    """Writes what readers send."""

    def __init__(self, database: Database, clock: Clock, prices: PriceBook) -> None:
        self._database = database
        self._clock = clock
        self._prices = prices
        self._memory = usage.Memory()
        self._gone = logs.gone(database.connection)
        self._problems = {path for path, _ in logs.problems(database.connection)}
        self._scanning = True  # an engine that died in mid scan has left its notice: the first end takes it away
        self._scan: Scan | None = None
        self._stuck: set[str] = set()
        """Logs of which a batch could not be booked: what follows would put the cursor behind it. The next reader reads
        them from there again."""
        self._room = 500.0
        self._failed = events.notice(database.connection, READER_NOTICE) is not None
        self._written_s = 0.0

    def cursors(self) -> tuple[Cursor, ...]:
        """How far each log has been read."""
        return tuple(
            Cursor(log.path, log.device, log.inode, log.size, log.mtime_ns, log.offset, log.head_hash, log.carry)
            for log in logs.files(self._database.connection)
            if log.gone_ms is None
        )

    def models(self, messages: Iterable[ReaderMessage]) -> set[Model]:
        """Every model that these messages name."""
        named = {
            (message.source, response.model, response.provider)
            for message in messages
            if isinstance(message, LogBatch)
            for part in message.parts
            for response in part.responses
        }
        return {_model(source, name, provider) for source, name, provider in named if name is not None}

    def write(self, messages: Sequence[ReaderMessage]) -> Iterator[None]:
        """Take messages into the books; pauses after each transaction, so that others may have their turn."""
        for group in self._grouped(messages):
            started = time.perf_counter()
            first = group[0]
            if isinstance(first, LogBatch):
                batches = [batch for batch in group if isinstance(batch, LogBatch)]
                self._book_group([batch for batch in batches if batch.cursor.path not in self._stuck])
                took = time.perf_counter() - started
                self._room = min(4000.0, max(50.0, self._room * min(2.0, max(0.5, _AIM_S / took))))
                yield
                self._written_s += took
                if self._written_s >= _CHECKPOINT_S:
                    self._written_s = 0.0
                    self._database.checkpoint()
                    yield
            elif isinstance(first, Discovered):
                self._forget_problems()  # a reader that starts tells again what it cannot read
                for sessions_found in _sliced(first.sessions, _DISCOVERED_AT_ONCE):
                    with self._database.transaction(durable=False) as tx:
                        for session in sessions_found:
                            sessions.observe(tx, by_name=True, **_dated(session))
                    yield
            else:
                self._take(first)
                yield

    def _grouped(self, messages: Sequence[ReaderMessage]) -> Iterator[list[ReaderMessage]]:
        """Batches together as long as one transaction has room for them; every other message alone."""
        group: list[ReaderMessage] = []
        weight = 0
        for message in messages:
            if not isinstance(message, LogBatch):
                if group:
                    yield group
                yield [message]
                group, weight = [], 0
                continue
            own = _BATCH_WEIGHT + sum(len(part.responses) for part in message.parts)
            if group and weight + own > self._room:
                yield group
                group, weight = [], 0
            group.append(message)
            weight += own
        if group:
            yield group

    def _take(self, message: ReaderMessage) -> None:
        if isinstance(message, Progress):
            self._show(message)
        elif isinstance(message, Gone):
            self._gone.update(message.paths)
            with self._database.transaction() as tx:
                logs.mark_gone(tx, message.paths, self._clock.now_ms())
        elif isinstance(message, Unreadable):
            self._problems.add(message.path)
            with self._database.transaction() as tx:
                logs.note_problem(tx, message.path, message.why, self._clock.now_ms())
                events.add(tx, self._clock.now_ms(), "unreadable", f"{message.path}: {message.why}")

    def reader_failed(self, why: str) -> None:
        """Say that logs are not followed now, until a reader tells what it found."""
        text = f"the log reader {why}; it is started again, until then nothing new is counted"
        with self._database.transaction() as tx:
            events.add(tx, self._clock.now_ms(), "reader", text)
            events.raise_notice(tx, events.Notice(READER_NOTICE, "warning", text, self._clock.now_ms()))
        self._failed = True

    def _forget_problems(self) -> None:
        self._stuck.clear()
        if self._failed:
            with self._database.transaction() as tx:
                events.drop_notice(tx, READER_NOTICE)
            self._failed = False
        if self._problems:
            with self._database.transaction() as tx:
                logs.forget_problems(tx)
            self._problems.clear()

    @property
    def has_problems(self) -> bool:
        """Whether something could not be read when it was last tried."""
        return bool(self._problems)

    def _book_group(self, batches: list[LogBatch]) -> None:
        """In one transaction, or each in its own where something in them cannot be stored: that log is told of, and
        keeps no other out of the books."""
        try:
            self._book(batches)
        except Unstorable as error:
            if len(batches) > 1:
                for batch in batches:
                    if batch.cursor.path not in self._stuck:
                        self._book_group([batch])
                return
            self._stuck.add(batches[0].cursor.path)
            self._take(Unreadable(batches[0].cursor.path, error.line))

    def _book(self, batches: list[LogBatch]) -> None:
        rereading: dict[int, int] = {}
        # What a crash loses is read again.
        with self._database.transaction(durable=False) as tx, storing():
            self._write_batches(tx, batches, rereading)
        paths = {batch.cursor.path for batch in batches}
        self._gone -= paths
        self._problems -= paths
        self._memory.rereading |= rereading

    def _write_batches(self, tx: Connection, batches: list[LogBatch], rereading: dict[int, int]) -> None:
        rows: list[UsageRow] = []
        settled: set[int] = set()
        fresh: set[str] = set()
        for batch in batches:
            path = batch.cursor.path
            restarted = batch.restarted or (path in self._gone and path not in fresh)
            fresh.add(path)
            before = logs.file_at(tx, path) if restarted else None
            log_id = logs.advance(
                tx, _log_file(batch.cursor, batch, self._clock.now_ms()), batch.refused, batch.dropped, restarted
            )
            if restarted:
                rereading[log_id] = before.offset if before else 0
            if path in self._problems:
                logs.forget_problem(tx, path)
            for part in batch.parts:
                self._part(tx, batch.source, log_id, part, rows, settled)
            for limit in batch.limits:
                _note_limit(tx, batch, limit)
        booked = usage.book(tx, rows, usage.Memory(self._memory.rereading | rereading))
        for (log_id, rule), number in booked.repeated.items():
            logs.add_dropped(tx, log_id, {rule: number})
        for run_id in settled:
            run_usage.drop_provisional(tx, run_id)

    def _part(
        self, tx: Connection, source: str, log_id: int, part: SessionPart, rows: list[UsageRow], settled: set[int]
    ) -> None:
        generation_id = sessions.observe(tx, **_dated(part.session))
        if part.totals is not None:
            logs.note_totals(tx, generation_id, msgspec.convert(part.totals, logs.ClientTotals, from_attributes=True))
        managed = run_usage.has_runs(tx, generation_id)
        source_id = usage.SOURCE_IDS[source]
        prices: dict[tuple[str | None, str], Priced | None] = {}
        for response in part.responses:
            run_id = run_usage.run_at(tx, generation_id, response.at_ms) if managed else None
            if run_id is not None:
                settled.add(run_id)
            named = response.model, response.provider
            if named not in prices:
                prices[named] = self._price(source, *named)
            price = prices[named]
            rows.append(
                UsageRow(
                    source_id,
                    response.key,
                    generation_id,
                    run_id,
                    _shown(response.at_ms),
                    None if price is None else price.model_id,
                    response.input_tokens,
                    response.cache_read_tokens,
                    response.cache_write_tokens,
                    response.cache_write_5m_tokens,
                    response.cache_write_1h_tokens,
                    response.output_tokens,
                    response.reasoning_tokens,
                    _BASIS[response.basis],
                    _CONFIDENCE[response.confidence],
                    log_id,
                    response.offset,
                    response.factors or None,
                    response.raw,
                    None if price is None else price.price_id,
                    None if price is None else _possible(price.cost_microusd(response)),
                )
            )

    def _price(self, source: str, name: str | None, provider: str) -> Priced | None:
        return None if name is None else self._prices.price_for(_model(source, name, provider))

    def _show(self, progress: Progress) -> None:
        if not progress.scanning and not self._scanning:
            return
        with self._database.transaction(durable=False) as tx:
            if progress.scanning:
                self._scan = self._scan or Scan(progress, self._clock.monotonic())
                text = self._scan.words(progress, self._clock.monotonic())
                events.raise_notice(tx, events.Notice(SCAN_NOTICE, "info", text, self._clock.now_ms()))
            else:
                self._scan = None
                events.drop_notice(tx, SCAN_NOTICE)
        self._scanning = progress.scanning


def _possible(cost_microusd: int | None) -> int | None:
    """No single response costs a hundred thousand dollars: beyond that the log is damaged, and a sum could overflow."""
    return cost_microusd if cost_microusd is not None and cost_microusd <= _DEAREST_MICROUSD else None


def _model(source: str, name: str, provider: str) -> Model:
    return name, provider or DEFAULT_PROVIDERS.get(source, "")


def _dated(session: SeenSession) -> dict[str, Any]:
    """Its facts, with dates that can be shown."""
    facts = msgspec.structs.asdict(session)
    facts["last_active_ms"] = _shown(session.last_active_ms)
    facts["started_ms"] = None if session.started_ms is None else _shown(session.started_ms)
    return facts


def _shown(at_ms: int) -> int:
    return min(max(at_ms, 0), _LATEST_MS)


def _sliced(items: Sequence[SeenSession], size: int) -> Iterator[Sequence[SeenSession]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _note_limit(tx: Connection, batch: LogBatch, limit: RateLimit) -> None:
    home = batch.parts[0].session.provider_home if batch.parts else ""
    logs.note_limit(
        tx,
        logs.RateLimit(
            batch.source,
            home,
            limit.name,
            limit.at_ms,
            limit.used_percent,
            limit.window_minutes,
            limit.resets_at_ms,
            limit.plan,
        ),
    )


def _log_file(cursor: Cursor, batch: LogBatch, now_ms: int) -> logs.LogFile:
    return logs.LogFile(
        id=0,
        source=batch.source,
        path=cursor.path,
        device=cursor.device,
        inode=cursor.inode,
        size=cursor.size,
        mtime_ns=cursor.mtime_ns,
        offset=cursor.offset,
        head_hash=cursor.head_hash,
        carry=cursor.carry,
        lines=batch.lines,
        refused="{}",
        dropped="{}",
        read_ms=now_ms,
    )
