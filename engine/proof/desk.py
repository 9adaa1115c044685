"""Where can guards be tripped without harm? A throw-away home with an engine, books, logs and a workspace of its own.

Nothing of the operator's is read or written: the engine gets an environment made from nothing, and its HOME lies here.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.contract.orders import Nothing, RunRequest
from engine.contract.outcome import KeeperAlive
from engine.execution.follow import is_alive, read_alive
from engine.execution.remains import end_remains, run_key
from engine.execution.tree import living
from engine.runtime.client import Attachment, Client, ErrorAnswer, as_error
from engine.runtime.gate import RunAnswer
from engine.runtime.imports import with_import_path
from state import runs, spool
from state.database import Connection, open_reader
from state.errors import EngineUnavailable, QuarterdeckError
from state.files import write_private
from state.home import Home, prepare

Value = TypeVar("Value")

PATIENCE_S = 25.0
"""For anything that an engine does in a second."""
LEAVE_S = 5.0
_STEP_S = 0.02
KEPT_ENV = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
"""All that the engine is told of the environment outside: without these, neither Python nor `sh` may start."""
MARK = 'echo "$QUARTERDECK_RUN" >> ../ran'
"""What a run's program does first, so that it is known which runs had one."""


class NotTripped(QuarterdeckError):
    """A guard did not do what it is there for; says what happened instead."""


class Interrupted(QuarterdeckError):
    """The drill is being ended from outside."""


def need(true: object, instead: str) -> None:
    """Raise NotTripped unless this holds."""
    if not true:
        raise NotTripped(instead)


def must(value: Value | None, instead: str) -> Value:
    """The same for a value that has to be there."""
    if value is None:
        raise NotTripped(instead)
    return value


class Desk:
    """A home and its engine. Several drills may use it at once, each from a thread and at a site of its own."""

    def __init__(self, folder: Path, config: dict[str, str]) -> None:
        self.folder = folder
        self.user = folder / "home"
        self.home = Home(config=folder / "config", state=folder / "state")
        self.closing = threading.Event()
        self._config = config
        self._lock = threading.Lock()
        self._engine: subprocess.Popen[bytes] | None = None
        self._attachment: Attachment | None = None

    def open(self) -> None:
        """Raises EngineUnavailable when no engine comes up."""
        for made in (self.user, self.home.config):
            made.mkdir(mode=0o700, parents=True)
        prepare(self.home)
        self._write_config()
        self._attachment = Attachment(self.home)
        self.start_engine()

    def close(self) -> None:
        """End the engine, then whatever runs are left; nothing of them remains but files."""
        self.closing.set()
        if self._engine is not None:
            self._engine.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._engine.wait(LEAVE_S)
            self.kill_engine()
        end_runs(list(self.home.runs.glob("[0-9]*")))
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.release()

    def start_engine(self) -> None:
        """Raises EngineUnavailable when it does not come up."""
        self._engine = self._start()
        self.until(self._is_up, "the engine is up")

    def kill_engine(self) -> None:
        """With SIGKILL: it has no say in the matter."""
        if self._engine is not None:
            self._engine.kill()
            self._engine.wait()
            self._engine = None

    def configure(self, name: str, text: str) -> None:
        """Replace one part of the configuration; it is in force when this returns."""
        with self._lock:
            self._config[name] = text
            self._write_config()
        self.order("reload", Nothing())

    def order(self, kind: str, body: object, *, run_id: int | None = None) -> bytes:
        """The engine's answer, JSON. Raises what it refused; an engine that has died is not started again. `run_id`:
        of the live run in whose spool it is left."""
        order_id = spool.put(self.home, kind, body, run_id=run_id)
        Client(self.home).ring()
        with self.reader() as connection:
            answer = self.until(lambda: spool.answer_of(connection, order_id), f"the order '{kind}' is answered")
        if answer.ok:
            return answer.answer.encode()
        raise as_error(msgspec.json.decode(answer.answer, type=ErrorAnswer))

    @contextlib.contextmanager
    def reader(self) -> Iterator[Connection]:
        """The books, read-only, for this thread."""
        connection = open_reader(self.home)
        assert connection is not None, "the engine makes the database before it is up"
        try:
            yield connection
        finally:
            connection.close()

    def until(self, true: Callable[[], Value | None], what: str) -> Value:
        """What this returns as soon as it is something. Raises NotTripped when the patience ends first."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := true()):
            if self.closing.wait(_STEP_S):
                raise Interrupted("the drill was interrupted")
            if self._engine is not None and self._engine.poll() is not None:
                raise EngineUnavailable(f"the drill's engine ended: {self._last_words()}", "see: qd drill --keep")
            need(time.monotonic() < deadline, f"waited {PATIENCE_S:g} s in vain until {what}")
        return value

    def _write_config(self) -> None:
        write_private(self.home.config_file, "\n".join(self._config.values()).encode())

    def _start(self) -> subprocess.Popen[bytes]:
        env = {name: os.environ[name] for name in KEPT_ENV if name in os.environ}
        flags = ["--config", str(self.home.config), "--state", str(self.home.state)]
        with self.home.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "engine.runtime", *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=with_import_path(env | {"HOME": str(self.user), "TZ": "UTC"}),
                start_new_session=True,
            )

    def _is_up(self) -> bool:
        found = Client(self.home).holder()
        return found is not None and found.ready

    def _last_words(self) -> str:
        return (self.home.log.read_text(errors="replace").strip().splitlines() or ["it left no message"])[-1]


def end_runs(folders: list[Path]) -> None:
    """End runs whose engine is gone: their keepers are asked first. It rests on no guard that is drilled here."""
    open_ones = [folder for folder in folders if not (folder / "end.json").exists()]
    deadline = time.monotonic() + LEAVE_S
    while not all(map(read_alive, open_ones)) and time.monotonic() < deadline:
        time.sleep(_STEP_S)  # a keeper is about to say who it is
    keepers = [alive for alive in map(read_alive, open_ones) if alive is not None]
    _signal(keepers, signal.SIGTERM)
    while any(map(is_alive, keepers)) and time.monotonic() < deadline:
        time.sleep(_STEP_S)
    _signal(keepers, signal.SIGKILL)
    for folder in open_ones:
        end_remains(folder, run_key(folder))


def _signal(keepers: list[KeeperAlive], number: signal.Signals) -> None:
    for keeper in filter(is_alive, keepers):
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper.pid, number)


class Site:
    """Where one drill takes place: a workspace of its own at a desk, and its view of the books."""

    def __init__(self, desk: Desk, name: str, connection: Connection) -> None:
        self.desk = desk
        self.name = name
        self.books = connection
        self.folder = desk.folder / "sites" / name
        self.workspace = self.folder / "work"
        self.workspace.mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        """A file, relative to the workspace."""
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def configure(self, text: str) -> None:
        """Put this in the place of what the drill has added to the configuration."""
        self.desk.configure(self.name, text)

    def request(self, script: str = "", **said: Any) -> RunRequest:
        """A spawn of the `command` agent, or of the one that is named, whose program is this script. It leaves marks
        beside the workspace, where a sandbox would not let it."""
        argv = ("sh", "-c", f"{MARK}\n{script}")
        values = {"trigger": "spawn", "argv": argv, "task": "drill", "sandbox": "off"} | said
        return msgspec.convert({"workspace": str(self.workspace)} | values, RunRequest)

    def ask(self, request: RunRequest) -> RunAnswer:
        """Ask for a run, as a console does; what left the gate."""
        return msgspec.json.decode(self.desk.order("run", request), type=RunAnswer)

    def run(self, run_id: int) -> runs.Run:
        return runs.get(self.books, run_id)

    def ended(self, run_id: int) -> runs.Run:
        """The run when nothing more becomes of it."""
        return self.until(lambda: None if (run := self.run(run_id)).open else run, f"run {run_id} has ended")

    def until(self, true: Callable[[], Value | None], what: str) -> Value:
        return self.desk.until(true, what)

    def started(self, run_id: int) -> bool:
        """Whether this run ever had a program."""
        with contextlib.suppress(FileNotFoundError):
            return str(run_id) in (self.folder / "ran").read_text().split()
        return False

    def told(self, name: str) -> str | None:
        """What a run has written into a file beside the workspace, when it is whole."""
        with contextlib.suppress(FileNotFoundError):
            text = (self.folder / name).read_text()
            return text if text.endswith("\n") else None
        return None


def still_alive(pids: set[int]) -> set[int]:
    """Those of them that are no zombies."""
    return pids & living().keys()
