"""How does one run's process tree start, live and end, whatever becomes of those who asked for it?

One process per run, `python -I -S keep.py RUN_FOLDER`, with the standard library alone. It reads secrets from its
standard input, then `launch.json`, `stdin`, and where it holds a client over several turns, the FIFO `input` and
`turn.json`. It writes `keeper.json`, `stdout.log`, `stderr.log` and, as the very last thing, `end.json`."""

import ctypes
import errno
import os
import select
import signal
import time
from collections.abc import Callable

from engine.execution import cgroup
from engine.execution.input import Input, open_input, remove_fifo
from engine.execution.job import Job, Secrets, read_secrets
from engine.execution.landlock import abi
from engine.execution.limits import ASKING, IDLE, Limits
from engine.execution.output import CHUNK, Output
from engine.execution.records import Records, now_ms
from engine.execution.spawn import spawn
from engine.execution.tree import ask_to_end, below, children, end_all, is_living, living, send

DRAIN_S = 0.5
"""How long output and helpers may outlive the leader."""
LOOK_S = 1.0
SUBREAPER = 36


class Keeper:
    """The run in `folder`, from its launch file to its end record."""

    def __init__(self, folder: int, place: str) -> None:
        self.folder = folder
        self.place = place
        self.leader = 0
        self.status: int | None = None
        self.childless = False
        self.outputs: dict[int, Output] = {}
        self.input: Input | None = None
        self.fed: dict[int, int] = {}
        self.limits: Limits | None = None
        self.cgroup: str | None = None
        self.sandbox = ""
        self.wanted = ("", "")
        """An outcome that someone or something asked for, and why."""
        self.cause = ("", "")
        """The outcome for which the run was stopped, and why."""
        self.hung_up = False
        self.escalated = False
        self.killed: set[int] = set()
        self.leaked = 0
        self.next_look = 0.0
        self.started, self.started_ms = time.monotonic(), now_ms()
        self.poll = select.poll()
        self.wake, self._waker = os.pipe()
        self._take_signals()
        self.records = Records(folder)
        if not self.records.announce(0, None, first=True):
            raise SystemExit("this run has a keeper or was given up")

    def keep(self, secrets: Secrets | str) -> None:
        try:
            job = self._start(secrets)
        except OSError as error:
            self.cause = ("could_not_start", str(error))
        except (ValueError, KeyError, TypeError) as error:
            self.cause = ("could_not_start", f"launch.json cannot be used: {error!r}")
        else:
            if job is not None:
                self._live(job)
        self.finish()

    def finish(self) -> None:
        """End what is left, write what is kept, say how it ended."""
        if self.leader:
            self._watch(_for(DRAIN_S), self._quiet)
            self._end_rest()
        if self.input is not None:
            self.input.close()
            remove_fifo(self.folder)
        for output in self.outputs.values():
            output.finish()
        cgroup.remove(self.cgroup)
        self._end()

    def _end_rest(self) -> None:
        left_behind = self.status is not None
        self.killed.clear()
        if not self._no_child():
            cgroup.kill(self.cgroup)
            self.killed |= end_all(self._descendants, self._no_child)
        self.leaked += len(self.killed) if left_behind else 0

    def _take_signals(self) -> None:
        os.set_blocking(self.wake, False)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._want("cancelled", ""))
        signal.signal(signal.SIGUSR1, lambda *_: self._hang_up())
        self.poll.register(self.wake, select.POLLIN)

    def _want(self, outcome: str, why: str) -> None:
        if not self.wanted[0]:
            self.wanted = (outcome, why)

    def _hang_up(self) -> None:
        self.hung_up = True

    def _start(self, secrets: Secrets | str) -> Job | None:
        if isinstance(secrets, str):
            raise OSError(secrets)
        job = Job(self.records.read("launch.json"), secrets)
        if self.wanted[0]:
            self.cause = self.wanted
            return None
        self.started, self.started_ms = time.monotonic(), now_ms()
        logs = self.records.create("stdout.log"), self.records.create("stderr.log")
        for log, source in zip(logs, self._spawn(job), strict=True):
            os.set_blocking(source, False)
            self.outputs[source] = Output(source, log, job.output_cap)
            self.poll.register(source, select.POLLIN)
        job.env.clear()
        secrets.clear()
        return job

    def _spawn(self, job: Job) -> tuple[int, int]:
        """Start the child; its output and error pipes. Raises OSError with the reason when it does not get to exec."""
        stdin = self.records.open("stdin")
        if job.input_open:
            stdin, self.input = open_input(self.folder, stdin)
        self.cgroup = cgroup.make(f"{os.path.basename(self.place)}-{os.getpid()}")  # noqa: PTH119
        try:
            self.leader, out, err = spawn(job, stdin, self.cgroup, self._on_record)
        finally:
            os.close(stdin)
        self.sandbox = f"landlock({abi()})" if job.sandbox is not None else ""
        return out, err

    def _on_record(self, pid: int, grouped: bool) -> None:
        if not grouped:
            cgroup.remove(self.cgroup)
            self.cgroup = None
        self.records.announce(pid, self.cgroup)

    def _live(self, job: Job) -> None:
        """Until it has ended, by itself or because it had to."""
        limits = self.limits = Limits(job, self.started, self.started + job.timeout_s)
        self._read_turn()
        while not self._watch(limits.left_s, lambda: self.status is not None or bool(self.wanted[0])):
            self._step(0)  # What has happened at the last moment counts, also when we were stopped until now.
            self._read_turn()
            left_s, outcome, why = limits.next_now()
            if left_s <= 0 and outcome == IDLE:
                limits.leave(time.monotonic())
                self._hang_up()
            elif left_s <= 0:
                self._want(outcome, why)
        if self.status is None:
            self._stop(job)

    def _watch(self, left_s: Callable[[], float], done: Callable[[], bool]) -> bool:
        """Take output and exits until `done`; False when the time is over first."""
        while not done():
            left = left_s()
            if left <= 0:
                return False
            self._step(min(left, LOOK_S))
        return True

    def _step(self, wait_s: float) -> None:
        self._feed()
        for fd, happened in self.poll.poll(wait_s * 1000 + 1):
            self._take(fd, happened)
        self._reap()
        self._look()

    def _feed(self) -> None:
        """Have `poll` wait for what the input waits for."""
        if self.input is None:
            return
        if self.hung_up:
            self.input.end()
        wanted = self.input.wanted()
        for fd in self.fed.keys() - wanted.keys():
            self.poll.unregister(fd)
        for fd, events in wanted.items():
            self.poll.register(fd, events)
        self.fed = wanted

    def _take(self, fd: int, happened: int) -> None:
        if fd == self.wake:
            os.read(fd, CHUNK)
        elif fd in self.outputs:
            self._hear(self.outputs[fd])
        elif self.input is not None:
            self.input.move(happened)

    def _hear(self, output: Output) -> None:
        if output.read() and self.limits is not None:
            self.limits.heard(time.monotonic())
        if not output.open:
            self.poll.unregister(output.source)
        if output.error:
            self._want("failed", f"its output could not be kept: {output.error}")

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.leader:
                    self.status = ended[1]
                if os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) == signal.SIGKILL:
                    self.killed.add(ended[0])
        except ChildProcessError:
            # We are their subreaper: without a child there is no descendant either.
            self.childless = True

    def _look(self) -> None:
        """A run whose folder is gone can be neither followed nor cancelled any more."""
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + LOOK_S
        if not self.records.beat():
            self._want("failed", "its folder is gone")
        self._read_turn()

    def _read_turn(self) -> None:
        if self.input is None or self.limits is None:
            return
        self.limits.asks(self.records.has(ASKING), time.monotonic())
        try:
            self.limits.told(self.records.read("turn.json"), time.monotonic())
        except FileNotFoundError:  # There is none yet.
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._want("failed", f"turn.json cannot be used: {error!r}")

    def _stop(self, job: Job) -> None:
        self.cause = self.wanted
        asked = ask_to_end(os.getpid())
        self.escalated = not self._watch(_for(job.grace_s), lambda: self._heeded(asked))
        if self.escalated:
            self._end_rest()

    def _heeded(self, asked: dict[int, int]) -> bool:
        """Whether all that were asked to end have, and what they started in their group meanwhile, too."""
        if self.status is None or self.childless:
            return self.status is not None
        while asked and not is_living(*list(asked.items())[-1]):
            asked.popitem()
        return not asked and not self._group_lives()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.leader, 0)
        except OSError as error:
            return error.errno != errno.ESRCH
        return True

    def _quiet(self) -> bool:
        return self.childless and not any(output.open for output in self.outputs.values())

    def _no_child(self) -> bool:
        self._reap()
        return self.childless

    def _descendants(self) -> set[int]:
        # One that forks and exits in turn is gone before a scan has come to it; as an orphan it is our child.
        send(children(), signal.SIGSTOP)
        return below({os.getpid()}, living())

    def _end(self) -> None:
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        outcome, why = self.cause if self.cause[0] else outcome_of(code)
        troubles = [f"its output could not be kept: {one.error}" for one in self.outputs.values() if one.error]
        if self.leader and not self.childless:
            troubles.insert(0, "some of its processes could not be ended")
        record = {
            "outcome": outcome,
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "started_ms": self.started_ms,
            "ended_ms": now_ms(),
            "duration_s": round(time.monotonic() - self.started, 6),
            "escalated": self.escalated,
            "leaked": self.leaked,
            "dropped_bytes": sum(output.dropped for output in self.outputs.values()),
            "why": "; ".join(dict.fromkeys(filter(None, [why, *troubles])))[:500],
            "sandbox": self.sandbox,
        }
        self.records.end(record)


def outcome_of(code: int | None) -> tuple[str, str]:
    """Of a run that nobody ended: the outcome, and why, by the exit code of its leader."""
    if code is None or code > 0:
        return "failed", ""
    if code == 0:
        return "succeeded", ""
    try:
        return "crashed", f"ended by {signal.Signals(-code).name}"
    except ValueError:  # A real-time signal has no name.
        return "crashed", f"ended by signal {-code}"


def _for(seconds: float) -> Callable[[], float]:
    """How much of them is left, from now on."""
    until = time.monotonic() + seconds
    return lambda: until - time.monotonic()


def main(folder: str) -> None:
    """Keep one run."""
    secrets = read_secrets(0)
    _let_go_of_all()
    os.umask(0o077)
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir("/")
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), folder)
    try:
        keeper.keep(secrets)
    except BaseException as error:
        keeper.cause = ("failed", f"the keeper failed: {type(error).__name__}: {error}")
        end_all(keeper._descendants, keeper._no_child)
        cgroup.remove(keeper.cgroup)
        keeper._end()
        raise


def _let_go_of_all() -> None:
    """No descriptor that we were given is kept; the first three lead nowhere."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # The one with which the folder was listed.
                continue
