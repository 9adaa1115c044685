"""What is written to our input? A thread reads it line by line: it may be a file, for which no loop can wait."""

import asyncio
import os
import threading

import msgspec

from engine.adapters.acp_client.lines import Job, Word, read_job, read_word

_CHUNK = 64 * 1024


class Words:
    """The lines of our standard input. To be made within the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    async def job(self) -> Job | None:
        """The first line; None when it is no job."""
        line = await self._lines.get()
        try:
            return None if line is None else read_job(line)
        except msgspec.MsgspecError:
            return None

    async def next(self) -> Word | None:
        """The next line that can be understood; None when the input has ended."""
        while (line := await self._lines.get()) is not None:
            try:
                return read_word(line)
            except msgspec.MsgspecError:
                continue
        return None

    def _read(self) -> None:
        held = bytearray()
        while chunk := os.read(0, _CHUNK):
            whole, newline, rest = chunk.rpartition(b"\n")
            if newline:
                for line in (bytes(held) + whole).split(b"\n"):
                    self._hand_over(line)
                held.clear()
            held += rest
        if held:
            self._hand_over(bytes(held))
        self._hand_over(None)

    def _hand_over(self, line: bytes | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:  # all is over
            return
