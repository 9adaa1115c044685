"""What is in one of Gemini CLI's documents, which it writes anew as a whole with every message?

A changed document is read as a whole again and says so (`restarted`): its tallies replace the ones before, and its
responses meet themselves in the books. One beyond 64 MB is refused as `too_long` and not held in memory.
One that is not whole was most likely caught while it was written. At first nothing is refused: the cursor carries the
stamp of what was seen and a time which no file has, so that whoever looks next reads again. If it is unchanged then,
its writer is gone, and it is refused as `bad_json`, once.
"""

import os
from collections.abc import Iterator
from typing import Protocol

from msgspec import Raw
from msgspec.structs import replace

from engine.contract.usage import Cursor, LogBatch
from engine.telemetry.gemini_rows import MESSAGES, ROW, Row
from engine.telemetry.line_log import BATCH_RESPONSES
from engine.telemetry.lines import head_hash
from engine.telemetry.rows import BadRow, decode
from engine.telemetry.source import Facts, Findings, LogFile

LARGEST_BYTES = 64 * 1024 * 1024
_NOT_A_TIME = 0


class DocumentParser(Protocol):
    """Turns one document into findings."""

    findings: Findings
    facts: Facts

    def document(self, row: Row) -> None:
        """What it says beside its messages."""

    def message(self, raw: Raw, offset: int) -> None:
        """One message, and where in the file it begins."""


def read_document(file: LogFile, cursor: Cursor | None, parser: DocumentParser) -> Iterator[LogBatch]:
    """The batches of a document that changed since the cursor; none when it did not. Raises `OSError`."""
    opened = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as document:
        status = os.fstat(opened)
        seen = Cursor(
            path=file.path,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            offset=0,
            head_hash=head_hash(opened, status.st_size),
        )
        if cursor is not None and _stamp(cursor) == _stamp(seen):
            return
        if seen.size > LARGEST_BYTES:
            yield _refused(file, cursor, seen, "too_long")
            return
        whole = document.read(LARGEST_BYTES)
    try:
        row = decode(ROW, whole)
        messages = decode(MESSAGES, row.messages) or []
    except BadRow as bad:
        yield _spoilt(file, cursor, seen, bad.args[0])
        return
    parser.document(row)
    yield from _batches(file, cursor, replace(seen, offset=len(whole)), parser, _placed(whole, messages))


def _batches(
    file: LogFile, cursor: Cursor | None, seen: Cursor, parser: DocumentParser, messages: list[tuple[int, Raw]]
) -> Iterator[LogBatch]:
    """The last one says that the document is read; a reader that starts again after an earlier one reads it again."""
    stem = file.parts[-1].removesuffix(".json")
    for begin in range(0, max(1, len(messages)), BATCH_RESPONSES):
        some = messages[begin : begin + BATCH_RESPONSES]
        for offset, raw in some:
            parser.message(raw, offset)
        findings = parser.findings
        yield LogBatch(
            source=file.root.source,
            cursor=seen if begin + len(some) == len(messages) else replace(seen, mtime_ns=_NOT_A_TIME),
            parts=(findings.part(parser.facts.session(file.root, stem, file.mtime_ms)),),
            lines=len(some),
            refused=findings.refused,
            dropped=findings.dropped,
            restarted=begin == 0 and cursor is not None,
        )
        findings.clear()


def _placed(whole: bytes, messages: list[Raw]) -> list[tuple[int, Raw]]:
    """Each message with its offset in bytes; 0 where damage had to be repaired to read it."""
    placed, position = [], 0
    for raw in messages:
        found = whole.find(bytes(raw), position)
        placed.append((max(found, 0), raw))
        position = found + len(bytes(raw)) if found >= 0 else position
    return placed


def _spoilt(file: LogFile, cursor: Cursor | None, seen: Cursor, reason: str) -> LogBatch:
    """Refused where another look cannot help or did not; else noted for another look."""
    stamp = f"torn {_stamp(seen)}"
    if reason != "bad_json" or (cursor is not None and cursor.carry == stamp):
        return _refused(file, cursor, seen, reason)
    return LogBatch(source=file.root.source, cursor=replace(seen, mtime_ns=_NOT_A_TIME, carry=stamp))


def _refused(file: LogFile, cursor: Cursor | None, seen: Cursor, reason: str) -> LogBatch:
    """Counted once, however often the document changes while the reason stays: that is what the restart does."""
    return LogBatch(
        source=file.root.source,
        cursor=seen,
        lines=1,
        refused={reason: 1},
        restarted=cursor is not None,
    )


def _stamp(cursor: Cursor) -> tuple[int, int, int, int]:
    return cursor.device, cursor.inode, cursor.size, cursor.mtime_ns
