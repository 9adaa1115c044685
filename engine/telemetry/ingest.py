"""What is new in one log file since its cursor? Joins lines and parser into batches of bounded size."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from engine.contract.usage import Cursor, LogBatch, SeenSession
from engine.telemetry.catalog import SOURCES
from engine.telemetry.lines import Block, blocks, continues, head_hash
from engine.telemetry.source import LogFile, Parser

# A batch is one write of the engine; it ends with the block in which it reaches one of these.
BATCH_LINES = 2_000
BATCH_RESPONSES = 500


def read_log(file: LogFile, cursor: Cursor | None) -> Iterator[LogBatch]:
    """The batches that bring a cursor to the end of its file; none when no whole line came. Raises `OSError`."""
    with _opened(file.path) as opened:
        status = os.fstat(opened)
        parser = _continued(file, cursor) if cursor and continues(opened, status, cursor) else None
        offset = cursor.offset if cursor and parser else 0
        pending = _Pending(file, parser or _fresh(file), opened, status, offset)
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
        findings = self._parser.findings
        made = LogBatch(
            source=self._file.root.source,
            cursor=self._cursor(size),
            session=self._session(),
            responses=tuple(findings.responses.values()),
            lines=self.lines,
            refused=findings.refused,
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
            offset=self.offset,
            head_hash=head_hash(self._opened, self.offset),
            carry=self._parser.carry(),
        )

    def _session(self) -> SeenSession:
        facts = self._parser.facts
        return SeenSession(
            source=self._file.root.source,
            provider_home=self._file.root.provider_home,
            provider_id=facts.provider_id or self._file.parts[-1].removesuffix(".jsonl"),
            last_active_ms=self._file.mtime_ms if facts.last_ms is None else facts.last_ms,
            started_ms=facts.started_ms,
            workspace=facts.workspace,
            title=facts.title,
            model=facts.model,
        )


@contextmanager
def _opened(path: str) -> Iterator[int]:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never wait for the writer of a pipe
    try:
        yield opened
    finally:
        os.close(opened)


def _fresh(file: LogFile) -> Parser:
    return SOURCES[file.root.source].parser(file.parts, "", file.mtime_ms)


def _continued(file: LogFile, cursor: Cursor) -> Parser | None:
    """A parser that remembers; `None` where the carry is not one of ours, so that the file is read again."""
    try:
        return SOURCES[file.root.source].parser(file.parts, cursor.carry, file.mtime_ms)
    except msgspec.DecodeError:
        return None
