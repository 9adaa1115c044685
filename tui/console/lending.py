"""What happens while the console's terminal is another program's: an agent's own, or the operator's editor?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from textual.app import App

from tui.terminal.away import deaf_to_keys

LATE_S = 0.3
LEAVING = ("ctrl+c", "ctrl+d", "ctrl+q", "ctrl+z", "q", "enter", "escape")
"""For so long after the terminal has come back, these keys were meant for the program that had it: leaving one may
take two of them, and the second would leave the console too."""


class Lends(App[int]):
    """The app as far as it lends its terminal."""

    _back_at = -LATE_S

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Meanwhile the whole console waits. Raises SuspendNotSupported where there is no terminal."""
        with deaf_to_keys(), self.suspend():
            yield
        self._back_at = time.monotonic()

    def is_late(self, key: str) -> bool:
        """Whether a key that comes now was meant for the program that had the terminal."""
        return key in LEAVING and time.monotonic() < self._back_at + LATE_S
