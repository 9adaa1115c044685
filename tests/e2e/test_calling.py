"""A console that calls: what reaches the terminal when something needs the operator, and what it is left with."""

import os
import re
import signal

import pytest

from tests.e2e.pty import SEQUENCE, Pty

CONFIG = """
[agent.broken]
adapter = "command"
argv = ["false"]
[alerts]
notify = "osc9"
"""
TITLE = re.compile(rb"\x1b\]2;([^\x1b\x07]*)\x1b\\")
NOTIFIED = re.compile(rb"\x1b\]9;([^\x1b\x07]*)\x1b\\")
LEFT = b"\x1b]2;\x1b\\\x1b[23;2t"
SHAPE = re.compile(rb"\x1b\]22;[a-z]*\x07")
"""Of the pointer, which the framework sets."""
FRAME = re.compile(rb"\x1b\[\?2026h(.*?)\x1b\[\?2026l", re.DOTALL)


@pytest.fixture
def console(desk):
    """Opens consoles in terminals that are nothing but bytes."""
    opened = []

    def open_one(**env):
        opened.append(Pty(desk.argv, desk.env | env, str(desk.workspace)))
        opened[-1].wait_for("engine up")
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def fail(desk):
    """A run of the operator's that ends badly; its number."""
    return desk.json("run", "--agent", "broken", "--task", "go on", "--detach", "--", "false")["run"]


def titles(terminal):
    return [found.decode() for found in TITLE.findall(bytes(terminal.bytes))]


def notified(terminal):
    return [found.decode() for found in NOTIFIED.findall(bytes(terminal.bytes))]


def bells(terminal):
    return SEQUENCE.sub(b"", bytes(terminal.bytes)).count(b"\x07")


def test_a_run_that_fails_rings_once_and_stands_in_the_title(desk, console, wait_until):
    desk.configure(CONFIG)
    terminal = console()
    run = fail(desk)
    wait_until(lambda: f"run {run} failed - quarterdeck" in titles(terminal), "it stands in the title")
    assert bells(terminal) == 1
    assert bytes(terminal.bytes).count(f"\x1b]9;run {run} failed\x1b\\".encode()) == 1
    terminal.send("1")
    wait_until(lambda: titles(terminal)[-1] == "quarterdeck", "whoever presses a key has seen it")
    later = fail(desk)
    wait_until(lambda: f"run {later} failed - quarterdeck" in titles(terminal), "the next one, too")
    assert bells(terminal) == 1  # one in ten seconds


def test_what_was_there_before_is_not_called(desk, console, wait_until):
    desk.configure(CONFIG)
    first = console()
    run = fail(desk)
    wait_until(lambda: f"run {run} failed - quarterdeck" in titles(first), "the first console calls")
    second = console()
    second.wait_for("failed")
    assert titles(second) == ["quarterdeck"]
    assert bells(second) == 0


@pytest.mark.parametrize("ending", ["q", signal.SIGTERM, signal.SIGHUP])
def test_the_title_is_given_back_after_every_end(console, ending):
    terminal = console()
    if isinstance(ending, str):
        terminal.send(ending)
    else:
        os.kill(terminal.process.pid, ending)
    terminal.wait_end()
    written = bytes(terminal.bytes)
    assert written.count(b"\x1b[22;2t") == written.count(LEFT) == 1
    assert TITLE.findall(written)[-1] == b""


def test_a_notification_passes_through_tmux_and_no_frame_is_torn(desk, console, wait_until):
    desk.configure(CONFIG)
    terminal = console(TMUX="/tmp/none,1,0")
    run = fail(desk)
    told = f"\x1bPtmux;\x1b\x1b]9;run {run} failed\x1b\x1b\\\x1b\\".encode()
    wait_until(lambda: told in bytes(terminal.bytes), "it is in an envelope")
    torn = [
        frame
        for frame in FRAME.findall(bytes(terminal.bytes))
        if re.search(rb"\x07|\x1b\](?!22;)|\x1bP", SHAPE.sub(b"", frame))
    ]
    assert torn == []


def test_several_failures_in_a_few_seconds_are_one_call_and_what_is_left_of_them_another(desk, console, wait_until):
    desk.configure(CONFIG)
    terminal = console()
    for _ in range(4):
        fail(desk)
    wait_until(lambda: len(notified(terminal)) == 2, "all of them were told")
    assert len([title for title in titles(terminal) if "failed" in title]) == 2
    assert bells(terminal) == 1


def test_everything_can_be_switched_off(desk, console):
    desk.configure(CONFIG.replace('notify = "osc9"', "bell = false\ntitle = false"))
    terminal = console()
    run = fail(desk)
    terminal.wait_for("failed")
    terminal.send("q")
    terminal.wait_end()
    written = bytes(terminal.bytes)
    assert bells(terminal) == 0
    assert re.search(rb"\x1b\](?!22;)", written) is None
    assert b"\x1b[22;2t" not in written
    assert run
