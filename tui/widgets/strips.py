"""The lines that tell what happened: the newest events, a flash of the last answer, and notices that stay."""

from collections.abc import Sequence
from datetime import tzinfo

from state.events import Event, Notice
from tui.text import clock
from tui.theme import Palette, Tone
from tui.widgets.cells import Cell, cut
from tui.widgets.lines import Lines

FLASH_MS = 8_000
_STANDING_OUT = ("refused", "run_refused", "waiting", "over_budget", "config_error", "bad_order")
NOTICE_LINES = 2
_TWO_FROM = 100
_LEVELS: dict[str, Tone] = {"error": "bad", "warning": "warn", "info": "dim"}


class EventStrip(Lines):
    """The newest two events side by side, or one where it is narrow. A flash covers them for a few seconds."""

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._events: Sequence[Event] = ()
        self._zone: tzinfo | None = None
        self._flash: tuple[str, Tone] | None = None
        self._until_ms = 0

    def take(self, rows: Sequence[Event], zone: tzinfo | None) -> None:
        self._events, self._zone = rows, zone
        self._draw()

    def flash(self, line: str, tone: Tone, now_ms: int) -> None:
        """Say what became of the last key."""
        self._flash, self._until_ms = (line, tone), now_ms + FLASH_MS
        self._draw()

    def tick(self, now_ms: int) -> None:
        if self._flash is not None and now_ms >= self._until_ms:
            self._flash = None
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._flash is not None:
            self.show([(self._flash,)])
            return
        width = self.size.width
        newest = [self._event(event) for event in self._events[: 2 if width >= _TWO_FROM else 1]]
        if len(newest) == 2:
            half = width // 2
            self.show([(*cut(newest[1], half - 2), ("  ", "dim"), *newest[0])])
        else:
            self.show(newest)

    def _event(self, event: Event) -> Cell:
        tone: Tone = "warn" if event.kind in _STANDING_OUT else "text"
        return ((f"{clock(event.at_ms, self._zone)} ", "dim"), (event.text, tone))


class NoticeLines(Lines):
    """What holds now and should be seen until it is over; no line when there is nothing."""

    DEFAULT_CSS = """
    NoticeLines { height: 0; }
    """

    def take(self, notices: Sequence[Notice]) -> None:
        """The gravest first, as many as there is room for."""
        ranked = sorted(notices, key=lambda notice: ("error", "warning", "info").index(_known(notice.level)))
        lines: list[Cell] = [((notice.text, _LEVELS[_known(notice.level)]),) for notice in ranked[:NOTICE_LINES]]
        if len(lines) != len(self.lines):
            self.styles.height = len(lines)
        self.show(lines)


def _known(level: str) -> str:
    return level if level in _LEVELS else "info"
