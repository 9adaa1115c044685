"""What does a console do for an operator who is not looking? It calls, and it remembers until when it was there."""

import os
import time
from typing import TYPE_CHECKING

from tui.options import declared_in
from tui.reading import changes
from tui.reading.alerts import Watch
from tui.reading.gone import Bookmark, GoneBy, gone_by
from tui.terminal.calls import Caller

if TYPE_CHECKING:
    from tui.console.app import Console


class Attending:
    """Watches what the feed tells; belongs to the app, and lives on its thread and its clock."""

    def __init__(self, app: "Console") -> None:
        self._app = app
        self._watch = Watch()
        self._caller = Caller(self._write, os.environ, app.options.ascii)
        self._mark = Bookmark(app.home)
        self._began_ms = _now_ms()

    def start(self) -> None:
        """The terminal is ours. While another program has it, the title is not."""
        self._app.app_suspend_signal.subscribe(self._app, lambda _: self._caller.give_back(), immediate=True)
        self._app.app_resume_signal.subscribe(self._app, lambda _: self._caller.entitle())
        self._caller.alerts = self._app.options.alerts
        self._caller.entitle()

    def take(self, change: object) -> None:
        """Something differs: does it need the operator?"""
        match change:
            case changes.ConfigChanged():
                self._caller.alerts = declared_in(self._app.home).alerts
                self._caller.entitle()
            case changes.EventsChanged(rows):
                self._mark.saw(rows)
            case _:
                pass
        calls = self._watch.take(change)
        if calls or isinstance(change, changes.InboxChanged | changes.SkillsChanged):
            self._caller.call(calls, self._watch.needs, _now_ms())

    def engine_came(self) -> None:
        self._mark.engine_came(_now_ms())

    def tick(self, now_ms: int) -> None:
        self._caller.tick(now_ms)
        if self._mark.due(now_ms):
            self._app.feed.once(gone_by(self._mark.found, self._began_ms, now_ms), self._tell)
        if not self._app.read_only:
            self._mark.tick(now_ms)

    def heard(self) -> None:
        """The operator is at the terminal."""
        self._caller.heard()

    def leave(self) -> None:
        """The last words to the terminal, and the bookmark."""
        self._caller.give_back()
        if not self._app.read_only:
            self._mark.leave(_now_ms())

    def _tell(self, told: GoneBy | None) -> None:
        if told is not None:
            self._app.overview.tell_gone(told)

    def _write(self, text: str) -> None:
        """Through the driver, as every frame goes: what is written here stands between two of them."""
        driver = self._app._driver
        if driver is not None and not driver.is_headless:
            driver.write(text)
            driver.flush()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
