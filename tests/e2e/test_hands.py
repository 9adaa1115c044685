"""What leaves the console for an operator's own clipboard and editor, byte by byte, and how the terminal comes back."""

import base64
import os
import re
import shlex
import shutil
import signal
import stat
import sys
import termios
from functools import partial

import pytest

from tests.e2e.pty import SEQUENCE, Pty

OSC = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
PASSED = re.compile(rb"\x1bPtmux;\x1b\x1b\]52;c;([A-Za-z0-9+/=]*)\x07\x1b\\")
CONFIG = """\
[agent.coder]
adapter = "command"
argv = ["true"]
workspace = "~/work"

[job.nightly]
every = "1h"
agent = "coder"
"""
EDITOR = """
import sys
print("the editor is open on", *sys.argv[1:])
word = input()
if word != "leave":
    with open(sys.argv[-1], "a") as file:
        file.write(word.replace("|", chr(10)) + chr(10))
"""


@pytest.fixture
def pty(desk):
    opened = []

    def open_one(**env):
        opened.append(Pty(desk.argv, desk.env | env, str(desk.workspace), (120, 34)))
        opened[-1].wait_for("engine up")
        return opened[-1]

    desk.config_file.parent.mkdir(parents=True, exist_ok=True)
    desk.config_file.write_text(CONFIG)
    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def editor(desk):
    """One that is called `vi`, says what it was given, and writes what it is told."""
    folder = desk.workspace / "bin"
    folder.mkdir()
    program = folder / "vi"
    program.write_text(f"#!{sys.executable}\n{EDITOR}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_what_is_copied_goes_out_as_the_terminal_takes_it(pty):
    terminal = pty()
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("y")
    terminal.wait_for("copied the job's name: nightly")
    assert [base64.b64decode(one) for one in OSC.findall(bytes(terminal.bytes))] == [b"nightly"]
    assert not PASSED.search(bytes(terminal.bytes))


def test_under_tmux_it_goes_through_to_the_terminal_around_it(pty):
    terminal = pty(TMUX="/tmp/none,1,0")
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("y")
    terminal.wait_for("copied the job's name: nightly")
    assert [base64.b64decode(one) for one in PASSED.findall(bytes(terminal.bytes))] == [b"nightly"]


def test_the_editor_is_opened_at_the_line_and_the_console_comes_back(desk, pty, editor):
    terminal = pty(EDITOR=editor)
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("e")
    terminal.wait_for(f"the editor is open on +6 {desk.config_file}")
    assert terminal.modes_left_on() == []
    assert termios.tcgetattr(terminal.slave) == terminal.found
    terminal.send('[job.tidy]|every = "2h"|agent = "coder"\r')
    terminal.wait_for("the configuration is good, and in force", "tidy")


def test_what_is_wrong_with_it_is_said_with_its_line(pty, editor):
    terminal = pty(EDITOR=editor)
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("e")
    terminal.wait_for("the editor is open")
    terminal.send('[job.tidy]|every = "banana"\r')
    terminal.wait_for("not taken up: line 10: job.tidy.every: 'banana'")


def test_ctrl_c_in_the_editor_does_not_end_the_console(pty, editor):
    terminal = pty(EDITOR=editor)
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("e")
    terminal.wait_for("the editor is open")
    terminal.send("\x03")
    terminal.wait_for("vi was ended by signal 2")
    terminal.send("1")
    terminal.wait_for("1 Sessions")
    assert terminal.process.poll() is None


def test_a_copy_of_a_runs_output_is_opened(desk, pty, editor):
    desk.json("run", "--agent", "coder", "--task", "say it", "--", "echo", "this was said")
    terminal = pty(EDITOR=editor)
    terminal.send("5")
    terminal.wait_for("say it")
    terminal.send("e")
    terminal.wait_for("the editor is open on", "run-1-")
    terminal.send("leave\r")
    terminal.wait_for("was open in your editor")


@pytest.fixture
def shell(desk):
    """A shell with job control, in which the console has been started, and the console's process."""
    opened = []

    def open_one(*argv, **env):
        opened.append(Pty(argv, desk.env | env, str(desk.workspace)))
        opened[-1].wait_for("here> ")
        opened[-1].send(f"{shlex.join(desk.argv)}\r")
        opened[-1].wait_for("engine up")
        return opened[-1], os.tcgetpgrp(opened[-1].master)

    desk.configure(CONFIG)
    yield open_one
    for one in opened:
        one.close()


BASH = ("bash", "--norc", "-i")
SHELLS = [BASH, *([("zsh", "-f", "-i")] if shutil.which("zsh") else [])]


@pytest.mark.parametrize("argv", SHELLS, ids=lambda argv: argv[0])
def test_a_console_that_somebody_else_stopped_is_whole_when_the_shell_brings_it_back(shell, wait_until, argv):
    terminal, process = shell(*argv, PS1="here> ", PROMPT="here> ")
    on, taken = terminal.modes_left_on(), termios.tcgetattr(terminal.slave)
    for way in (("fg\r",), ("bg\r", "fg\r")):
        os.kill(process, signal.SIGSTOP)
        wait_until(lambda: os.tcgetpgrp(terminal.master) != process, "the shell has the terminal")
        ran = 0
        for typed in way:
            ran = wait_until(partial(stopped_again, process, ran), "it stands still, in the background too")
            since = len(terminal.bytes)
            terminal.send(typed)
        wait_until(lambda: os.tcgetpgrp(terminal.master) == process, "the console has it")
        wait_until(partial(painted_since, terminal, since), "all of it is painted anew")
        wait_until(lambda: termios.tcgetattr(terminal.slave) == taken, "keys come as they are typed")
        terminal.settle()
        assert terminal.modes_left_on() == on
    terminal.send("?")
    terminal.wait_for("Here, now")


def painted_since(terminal, since):
    return b"1 Sessions" in SEQUENCE.sub(b"", bytes(terminal.bytes[since:]))


def stopped_again(process, ran):
    """How often it has run, once it has run more often than that, and stands still."""
    with open(f"/proc/{process}/status") as file:  # noqa: PTH123
        said = dict(line.split(":", 1) for line in file)
    now = sum(int(said[f"{kind}_ctxt_switches"]) for kind in ("voluntary", "nonvoluntary"))
    return now if said["State"].split()[0] == "T" and now > ran else 0


@pytest.mark.parametrize(
    ("keys", "sign"), [((":",), "tab takes the marked one"), (("2", "d"), "Delete job nightly?")], ids=["go", "confirm"]
)
def test_a_console_is_put_aside_from_a_dialog_too(shell, keys, sign):
    terminal, _ = shell(*BASH, PS1="here> ")
    for key in keys:
        terminal.wait_for("nightly")
        terminal.send(key)
    terminal.wait_for(sign)
    terminal.send("\x1a")
    terminal.wait_for("Stopped")
    terminal.send("fg\r")
    terminal.wait_for(sign)
