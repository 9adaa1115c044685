"""How do keys reach the console? A thread waits for them, and sleeps until there are any.

Textual's own looks ten times a second, all night, which is a good part of what an idle console costs.
"""

import os
import select
from codecs import getincrementaldecoder
from collections.abc import Callable

from textual import constants
from textual._xterm_parser import XTermParser
from textual.message import Message

from tui.terminal.paste import Pastes

_READ = 4096
_ROUNDS = 3
"""So often after the last byte it is looked whether a key is whole: escape is, when nothing follows."""


class Keyboard:
    """The keys of one taking of the terminal."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._ended, self._end = os.pipe()

    def listen(self, parser: XTermParser, take: Callable[[Message], None]) -> None:
        """Hand on what is typed, until `end`. Raises OSError when there is no terminal any more."""
        decode = getincrementaldecoder("utf-8")("replace").decode
        pastes = Pastes()
        rounds = 0
        while True:
            ready = select.select([self._file, self._ended], [], [], constants.ESCAPE_DELAY if rounds else None)[0]
            if self._ended in ready:
                return
            rounds = _ROUNDS if ready else rounds - 1
            if ready:
                typed = os.read(self._file, _READ)
                if not typed:
                    raise OSError("the terminal has ended")
                for event in parser.feed(pastes.taken(decode(typed))):
                    take(event)
            for event in parser.tick():
                take(event)

    def end(self) -> None:
        """Have `listen` return."""
        os.write(self._end, b".")

    def close(self) -> None:
        """After `listen` has returned."""
        os.close(self._end)
        os.close(self._ended)
