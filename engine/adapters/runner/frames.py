"""Where does one frame of a streamed answer end? Server-sent events, and lines of JSON; bytes may come cut anywhere."""

import json
from typing import TypeVar

import msgspec

from engine.adapters.runner.faults import Malformed

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes."""
T = TypeVar("T")


class Lines:
    """Each line that says anything is a frame: NDJSON."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are whole now. Raises Malformed for a line that does not end."""
        return [line for line in self.lines(chunk) if line.strip()]

    def end(self) -> list[bytes]:
        """What was left when the stream ended."""
        return self.feed(b"\n")

    def lines(self, chunk: bytes) -> list[bytes]:
        """Every whole line, without its end."""
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = bytes(self._rest) + whole[0]
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > LONGEST_LINE:
            raise Malformed("a line of its answer does not end")
        return [line.removesuffix(b"\r") for line in whole]


class Events:
    """Server-sent events: the data of each, whatever it is called."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that are whole now. Raises Malformed for one that does not end."""
        return [frame for line in self._lines.lines(chunk) for frame in self._take(line)]

    def end(self) -> list[bytes]:
        """What was left when the stream ended: some servers leave out the blank line."""
        return self.feed(b"\n\n")

    def _take(self, line: bytes) -> list[bytes]:
        if line.startswith(b"data:"):
            self._data.append(line[len(b"data:") :].removeprefix(b" "))
            self._size += len(line)
            if self._size > LONGEST_LINE:
                raise Malformed("an event of its answer does not end")
        if line or not self._data:
            return []
        frame = b"\n".join(self._data)
        self._data, self._size = [], 0
        return [frame] if frame.strip() else []


def decoded(frame: bytes, kind: type[T]) -> T:
    """A frame as what it should be. Raises Malformed. Half characters, which JSON can carry, become question marks."""
    try:
        return msgspec.json.decode(frame, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as first:
        try:
            plain = json.dumps(json.loads(frame.decode("utf-8", "replace")), ensure_ascii=False)
            return msgspec.json.decode(plain.encode("utf-8", "replace"), type=kind)
        except (ValueError, msgspec.MsgspecError, RecursionError):
            raise Malformed(f"its answer cannot be read: {first}") from None
