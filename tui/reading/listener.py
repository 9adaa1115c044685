"""What does a live run tell right now? A thread of its own reads its output, so that the screen never waits for it."""

import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message
from textual.message_pump import MessagePump

from state import runs
from state.database import open_reader
from state.errors import QuarterdeckError
from state.home import Home
from tui.reading.transcript import Transcript
from tui.widgets.cells import Cell

if TYPE_CHECKING:
    from tui.cli.output import Live

LOOK_S = 0.1


@dataclass
class RunTold(Message):
    """All that a run has told so far."""

    run_id: int
    lines: tuple[Cell, ...]
    said: bool
    """Whether any of it is an answer."""
    tokens: int | None = None
    """What it has told of its usage; None when nothing."""


class Listener:
    """Listens to one run until that has ended or nobody wants to know: for as long as the screen is there at most."""

    def __init__(self, home: Home, run_id: int, screen: MessagePump) -> None:
        self.run_id = run_id
        self._home, self._screen = home, screen
        self._transcript = Transcript()
        self._ended = threading.Event()
        self._due = 0.0
        self._tokens: int | None = None
        threading.Thread(target=self._work, name=f"run {run_id}", daemon=True).start()

    def stop(self) -> None:
        """Nobody wants to know any more; the thread ends at its next look."""
        self._ended.set()

    @property
    def _is_wanted(self) -> bool:
        return not self._ended.is_set() and self._screen.is_running

    def _work(self) -> None:
        """The worker boundary: what cannot be read is told as one line."""
        try:
            self._listen()
        except QuarterdeckError as error:
            self._lose(error.line)
        except (sqlite3.Error, OSError) as error:
            self._lose(f"its output cannot be read: {error}")

    def _listen(self) -> None:
        from tui.cli.output import Live

        connection = open_reader(self._home)
        if connection is None:
            return
        try:
            live = Live(self._home)
            while self._is_wanted:
                run = runs.get(connection, self.run_id)  # first: what it told last is there when it has ended
                self._take(live, run)
                if not run.open:
                    return
                self._ended.wait(LOOK_S)
        finally:
            connection.close()

    def _take(self, live: "Live", run: runs.Run) -> None:
        told = False
        for one in live.told(run):
            self._transcript.take(one)
            told = True
            if not self._is_wanted:
                return
            if time.monotonic() >= self._due:  # a long output is shown while it is read
                self._tell()
        if told or live.used_tokens != self._tokens:
            self._tokens = live.used_tokens
            self._tell()

    def _tell(self) -> None:
        self._due = time.monotonic() + LOOK_S
        self._screen.post_message(RunTold(self.run_id, self._transcript.lines, self._transcript.said, self._tokens))

    def _lose(self, line: str) -> None:
        self._transcript.trouble(line)
        self._tell()
