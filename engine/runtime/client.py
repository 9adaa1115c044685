"""How does a console speak to the engine? It starts one when there is none, leaves orders, and reads the answers.

Everything here blocks; a console calls it from a thread. Inside a run, orders go to that run's own spool, and no engine
is ever started: it would live in the run's sandbox, and end with it.
"""

import contextlib
import fcntl
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import msgspec
from msgspec import Struct

from engine import __version__
from engine.contract.orders import Nothing, Preview, PreviewAnswer
from engine.runtime.imports import with_import_path
from engine.runtime.lease import Holder, holder, newer
from state import database, spool
from state.errors import EngineUnavailable, NotFound, QuarterdeckError, Refused
from state.files import write_private
from state.home import Home, prepare

START_PATIENCE_S = 15.0
ANSWER_PATIENCE_S = 30.0
HANDOVER_S = 2.0
"""So long there may be none when one hands over to the next."""
OUTSIDE = "ask from a shell of your own"
"""What a run cannot do, its operator can."""
_STEP_S = 0.02


class ErrorAnswer(Struct, frozen=True):
    """The answer to an order that was not carried out."""

    error: str
    fix: str = ""
    kind: str = "Refused"
    """Name of the error's class."""


class Client:
    """One console's, or one command's, way to the engine."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._run = spool.inside(home, os.environ)

    def holder(self) -> Holder | None:
        """The live engine, if there is one."""
        return holder(self.home)

    def ensure(self) -> Holder:
        """The live engine, started now when there is none; an older one is asked to hand over first.

        Raises StateUnwritable when the state folder cannot be used, EngineUnavailable when no engine comes up, or when
        there is none inside a run.
        """
        if _is_inside():
            return self._running()
        prepare(self.home)
        found = self._settled()
        if found is not None and newer(__version__, found.version):
            self.order("handover", Nothing())
            self.wait_gone(found)
            found = None
        if found is not None:
            return found
        return self._started()

    def order(self, kind: str, body: object, patience_s: float = ANSWER_PATIENCE_S) -> bytes:
        """Leave an order and wait for its answer, JSON. Raises what the engine answered, or EngineUnavailable.

        An engine that ends meanwhile is started again, unless that was the order: what waits in the spool is done once.
        """
        order_id = self._put(kind, body)
        self.ring()
        answer = self._answer(order_id, patience_s, restart=kind not in ("handover", "shutdown"))
        if answer.ok:
            return answer.answer.encode()
        raise as_error(msgspec.json.decode(answer.answer, type=ErrorAnswer))

    def _put(self, kind: str, body: object) -> str:
        try:
            return spool.put(self.home, kind, body, run_id=self._run)
        except OSError as error:
            if not _is_inside():
                raise
            raise EngineUnavailable(f"this run can leave no orders: {error.strerror}", OUTSIDE) from None

    def ring(self) -> bool:
        """Wake the engine; False when none listens."""
        try:
            descriptor = os.open(self.home.bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            os.write(descriptor, b"!")
        except BlockingIOError:
            return True  # it is full of rings already
        finally:
            os.close(descriptor)
        return True

    def _answer(self, order_id: str, patience_s: float, *, restart: bool) -> spool.Answer:
        deadline = time.monotonic() + patience_s
        connection = None
        try:
            while time.monotonic() < deadline:
                gone = self.holder() is None  # asked before looking: it may answer and leave in between
                connection = connection or database.open_reader(self.home)
                answer = connection and spool.answer_of(connection, order_id)
                if answer:
                    return answer
                if gone and not restart:
                    break
                if gone and not _is_inside():  # else somebody outside may start another
                    self._started()
                time.sleep(_STEP_S)
        finally:
            if connection is not None:
                connection.close()
        spool.remove(self.home, order_id, self._run)
        raise EngineUnavailable("the engine did not answer", "see: qd engine status")

    def _running(self) -> Holder:
        deadline = time.monotonic() + HANDOVER_S
        while (found := self._settled()) is None and time.monotonic() < deadline:
            time.sleep(_STEP_S)
        if found is None:
            raise EngineUnavailable("no engine runs, and a run cannot start one", OUTSIDE)
        return found

    def _settled(self) -> Holder | None:
        """The engine once it reads orders; one that is still starting is waited for."""
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            found = self.holder()
            if found is None or found.ready:
                return found
            time.sleep(_STEP_S)
        return None

    def _started(self) -> Holder:
        """A new engine, once it reads orders."""
        self._start()
        found = self._settled()
        if found is None:
            raise EngineUnavailable(f"the engine did not start: {self._last_words()}", f"see {self.home.log}")
        return found

    def _start(self) -> None:
        """Start an engine that outlives us, and wait until it holds the lock or has died."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(self.home.log, flags, 0o600), "wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "engine.runtime", *self._flags()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                cwd="/",
                env=with_import_path(os.environ),
            )
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if self.holder() is not None or child.poll() is not None:
                break
            time.sleep(_STEP_S)
        child.returncode = child.returncode if child.returncode is not None else 0  # it is not ours to wait for

    def _flags(self) -> list[str]:
        return ["--config", str(self.home.config), "--state", str(self.home.state)]

    def wait_gone(self, old: Holder) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while (now := self.holder()) is not None and now.pid == old.pid:
            if time.monotonic() > deadline:
                raise EngineUnavailable(
                    f"the older engine {old.version} (pid {old.pid}) did not hand over", "end it with: qd engine stop"
                )
            time.sleep(_STEP_S)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self.home.log.read_text(errors="replace").splitlines()
            if lines:
                return lines[-1]
        return "it left no message"


class Attachment:
    """A console's presence: the engine stays while it is held. Dies with the process, however that ends.

    Inside a run it is none: the engine stays for the run itself.
    """

    def __init__(self, home: Home) -> None:
        self._descriptor: int | None = None
        if spool.inside(home, os.environ) is None:
            self._attach(home)

    def _attach(self, home: Home) -> None:
        prepare(home)
        self.id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._home = home
        self._path = home.consoles / f"{self.id}.console"
        aside = home.consoles / f".{self.id}"  # locked before it can be seen, or the engine would clear it away
        self._descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        aside.rename(self._path)

    def __enter__(self) -> "Attachment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        if self._descriptor is None:
            return
        for path in (self._path, self._question, self._reply):
            path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def ask(self, preview: Preview) -> None:
        """Ask what the verdict would be; a newer question replaces this one. Raises Refused inside a run."""
        if self._descriptor is None:
            raise Refused("inside a run there are no previews", "ask for the run itself: its verdict says the same")
        write_private(self._question, msgspec.json.encode(preview))
        Client(self._home).ring()

    def reply(self, token: str) -> PreviewAnswer | None:
        """The answer to the question with this token, once it is there."""
        if self._descriptor is None:
            return None
        try:
            answer = msgspec.json.decode(self._reply.read_bytes(), type=PreviewAnswer)
        except FileNotFoundError:
            return None
        return answer if answer.token == token else None

    @property
    def _question(self) -> Path:
        return self._home.previews / f"{self.id}.question"

    @property
    def _reply(self) -> Path:
        return self._home.previews / f"{self.id}.reply"


def _is_inside() -> bool:
    """Whether we are in a run, whosever it is."""
    return bool(os.environ.get(spool.RUN))


def as_error(answer: ErrorAnswer) -> QuarterdeckError:
    """The engine's refusal as the error that it was there."""
    kinds: dict[str, type[QuarterdeckError]] = {"NotFound": NotFound, "Refused": Refused}
    return kinds.get(answer.kind, QuarterdeckError)(answer.error, answer.fix)
