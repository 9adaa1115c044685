"""What do Gemini CLI's chat records say about sessions and responses?

Checked against public documentation and record formats of 0.20 (`.json`) to 0.62 (`.jsonl`), not against a running
client. A response is a `gemini` message with `tokens`, wherever it stands: as a row, inside a `$set` patch that holds
the whole history again, or in a document. The client appends a message again when tokens or tool calls arrive, and
converts a `.json` to a `.jsonl` beside it: message id within session id is the identity, the highest output wins.
A rewind and a compaction take text out of the context; what was spent stays.

Not in the records: calls that were cut before their usage came, and helpers' calls (titles, loop checks, routing).
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from engine.contract.usage import Cursor, LogBatch, Response
from engine.telemetry.gemini_document import read_document
from engine.telemetry.gemini_projects import workspace_of
from engine.telemetry.gemini_rows import MESSAGES, ROW, Row, Tokens, text, tokens_of, typed_words
from engine.telemetry.line_log import read_lines
from engine.telemetry.rows import BadRow, decode, first_time_ms, last_time_ms, time_ms
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, Findings, LogFile


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    session_id: str | None = None
    """The record's own, which for a subagent is not its session's."""
    subagent: bool = False
    """It says so itself: older versions kept subagents beside sessions, without a word of whose they are."""
    context_ms: int | None = None
    """Time of the response that the model and the context are of."""


_CARRY = msgspec.json.Decoder(_Carry)


class Gemini:
    """Records are `<project>/chats/session-<time>-<id8>.json` or `.jsonl`; those of subagents
    `<project>/chats/<session>/<own id>.jsonl`, which count for the session that they are named under."""

    name = "gemini"

    def is_log(self, parts: tuple[str, ...]) -> bool:
        if not parts[-1].endswith((".json", ".jsonl")) or parts[1:2] != ("chats",):
            return False
        return len(parts) == 4 or (len(parts) == 3 and parts[2].startswith("session-"))

    def companions(self, path: str) -> tuple[str, ...]:
        return ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        return parts[2] if len(parts) == 4 else None

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        if file.parts[-1].endswith(".json"):
            return read_document(file, cursor, self._parser(file, ""))
        return read_lines(file, cursor, lambda carry: self._parser(file, carry))

    def _parser(self, file: LogFile, carry: str) -> "GeminiParser":
        known = _CARRY.decode(carry) if carry else _Carry(Facts(self.provider_id(file.parts)))
        known.facts.workspace = known.facts.workspace or workspace_of(file)
        return GeminiParser(known, file)


class GeminiParser:
    """Reads one record. A subagent's says nothing about its session's title, model, context or start."""

    def __init__(self, known: _Carry, file: LogFile) -> None:
        self.findings = Findings()
        self.facts = known.facts
        self._state = known
        self._nested = len(file.parts) == 4
        self._stem = file.parts[-1].removesuffix(".jsonl").removesuffix(".json")
        self._fallback_ms = file.mtime_ms

    def carry(self) -> str:
        return msgspec.json.encode(self._state).decode()

    def feed(self, block: bytes, start: int) -> int:
        offset = start
        for line in block.split(b"\n"):
            if self._is_wanted(line):
                try:
                    self.row(decode(ROW, line), offset)
                except BadRow as bad:
                    self.findings.refuse(bad.args[0])
            offset += len(line) + 1
        if self.facts.started_ms is None:
            self._live_at(first_time_ms(block))
        self._live_at(last_time_ms(block))
        return block.count(b"\n")

    def _is_wanted(self, line: bytes) -> bool:
        if b'"tokens"' in line or (self._state.session_id is None and b'"sessionId"' in line):
            return True
        return self._is_main() and self.facts.title is None and b'"user"' in line

    def row(self, row: Row, offset: int) -> None:
        """A header, a message or a patch; any of them may hold messages. Raises `BadRow`."""
        self._header(row)
        self._message(row, offset)
        patch = decode(ROW, row.patch) if bytes(row.patch) != b"null" else Row()
        self._header(patch)
        for raw in (*(decode(MESSAGES, row.messages) or ()), *(decode(MESSAGES, patch.messages) or ())):
            self.message(raw, offset)

    def document(self, row: Row) -> None:
        """What a document says beside its messages."""
        self._header(row)
        self._live_at(time_ms(text(row.lastUpdated)))

    def message(self, raw: Raw, offset: int) -> None:
        """One message of a list; a bad one does not spoil the others."""
        try:
            row = decode(ROW, raw)
            self._message(row, offset)
            self._live_at(time_ms(text(row.timestamp)))
        except BadRow as bad:
            self.findings.refuse(bad.args[0])

    def _header(self, row: Row) -> None:
        session_id = text(row.sessionId)
        if session_id is None or self._state.session_id is not None:
            return
        self._state.session_id = session_id
        self._state.subagent = row.kind == "subagent"
        self.facts.provider_id = self.facts.provider_id or session_id
        self._live_at(time_ms(text(row.startTime)))

    def _live_at(self, at_ms: int | None) -> None:
        self.facts.seen_at(at_ms)
        if self._nested:
            self.facts.started_ms = None  # the session that it belongs to began before

    def _is_main(self) -> bool:
        return not (self._nested or self._state.subagent)

    def _message(self, row: Row, offset: int) -> None:
        if self._is_main() and self.facts.title is None:
            words = typed_words(row)
            self.facts.title = words[:TITLE_CHARS] if words else None
        tokens = tokens_of(row.tokens) if row.type == "gemini" else None
        if tokens is None or not tokens.is_request():
            return
        message_id = text(row.id)
        if message_id is None:
            raise BadRow("no_id")  # the client itself takes such a row for no message
        at_ms = time_ms(text(row.timestamp))
        at_ms = self._fallback_ms if at_ms is None else at_ms
        self._note_context(row, tokens, at_ms)
        self.findings.add(
            Response(
                key=f"{self._state.session_id or self._stem}:{message_id}",
                at_ms=at_ms,
                model=text(row.model),
                input_tokens=max(0, tokens.input - tokens.cached) + tokens.tool,
                cache_read_tokens=tokens.cached,
                cache_write_tokens=0,
                output_tokens=tokens.output + tokens.thoughts,
                reasoning_tokens=tokens.thoughts,
                offset=offset,
                provider="google",
                raw=tokens.raw,
            )
        )

    def _note_context(self, row: Row, tokens: Tokens, at_ms: int) -> None:
        """A patch repeats old messages, so the last one in the file need not be the last one in time."""
        if not self._is_main() or (self._state.context_ms is not None and at_ms < self._state.context_ms):
            return
        self._state.context_ms = at_ms
        self.facts.model = text(row.model) or self.facts.model
        self.facts.context_tokens = tokens.context()
