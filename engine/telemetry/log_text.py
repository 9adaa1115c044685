"""What is the text of a log file, plain or packed with zstd, and does it go on where a cursor ended?

Packed text is unpacked as a stream, in bounded memory. A packed file does not grow: one that changed is another text.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import zstandard

from engine.contract.usage import Cursor
from engine.telemetry import lines
from engine.telemetry.lines import HEAD_BYTES, Block

PACKED_SUFFIX = ".zst"

# Four bytes can stand for 128 KiB, so a step of this length never gives more than 64 MiB.
_STEP_BYTES = 2048
_READ_BYTES = 64 * 1024


class LogText(Protocol):
    """One open log file."""

    status: os.stat_result
    damaged: bool
    """Packed, and torn or broken somewhere: known when all blocks have been taken."""

    def is_read(self, cursor: Cursor) -> bool:
        """Whether there is nothing to read for sure."""

    def continues(self, cursor: Cursor) -> bool:
        """Whether the text still begins with what the cursor has read."""

    def blocks(self, offset: int) -> Iterator[Block]:
        """The whole lines from an offset on."""

    def head_hash(self, offset: int) -> str:
        """Hash of the first bytes of a text that has been read up to this offset."""

    def part_size(self, offset: int) -> int:
        """A size for the cursor while there is more to read: less than the file's own, so that a reader that starts
        again does not take the file for finished."""


@contextmanager
def opened_text(path: str) -> Iterator[LogText]:
    """Raises `OSError`."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # never wait for the writer of a pipe
    try:
        yield _Packed(file) if path.endswith(PACKED_SUFFIX) else _Plain(file)
    finally:
        os.close(file)


class _Plain:
    damaged = False

    def __init__(self, file: int) -> None:
        self._file = file
        self.status = os.fstat(file)

    def is_read(self, cursor: Cursor) -> bool:
        return False

    def continues(self, cursor: Cursor) -> bool:
        return lines.continues(self._file, self.status, cursor)

    def blocks(self, offset: int) -> Iterator[Block]:
        return lines.blocks(self._file, offset, self.status.st_size)

    def head_hash(self, offset: int) -> str:
        return lines.head_hash(self._file, offset)

    def part_size(self, offset: int) -> int:
        return offset


class _Packed:
    def __init__(self, file: int) -> None:
        self._file = file
        self.status = os.fstat(file)
        self.damaged = False
        self._head = b""

    def is_read(self, cursor: Cursor) -> bool:
        return self._is_same(cursor) and cursor.size == self.status.st_size

    def continues(self, cursor: Cursor) -> bool:
        return self._is_same(cursor) and cursor.size == self.part_size(cursor.offset)

    def _is_same(self, cursor: Cursor) -> bool:
        now = self.status
        return (now.st_dev, now.st_ino, now.st_mtime_ns) == (cursor.device, cursor.inode, cursor.mtime_ns)

    def blocks(self, offset: int) -> Iterator[Block]:
        return lines.whole_lines(self._text_from(offset), offset)

    def head_hash(self, offset: int) -> str:
        head = self._head[:offset]
        return f"{len(head)}:{lines.hash_of(head)}"

    def part_size(self, offset: int) -> int:
        return 0

    def _text_from(self, offset: int) -> Iterator[bytes]:
        """The unpacked text in pieces of about a block."""
        behind = held = 0
        pieces: list[bytes] = []
        for piece in self._unpacked():
            if len(self._head) < HEAD_BYTES:
                self._head += piece[: HEAD_BYTES - len(self._head)]
            skip = min(len(piece), max(0, offset - behind))
            behind += len(piece)
            if skip < len(piece):
                pieces.append(piece[skip:])
                held += len(piece) - skip
            if held >= lines.BLOCK_BYTES:
                yield b"".join(pieces)
                pieces, held = [], 0
        if pieces:
            yield b"".join(pieces)

    def _unpacked(self) -> Iterator[bytes]:
        frame = None
        for step in self._steps():
            rest = step
            while rest:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    yield frame.decompress(rest)
                except zstandard.ZstdError:
                    self.damaged = True
                    return
                rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
        self.damaged = frame is not None  # it ends in the middle of a frame

    def _steps(self) -> Iterator[bytes]:
        position = 0
        while chunk := os.pread(self._file, _READ_BYTES, position):
            position += len(chunk)
            for begin in range(0, len(chunk), _STEP_BYTES):
                yield chunk[begin : begin + _STEP_BYTES]
