"""A run that has the operator's terminal: real processes on a real terminal of their own."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from engine.execution import attached
from engine.execution.follow import cancel, is_alive, read_alive, read_end

PATIENCE_S = 20.0


def until(true, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := true()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return value


LEADER = """
import fcntl, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
done = subprocess.Popen(sys.argv[2:], pass_fds=(int(sys.argv[1]),))
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
code = done.wait()
print("back", code, os.tcgetpgrp(0) == os.getpgrp(), flush=True)
os.read(0, 1)
"""
"""What a console is to it: the leader of the terminal's session, which waits."""


class Terminal:
    """A terminal with a console in it that has given it away."""

    def __init__(self, folder, argv, secrets=None, grace_s=0.5):
        self.folder, self.shown = folder, b""
        env = {"PATH": os.environ["PATH"], "QUARTERDECK_RUN_KEY": "k" * 32}
        job = {"argv": argv, "cwd": str(folder), "env": env, "timeout_s": 0, "grace_s": grace_s, "output_cap": 0}
        (folder / "launch.json").write_text(json.dumps(job))
        self.ours, theirs = pty.openpty()
        source, sink = os.pipe()
        program = [sys.executable, "-I", "-S", attached.__file__, str(folder), str(source)]
        self.console = subprocess.Popen(
            [sys.executable, "-c", LEADER, str(source), *program],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            pass_fds=(source,),
        )
        self.modes = termios.tcgetattr(theirs)
        self.theirs = theirs
        os.close(source)
        with os.fdopen(sink, "wb") as pipe:
            pipe.write(json.dumps(secrets or {}).encode())
        os.set_blocking(self.ours, False)

    def sees(self, text):
        until(lambda: text in self.read(), text)

    def read(self):
        try:
            while chunk := os.read(self.ours, 4096):
                self.shown += chunk
        except OSError:
            pass
        return self.shown.decode(errors="replace")

    def type(self, keys):
        os.write(self.ours, keys)

    def end(self):
        return until(lambda: read_end(self.folder), "it has ended")

    def close(self):
        self.console.kill()
        self.console.wait()
        if (alive := read_alive(self.folder)) is not None:
            cancel(alive)
            until(lambda: not is_alive(alive), "it is gone")
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def opened(tmp_path):
    made = []

    def open_one(*argv, **options):
        made.append(Terminal(tmp_path, list(argv), **options))
        return made[-1]

    yield open_one
    for terminal in made:
        terminal.close()


def sh(script):
    return ("sh", "-c", script)


def test_it_has_the_terminal_until_it_ends_and_then_that_is_given_back(opened):
    terminal = opened(*sh('echo "$SECRET" ready; read line; echo "got $line"; exit 3'), secrets={"SECRET": "s3"})
    terminal.sees("s3 ready")
    assert read_end(terminal.folder) is None
    assert "s3" not in "".join(path.read_text() for path in terminal.folder.iterdir())
    terminal.type(b"a word\n")
    terminal.sees("got a word")
    terminal.sees("back 1 True")
    end = terminal.end()
    assert (end.outcome, end.exit_code, end.leaked, end.escalated) == ("failed", 3, 0, False)


def test_ctrl_c_and_ctrl_z_go_to_the_program_alone(opened):
    terminal = opened(*sh('trap "echo caught" INT; echo ready; while :; do read line && echo "got $line"; done'))
    terminal.sees("ready")
    terminal.type(b"\x03")
    terminal.sees("caught")
    terminal.type(b"\x1a")  # there is no shell here to continue it: it goes on by itself
    terminal.type(b"on\n")
    terminal.sees("got on")
    assert read_end(terminal.folder) is None
    assert "back" not in terminal.read()


def test_the_modes_of_the_terminal_are_as_they_were_whatever_the_program_did(opened):
    terminal = opened(*sh("stty raw -echo; echo ready; kill -9 $$"))
    terminal.sees("back 1 True")
    assert terminal.end().outcome == "crashed"
    assert termios.tcgetattr(terminal.theirs) == terminal.modes
    assert attached.RESTORED.strip() in terminal.shown, "and the other screen is left"


def test_a_run_that_is_cancelled_ends_with_all_of_its_processes(opened):
    terminal = opened(*sh('trap "" TERM; sleep 987 & echo ready; wait; wait; sleep 986'))
    terminal.sees("ready")
    assert cancel(read_alive(terminal.folder))
    end = terminal.end()
    assert (end.outcome, end.escalated) == ("cancelled", True)
    terminal.sees("back 1 True")
    assert not running("987", "986")


def test_what_it_leaves_behind_is_ended_and_counted(opened):
    terminal = opened(*sh("setsid sleep 985 & echo ready; read line"))
    terminal.sees("ready")
    terminal.type(b"\n")
    end = terminal.end()
    assert (end.outcome, end.leaked) == ("succeeded", 1)
    assert not running("985")


def test_when_whoever_gave_the_terminal_away_dies_the_program_ends_too(opened):
    terminal = opened(*sh("echo ready; sleep 984"))
    terminal.sees("ready")
    os.kill(terminal.console.pid, signal.SIGKILL)
    end = terminal.end()
    assert (end.outcome, end.why) == ("cancelled", "its terminal is gone")
    assert not running("984")


def test_a_program_that_is_not_there_says_so(opened):
    terminal = opened("no-such-program")
    terminal.sees("back 1 True")
    end = terminal.end()
    assert (end.outcome, end.why) == ("could_not_start", "no-such-program: No such file or directory")


def test_a_run_that_was_given_up_is_not_started(opened, tmp_path):
    (tmp_path / "keeper.json").write_text('{"pid": 0, "start_ticks": 0, "boot_id": ""}')
    terminal = opened(*sh("echo started"))
    terminal.sees("was given up")
    terminal.sees("back 1")
    assert "started" not in terminal.read()


def running(*words):
    """Whether a `sleep` of one of these lengths runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes().split(b"\0"))
            except OSError:
                continue
    return any(line[:2] == [b"sleep", word.encode()] for line in found for word in words)
