"""What is new in one log of JSON lines since its cursor? Joins lines and parser into batches of bounded size."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from engine.contract.usage import Cursor, LogBatch
from engine.telemetry.lines import Block, blocks, continues, head_hash
from engine.telemetry.source import Facts, Findings, LogFile

# A batch is one write of the engine; it ends with the block in which it reaches one of these.
BATCH_LINES = 2_000
BATCH_RESPONSES = 500


class Parser(Protocol):
    """Turns whole lines of one file into findings. Its memory between two reads is its carry."""

    findings: Findings
    facts: Facts

    def feed(self, block: bytes, start: int) -> None:
        """Read whole lines; `start` is the offset in the file, in bytes, of the first."""

    def carry(self) -> str:
        """What a later parser of this file must be given, as JSON."""


ParserOf = Callable[[str], Parser]
"""A parser for a file, given the carry of the one before or an empty one. Raises `msgspec.DecodeError` on a carry that
is not this source's."""


def read_lines(file: LogFile, cursor: Cursor | None, parser_of: ParserOf) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of its file; none when no whole line came. Raises `OSError`."""
    with _opened(file.path) as opened:
        status = os.fstat(opened)
        parser = _continued(cursor, parser_of) if cursor and continues(opened, status, cursor) else None
        offset = cursor.offset if cursor and parser else 0
        pending = _Pending(file, parser or parser_of(""), opened, status, offset)
        pending.restarted = cursor is not None and parser is None
        for block in blocks(opened, offset, status.st_size):
            pending.feed(block)
            if pending.is_full():
                yield pending.batch(size=pending.offset)
        if pending.lines or pending.restarted:
            yield pending.batch(size=status.st_size)


class _Pending:
    """A batch in the making."""

    def __init__(self, file: LogFile, parser: Parser, opened: int, status: os.stat_result, offset: int) -> None:
        self._file = file
        self._parser = parser
        self._opened = opened
        self._status = status
        self.offset = offset
        self.lines = 0
        self.restarted = False

    def feed(self, block: Block) -> None:
        if block.data:
            self._parser.feed(block.data, block.start)
        for _ in range(block.too_long):
            self._parser.findings.refuse("too_long")
        self.lines += block.data.count(b"\n") + block.too_long
        self.offset = block.end

    def is_full(self) -> bool:
        return self.lines >= BATCH_LINES or len(self._parser.findings.responses) >= BATCH_RESPONSES

    def batch(self, size: int) -> LogBatch:
        """`size` goes into the cursor: less than the file's own while there is more to read, so that a reader that
        starts again does not take the file for finished."""
        findings, facts = self._parser.findings, self._parser.facts
        stem = self._file.parts[-1].removesuffix(".zst").removesuffix(".jsonl")
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
        return Cursor(
            path=self._file.path,
            device=self._status.st_dev,
            inode=self._status.st_ino,
            size=size,
            mtime_ns=self._status.st_mtime_ns,
            offset=self.offset,
            head_hash=head_hash(self._opened, self.offset),
            carry=self._parser.carry(),
        )


@contextmanager
def _opened(path: str) -> Iterator[int]:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never wait for the writer of a pipe
    try:
        yield opened
    finally:
        os.close(opened)


def _continued(cursor: Cursor, parser_of: ParserOf) -> Parser | None:
    """A parser that remembers; `None` where the carry is not one of ours, so that the file is read again."""
    try:
        return parser_of(cursor.carry)
    except msgspec.DecodeError:
        return None
