"""A program of ours as a process of its own, forked off one that has imported it already.

Most of what a short test of a program costs is its imports. Here they are done once a session; what each test gets is a
real process still: its own arguments, folder, environment, signals and exit code, and `__main__` run from its top.

    python -P nursery.py PROGRAM MODULE... < socket
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Nursery:
    """Starts one program, given as a package, as often as one likes. `modules`: what it imports late."""

    def __init__(self, program, *modules):
        self._ours, theirs = socket.socketpair()
        argv = [sys.executable, "-P", __file__, program, *modules]
        with theirs:
            self._process = subprocess.Popen(argv, stdin=theirs, env=dict(os.environ) | {"PYTHONPATH": str(ROOT)})

    def start(self, *arguments, cwd, env, stdout, stderr):
        """A child at the head of a session of its own, its input a pipe of ours."""
        theirs, ours = os.pipe()
        status, told = os.pipe()
        word = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env}).encode()
        socket.send_fds(self._ours, [word], [theirs, stdout.fileno(), stderr.fileno(), told])
        os.close(told)
        os.close(theirs)
        return Child(status, os.fdopen(ours, "wb"))

    def piped(self, **how):
        """The same with its output to be read here."""
        ours, theirs = os.pipe()
        with os.fdopen(theirs, "wb") as stdout:
            child = self.start(stdout=stdout, **how)
        child.stdout = os.fdopen(ours, "rb")
        return child

    def close(self):
        self._ours.close()
        self._process.wait()


class Child:
    """What the tests use of `subprocess.Popen`."""

    def __init__(self, status, stdin):
        self._status = status
        self.stdin = stdin
        self.stdout = None
        self.returncode = None
        self.pid = int(self._line())

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self.returncode = int(self._line())
            os.close(self._status)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            got = os.read(self._status, 1)
            assert got, "the nursery has ended"
            line += got
        return line


def _serve(program, modules):
    """Until the other end is closed. Only a child returns."""
    for module in (f"{program}.__main__", *modules):
        importlib.import_module(module)
    del sys.modules[f"{program}.__main__"]
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as wishes:
        while True:
            word, descriptors, _, _ = socket.recv_fds(wishes, 1024 * 1024, 4)
            if not word:
                os._exit(0)
            if os.fork() == 0:
                break
            for descriptor in descriptors:
                os.close(descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _hold(descriptors.pop())
    _become(program, json.loads(word), descriptors)


def _hold(told):
    """Between the nursery and the child: says who the child is, and how it ended. The child returns."""
    child = os.fork()
    if child == 0:
        os.close(told)
        return
    os.write(told, b"%d\n" % child)
    os.closerange(0, told)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def _become(program, wish, descriptors):
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(wish["cwd"])
    os.environ.clear()
    os.environ.update(wish["env"])
    sys.argv[1:] = wish["arguments"]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2:])
