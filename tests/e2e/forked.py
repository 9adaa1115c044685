"""`qd` without the start of an interpreter: a process that has imported it forks one process for each command line.

Each is a process of its own, with its own environment, folder and outputs, and goes through `tui.cli.main` from the
words on. What a fresh interpreter adds (a fifth of a second of CPU) is left to the tests that start `Desk.argv`.
"""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 1 << 20


class Forked:
    """The process that forks, from the first command line to `close`."""

    def __init__(self) -> None:
        self._asks: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, words: Sequence[str], env: Mapping[str, str], cwd: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` of `qd WORDS`, with nothing to read. Raises subprocess.TimeoutExpired."""
        asks = self._asks or self._start()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    order = json.dumps({"words": words, "env": dict(env), "cwd": str(cwd)}).encode()
                    assert len(order) < MOST_BYTES
                    socket.send_fds(asks, [order], [theirs.fileno(), out.fileno(), err.fileno()])
                code = _ended(ours, words, timeout_s)
            return subprocess.CompletedProcess(words, code, _text(out), _text(err))

    def close(self) -> None:
        if self._process is not None and self._asks is not None:
            self._asks.close()
            self._process.wait(timeout=20)

    def _start(self) -> socket.socket:
        self._asks, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._asks.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.forked", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt from the keyboard is not for it
            )
        return self._asks


def _ended(ours: socket.socket, words: Sequence[str], timeout_s: float) -> int:
    """Its exit code. It says who it is, then how it ended; without that it was killed."""
    deadline, said = time.monotonic() + timeout_s, b""
    while said.count(b"\n") < 2:
        ours.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            came = ours.recv(100)
        except TimeoutError:
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(said), signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(words), timeout_s) from None
        if not came:
            return -signal.SIGKILL
        said += came
    return int(said.split()[1])


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


def serve(descriptor: int) -> None:
    """Fork for each order, until nobody can send one any more."""
    from tui.cli.commands import COMMANDS

    for module in sorted({command.where.partition(":")[0] for command in COMMANDS}):
        importlib.import_module(module)
    orders = socket.socket(fileno=descriptor)
    orders.set_inheritable(False)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, MOST_BYTES, 3)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            answer(json.loads(order), *descriptors)
        for one in descriptors:
            os.close(one)


def answer(order: dict[str, Any], told: int, out: int, err: int) -> None:
    """Be `qd` with these words. Does not return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.write(told, b"%d\n" % os.getpid())
    os.set_inheritable(told, False)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.write(told, b"%d\n" % _main(order["words"]))
    os._exit(0)


def _main(words: list[str]) -> int:
    """The exit code, once all is written."""
    from tui.cli.main import main

    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(int(sys.argv[1]))
