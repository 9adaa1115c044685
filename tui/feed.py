"""What has changed? The console's only reader of state: a thread that hands the screen what differs, and only that.

It asks every tenth of a second whether anybody has committed (2 microseconds), reads again what somebody looks at, and
compares with what it handed out last. It never stays in a transaction, needs no database to start with, and outlives
one that disappears.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from textual.message import Message

from state import database
from state.database import Connection
from state.errors import QuarterdeckError
from state.home import Home
from tui import asked, changes, views
from tui.clean import clean
from tui.reading import Reading

POLL_S = 0.1
TICK_S = 1.0
REST = 4
"""After a reading, rest for so many times as long: a scan that commits all the time must not keep us busy."""


class View(Struct, frozen=True):
    """One thing that is read: how, what says that it differs, and for how long it holds when nobody commits."""

    read: Callable[[Reading], Any]
    changed: Callable[[Any], Message]
    holds_ms: int
    due_ms: Callable[[Any], int | None] = lambda _: None
    """When the value itself says that it will be stale."""


def _next_fire_ms(rows: tuple[Any, ...]) -> int | None:
    return min((row.next_due_ms for row in rows if row.next_due_ms is not None), default=None)


def _next_window_ms(board: views.BudgetBoard) -> int | None:
    ends = [row.window_end_ms for row in board.rows]
    return min([*ends, *(row.resets_ms for row in board.windows if row.resets_ms is not None)], default=None)


def _next_expiry_ms(rows: tuple[asked.Asked, ...]) -> int | None:
    return min((row.expires_ms for row in rows), default=None)


VIEWS: dict[str, View] = {
    "sessions": View(views.session_board, changes.SessionsChanged, 30_000),
    "notices": View(views.notice_list, changes.NoticesChanged, 60_000),
    "events": View(views.event_list, changes.EventsChanged, 60_000),
    "jobs": View(views.job_board, changes.JobsChanged, 60_000, _next_fire_ms),
    "budgets": View(views.budget_board, changes.BudgetsChanged, 60_000, _next_window_ms),
    "skills": View(views.skill_board, changes.SkillsChanged, 60_000),
    "inbox": View(asked.inbox, changes.InboxChanged, 60_000, _next_expiry_ms),
    "runs": View(views.run_list, changes.RunsChanged, 60_000),
    "spend": View(views.spend, changes.SpendChanged, 15_000),
}


class Feed:
    """The thread. `post` must be safe to call from it, as `App.post_message` is."""

    def __init__(self, home: Home, post: Callable[[Message], object]) -> None:
        self._home, self._post = home, post
        self._views = dict(VIEWS)
        self._handed: dict[str, Any] = {}
        self._stale_ms: dict[str, int] = {}
        self._connection: Connection | None = None
        self._version = -1
        self._identity: tuple[int, int] | None = None
        self._config_stamp: Any = ()
        self._config: Any = None
        self._zone: tzinfo | None = None
        self._engine: views.EngineStatus | None = None
        self._trouble = ""
        self._questions: list[tuple[Callable[[Reading], Any], Callable[[Any], None]]] = []
        self._hurry = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it: it may be in the middle of a reading."""
        self._ended.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def watch(self, read: Callable[[Reading], Any], every_ms: int = 60_000) -> None:
        """Read this too, for the one detail screen that is open; it replaces the one before."""
        with self._lock:
            self._views["detail"] = View(read, changes.DetailChanged, every_ms)
            self._handed.pop("detail", None)
            self._stale_ms.pop("detail", None)
        self._hurry.set()

    def once(self, read: Callable[[Reading], Any], done: Callable[[Any], None]) -> None:
        """Read this one time; `done` is called on the screen's side."""
        with self._lock:
            self._questions.append((read, done))
        self._hurry.set()

    def unwatch(self) -> None:
        with self._lock:
            self._views.pop("detail", None)
            self._handed.pop("detail", None)

    def look(self, now_ms: int) -> bool:
        """Read what may have changed, hand out what did. Returns whether anything was read."""
        self._check_engine()
        if not self._connected():
            return False
        assert self._connection is not None
        version = database.data_version(self._connection)
        moved = version != self._version or self._reload_config()
        self._version = version
        with self._lock:
            chosen = [
                (name, view) for name, view in self._views.items() if moved or now_ms >= self._stale_ms.get(name, 0)
            ]
            questions, self._questions = self._questions, []
        if not chosen and not questions:
            return False
        reading = self._reading(now_ms)
        for read, done in questions:
            self._post(changes.AskedOnce(read(reading), done))
        for name, view in chosen:
            self._hand_out(name, view, reading)
        return True

    def _follow(self) -> None:
        """The worker boundary: whatever goes wrong with the state is shown, and tried again."""
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self.look(time.time_ns() // 1_000_000)
                self._say("")
            except QuarterdeckError as error:
                self._lose(error.line)
            except (sqlite3.Error, OSError) as error:
                self._lose(f"cannot read the state: {error}; trying again")
            took = time.monotonic() - began
            self._hurry.wait(max(POLL_S, min(TICK_S, REST * took)))
            self._hurry.clear()
        self._close()

    def _connected(self) -> bool:
        """Open the database once it is there; let go of one that was moved away or replaced."""
        try:
            info = self._home.database.stat()
            identity = (info.st_dev, info.st_ino)
        except FileNotFoundError:
            self._close()
            return False
        if identity != self._identity:
            self._close()
            self._connection = database.open_reader(self._home)
            self._identity = identity if self._connection is not None else None
        return self._connection is not None

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection, self._identity, self._version = None, None, -1
        self._stale_ms.clear()

    def _reading(self, now_ms: int) -> Reading:
        from engine.runtime import boards

        if self._config is None:
            self._reload_config()
        assert self._connection is not None
        return Reading(
            home=self._home,
            connection=self._connection,
            now_ms=now_ms,
            config=self._config,
            boards=boards,
            zone=self._zone,
        )

    def _reload_config(self) -> bool:
        """Take the configuration in force when its file is another one than before."""
        from engine.runtime import boards

        try:
            info = self._home.config_in_force.stat()
            stamp: Any = (info.st_mtime_ns, info.st_ino, info.st_size)
        except FileNotFoundError:
            stamp = None
        if stamp == self._config_stamp and self._config is not None:
            return False
        self._config, self._config_stamp = boards.load_in_force(self._home), stamp
        self._zone = ZoneInfo(self._config.timezone) if self._config.timezone else None
        self._post(changes.ConfigChanged(self._config, self._zone))
        return True

    def _hand_out(self, name: str, view: View, reading: Reading) -> None:
        value = view.read(reading)
        until, due = reading.now_ms + view.holds_ms, view.due_ms(value)
        with self._lock:
            if self._views.get(name) is not view:
                return
            # A due time that has passed is the engine's to move on; until it has, look once a second.
            self._stale_ms[name] = until if due is None else min(until, max(due, reading.now_ms + 1000))
            if name in self._handed and self._handed[name] == value:
                return
            self._handed[name] = value
        self._post(view.changed(value))

    def _check_engine(self) -> None:
        status = views.engine_status(self._home)
        if status != self._engine:
            self._engine = status
            self._post(changes.HeaderChanged(status))

    def _lose(self, line: str) -> None:
        self._close()
        self._say(clean(line))

    def _say(self, line: str) -> None:
        if line != self._trouble:
            self._trouble = line
            self._post(changes.StateUnreadable(line))
