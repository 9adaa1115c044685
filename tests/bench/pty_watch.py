"""What does a program cost in a terminal? A pty that reads at once, answers as a modern terminal does, and counts.

Bytes, frames (by the synchronized mode), the moment each arrived, and the CPU of the program's whole process tree.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.e2e.pty import CONTROLLED, SEQUENCE

SIZE = (120, 40)
ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y"}
"""What is asked, and what a terminal that knows the synchronized mode says."""
FRAME = b"\x1b[?2026h"
QUIET_S = 0.4


class Window(NamedTuple):
    """What came in a span of time."""

    seconds: float
    bytes: int
    frames: int
    cpu_s: float
    """Of the whole tree."""
    own_s: float
    """Of the program alone, without what it started."""

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds

    @property
    def core(self) -> float:
        """Part of one core."""
        return self.cpu_s / self.seconds

    @property
    def own_core(self) -> float:
        return self.own_s / self.seconds


class Watched:
    """One program in a terminal of its own, from its start."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, size: tuple[int, int] = SIZE) -> None:
        self.master, self._slave = os.openpty()
        width, height = size
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.arrived: list[tuple[float, int]] = []
        """When a chunk came, and how many bytes there were with it."""
        self.bytes = bytearray()
        self._asked = 0
        self._ended = False
        self.began_s = time.monotonic()
        self.process = subprocess.Popen(
            ["sh", "-c", CONTROLLED, os.ttyname(self._slave), *argv],
            stdin=subprocess.DEVNULL,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, keys: str) -> float:
        """Press keys; the moment of it."""
        os.write(self.master, keys.encode())
        return time.monotonic()

    def text(self, since: int = 0) -> str:
        """What was written from a byte on, without escape sequences."""
        return SEQUENCE.sub(b"", bytes(self.bytes[since:])).decode("utf-8", "replace")

    def until(self, text: str, since: int = 0, patience_s: float = 60.0) -> float:
        """The moment at which this text had arrived."""
        tried, deadline = -1, time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if len(self.bytes) != tried:
                tried = len(self.bytes)
                if text in self.text(since):
                    return self._moment(text, since)
            if self.process.poll() is not None and tried == len(self.bytes):
                break
            time.sleep(0.002)
        raise AssertionError(f"never written: {text}\n{self.text(since)[-2000:]}")

    def reacted(self, at: int, patience_s: float = 10.0) -> float:
        """The moment at which anything came after the first `at` bytes."""
        deadline = time.monotonic() + patience_s
        while len(self.bytes) <= at:
            if time.monotonic() > deadline:
                raise AssertionError("no reaction")
            time.sleep(0.0005)
        return next(when for when, count in list(self.arrived) if count > at)

    def settle(self, quiet_s: float = QUIET_S, patience_s: float = 30.0) -> int:
        """Wait until nothing has come for a moment; how many bytes there are."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            last = self.arrived[-1][0] if self.arrived else self.began_s
            if (left_s := last + quiet_s - time.monotonic()) <= 0:
                break
            time.sleep(left_s)
        return len(self.bytes)

    def cost_of(self, keys: str) -> int:
        """Bytes that pressing these keys costs, until it is quiet."""
        before = self.settle()
        self.send(keys)
        self.reacted(before)
        return self.settle() - before

    def window(self, seconds: float) -> Window:
        """Watch for so long."""
        pid = self.process.pid
        at, tree_s, own_s, began_s = len(self.bytes), tree_cpu_s(pid), cpu_s(pid), time.monotonic()
        time.sleep(seconds)
        tree_s, own_s, took_s = tree_cpu_s(pid) - tree_s, cpu_s(pid) - own_s, time.monotonic() - began_s
        came = bytes(self.bytes[at:])
        return Window(took_s, len(came), came.count(FRAME), tree_s, own_s)

    def close(self) -> None:
        """May be called again."""
        if self._ended:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._ended = True
        self._reader.join()
        os.close(self.master)
        os.close(self._slave)

    def _moment(self, text: str, since: int) -> float:
        """When the first chunk came with which the text was complete."""
        chunks = [(when, count) for when, count in list(self.arrived) if count > since]
        low, high = 0, len(chunks) - 1
        while low < high:
            middle = (low + high) // 2
            whole = SEQUENCE.sub(b"", bytes(self.bytes[since : chunks[middle][1]])).decode("utf-8", "replace")
            low, high = (low, middle) if text in whole else (middle + 1, high)
        return chunks[low][0]

    def _read(self) -> None:
        while not self._ended:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            try:
                came = os.read(self.master, 65536)
            except OSError:
                return
            when = time.monotonic()
            self.bytes += came
            self.arrived.append((when, len(self.bytes)))
            self._answer()

    def _answer(self) -> None:
        """Each question once, in the order in which they came."""
        found = [(self.bytes.find(question, self._asked), question) for question in ANSWERS]
        for at, question in sorted(pair for pair in found if pair[0] >= 0):
            os.write(self.master, ANSWERS[question])
            self._asked = at + len(question)


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process, of its children, and of theirs, as far as they live."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    inside = {root}
    while more := {pid for pid, parent in parents.items() if parent in inside} - inside:
        inside |= more
    return sum(map(cpu_s, inside))


def cpu_s(pid: int) -> float:
    """By the process's own clock, which is finer than what `/proc` counts in; nothing for one that has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
