"""What do Claude Code's session logs say about sessions and responses?

A response is found by the type of its row, never by a usage key at any depth: tool results, progress rows and quoted
text carry such keys too. Rules that are not obvious:
- `partial` is a response whose best row has no `stop_reason`: the client never wrote the finished figure.
- What a session has in its context is told by its main rows only, not by sidechains or subagents' files.
- Ownership of rows that a fork or a resume copied is not decided here: the keys are the same, the book decides.

| client version | format checked against |
|---|---|
| 2.1.329 | files that it wrote (`tests/data/claude`) |
| 2.1.x before | public reports and examples: cache writes told only by lifetime (2.1.152), `iterations`, `forkedFrom` |
| 1.x, 2.0.x | public reports: growing snapshots, a row for each block, `agent-*.jsonl` beside the session |
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch, Response
from engine.telemetry.claude_lines import candidates
from engine.telemetry.claude_odd import Odd, read_odd
from engine.telemetry.claude_rows import IDS, PLAIN, PROMPT, Ids, Message, PromptRow, Row, Usage, first_words
from engine.telemetry.claude_totals import client_totals, last_cost_state
from engine.telemetry.line_log import read_lines
from engine.telemetry.rows import BadRow, decode, first_time_ms, last_time_ms, rows_with
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, Findings, LogFile

# The operator's first words come early or never; beyond this a session without any costs no more searches.
_TITLE_WITHIN_BYTES = 4 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class _Run(Struct):
    """The rows of one response behind a gateway whose message ids say nothing."""

    message_id: str
    prompt: tuple[int, int, int]
    key: str


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    run: _Run | None = None
    context_key: str | None = None
    """The response that `facts.context_tokens` is of: a later row of it may be a smaller snapshot."""


_CARRY = msgspec.json.Decoder(_Carry)


class ClaudeCode:
    """Logs are `<project>/<session>.jsonl`; subagents `<project>/<session>/subagents/agent-*.jsonl` or, in older
    versions, `<project>/agent-*.jsonl`, whose rows name the session that they belong to."""

    name = "claude_code"

    def is_log(self, parts: tuple[str, ...]) -> bool:
        return parts[-1].endswith(".jsonl")

    def companions(self, path: str) -> tuple[str, ...]:
        return ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        if len(parts) > 2:
            return parts[1]
        return None if parts[-1].startswith("agent-") else parts[-1].removesuffix(".jsonl")

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        return read_lines(file, cursor, lambda carry: self._parser(file, carry))

    def _parser(self, file: LogFile, carry: str) -> "ClaudeParser":
        parts = file.parts
        known = _CARRY.decode(carry) if carry else _Carry(Facts(self.provider_id(parts)))
        main = len(parts) <= 2 and not parts[-1].startswith("agent-")
        return ClaudeParser(known, parts[-1].removesuffix(".jsonl"), main, file.mtime_ms)


class ClaudeParser:
    """Reads one file. A subagent's file says nothing about its session's title, model, context or start."""

    def __init__(self, known: _Carry, stem: str, main: bool, fallback_ms: int) -> None:
        self.findings = Findings()
        self.facts = known.facts
        self._run = known.run
        self._context_key = known.context_key
        self._last_main: tuple[str, Odd | None] | None = None
        self._stem = stem
        self._main = main
        self._fallback_ms = fallback_ms

    def carry(self) -> str:
        return msgspec.json.encode(_Carry(self.facts, self._run, self._context_key)).decode()

    def feed(self, block: bytes, start: int) -> int:
        found = candidates(block)
        if self._main:
            if self.facts.started_ms is None:
                self.facts.seen_at(first_time_ms(block))
            if self.facts.title is None and start < _TITLE_WITHIN_BYTES:
                self._look_for_title(block)
            self._look_for_totals(block, found.totals)
        self._read_responses(found.responses, start)
        self._note_last_main()
        last_ms = last_time_ms(block)
        if last_ms is not None:
            self.facts.last_ms = max(last_ms, self.facts.last_ms or last_ms)
        if self.facts.provider_id is None or self.facts.workspace is None:
            self._look_for_names(block)
        return found.lines

    def _read_responses(self, rows: list[tuple[int, bytes]], start: int) -> None:
        plain = PLAIN.decode
        for begin, line in rows:
            try:
                row = plain(line)
            except (msgspec.DecodeError, ValueError, RecursionError):
                self._odd_row(line, start + begin)
                continue
            if row.type == "assistant" and (message := row.message) and (usage := message.usage):
                self._response(row, message, usage, line, start + begin)

    def _odd_row(self, line: bytes, offset: int) -> None:
        try:
            odd = read_odd(line)
            message = odd.row.message
            if message is not None and message.usage is not None:
                self._response(odd.row, message, message.usage, line, offset, odd)
        except BadRow as bad:
            self._refuse(line, bad)

    def _response(
        self, row: Row, message: Message, usage: Usage, line: bytes, offset: int, odd: Odd | None = None
    ) -> None:
        if row.isApiErrorMessage or message.model == "<synthetic>":
            return
        key = message.id
        if key and key[:4] == "msg_":
            self._run = None
        else:
            key = self._key(key, usage, line) or f"{self._stem}:byte{offset}"
        told_ms = odd.at_ms if odd is not None else None
        at_ms = (row.timestamp - _EPOCH) // _MS if row.timestamp is not None else told_ms
        dated = at_ms is not None
        at_ms = self._fallback_ms if at_ms is None else at_ms
        finished = bool(message.stop_reason)
        known = self.findings.responses.get(key)
        if (
            known is not None
            and odd is None
            and usage.output_tokens <= known.output_tokens
            and at_ms >= known.at_ms
            and (known.confidence == "final" or not finished)
        ):
            self.findings.drop("stream")  # as `add` would, without making a response to throw away
        elif odd is None and _contradicts_itself(usage):
            self._odd_row(line, offset)
            return
        else:
            written, details = usage.cache_creation, usage.output_tokens_details
            made = Response(  # by position: this is where the time goes
                key,
                at_ms,
                message.model,
                usage.input_tokens,
                usage.cache_read_input_tokens,
                usage.cache_creation_input_tokens,
                usage.output_tokens,
                written.ephemeral_5m_input_tokens if written else None,
                written.ephemeral_1h_input_tokens if written else None,
                details.thinking_tokens if details else None,
                "per_run" if finished else "partial",
                ("final" if finished else "partial") if dated else "inferred",
                offset,
                "",
                odd.factors if odd else "",
                odd.raw if odd else None,
            )
            if known is None:
                self.findings.responses[key] = made
            else:
                self.findings.add(made)
            if odd is not None:
                self._sub_calls(odd, key, at_ms, offset)
        if self._main and not row.isSidechain:
            self._last_main = key, odd
            if row.forkedFrom is not None and self.facts.forked_from is None:
                self.facts.forked_from = row.forkedFrom.sessionId

    def _sub_calls(self, odd: Odd, key: str, at_ms: int, offset: int) -> None:
        """Other models' part in a response: at its terms, but web searches are the executor's."""
        factors = " ".join(word for word in odd.factors.split() if not word.startswith("web:"))
        for call in odd.sub_calls:
            written = call.usage.cache_creation
            self.findings.add(
                Response(
                    key=f"{key}#{call.place}",
                    at_ms=at_ms,
                    model=call.model,
                    input_tokens=call.usage.input_tokens,
                    cache_read_tokens=call.usage.cache_read_input_tokens,
                    cache_write_tokens=call.usage.cache_creation_input_tokens,
                    output_tokens=call.usage.output_tokens,
                    cache_write_5m_tokens=written.ephemeral_5m_input_tokens if written else None,
                    cache_write_1h_tokens=written.ephemeral_1h_input_tokens if written else None,
                    offset=offset,
                    factors=factors,
                )
            )

    def _key(self, message_id: str | None, usage: Usage, line: bytes) -> str | None:
        """`message.id` if it is Anthropic's or came with a request id, whatever that request id is: a sidechain
        replays the message under another one. A gateway may give every response one id: there a response is an
        unbroken run of rows with one prompt size, named by its first row. Without ids: the row's own `uuid`."""
        try:
            ids = decode(IDS, line)
        except BadRow:
            ids = Ids()
        if not message_id or ids.requestId:
            self._run = None
            return message_id or ids.requestId or ids.uuid
        prompt = usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        if ids.uuid and (self._run is None or (self._run.message_id, self._run.prompt) != (message_id, prompt)):
            self._run = _Run(message_id, prompt, ids.uuid)
        return self._run.key if self._run else ids.uuid

    def _note_last_main(self) -> None:
        """What the session's last main response says about it, once for a block."""
        if self._last_main is None:
            return
        (key, odd), self._last_main = self._last_main, None
        best, facts = self.findings.responses[key], self.facts
        context = odd.context_tokens if odd else None
        if context is None:
            context = best.input_tokens + best.cache_read_tokens + best.cache_write_tokens + best.output_tokens
        if key == self._context_key:
            context = max(context, facts.context_tokens or 0)
        facts.context_tokens, self._context_key = context, key
        facts.model = best.model or facts.model

    def _look_for_totals(self, block: bytes, rows: list[tuple[int, bytes]]) -> None:
        found = last_cost_state(rows)
        if found is None:
            return
        begin, line = found
        at_ms = last_time_ms(block[:begin]) or self.facts.last_ms or self._fallback_ms
        try:
            self.findings.totals = client_totals(line, at_ms)
        except BadRow as bad:
            self.findings.refuse(bad.args[0])

    def _look_for_title(self, block: bytes) -> None:
        for _, line in rows_with(block, b'"user"'):
            words = first_words(_prompt(line))
            if words:
                self.facts.title = words[:TITLE_CHARS]
                return

    def _look_for_names(self, block: bytes) -> None:
        for _, line in rows_with(block, b'"cwd"'):
            row = _prompt(line)
            if row is None or not (row.cwd or row.sessionId):
                continue
            self.facts.workspace = self.facts.workspace or row.cwd
            self.facts.provider_id = self.facts.provider_id or row.sessionId
            return

    def _refuse(self, line: bytes, bad: BadRow) -> None:
        """A row of another type is free to use our field names for other things."""
        row = _prompt(line) if bad.args[0] == "bad_row" else None
        if row is None or row.type == "assistant":
            self.findings.refuse(bad.args[0])


def _contradicts_itself(usage: Usage) -> bool:
    """Whether a part is more, or its parts are less, than the whole."""
    written, details = usage.cache_creation, usage.output_tokens_details
    if written is not None:
        parts = (written.ephemeral_5m_input_tokens or 0) + (written.ephemeral_1h_input_tokens or 0)
        if parts != usage.cache_creation_input_tokens:
            return True
    return details is not None and (details.thinking_tokens or 0) > usage.output_tokens


def _prompt(line: bytes) -> PromptRow | None:
    try:
        return decode(PROMPT, line)
    except BadRow:
        return None
