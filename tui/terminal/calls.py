"""How does a call reach the operator through a terminal? By its bell, its title, or a notification on the desktop.

Pure but for `Caller`, which hands the bytes to the app's driver on the app's own thread: between two frames, never in
one. Terminals read these sequences since xterm; what is not understood is passed over, except on the consoles that have
no title to set.
"""

from collections.abc import Callable, Mapping, Sequence

from engine.config.console import Alerts
from tui.clean import clean
from tui.reading.alerts import Call
from tui.terminal.around import BEL, ESC, ST, around, through_screen, through_tmux
from tui.terminal.driver import is_simple

TEXT_CAP = 120
REST_MS = 10_000
"""At most one bell and one notification in this time, and one title, unless the operator has seen the one before. What
comes meanwhile is told together."""
TITLE_HOLDS_MS = 600_000
"""So long a call stands in the title, unless the operator has come to the terminal before."""
NAME = "quarterdeck"
KEEP_TITLE = f"{ESC}[22;2t"
TITLE_AS_IT_WAS = f"{ESC}]2;{ST}{ESC}[23;2t"
"""XTWINOPS: the title is pushed on the terminal's own stack, and popped; where there is none, it is empty after us."""


def said(text: str, ascii_only: bool) -> str:
    """One line that ends no sequence before its end, short enough for every terminal. Semicolons part fields."""
    line = clean(text, TEXT_CAP).replace(";", ",")
    return line.encode("ascii", "replace").decode() if ascii_only else line


def title(text: str) -> str:
    """Set it. As it is in tmux too: tmux has titles of its own."""
    return f"{ESC}]2;{text}{ST}"


def notification(way: str, text: str, environ: Mapping[str, str]) -> str:
    """A notification on the desktop, through tmux (that needs `allow-passthrough`) or GNU screen where we are in one:
    of a character, screen passes on its lowest eight bits."""
    match around(environ):
        case "tmux":
            return through_tmux(_notifying(way, text) + ST)
        case "screen":
            return through_screen(_notifying(way, said(text, True)) + BEL)
        case _:
            return _notifying(way, text) + ST


def _notifying(way: str, text: str) -> str:
    """Without its end."""
    return f"{ESC}]9;{text}" if way == "osc9" else f"{ESC}]777;notify;{NAME};{text}"


class Caller:
    """What one console has said to its terminal so far, and when. `write` puts bytes between two frames."""

    def __init__(self, write: Callable[[str], None], environ: Mapping[str, str], ascii_only: bool) -> None:
        self._write, self._environ, self._ascii = write, environ, ascii_only
        self._titled = not is_simple(environ)
        self.alerts = Alerts()
        self._shown: str | None = None
        """The title as it was set; None while it is not ours."""
        self._needs = 0
        self._last = ""
        self._last_ms = self._rang_ms = self._notified_ms = -REST_MS
        self._untitled: list[str] = []
        self._unnotified: list[str] = []
        """What came too soon after the one before."""

    def call(self, calls: Sequence[Call], needs: int, now_ms: int) -> None:
        """Say what is new, in the ways that are wanted, and how many things wait."""
        wanted = [call.text for call in calls if call.kind in self.alerts.on]
        self._needs = needs
        if wanted:
            self._untitled += wanted
            self._unnotified += wanted
            self._ring(now_ms)
            self._tell(now_ms)
        self.entitle()

    def tick(self, now_ms: int) -> None:
        if self._tell(now_ms):
            self.entitle()
        elif self._last and now_ms - self._last_ms >= TITLE_HOLDS_MS:
            self.heard()

    def heard(self) -> None:
        """The operator is at the terminal: what was called last need not be said any longer."""
        self._last = ""
        self._untitled.clear()
        self._unnotified.clear()
        self.entitle()

    def entitle(self) -> None:
        """Set the title, where it is another one than before."""
        if not (self._titled and self.alerts.title):
            self.give_back()
            return
        waits = f"{self._needs:,} need you" if self._needs > 1 else "1 needs you" if self._needs else ""
        parts = [part for part in (waits, self._last, NAME) if part]
        text = said(" - ".join(parts), self._ascii)
        if text != self._shown:
            self._write((KEEP_TITLE if self._shown is None else "") + title(text))
            self._shown = text

    def give_back(self) -> None:
        """The title as it was found."""
        if self._shown is not None:
            self._shown = None
            self._write(TITLE_AS_IT_WAS)

    def _tell(self, now_ms: int) -> bool:
        """All that has not been told, where its time has come. Returns whether the title is to be another one."""
        if self._unnotified and now_ms - self._notified_ms >= REST_MS:
            if self.alerts.notify != "off":
                text = said(_together(self._unnotified), self._ascii)
                self._write(notification(self.alerts.notify, text, self._environ))
            self._unnotified, self._notified_ms = [], now_ms
        if not self._untitled or (self._last and now_ms - self._last_ms < REST_MS):
            return False
        self._last, self._untitled, self._last_ms = _together(self._untitled), [], now_ms
        return True

    def _ring(self, now_ms: int) -> None:
        if self.alerts.bell and now_ms - self._rang_ms >= REST_MS:
            self._rang_ms = now_ms
            self._write(BEL)


def _together(texts: Sequence[str]) -> str:
    """Several calls as one; the first of them by its words."""
    return f"{texts[0]} and {len(texts) - 1:,} more" if len(texts) > 1 else texts[0]
