"""What is new in one log of JSON lines since its cursor? Joins lines and parser into batches of bounded size."""

from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from engine.contract.usage import Cursor, LogBatch
from engine.telemetry.lines import Block
from engine.telemetry.log_text import PACKED_SUFFIX, LogText, opened_text
from engine.telemetry.source import Facts, Findings, LogFile

# A batch is one write of the engine; it ends with the block in which it reaches one of these.
BATCH_LINES = 2_000
BATCH_RESPONSES = 500


class Parser(Protocol):
    """Turns whole lines of one file into findings. Its memory between two reads is its carry."""

    findings: Findings
    facts: Facts

    def feed(self, block: bytes, start: int) -> int:
        """Read whole lines, and say how many; `start` is the offset in the file, in bytes, of the first."""

    def carry(self) -> str:
        """What a later parser of this file must be given, as JSON."""


ParserOf = Callable[[str], Parser]
"""A parser for a file, given the carry of the one before or an empty one. Raises `msgspec.DecodeError` on a carry that
is not this source's."""


def read_lines(file: LogFile, cursor: Cursor | None, parser_of: ParserOf) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of its file; none when no whole line came. Raises `OSError`."""
    with opened_text(file.path) as text:
        if cursor and text.is_read(cursor):
            return
        parser = _continued(cursor, parser_of) if cursor and text.continues(cursor) else None
        offset = cursor.offset if cursor and parser else 0
        pending = _Pending(file, parser or parser_of(""), text, offset)
        pending.restarted = cursor is not None and parser is None
        told = cursor.size if cursor and parser else None
        for block in text.blocks(offset):
            pending.feed(block)
            if pending.is_full():
                told = text.part_size(pending.offset)
                yield pending.batch(size=told)
        if text.damaged:
            pending.refuse("bad_zst")
        taken_for_unfinished = told not in (None, text.status.st_size) and told == text.part_size(pending.offset)
        if pending.has_news() or taken_for_unfinished:
            yield pending.batch(size=text.status.st_size)


class _Pending:
    """A batch in the making."""

    def __init__(self, file: LogFile, parser: Parser, text: LogText, offset: int) -> None:
        self._file = file
        self._parser = parser
        self._text = text
        self.offset = offset
        self.lines = 0
        self.restarted = False

    def feed(self, block: Block) -> None:
        if block.data:
            self.lines += self._parser.feed(block.data, block.start)
        for _ in range(block.too_long):
            self.refuse("too_long")
        self.lines += block.too_long
        self.offset = block.end

    def refuse(self, reason: str) -> None:
        self._parser.findings.refuse(reason)

    def has_news(self) -> bool:
        return bool(self.lines or self.restarted or self._parser.findings.refused)

    def is_full(self) -> bool:
        return self.lines >= BATCH_LINES or len(self._parser.findings.responses) >= BATCH_RESPONSES

    def batch(self, size: int) -> LogBatch:
        """`size` goes into the cursor."""
        findings, facts = self._parser.findings, self._parser.facts
        stem = self._file.parts[-1].removesuffix(PACKED_SUFFIX).removesuffix(".jsonl")
        made = LogBatch(
            source=self._file.root.source,
            cursor=self._cursor(size),
            parts=(findings.part(facts.session(self._file.root, stem, self._file.mtime_ms)),),
            limits=tuple(findings.limits.values()),
            lines=self.lines,
            refused=findings.refused,
            dropped=findings.dropped,
            restarted=self.restarted,
        )
        findings.clear()
        self.lines = 0
        self.restarted = False
        return made

    def _cursor(self, size: int) -> Cursor:
        status = self._text.status
        return Cursor(
            path=self._file.path,
            device=status.st_dev,
            inode=status.st_ino,
            size=size,
            mtime_ns=status.st_mtime_ns,
            offset=self.offset,
            head_hash=self._text.head_hash(self.offset),
            carry=self._parser.carry(),
        )


def _continued(cursor: Cursor, parser_of: ParserOf) -> Parser | None:
    """A parser that remembers; `None` where the carry is not one of ours, so that the file is read again."""
    try:
        return parser_of(cursor.carry)
    except msgspec.DecodeError:
        return None
