"""How does one run have this terminal until it ends? `python -I -S attached.py FOLDER SECRETS_FD`, in the foreground.

Its program is a job of its own in the terminal's foreground, so that keys like Ctrl-C go to it alone. There is no
deadline. For all else this is a keeper, with the same records in the run's folder: who follows the run cannot tell the
difference. It ends its run when whoever started it is gone: then the terminal is somebody else's.
"""

import contextlib
import ctypes
import os
import signal
import sys
import termios
import time
from typing import Any

if __name__ == "__main__":
    sys.path.append(__file__.rpartition("/engine/")[0])

from engine.execution.job import Job, read_secrets
from engine.execution.keeper import DRAIN_S, LOOK_S, SUBREAPER, outcome_of
from engine.execution.records import Records, now_ms
from engine.execution.tree import ask_to_end, below, children, end_all, living, send

PARENT_DIED = 1
_STEP_S = 0.02
RESTORED = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[0m\r\n"
"""Leaves the other screen, the mouse and its like, which a program that was ended could not leave itself."""


class Attached:
    """The run in `folder`, from its launch file to its end record, on the terminal that is standard input."""

    def __init__(self, folder: int) -> None:
        self.leader = 0
        self.status: int | None = None
        self.childless = False
        self.wanted = ("", "")
        """The outcome for which the run is ended, and why."""
        self.escalated = False
        self.leaked = 0
        self.started, self.started_ms = time.monotonic(), now_ms()
        self.next_look = 0.0
        self.records = Records(folder)
        if not self.records.announce(0, None, first=True):
            raise SystemExit("this run has a keeper or was given up")

    def keep(self, secrets: dict[str, str] | str) -> None:
        """Returns when no process of the run is left, and its end is on record."""
        before = termios.tcgetattr(0)
        try:
            job = self._start(secrets)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.wanted = ("could_not_start", str(error) or repr(error))
        else:
            self._live(job)
            self._end_rest()
        finally:
            _take_back(before, broken=self.leader != 0 and (self.escalated or self.status != 0))
        self._end()

    def want(self, outcome: str, why: str) -> None:
        if not self.wanted[0]:
            self.wanted = (outcome, why)

    def _start(self, secrets: dict[str, str] | str) -> Job:
        if isinstance(secrets, str):
            raise OSError(secrets)
        job = Job(self.records.read("launch.json"), secrets)
        for name in ("stdout.log", "stderr.log"):
            os.close(self.records.create(name))
        report, child_report = os.pipe()
        go, tell = os.pipe()
        self.leader = os.fork()
        if self.leader == 0:
            os.close(tell)
            _become(job, go, child_report)
        os.close(child_report)
        os.close(go)
        with contextlib.suppress(OSError):  # it was quicker
            os.setpgid(self.leader, self.leader)
        self.records.announce(self.leader, None)
        _to_front(self.leader)
        os.close(tell)  # now it may go
        with open(report, "rb") as file:  # noqa: PTH123
            why = file.read().decode(errors="replace")
        if why:
            os.waitpid(self.leader, 0)
            self.leader = 0
            raise OSError(why)
        return job

    def _live(self, job: Job) -> None:
        while self.status is None and not self.wanted[0]:
            self._step()
        if self.status is None:
            ask_to_end(os.getpid())
            self.escalated = not self._until(lambda: self.status is not None, job.grace_s)

    def _end_rest(self) -> None:
        """What its program has left behind has a moment to end by itself."""
        left_behind = self.status is not None
        if left_behind and self._until(lambda: self.childless, DRAIN_S):
            return
        ended = end_all(_descendants, self._none_left)
        self.leaked = len(ended) if left_behind else 0

    def _until(self, done: Any, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= until:
                return False
            self._step()
        return True

    def _step(self) -> None:
        time.sleep(_STEP_S)
        self._reap()
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + LOOK_S
            if not self.records.beat():
                self.want("failed", "its folder is gone")

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG | os.WUNTRACED))[0]:
                if os.WIFSTOPPED(ended[1]):  # there is no shell here in which it could be continued
                    send((ended[0],), signal.SIGCONT)
                elif ended[0] == self.leader:
                    self.status = ended[1]
        except ChildProcessError:
            self.childless = True

    def _none_left(self) -> bool:
        self._reap()
        return self.childless

    def _end(self) -> None:
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        outcome, why = self.wanted if self.wanted[0] else outcome_of(code)
        record = {
            "outcome": outcome,
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "started_ms": self.started_ms,
            "ended_ms": now_ms(),
            "duration_s": round(time.monotonic() - self.started, 6),
            "escalated": self.escalated,
            "leaked": self.leaked,
            "why": why[:500],
        }
        self.records.end(record)


def _become(job: Job, go: int, report: int) -> None:
    """In the forked child: never returns."""
    try:
        os.setpgid(0, 0)
        os.read(go, 1)  # until we have the terminal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        os.chdir(job.cwd)
        os.execvpe(job.argv[0], job.argv, job.env)
    except BaseException as error:  # whatever it was, this copy must not live on
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(report, f"{job.argv[0]}: {why}".encode(errors="replace"))
    finally:
        os._exit(127)


def _descendants() -> set[int]:
    send(children(), signal.SIGSTOP)
    return below({os.getpid()}, living())


def _to_front(group: int) -> None:
    with contextlib.suppress(OSError):  # the terminal is gone
        os.tcsetpgrp(0, group)


def _take_back(modes: list[Any], *, broken: bool) -> None:
    """The terminal as it was. `broken`: its program was ended, and has left it as it stood."""
    _to_front(os.getpgrp())
    with contextlib.suppress(OSError, termios.error):  # the terminal is gone
        termios.tcsetattr(0, termios.TCSADRAIN, modes)
        if broken:
            os.write(1, RESTORED)


def main(folder: str, secrets_fd: int) -> int:
    """Keep one run. Returns its exit code, 1 where it has none."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGHUP, 0, 0, 0)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    os.umask(0o077)
    secrets = read_secrets(secrets_fd)
    os.close(secrets_fd)
    kept = Attached(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whoever starts us blocks keys that come before this
    signal.signal(signal.SIGTERM, lambda *_: kept.want("cancelled", ""))
    signal.signal(signal.SIGHUP, lambda *_: kept.want("cancelled", "its terminal is gone"))
    if os.getppid() != parent:
        kept.want("cancelled", "its terminal is gone")
    kept.keep(secrets)
    return 0 if kept.status == 0 else 1


if __name__ == "__main__":
    os._exit(main(sys.argv[1], int(sys.argv[2])))
