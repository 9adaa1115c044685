"""How is a file read on that a running child writes to? In steps, each line once, never more than fits in memory."""

import os
from pathlib import Path

STEP_BYTES = 256 * 1024
"""Read at one look: a reader must not keep the engine for long."""
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes. A longer line is passed over, and counted."""


class Tape:
    """One output file of a run, which need not be there yet."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self.offset = start
        """Up to here it has been taken."""
        self.skipped = 0
        """Lines that were too long."""
        self._rest = bytearray()
        self._in_long = False

    def read(self) -> bytes:
        """What was added since, at most one step; empty when nothing was."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # not there yet, or not any more
            return b""
        try:
            return os.pread(descriptor, STEP_BYTES, self.offset + len(self._rest))
        finally:
            os.close(descriptor)

    def text(self) -> bytes:
        """The next step as it is, for an output that has no lines; empty when there is nothing new."""
        chunk = self.read()
        self.offset += len(chunk)
        return chunk

    def lines(self) -> list[bytes] | None:
        """The whole lines of the next step, without their ends; None when there is nothing new."""
        chunk = self.read()
        if not chunk:
            return None
        whole, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._hold(chunk)
            return []
        lines = (bytes(self._rest) + whole).split(b"\n")
        self.offset += len(self._rest) + len(whole) + 1
        self._rest.clear()
        if self._in_long:
            self._in_long, lines = False, lines[1:]
            self.skipped += 1
        self._hold(rest)
        return [line for line in lines if line.strip()]

    def _hold(self, rest: bytes) -> None:
        """Keep the start of a line that is not ended yet."""
        self._rest += rest
        if len(self._rest) > LONGEST_LINE or self._in_long:
            self.offset += len(self._rest)
            self._rest.clear()
            self._in_long = True

    def last(self) -> bytes:
        """The line that was never ended, once nothing more comes."""
        rest = b"" if self._in_long else bytes(self._rest)
        self.offset += len(self._rest)
        self._rest.clear()
        return rest


def last_line(path: Path, chars: int = 200) -> str:
    """The last line of a file that says anything, cut; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 16 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return text.strip().rpartition("\n")[2][:chars]
