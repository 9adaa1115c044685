"""How do messages go to and from an agent? One JSON object per line; what is none is said, not stumbled over.

Session updates are handed on at once, so that all that was told before an answer is known when the answer comes.
Everything else is the library's.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes. An agent that sends a longer one is given up."""
_CHUNK = 256 * 1024
_ODD_TOLD = 3


class Wire:
    """A transport over an agent's pipes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_update: Callable[[Any], None],
        on_odd: Callable[[str], None],
    ) -> None:
        self.fault = ""
        """Why it was given up, when it was."""
        self._reader = reader
        self._writer = writer
        self._on_update = on_update
        self._on_odd = on_odd
        self._odd = 0
        self._held = bytearray()
        self._searched = 0

    async def send(self, message: dict[str, Any]) -> None:
        """To an agent that is gone nothing is sent: that it is gone is told by the end of its output."""
        with suppress(ConnectionError):
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next request or response; None when nothing more comes."""
        while (line := await self._line()) is not None:
            message = _decoded(line)
            if message is None:
                self._note(line)
            elif message.get("method") == "session/update":
                self._on_update(message.get("params"))
            elif "id" in message:
                return message
        return None

    async def close(self) -> None:
        self._writer.close()

    def _note(self, line: bytes) -> None:
        if line.strip():
            self._odd += 1
            if self._odd <= _ODD_TOLD:
                self._on_odd(line[:200].decode(errors="replace"))

    async def _line(self) -> bytes | None:
        while (end := self._held.find(b"\n", self._searched)) < 0:
            self._searched = len(self._held)
            if self._searched > LONGEST_LINE:
                self.fault = f"the agent sent a line of more than {LONGEST_LINE:,} bytes"
                return None
            chunk = await self._reader.read(_CHUNK)
            await asyncio.sleep(0)  # a flood is read without a pause, and others have to get their turn
            if not chunk:
                return None
            self._held += chunk
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        self._searched = 0
        return line


def _decoded(line: bytes) -> dict[str, Any] | None:
    """A message as the library takes it; None for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or ("id" in found and not isinstance(found["id"], int | str | None)):
        return None
    method, error = found.get("method"), found.get("error")
    if method is not None:
        return found if isinstance(method, str) else None
    return found if "id" in found and isinstance(error, dict | None) else None
