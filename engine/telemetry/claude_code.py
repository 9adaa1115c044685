"""What do Claude Code's session logs say about sessions and responses?

Field names as written by 2.1.329 and earlier. A response is found by the type of its row, never by a usage key at any
depth: tool results, progress rows and quoted text carry such keys too. `cost-state` totals are never added.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch, Response
from engine.telemetry.claude_rows import PROMPT, ROW, PromptRow, Row, first_words
from engine.telemetry.line_log import read_lines
from engine.telemetry.rows import BadRow, count, decode, first_time_ms, last_time_ms, rows_with, time_ms
from engine.telemetry.source import TITLE_CHARS, Archive, Facts, Findings, LogFile


class _Run(Struct):
    """The rows of one response behind a gateway whose message ids say nothing."""

    message_id: str
    prompt: tuple[int, int, int]
    key: str


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    run: _Run | None = None


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
    """Reads one file. A subagent's file says nothing about its session's title, model or start."""

    def __init__(self, known: _Carry, stem: str, main: bool, fallback_ms: int) -> None:
        self.findings = Findings()
        self.facts = known.facts
        self._run = known.run
        self._stem = stem
        self._main = main
        self._fallback_ms = fallback_ms

    def carry(self) -> str:
        return msgspec.json.encode(_Carry(self.facts, self._run)).decode()

    def feed(self, block: bytes, start: int) -> None:
        if self._main and self.facts.started_ms is None:
            self.facts.seen_at(first_time_ms(block))
        if self._main and self.facts.title is None:
            self._look_for_title(block)
        for begin, line in rows_with(block, b'"usage"'):
            try:
                self._usage_row(decode(ROW, line), start + begin)
            except BadRow as bad:
                self._refuse(line, bad)
        last_ms = last_time_ms(block)
        if last_ms is not None:
            self.facts.last_ms = max(last_ms, self.facts.last_ms or last_ms)
        if self.facts.provider_id is None or self.facts.workspace is None:
            self._look_for_names(block)

    def _usage_row(self, row: Row, offset: int) -> None:
        message = row.message
        if row.type != "assistant" or row.isApiErrorMessage or message is None or message.usage is None:
            return
        if message.model == "<synthetic>":
            return
        if self._main and not row.isSidechain and message.model:
            self.facts.model = message.model
        at_ms = time_ms(row.timestamp)
        usage = message.usage
        prompt = count(usage.input_tokens), count(usage.cache_read_input_tokens), usage.cache_write()
        key = self._key(row, prompt)
        self.findings.add(
            Response(
                key=key or f"{self._stem}:byte{offset}",
                at_ms=self._fallback_ms if at_ms is None else at_ms,
                model=message.model,
                input_tokens=prompt[0],
                cache_read_tokens=prompt[1],
                cache_write_tokens=prompt[2],
                output_tokens=count(usage.output_tokens),
                cache_write_5m_tokens=usage.cache_write_5m(),
                cache_write_1h_tokens=usage.cache_write_1h(),
                reasoning_tokens=usage.thinking(),
                confidence="final" if message.stop_reason else "partial",
                offset=offset,
            )
        )

    def _key(self, row: Row, prompt: tuple[int, int, int]) -> str | None:
        """`message.id` if it is Anthropic's or came with a request id, whatever that request id is: a sidechain
        replays the message under another one. A gateway may give every response one id: there a response is an
        unbroken run of rows with one prompt size, named by its first row. Without ids: the row's own `uuid`."""
        message_id = row.message.id if row.message else None
        if message_id and (message_id.startswith("msg_") or row.requestId):
            self._run = None
            return message_id
        if not message_id:
            self._run = None
            return row.requestId or row.uuid
        if row.uuid and (self._run is None or (self._run.message_id, self._run.prompt) != (message_id, prompt)):
            self._run = _Run(message_id, prompt, row.uuid)
        return self._run.key if self._run else row.uuid

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


def _prompt(line: bytes) -> PromptRow | None:
    try:
        return decode(PROMPT, line)
    except BadRow:
        return None
