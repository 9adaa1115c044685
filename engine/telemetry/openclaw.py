"""Which files of OpenClaw hold transcripts, and how is one with lines read?

Below `agents/<agent>`: `agent/openclaw-agent.sqlite` (since 2026.8), before it `sessions/<session>.jsonl`, with copies
for a reset (`.jsonl.reset.<time>`), a deletion, a backup and a compaction (`.checkpoint.<uuid>.jsonl`), what the move
to the database left in `session-sqlite-import-archive`, and cold archives `sessions/cold/<hash>.jsonl.zst`. Any of them
may be packed (`.zst`). All tell events alike, so an event counts once wherever it is. Checked against the public
source and documentation up to 2026.9. Not read: Codex rollouts below an agent's own `codex-home`.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from engine.contract.usage import Cursor, LogBatch
from engine.telemetry.line_log import read_lines
from engine.telemetry.openclaw_database import read_database
from engine.telemetry.openclaw_events import Model, Transcript
from engine.telemetry.rows import BadRow
from engine.telemetry.source import Archive, Facts, Findings, LogFile

DATABASE = ("agent", "openclaw-agent.sqlite")
_FOLDERS = ("sessions", "session-sqlite-import-archive")
_NAME = re.compile(
    r"(?P<session>.+?)(-topic-[^.]*)?(\.checkpoint\.[0-9a-fA-F-]{36})?\.jsonl(\.(reset|deleted|bak)\.[^/]*?)?(\.zst)?"
)


class OpenClaw:
    """Logs of all agents. An agent's name says nothing about who works for whom here."""

    name = "openclaw"

    def is_log(self, parts: tuple[str, ...]) -> bool:
        if parts[1:] == DATABASE:
            return True
        named = len(parts) > 2 and parts[1] in _FOLDERS and _NAME.fullmatch(parts[-1])
        return bool(named) and ".trajectory." not in parts[-1]

    def companions(self, path: str) -> tuple[str, ...]:
        return (f"{path}-wal",) if path.endswith(".sqlite") else ()

    def provider_id(self, parts: tuple[str, ...]) -> str | None:
        if parts[1:] == DATABASE or "cold" in parts[2:-1]:
            return None
        named = _NAME.fullmatch(parts[-1])
        return named["session"] if named else None

    def read(self, file: LogFile, cursor: Cursor | None, archive: Archive) -> Iterator[LogBatch]:
        if file.parts[1:] == DATABASE:
            return read_database(file, cursor)
        return read_lines(file, cursor, lambda carry: TranscriptParser(self.provider_id(file.parts), carry, file))


class _Carry(Struct, omit_defaults=True):
    facts: Facts
    model: Model = msgspec.field(default_factory=Model)


_CARRY = msgspec.json.Decoder(_Carry)


class TranscriptParser:
    """Reads one file."""

    def __init__(self, session: str | None, carry: str, file: LogFile) -> None:
        known = _CARRY.decode(carry) if carry else _Carry(Facts(session))
        self.findings = Findings()
        self.facts = known.facts
        self._transcript = Transcript(known.facts, known.model, file.mtime_ms)

    def carry(self) -> str:
        return msgspec.json.encode(_Carry(self.facts, self._transcript.model)).decode()

    def feed(self, block: bytes, start: int) -> int:
        for line in block.split(b"\n"):
            if line and not line.isspace():
                try:
                    response = self._transcript.take(line, start)
                except BadRow as bad:
                    self.findings.refuse(bad.args[0])
                else:
                    if response is not None:
                        self.findings.add(response)
            start += len(line) + 1
        return block.count(b"\n")
