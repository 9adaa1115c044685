"""The console in GNU screen, alone and inside tmux: what its keys do, what it leaves, and what gets through."""

import base64
import os
import shlex
import shutil
import subprocess

import pytest

from tests.e2e.pty import SEQUENCE, Pty

pytestmark = pytest.mark.skipif(shutil.which("screen") is None, reason="needs screen, which .ci/run installs")
CONFIG = """
[agent.coder]
adapter = "command"
argv = ["true"]
workspace = "~/work"
[job.nightly]
every = "1h"
agent = "coder"
"""
COPIED = b"\x1b]52;c;" + base64.b64encode(b"nightly") + b"\x07"
WIDE = "1 Sessions"


@pytest.fixture
def screen(desk):
    """Opens screens; in each of them runs a shell with a prompt of its own."""
    sockets = desk.home / "sockets"
    sockets.mkdir(mode=0o700)
    (desk.home / ".screenrc").write_text("startup_message off\n")
    env = desk.env | {"SCREENDIR": str(sockets), "PS1": "here> "}
    opened = []

    def open_one(*around, **more):
        argv = [*around, "screen", "-m", "-S", f"qd{len(opened)}", "bash", "--norc", "-i"]
        opened.append(Pty(argv, env | more, str(desk.workspace)))
        opened[-1].wait_for("here> ")
        return opened[-1]

    yield open_one
    for number, one in enumerate(opened):
        quit_it = ["screen", "-S", f"qd{number}", "-X", "quit"]
        subprocess.run(quit_it, env=env, capture_output=True, check=False, timeout=20)
        one.close()


def start(terminal, desk, *flags):
    terminal.send(f"{shlex.join([*desk.argv, *flags])}\r")
    terminal.wait_for("engine up")


def shown(desk, number=0):
    """What screen itself has on its screen."""
    path = desk.home / "hardcopy"
    env = desk.env | {"SCREENDIR": str(desk.home / "sockets")}
    argv = ["screen", "-S", f"qd{number}", "-p", "0", "-X", "hardcopy", str(path)]
    subprocess.run(argv, env=env, check=True, capture_output=True, timeout=20)
    return path.read_text(errors="replace") if path.exists() else ""


def test_escape_goes_back_at_once_and_the_key_after_it_is_not_lost(desk, screen, wait_until):
    terminal = screen()
    start(terminal, desk)
    terminal.send("?")
    wait_until(lambda: "Here, now" in shown(desk), "help")
    terminal.send("\x1b")
    wait_until(lambda: WIDE in shown(desk) and "Here, now" not in shown(desk), "escape alone leads back")
    terminal.send("5")
    wait_until(lambda: WIDE not in shown(desk), "the key after it")


def test_nothing_of_the_picture_is_left_where_there_is_only_one_screen(desk, screen, wait_until):
    terminal = screen()
    start(terminal, desk)
    terminal.send("\x1a")
    wait_until(lambda: "Stopped" in (left := shown(desk)) and WIDE not in left, "it was put aside")
    terminal.send("fg\r")
    wait_until(lambda: WIDE in shown(desk), "it is back")
    terminal.send("q")
    wait_until(lambda: shown(desk).split() == ["here>"], "the shell's prompt alone")


def test_colours_are_those_that_screen_knows(desk, screen):
    """It takes red, green and blue for something else: `38;2` is a dim text to it."""
    terminal = screen(COLORTERM="truecolor")
    start(terminal, desk, "--theme", "dark")
    assert b"38;5;" in terminal.bytes
    assert b"\x1b[2m" not in terminal.bytes


def test_what_is_copied_gets_through_to_the_terminal(desk, screen, wait_until):
    desk.configure(CONFIG)
    terminal = screen()
    start(terminal, desk)
    terminal.send("2")
    terminal.wait_for("nightly")
    terminal.send("y")
    wait_until(lambda: COPIED in bytes(terminal.bytes), "it is copied")


def test_in_screen_inside_tmux_nothing_destroys_the_picture(desk, screen, wait_until):
    """Both are named in the environment; what was meant for tmux would be painted by it, in the middle of a row."""
    desk.configure(CONFIG + '[alerts]\nnotify = "osc777"\n')
    name = f"qd-around-{os.getpid()}"
    tmux = ["tmux", "-L", name, "-f", "/dev/null"]
    try:
        terminal = screen(*tmux, "new-session")
        subprocess.run([*tmux, "set-option", "-g", "set-clipboard", "on"], check=True, timeout=20)
        start(terminal, desk)
        terminal.send("2")
        wait_until(lambda: "nightly" in shown(desk), "the job")
        terminal.send("y")
        wait_until(lambda: "copied the job's name" in shown(desk), "it is copied")
        desk.json("run", "--agent", "coder", "--task", "go on", "--detach", "--", "false")
        wait_until(lambda: "failed" in shown(desk), "a run has failed, which calls")
        pane = SEQUENCE.sub(b"", bytes(terminal.bytes))
        assert not [told for told in (b"tmux;", b"]52;", b"]777;") if told in pane]
        wait_until(lambda: base64.b64encode(b"nightly") in bytes(terminal.bytes), "tmux has passed it on")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True, timeout=20)
