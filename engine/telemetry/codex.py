"""What do Codex's rollout files say about sessions and responses? Reads rows; `codex_count` judges them.

Checked against files that 0.169 wrote: `ordinal` on every row, `history_mode: paginated`, records beside counters. The
fields of older versions (counters only, totals without last, `resets_in_seconds`), forks and service tiers are read by
their documentation and by reports of users.

Running totals of a fork include its parent's up to the fork: `ClientTotals` are told without that part.
`subagent_history_start_ordinal` is not read: a migration sets it beyond the thread's own rows.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from engine.contract.usage import ClientTotals, Cursor, LogBatch, Response
from engine.telemetry import codex_rows as codex
from engine.telemetry.codex_count import Counting, Record, Rule, Verdict, take_counter, take_record
from engine.telemetry.codex_limits import limits_of
from engine.telemetry.codex_parents import Parents
from engine.telemetry.codex_replay import Parent, Replay
from engine.telemetry.codex_rows import Row, Tokens
from engine.telemetry.line_log import read_lines
from engine.telemetry.log_text import PACKED_SUFFIX
from engine.telemetry.rows import BadRow, decode, last_time_ms, time_ms
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, Findings, LogFile

_THREAD_ID = re.compile(r"^rollout-.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)
_SUFFIXES = (".jsonl", ".jsonl" + PACKED_SUFFIX)
# Tiers that have a price of their own.
_TIERS = ("fast", "flex", "priority", "batch")
_WIDEST_WINDOW = 2**31


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    thread_id: str | None = None
    parent: str | None = None
    """The thread whose rows may lead this file."""
    counting: Counting = Counting()
    tier: str = ""
    provider: str = ""
    recorded: bool = False
    """Totals come from records."""
    inherited: Tokens | None = None
    """Of a fork: the running totals behind which its own responses begin."""


_CARRY = msgspec.json.Decoder(_Carry)


class Codex:
    """Logs are `rollout-<time>-<thread id>.jsonl`, in folders by day or, archived, flat; either may be packed as
    `.jsonl.zst`. A thread is a session."""

    name = "codex"

    def __init__(self) -> None:
        self._parents = Parents()

    def is_log(self, parts: tuple[str, ...]) -> bool:
        return parts[-1].startswith("rollout-") and parts[-1].endswith(_SUFFIXES)

    def companions(self, path: str) -> tuple[str, ...]:
        return ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        found = _THREAD_ID.match(_stem(parts))
        return found.group(1) if found else None

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        def rows_of(thread_id: str) -> Parent | None:
            return self._parents.rows_of(archive, thread_id, file.path)

        return read_lines(file, cursor, lambda carry: self._parser(file, carry, rows_of))

    def _parser(self, file: LogFile, carry: str, rows_of: "RowsOf") -> "CodexParser":
        thread_id = self.provider_id(file.parts)
        known = _CARRY.decode(carry) if carry else _Carry(Facts(thread_id), thread_id)
        return CodexParser(known, _stem(file.parts), file.mtime_ms, rows_of)


RowsOf = Callable[[str], Parent | None]
"""The token rows of another thread; `None` where its file is not to be had."""


def _stem(parts: tuple[str, ...]) -> str:
    return parts[-1].removesuffix(PACKED_SUFFIX).removesuffix(".jsonl")


class CodexParser:
    """Reads one rollout file."""

    def __init__(self, known: _Carry, stem: str, fallback_ms: int, rows_of: RowsOf) -> None:
        self.findings = Findings()
        self.facts = known.facts
        self._state = known
        self._stem = stem
        self._fallback_ms = fallback_ms
        self._rows_of = rows_of
        self._totals: tuple[Tokens, int] | None = None
        self._limits: dict[bytes, int] = {}

    def carry(self) -> str:
        return msgspec.json.encode(self._state).decode()

    def feed(self, block: bytes, start: int) -> int:
        wanted = codex.WANTED if self.facts.title else codex.WANTED_WITH_PROMPTS
        for begin, line in codex.rows_with(block, wanted):
            try:
                self._row(decode(codex.ROW, line), start + begin)
            except BadRow as bad:
                self.findings.refuse(bad.args[0])
        self._tell_latest()
        self.facts.seen_at(last_time_ms(block))
        return block.count(b"\n")

    def _row(self, row: Row, offset: int) -> None:
        match row.type:
            case "token_usage_record":
                self._record(row, offset)
            case "event_msg":
                self._event(row, offset)
            case "turn_context":
                self._turn(row)
            case "session_meta":
                self._meta(row)

    def _event(self, row: Row, offset: int) -> None:
        event = decode(codex.EVENT, row.payload)
        kind = event.type
        if kind == "token_count":
            self._token_count(row, event, offset)
        elif kind == "thread_settings_applied":
            self._settings(row)
        elif self.facts.title is None and kind in ("user_message", "item_completed"):
            text = decode(codex.PROMPT, row.payload).text()
            self.facts.title = text[:TITLE_CHARS] if text else None

    def _turn(self, row: Row) -> None:
        turn = decode(codex.TURN_CONTEXT, row.payload)
        self.facts.model = turn.model or self.facts.model
        self.facts.workspace = self.facts.workspace or turn.cwd
        if turn.service_tier is not UNSET:
            self._state.tier = _tier(turn.service_tier)

    def _settings(self, row: Row) -> None:
        applied = decode(codex.SETTINGS, row.payload)
        if applied.thread_id and applied.thread_id != self._state.thread_id:
            return  # a parent's, replayed
        self.facts.model = self.facts.model or applied.thread_settings.model
        self._state.tier = _tier(applied.thread_settings.service_tier)

    def _meta(self, row: Row) -> None:
        meta = decode(codex.SESSION_META, row.payload)
        state = self._state
        thread_id = state.thread_id = state.thread_id or meta.id
        at_ms = time_ms(row.timestamp or meta.timestamp)
        if meta.id != thread_id:  # a parent's, replayed
            self._fork_of(meta.id, at_ms)  # old versions tell it in no other way
            return
        self.facts.provider_id = self.facts.provider_id or thread_id
        self.facts.workspace = meta.cwd or self.facts.workspace
        self.facts.forked_from = self.facts.forked_from or meta.forked_from_id
        self.facts.seen_at(time_ms(meta.timestamp or row.timestamp))
        state.provider = meta.model_provider if isinstance(meta.model_provider, str) else state.provider
        self._fork_of(meta.forked_from_id or meta.spawned_by(), at_ms)

    def _fork_of(self, parent: str | None, at_ms: int | None) -> None:
        """Expect the parent's rows, unless rows that count came before."""
        state = self._state
        if parent and parent != state.thread_id and state.parent is None and state.counting == Counting():
            state.parent = parent
            state.counting = Counting(replay=Replay(start_ms=at_ms))

    def _record(self, row: Row, offset: int) -> None:
        logged = codex.record_of(row.payload)
        if logged.usage is None:
            return
        totals = logged.thread_token_usage.tokens() if logged.thread_token_usage else None
        thread_id, state = self._state.thread_id, self._state
        own = not (logged.thread_id and thread_id and logged.thread_id != thread_id)
        record = Record(logged.usage.tokens(), totals, logged.response_id, own)
        state.counting, verdict = take_record(state.counting, record)
        if own and totals is not None:
            state.recorded = True
            self._inherit(totals, record.usage)
            self._totals = totals, self._time(row)
        if verdict.used is None:
            self.findings.drop(verdict.dropped or "unchanged")
            return
        raw = codex.odd_usage(logged.usage, row.payload, "usage")
        self._add(verdict, verdict.used, logged.response_id or self._place(row, offset), self._time(row), offset, raw)

    def _token_count(self, row: Row, event: codex.Event, offset: int) -> None:
        info = codex.info_of(event.info)
        at_ms = time_ms(row.timestamp)
        rule = self._counter(row, event, info, at_ms, offset) if info else None
        if self._state.counting.replay is not None or rule == "replay_inferred":
            return  # what it says besides may be its parent's, and old
        stamp = self._fallback_ms if at_ms is None else at_ms
        self._limits[bytes(event.rate_limits)] = stamp
        if info is None:
            return
        if not self._state.recorded and info.total_token_usage and rule != "unchanged":
            self._totals = info.total_token_usage.tokens(), stamp
        window = info.model_context_window
        if isinstance(window, int) and 0 < window < _WIDEST_WINDOW:
            self.facts.context_window = window

    def _counter(
        self, row: Row, event: codex.Event, info: codex.Info[Any], at_ms: int | None, offset: int
    ) -> Rule | None:
        counter = info.counter(at_ms)
        state = self._state
        parent = self._rows_of(state.parent) if state.counting.replay and state.parent else None
        state.counting, verdict = take_counter(state.counting, counter, parent)
        if verdict.used is None:
            self.findings.drop(verdict.dropped or "unchanged")
            if verdict.dropped in ("replay", "replay_inferred"):
                self.facts.forked_from = self.facts.forked_from or state.parent
            return verdict.dropped
        self._inherit(counter.total, verdict.used)
        name = "last_token_usage" if verdict.basis == "per_run" else "total_token_usage"
        raw = codex.odd_usage(getattr(info, name), event.info, name)
        stamp = self._fallback_ms if at_ms is None else at_ms
        self._add(verdict, verdict.used, self._counter_key(row, counter.total, offset), stamp, offset, raw)
        return None

    def _inherit(self, totals: Tokens | None, used: Tokens) -> None:
        """Note at a fork's first own response what its running totals were before."""
        if self._state.parent and self._state.inherited is None and totals is not None:
            self._state.inherited = totals.since(used)

    def _counter_key(self, row: Row, totals: Tokens | None, offset: int) -> str:
        """By time and totals, which stay the same when a client moves or rewrites the file; else by place."""
        if totals is None or not row.timestamp:
            return self._place(row, offset)
        return f"{self._state.thread_id or self._stem}:{row.timestamp}:{totals.input}+{totals.output}"

    def _place(self, row: Row, offset: int) -> str:
        where = f"byte{offset}" if row.ordinal is None else f"row{row.ordinal}"
        return f"{self._state.thread_id or self._stem}:{where}"

    def _time(self, row: Row) -> int:
        at_ms = time_ms(row.timestamp)
        return self._fallback_ms if at_ms is None else at_ms

    def _add(self, verdict: Verdict, used: Tokens, key: str, at_ms: int, offset: int, raw: str | None) -> None:
        if verdict.confidence == "final":
            self.facts.context_tokens = used.input + used.output
        self.findings.add(
            Response(
                key=key,
                at_ms=at_ms,
                model=self.facts.model,
                input_tokens=used.uncached(),
                cache_read_tokens=used.cached,
                cache_write_tokens=used.cache_write,
                output_tokens=used.output,
                reasoning_tokens=min(used.reasoning, used.output),
                basis=verdict.basis,
                confidence=verdict.confidence,
                offset=offset,
                provider=self._state.provider,
                factors=self._state.tier,
                raw=raw,
            )
        )

    def _tell_latest(self) -> None:
        """Only the last totals and limits of a block are worth their conversion."""
        if self._totals is not None:
            totals, at_ms = self._totals
            totals = totals.since(self._state.inherited) if self._state.inherited else totals
            self.findings.totals = ClientTotals(
                kind="thread_token_usage",
                at_ms=at_ms,
                input_tokens=totals.uncached(),
                cache_read_tokens=totals.cached,
                cache_write_tokens=totals.cache_write,
                output_tokens=totals.output,
            )
        for logged, at_ms in self._limits.items():
            for limit in limits_of(Raw(logged), at_ms):
                known = self.findings.limits.get(limit.name)
                if known is None or known.at_ms <= limit.at_ms:
                    self.findings.limits[limit.name] = limit
        self._totals = None
        self._limits.clear()


def _tier(logged: Any) -> str:
    return logged if logged in _TIERS else ""
