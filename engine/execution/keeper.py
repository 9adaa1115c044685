"""How does one run's process tree start, live and end, whatever becomes of those who asked for it?

One process per run, `python -I -S keeper.py RUN_FOLDER`, with the standard library alone. It reads `launch.json` and
`stdin`, and writes `keeper.json`, `stdout.log`, `stderr.log` and, as the very last thing, `end.json`."""

import ctypes
import errno
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable

CHUNK = 64 * 1024
DRAIN_S = 0.5
"""How long output and helpers may outlive the leader."""
GIVE_UP_S = 10.0
"""For processes that not even SIGKILL ends: in the kernel, or another user's."""
LOOK_S = 1.0
RESERVE = 4096
SUBREAPER = 36

Stat = tuple[str, int, int, int]


def stat_of(pid: int) -> Stat | None:
    """State, parent, session and start ticks of a process; None when there is none."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, IndexError):  # It ended meanwhile.
        return None
    finally:
        os.close(fd)


def living() -> dict[int, Stat]:
    """Every process that is not a zombie."""
    stats = ((int(name), stat_of(int(name))) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return {pid: stat for pid, stat in stats if stat is not None and stat[0] not in "ZX"}


def below(roots: set[int], table: dict[int, Stat]) -> set[int]:
    """All descendants of `roots`, without them."""
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat[1], []).append(pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        fresh = [pid for pid in children.get(todo.pop(), []) if pid not in found]
        found.update(fresh)
        todo += fresh
    return found


def end_all(find: Callable[[], set[int]], none_left: Callable[[], bool]) -> set[int]:
    """End all that `find` finds, until none is left; stopped first, so that none can fork away. Returns their pids."""
    ended: set[int] = set()
    give_up = time.monotonic() + GIVE_UP_S
    while not none_left() and time.monotonic() < give_up:
        stopped: set[int] = set()
        while fresh := find() - stopped:
            _signal(fresh, signal.SIGSTOP)
            stopped |= fresh
        _signal(stopped, signal.SIGKILL)
        ended |= stopped
        time.sleep(0.005 if stopped else 0)
    return ended


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:  # Gone, or another user's.
            continue


class Job:
    """The fields of KeeperJob. Raises ValueError, KeyError or TypeError when they are not there."""

    def __init__(self, text: bytes) -> None:
        fields = json.loads(text)
        self.argv: list[str] = [str(word) for word in fields["argv"]]
        self.env: dict[str, str] = {str(name): str(value) for name, value in fields["env"].items()}
        self.cwd = str(fields["cwd"])
        self.timeout_s = float(fields["timeout_s"])
        self.grace_s = float(fields["grace_s"])
        self.output_cap = int(fields["output_cap"])
        if not self.argv:
            raise ValueError("argv is empty")


class Output:
    """One stream of the child: its head goes to the log as it comes, its tail at the end."""

    def __init__(self, source: int, log: int, cap: int) -> None:
        self.source = source
        self.open = True
        self.dropped = 0
        self.error = ""
        self._log = log
        self._head_left = cap // 2
        self._tail_size = cap - cap // 2
        self._tail = bytearray()
        self._last = b"\n"

    def read(self) -> bool:
        """Take one chunk; False when there is none now."""
        try:
            chunk = os.read(self.source, CHUNK)
        except BlockingIOError:
            return False
        self.open = bool(chunk)
        head, rest = chunk[: self._head_left], chunk[self._head_left :]
        self._head_left -= len(head)
        self._write(head)
        self._tail += rest
        excess = max(0, len(self._tail) - self._tail_size)
        self.dropped += excess
        del self._tail[:excess]
        return self.open

    def finish(self) -> None:
        for _ in range(64):  # A pipe holds 1 MiB at most; one that an outsider fills must not hold us.
            if not self.open or not self.read():
                break
        if self.dropped:
            self._write((b"" if self._last == b"\n" else b"\n") + b"[... %d bytes dropped ...]\n" % self.dropped)
        self._write(bytes(self._tail))

    def _write(self, data: bytes) -> None:
        try:
            while data and not self.error:
                written = os.write(self._log, data)
                self._last = data[written - 1 : written]
                data = data[written:]
        except OSError as error:
            self.error = error.strerror or str(error)
        self.dropped += len(data)


class Keeper:
    """The run in `folder`, from its launch file to its end record."""

    def __init__(self, folder: int) -> None:
        self.folder = folder
        self.leader = 0
        self.status: int | None = None
        self.childless = False
        self.outputs: dict[int, Output] = {}
        self.wanted = ("", "")
        """An outcome that someone or something asked for, and why."""
        self.cause = ("", "")
        """The outcome for which the run was stopped, and why."""
        self.escalated = False
        self.leaked = 0
        self.next_look = 0.0
        self.started = time.monotonic()
        self.started_ms = time.time_ns() // 1_000_000
        self.poll = select.poll()
        self.wake, self._waker = os.pipe()
        self._take_signals()
        # Blocks that are ours even when the disk is full by the time of the end.
        self.reserve = self._create(".end.json.new", b" " * RESERVE)
        if not self._announce(first=True):
            raise SystemExit("this run has a keeper or was given up")

    def keep(self) -> None:
        try:
            job = self._start()
        except OSError as error:
            self.cause = ("could_not_start", str(error))
        except (ValueError, KeyError, TypeError) as error:
            self.cause = ("could_not_start", f"launch.json cannot be used: {error!r}")
        else:
            if job is not None:
                self._watch(self.started + job.timeout_s, lambda: self.status is not None or bool(self.wanted[0]))
                if self.status is None:
                    self._stop(job)
        self.finish()

    def finish(self) -> None:
        """End what is left, write what is kept, say how it ended."""
        if self.leader:
            self._watch(time.monotonic() + DRAIN_S, self._quiet)
            self._end_rest()
        for output in self.outputs.values():
            output.finish()
        self._end()

    def _end_rest(self) -> None:
        left_behind = self.status is not None
        ended = end_all(self._descendants, self._no_child)
        self.leaked += len(ended) if left_behind else 0

    def _take_signals(self) -> None:
        os.set_blocking(self.wake, False)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._want("cancelled", ""))
        self.poll.register(self.wake, select.POLLIN)

    def _want(self, outcome: str, why: str) -> None:
        if not self.wanted[0]:
            self.wanted = (outcome, why)

    def _start(self) -> Job | None:
        with open(os.open("launch.json", os.O_RDONLY, dir_fd=self.folder), "rb") as file:  # noqa: PTH123
            job = Job(file.read())
        if self.wanted[0]:
            self.cause = self.wanted
            return None
        self.started, self.started_ms = time.monotonic(), time.time_ns() // 1_000_000
        logs = self._create("stdout.log"), self._create("stderr.log")
        for log, source in zip(logs, self._spawn(job), strict=True):
            os.set_blocking(source, False)
            self.outputs[source] = Output(source, log, job.output_cap)
            self.poll.register(source, select.POLLIN)
        return job

    def _spawn(self, job: Job) -> tuple[int, int]:
        """Start the child; its output and error pipes. Raises OSError with the reason when it does not get to exec."""
        stdin = os.open("stdin", os.O_RDONLY, dir_fd=self.folder)
        (out, child_out), (err, child_err), (report, child_report) = os.pipe(), os.pipe(), os.pipe()
        child_go, go = os.pipe()
        signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            os.close(go)
            _become(job, child_go, stdin, child_out, child_err, child_report)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        for fd in (child_go, stdin, child_out, child_err, child_report):
            os.close(fd)
        self.leader = pid
        why = self._let_go(go, report)
        if why:
            os.waitpid(pid, 0)
            self.leader = 0
            raise OSError(why)
        return out, err

    def _let_go(self, go: int, report: int) -> str:
        """Let the child exec, now that its pid is on record for those who come after us; why it could not."""
        try:
            self._announce(first=False)
            os.write(go, b"!")
        except BrokenPipeError:  # It has failed already, and reports why.
            pass
        except OSError as error:
            return f"the run's folder cannot be written: {error.strerror}"
        finally:
            os.close(go)
        with open(report, "rb") as file:
            return file.read().decode(errors="replace")

    def _watch(self, until: float, done: Callable[[], bool]) -> bool:
        """Take output and exits until `done`; False when the time is over first."""
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for fd, _ in self.poll.poll(min(left, LOOK_S) * 1000 + 1):
                self._take(fd)
            self._reap()
            self._look()
        return True

    def _take(self, fd: int) -> None:
        if fd == self.wake:
            os.read(fd, CHUNK)
            return
        output = self.outputs[fd]
        output.read()
        if not output.open:
            self.poll.unregister(fd)
        if output.error:
            self._want("failed", f"its output could not be kept: {output.error}")

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.leader:
                    self.status = ended[1]
        except ChildProcessError:
            # We are their subreaper: without a child there is no descendant either.
            self.childless = True

    def _look(self) -> None:
        """A run whose folder is gone can be neither followed nor cancelled any more."""
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + LOOK_S
        try:
            os.stat("keeper.json", dir_fd=self.folder)
        except FileNotFoundError:
            self._want("failed", "its folder is gone")

    def _stop(self, job: Job) -> None:
        self.cause = self.wanted if self.wanted[0] else ("timed_out", f"timed out after {job.timeout_s:g} s")
        self._to_group(signal.SIGTERM)
        self._to_group(signal.SIGCONT)
        self.escalated = not self._watch(time.monotonic() + job.grace_s, self._group_gone)
        if self.escalated:
            self._end_rest()

    def _group_gone(self) -> bool:
        return self.status is not None and (self.childless or not self._to_group(0))

    def _to_group(self, number: int) -> bool:
        try:
            os.killpg(self.leader, number)
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
        _signal(self._children(), signal.SIGSTOP)
        return below({os.getpid()}, living())

    def _children(self) -> set[int]:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123
                return {int(pid) for pid in file.read().split()}
        except OSError:  # A kernel without this file.
            return set()

    def _announce(self, first: bool) -> bool:
        """Write `keeper.json`. The first time it must not be there: one keeper per run, and none once given up."""
        me = stat_of(os.getpid())
        with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
            record = {"pid": os.getpid(), "start_ticks": me[3] if me else 0, "boot_id": file.read().strip()}
        child = stat_of(self.leader) if self.leader else None
        record |= {"child_pid": self.leader or None, "child_start_ticks": child[3] if child else None}
        os.close(self._create(".keeper.json.new", json.dumps(record).encode()))
        try:
            place = os.link if first else os.rename
            place(".keeper.json.new", "keeper.json", src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except FileExistsError:
            return False
        if first:
            os.unlink(".keeper.json.new", dir_fd=self.folder)
        return True

    def _create(self, name: str, content: bytes = b"") -> int:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self.folder)
        while content:
            content = content[os.write(fd, content) :]
        return fd

    def _end(self) -> None:
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        outcome, why = self.cause if self.cause[0] else ("succeeded" if code == 0 else "failed", "")
        troubles = [f"its output could not be kept: {one.error}" for one in self.outputs.values() if one.error]
        if self.leader and not self.childless:
            troubles.insert(0, "some of its processes could not be ended")
        record = {
            "outcome": outcome,
            "exit_code": code if code is not None and code >= 0 else None,
            "signal": -code if code is not None and code < 0 else None,
            "started_ms": self.started_ms,
            "ended_ms": time.time_ns() // 1_000_000,
            "duration_s": round(time.monotonic() - self.started, 6),
            "escalated": self.escalated,
            "leaked": self.leaked,
            "dropped_bytes": sum(output.dropped for output in self.outputs.values()),
            "why": "; ".join(dict.fromkeys(filter(None, [why, *troubles])))[:500],
        }
        data = json.dumps(record).encode()
        os.pwrite(self.reserve, data, 0)
        os.ftruncate(self.reserve, len(data))
        os.fsync(self.reserve)
        os.rename(".end.json.new", "end.json", src_dir_fd=self.folder, dst_dir_fd=self.folder)


def _become(job: Job, go: int, stdin: int, out: int, err: int, report: int) -> None:
    """In the forked child: never returns."""
    stage = "session"
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        stage = f"working folder {job.cwd}"
        os.chdir(job.cwd)
        stage = job.argv[0]
        for fd, place in ((stdin, 0), (out, 1), (err, 2)):
            os.dup2(fd, place)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.read(go, 1):  # Nothing when the keeper has died.
            os.execvpe(job.argv[0], job.argv, job.env)
    except BaseException as error:  # Whatever it was, this copy of the keeper must not live on.
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        os.write(report, f"{stage}: {why}".encode(errors="replace")[:CHUNK])
    finally:
        os._exit(127)


def main(folder: str) -> None:
    """Keep one run."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # The one with which the folder was listed.
                continue
    os.umask(0o077)
    if os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir("/")
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    try:
        keeper.keep()
    except BaseException as error:
        keeper.cause = ("failed", f"the keeper failed: {type(error).__name__}: {error}")
        end_all(keeper._descendants, keeper._no_child)
        keeper._end()
        raise


if __name__ == "__main__":
    main(sys.argv[1])
