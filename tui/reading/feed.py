"""What has changed? The console's only reader of state: a thread that hands the screen what differs, and only that.

It asks every tenth of a second whether anybody has committed (2 microseconds), reads again what somebody looks at, and
compares with what it handed out last. It never stays in a transaction, needs no database to start with, and outlives
one that disappears.
"""

import contextlib
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from textual.message import Message

from state import database
from state.database import Connection
from state.errors import QuarterdeckError
from state.home import Home
from tui.clean import clean
from tui.reading import asked, changes, journal, views
from tui.reading.snapshot import Reading

POLL_S = 0.1
"""How often changes are looked for, unless the operator wants it otherwise."""
TICK_S = 1.0
REST_S = 0.2
QUIET_LOOKS = 30
"""After so many looks that found nothing, the next are so far apart, until the operator does something."""
SWITCH_S = 0.0005
"""For so long this thread may hold up the screen's: of Python's own 5 ms, a key waits at each of its steps."""
ENGINE_MS = 500
"""How often is looked whether there is an engine: that costs more than all else while nothing happens."""
REST = 4
"""After a reading, rest for so many times as long: a scan that commits all the time must not keep us busy."""


Question = tuple[Callable[[Reading], Any], Callable[[Any], None]]
"""What is read one time, and who is told."""


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
    "undo": View(journal.acts, journal.UndoChanged, 60_000),
}


class Feed:
    """The thread. `post` must be safe to call from it, as `App.post_message` is."""

    def __init__(self, home: Home, post: Callable[[Message], object], every_s: float = POLL_S) -> None:
        self._home, self._post = home, post
        self._database, self._in_force = home.database, home.config_in_force
        self.every_s = every_s
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
        self._engine_looked_ms = -ENGINE_MS
        self._quiet = 0
        self._trouble = ""
        self._questions: list[Question] = []
        self._hurry = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._thread = threading.Thread(target=self._follow, name="feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it: it may be in the middle of a reading."""
        self._ended.set()
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def pace(self, every_s: float) -> None:
        """Look for changes so often from now on."""
        self.every_s = every_s
        self._hurry.set()

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
        self._check_engine(now_ms)
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
            asked = bool(self._questions)
        chosen.sort(key=lambda one: one[0] != "detail")  # what was opened is waited for, and looked at
        if not chosen and not asked:
            return False
        reading = self._reading(now_ms)
        while question := self._next_question():
            read, done = question
            self._post(changes.AskedOnce(read(reading), done))
        self._hand_out_all(chosen, reading)
        return True

    def _hand_out_all(self, chosen: Sequence[tuple[str, View]], reading: Reading) -> None:
        """What one of them cannot make sense of keeps none of the others from being read; then it is said."""
        wrong: list[Exception] = []
        for name, view in chosen:
            try:
                self._hand_out(name, view, reading)
            except (QuarterdeckError, sqlite3.Error, OSError):
                raise
            except Exception as error:
                wrong.append(error)
        if wrong:
            raise wrong[0]

    def _next_question(self) -> Question | None:
        """Each by itself: one that cannot be answered takes no other with it."""
        with self._lock:
            return self._questions.pop(0) if self._questions else None

    def stir(self) -> None:
        """The operator is there: look now, and as often as is wanted."""
        if self._quiet >= QUIET_LOOKS:
            self._hurry.set()
        self._quiet = 0

    def _follow(self) -> None:
        """The worker boundary: whatever goes wrong with the state is shown, and tried again."""
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._quiet = 0 if self.look(time.time_ns() // 1_000_000) else self._quiet + 1
                self._say("")
            except QuarterdeckError as error:
                self._lose(error.line)
            except Exception as error:  # without it the numbers would stand still, and nobody would be told
                self._lose(f"cannot read the state: {_said(error)}; trying again")
            took = time.monotonic() - began
            least_s = self.every_s if self._quiet < QUIET_LOOKS else max(self.every_s, REST_S)
            self._hurry.wait(max(least_s, min(TICK_S, REST * took)))
            self._hurry.clear()
        self._close()

    def _connected(self) -> bool:
        """Open the database once it is there; let go of one that was moved away or replaced."""
        try:
            info = self._database.stat()
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
            info = self._in_force.stat()
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

    def _check_engine(self, now_ms: int) -> None:
        if 0 <= now_ms - self._engine_looked_ms < ENGINE_MS:
            return
        self._engine_looked_ms = now_ms
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


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, sqlite3.Error | OSError) else f"{type(error).__name__}: {error}"
