"""What of a child's output is kept, in bounded memory, however much of it there is?

Standard library alone, as all that a keeper imports."""

import os

CHUNK = 64 * 1024
TAIL = 1024 * 1024
"""At most: the rest of what may be kept goes to the log as it comes, where it can be followed."""


class Output:
    """One stream of the child: its head goes to the log as it comes, its tail at the end."""

    def __init__(self, source: int, log: int, cap: int) -> None:
        self.source = source
        self.open = True
        self.dropped = 0
        self.error = ""
        self._log = log
        self._tail_size = min(cap - cap // 2, TAIL)
        self._head_left = cap - self._tail_size
        self._tail = bytearray()
        self._last = b"\n"

    def read(self) -> bool:
        """Take one chunk; False when there is none now."""
        try:
            chunk = os.read(self.source, CHUNK)
        except BlockingIOError:
            return False
        self.open = bool(chunk)
        head, rest = chunk[: self._head_left], chunk[self._head_left :]
        self._head_left -= len(head)
        self._write(head)
        self._tail += rest
        excess = max(0, len(self._tail) - self._tail_size)
        self.dropped += excess
        del self._tail[:excess]
        return self.open

    def finish(self) -> None:
        """Take what is there, and write the tail."""
        for _ in range(64):  # A pipe holds 1 MiB at most; one that an outsider fills must not hold us.
            if not self.open or not self.read():
                break
        if self.dropped:
            self._write((b"" if self._last == b"\n" else b"\n") + b"[... %d bytes dropped ...]\n" % self.dropped)
        self._write(bytes(self._tail))

    def _write(self, data: bytes) -> None:
        try:
            while data and not self.error:
                written = os.write(self._log, data)
                self._last = data[written - 1 : written]
                data = data[written:]
        except OSError as error:
            self.error = error.strerror or str(error)
        self.dropped += len(data)
