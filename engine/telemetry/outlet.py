"""In which portions does the reader send? In order, and few while there is much: each is a write of the engine."""

import math
import time
from collections.abc import Callable

import msgspec

from engine.contract.usage import ReaderMessage

HOLD_BYTES = 96 * 1024
HOLD_S = 0.05
"""What is held is sent in portions of this size, or this often."""


class Outlet:
    """What goes to the engine. `send` writes bytes."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._held: list[bytes] = []
        self._size = 0
        self.encoder = msgspec.json.Encoder()
        self.due_at = math.inf
        """When what is held must go, on the monotonic clock."""

    def send(self, message: ReaderMessage) -> None:
        """At once, behind all that is held."""
        self.flush()
        self._send(self.encoder.encode(message) + b"\n")

    def hold(self, line: bytes) -> None:
        """With what comes next."""
        if not self._held:
            self.due_at = time.monotonic() + HOLD_S
        self._held.append(line)
        self._size += len(line)
        if self._size >= HOLD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            self._send(b"".join(self._held))
            self._held.clear()
        self._size, self.due_at = 0, math.inf
