"""What do Codex's rollout files say about sessions and responses?

Field names as written by 0.169 and earlier. A response is a `token_usage_record` of this file's own thread, or, where
there is none, a `token_count` whose running totals moved; a record's `token_count` twin is not counted again.
A forked or subagent thread replays `token_count` rows of its parent: telling those apart needs the parent's file and
is left to a later deepening. The part that is safe is done here: a record that names another thread is not counted.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from engine.contract.usage import Basis, Confidence, Cursor, LogBatch, Response
from engine.telemetry import codex_rows as codex
from engine.telemetry.codex_rows import Row, Tokens
from engine.telemetry.line_log import read_lines
from engine.telemetry.rows import BadRow, decode, last_time_ms, time_ms
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, Findings, LogFile

_THREAD_ID = re.compile(r"^rollout-.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)
# Records whose `token_count` has not come yet. One is usual; more only when rows were lost.
_AWAITED = 8


class _Awaited(Struct):
    usage: Tokens
    totals: Tokens | None


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    thread_id: str | None = None
    forked: bool = False
    totals: Tokens | None = None
    """Running totals of the last `token_count`."""
    counted: bool = False
    """That `token_count` was counted, as no record stood for it."""
    awaited: list[_Awaited] = []
    last_record: str | None = None


_CARRY = msgspec.json.Decoder(_Carry)


class Codex:
    """Logs are `rollout-<time>-<thread id>.jsonl`, in folders by day or, archived, flat. A thread is a session."""

    name = "codex"

    def is_log(self, parts: tuple[str, ...]) -> bool:
        return parts[-1].startswith("rollout-") and parts[-1].endswith(".jsonl")

    def companions(self, path: str) -> tuple[str, ...]:
        return ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        found = _THREAD_ID.match(parts[-1].removesuffix(".jsonl"))
        return found.group(1) if found else None

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        return read_lines(file, cursor, lambda carry: self._parser(file, carry))

    def _parser(self, file: LogFile, carry: str) -> "CodexParser":
        thread_id = self.provider_id(file.parts)
        known = _CARRY.decode(carry) if carry else _Carry(Facts(thread_id), thread_id)
        return CodexParser(known, file.parts[-1].removesuffix(".jsonl"), file.mtime_ms)


class CodexParser:
    """Reads one rollout file."""

    def __init__(self, known: _Carry, stem: str, fallback_ms: int) -> None:
        self.findings = Findings()
        self.facts = known.facts
        self._state = known
        self._stem = stem
        self._fallback_ms = fallback_ms

    def carry(self) -> str:
        return msgspec.json.encode(self._state).decode()

    def feed(self, block: bytes, start: int) -> None:
        offset = start
        for line in block.split(b"\n"):
            if self._is_wanted(line):
                try:
                    self._row(decode(codex.ROW, line), offset)
                except BadRow as bad:
                    self.findings.refuse(bad.args[0])
            offset += len(line) + 1
        self.facts.seen_at(last_time_ms(block))

    def _is_wanted(self, line: bytes) -> bool:
        if b'"token_' in line or b'"turn_context"' in line or b'"session_meta"' in line:
            return True
        return self.facts.title is None and (b'"user_message"' in line or b'"UserMessage"' in line)

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
        kind = decode(codex.KIND, row.payload).type
        if kind == "token_count":
            self._token_count(row, offset)
        elif self.facts.title is None and kind in ("user_message", "item_completed"):
            text = decode(codex.PROMPT, row.payload).text()
            self.facts.title = text[:TITLE_CHARS] if text else None

    def _turn(self, row: Row) -> None:
        turn = decode(codex.TURN_CONTEXT, row.payload)
        self.facts.model = turn.model or self.facts.model
        self.facts.workspace = self.facts.workspace or turn.cwd

    def _meta(self, row: Row) -> None:
        meta = decode(codex.SESSION_META, row.payload)
        thread_id = self._state.thread_id = self._state.thread_id or meta.id
        if meta.id != thread_id:
            return  # a parent's, replayed
        self.facts.provider_id = self.facts.provider_id or thread_id
        self.facts.workspace = meta.cwd or self.facts.workspace
        self.facts.seen_at(time_ms(meta.timestamp or row.timestamp))
        spawned = isinstance(meta.source, dict) and "subagent" in meta.source
        self._state.forked = bool(meta.forked_from_id or meta.parent_thread_id or spawned)

    def _record(self, row: Row, offset: int) -> None:
        record = decode(codex.USAGE_RECORD, row.payload)
        state = self._state
        if record.usage is None:
            return
        usage = record.usage.tokens()
        totals = record.thread_token_usage.tokens() if record.thread_token_usage else None
        if state.counted and totals is not None and totals == state.totals:
            return  # its token_count came first and was counted
        if record.response_id is None or record.response_id != state.last_record:
            state.awaited = [*state.awaited, _Awaited(usage, totals)][-_AWAITED:]
        state.last_record = record.response_id
        if record.thread_id and state.thread_id and record.thread_id != state.thread_id:
            return  # a copy of another thread's; its token_count, if copied too, is its twin and not counted either
        self._add(record.response_id or self._place(row, offset), row, offset, usage)

    def _token_count(self, row: Row, offset: int) -> None:
        info = decode(codex.TOKEN_COUNT, row.payload).info
        if info is None:
            return
        totals = info.total_token_usage.tokens() if info.total_token_usage else None
        last = info.last_token_usage.tokens() if info.last_token_usage else None
        before = self._state.totals
        if totals is not None:
            if totals == before:
                return  # sent again, for instance with new rate limits
            self._state.totals = totals
        usage, basis, confidence = self._spent(before, totals, last)
        self._state.counted = False
        if usage is None or self._is_twin(usage, totals):
            return
        self._state.counted = usage.is_request()
        self._add(self._counter_key(row, totals, offset), row, offset, usage, basis, confidence)

    def _spent(
        self, before: Tokens | None, totals: Tokens | None, last: Tokens | None
    ) -> tuple[Tokens | None, Basis, Confidence]:
        if last is not None:
            return last, "per_run", "final"
        if totals is None or (before is None and self._state.forked):
            return None, "session_delta", "inferred"  # a fork's first totals hold its parent's
        if before is None:
            return totals, "session_delta", "final"
        if totals.fell_from(before):
            return totals, "session_delta", "inferred"  # a new start
        return totals.since(before), "session_delta", "final"

    def _is_twin(self, usage: Tokens, totals: Tokens | None) -> bool:
        """Whether a record already stood for this `token_count`; older records awaited before it are given up."""
        awaited = self._state.awaited
        for index, record in enumerate(awaited):
            if record.usage == usage or (totals is not None and record.totals == totals):
                self._state.awaited = awaited[index + 1 :]
                return True
        return False

    def _counter_key(self, row: Row, totals: Tokens | None, offset: int) -> str:
        """By time and totals, which stay the same when a client moves or rewrites the file; else by place."""
        if totals is None or not row.timestamp:
            return self._place(row, offset)
        return f"{self._state.thread_id or self._stem}:{row.timestamp}:{totals.input}+{totals.output}"

    def _place(self, row: Row, offset: int) -> str:
        where = f"byte{offset}" if row.ordinal is None else f"row{row.ordinal}"
        return f"{self._state.thread_id or self._stem}:{where}"

    def _add(
        self,
        key: str,
        row: Row,
        offset: int,
        usage: Tokens,
        basis: Basis = "per_run",
        confidence: Confidence = "final",
    ) -> None:
        if not usage.is_request():
            return
        at_ms = time_ms(row.timestamp)
        self.findings.add(
            Response(
                key=key,
                at_ms=self._fallback_ms if at_ms is None else at_ms,
                model=self.facts.model,
                input_tokens=max(0, usage.input - usage.cached - usage.cache_write),
                cache_read_tokens=usage.cached,
                cache_write_tokens=usage.cache_write,
                output_tokens=usage.output,
                reasoning_tokens=min(usage.reasoning, usage.output),
                basis=basis,
                confidence=confidence,
                offset=offset,
            )
        )
