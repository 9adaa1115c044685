"""Which whole lines of a log are new since its cursor, and is it still the same file?

Memory is bounded: blocks of whole lines, and a line beyond `LONGEST_LINE` is skipped and counted.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.contract.usage import Cursor

BLOCK_BYTES = 512 * 1024
LONGEST_LINE = 64 * 1024 * 1024
HEAD_BYTES = 1024
TAIL_BYTES = 256


class Block(NamedTuple):
    """Whole lines, each with its line feed."""

    start: int
    """Offset of `data` in the file, bytes."""
    data: bytes
    end: int
    """Offset behind `data`: what a cursor stores."""
    too_long: int = 0
    """Lines before `data` that were skipped for their length."""


def head_hash(file: int, offset: int) -> str:
    """`<n>:<hash>:<hash>` of the first n = min(1 KiB, offset) bytes and of the last ones before the offset: a growing
    file keeps both, and one that was cut and grew again hardly has the same bytes there."""
    length = min(HEAD_BYTES, offset)
    tail = min(TAIL_BYTES, offset)
    return f"{length}:{hash_of(os.pread(file, length, 0))}:{hash_of(os.pread(file, tail, offset - tail))}"


def hash_of(head: bytes) -> str:
    """Short, and the same in every process."""
    return hashlib.blake2b(head, digest_size=8).hexdigest()


def continues(file: int, status: os.stat_result, cursor: Cursor) -> bool:
    """Whether an open file still begins with what the cursor has read."""
    if (status.st_dev, status.st_ino) != (cursor.device, cursor.inode) or status.st_size < cursor.offset:
        return False
    if status.st_size == cursor.size and status.st_mtime_ns != cursor.mtime_ns:
        return False  # written again at the same length: only reading it tells what changed
    return head_hash(file, cursor.offset) == cursor.head_hash


def blocks(
    file: int, start: int, end: int, block_bytes: int = BLOCK_BYTES, longest_line: int = LONGEST_LINE
) -> Iterator[Block]:
    """The whole lines between two offsets. A torn last line is left for the next time."""
    return whole_lines(_chunks(file, start, end, block_bytes), start, longest_line)


def _chunks(file: int, start: int, end: int, block_bytes: int) -> Iterator[bytes]:
    position = start
    while position < end and (chunk := os.pread(file, min(block_bytes, end - position), position)):
        position += len(chunk)
        yield chunk


def whole_lines(chunks: Iterable[bytes], start: int, longest_line: int = LONGEST_LINE) -> Iterator[Block]:
    """The whole lines of a text that comes in pieces, the first of which is at `start`."""
    unfinished: list[bytes] = []
    held = 0
    begin = position = start
    for chunk in chunks:
        position += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            held += len(chunk)
            unfinished.append(chunk)
            if held > longest_line:  # only the length is kept, and it marks the line as one to skip
                unfinished.clear()
            continue
        skip = chunk.find(b"\n") + 1 if held > longest_line else 0
        data = chunk[skip:cut] if skip else b"".join([*unfinished, chunk[:cut]])
        finish = position - len(chunk) + cut
        yield Block(finish - len(data) if skip else begin, data, finish, int(skip > 0))
        unfinished, begin, held = [chunk[cut:]], finish, len(chunk) - cut
