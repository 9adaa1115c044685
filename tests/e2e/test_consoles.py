"""Several consoles on one home: the same key in two of them acts once, and the other is told so. And keys that come in
one go, typed ahead or pasted, do nothing that was not meant."""

import contextlib
import time

import pytest

from tests.e2e.pty import Pty

ASKS = '[budget.day]\nwindow = "day"\ntokens = 100\naction = "ask"\n'
JOB = """[agent.shell]
adapter = "command"
argv = ["true"]
workspace = "~/work"
[job.once]
every = "9h"
agent = "shell"
"""
LOOP = ("sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
PASTE = "\x1b[200~xqyrdfpuI\n:quit\r\x1b[201~"


@pytest.fixture
def consoles(desk):
    opened = []

    def open_some(number, size=(160, 34)):
        opened.extend(Pty(desk.argv, desk.env, str(desk.workspace), size) for _ in range(number))
        for one in opened:
            one.wait_for("engine up")
        return opened

    yield open_some
    for one in opened:
        one.close()


def on_screen(console):
    return console._screen.follow(console.bytes)


def yes(first, second, question):
    """The same dialog in both, answered in both as fast as it goes."""
    for one in (first, second):
        one.wait_for(question)
    deadline = time.monotonic() + 30
    while question in on_screen(first) or question in on_screen(second):
        assert time.monotonic() < deadline, on_screen(first) + on_screen(second)
        for one in (first, second):
            if question in on_screen(one):
                one.send("\r")
        with contextlib.suppress(AssertionError):
            first.wait_for("\0", patience_s=0.4)


def press(consoles, keys):
    for key in keys:
        for one in consoles:
            one.send(key)


def told(consoles, *texts):
    """Each of these is on some screen."""
    deadline = time.monotonic() + 20
    while not all(any(text in on_screen(one) for one in consoles) for text in texts):
        assert time.monotonic() < deadline, "\n".join(map(on_screen, consoles))
        time.sleep(0.02)


def test_a_run_is_stopped_once_by_two_of_five_consoles(desk, consoles):
    run = desk.json("run", "--detach", "--agent", "command", "--timeout", "60s", "--task", "long", "--", *LOOP)["run"]
    five = consoles(5)
    for one in five:
        one.wait_for("1 running", "long")
    press(five[:2], ["1", "x"])
    yes(five[0], five[1], f"Stop run {run}?")
    assert desk.ended(run)["outcome"] == "cancelled"
    for one in five:
        one.wait_for("0 running")
    assert len([e for e in desk.json("run", "list")["runs"] if e["outcome"] == "cancelled"]) == 1


def test_a_question_is_answered_once(desk, consoles):
    desk.write("README.md", "- [ ] mend the pump\n")
    desk.configure(ASKS)
    two = consoles(2)
    desk.run("spawn", "--inject", "README.md", "--task", "look", "--detach")
    for one in two:
        one.wait_for("1 needs me")
        one.send("i")
        one.wait_for("approving raises it by")
        one.send("y")
    yes(*two, "Approve run 1?")
    told(two, "approved already")
    assert desk.ended(1)["outcome"] == "succeeded"


def test_a_session_is_reset_once(desk, consoles):
    desk.write("README.md", "- [ ] mend the pump\n")
    session = str(desk.json("run", "--inject", "README.md", "--task", "watch")["session"])
    two = consoles(2)
    for one in two:
        one.wait_for("watch")
        one.send("r")
    yes(*two, "afresh?")
    told(two, "has moved on meanwhile")
    assert len(desk.json("session", "show", session)["generations"]) == 2


def test_an_act_is_taken_back_once(desk, consoles):
    desk.configure(JOB)
    desk.json("budget", "set", "day", "--window", "day", "--tokens", "60000")
    desk.json("cron", "pause", "once")
    two = consoles(2)
    for one in two:
        one.wait_for("undo: pause once")
    press(two, "u")
    told(two, "has been taken back already", "undone: pause once")
    assert [act["act"] for act in desk.json("undo", "list")["acts"]] == ["create budget day"]


def test_a_job_is_fired_once(desk, consoles):
    desk.configure(JOB)
    two = consoles(2)
    for one in two:
        one.wait_for("once")
        one.send("2")
        one.wait_for("fire now")
    press(two, "f")
    told(two, "once runs now: run 1", "job once has been started meanwhile: run 1")
    assert [run["run"] for run in desk.json("run", "list")["runs"]] == [1]
    desk.ended(1)
    for one in two:
        one.wait_for("0 running")
    two[0].send("f")
    two[0].wait_for("once runs now: run 2")


PLACES = {
    "overview": "", "jobs": "2", "budgets": "3", "skills": "4", "runs": "5", "events": "6", "usage": "m", "inbox": "i",
    "help": "?", "sheet": "2n", "session": "1\r", "stop": "5x",
}  # fmt: skip


def test_what_is_pasted_is_no_key_on_any_screen(desk, consoles):
    desk.configure(JOB)
    run = desk.json("run", "--detach", "--agent", "command", "--timeout", "60s", "--task", "long", "--", *LOOP)["run"]
    config = desk.config_file.read_bytes()
    (console,) = consoles(1)
    console.wait_for("1 running", "long", "once")
    for keys in PLACES.values():
        for key in keys:
            console.send(key)
        console.send(PASTE)
        console.send("\x1b")
        with contextlib.suppress(AssertionError):
            console.wait_for("\0", patience_s=0.3)
        console.send("\x1b")
        console.wait_for("1 Sessions", "2 Cron jobs")
    assert console.process.poll() is None
    assert desk.config_file.read_bytes() == config
    assert [one["run"] for one in desk.json("run", "list")["runs"] if one["outcome"] is None] == [run]
    (desk.workspace / "go").touch()


def test_a_pasted_newline_submits_no_line(desk, consoles):
    (console,) = consoles(1)
    console.send(":")
    console.wait_for("sessions")
    console.send("\x1b[200~quit\r\n\x1b[201~")
    console.wait_for("quit")
    assert console.process.poll() is None
    console.send("\r")
    assert console.wait_end() == 0


def test_keys_typed_while_a_dialog_is_on_its_way_do_not_reach_what_is_below(desk, consoles):
    """Reset reads the session first: `x`, enter would stop its run."""
    desk.write("README.md", "- [ ] mend the pump\n")
    desk.json("run", "--inject", "README.md", "--task", "watch")
    (console,) = consoles(1)
    console.wait_for("watch", "fresh session")
    for _ in range(5):
        console.send("rx\r")
        console.wait_for("afresh?", "x")
        assert "Stop run" not in console.text
        console.send("\x1b")
        console.wait_for("fresh session")
        while "afresh?" in on_screen(console):
            time.sleep(0.01)
    assert len(desk.json("session", "show", "1")["generations"]) == 1


def test_what_acts_at_once_does_not_act_by_keys_that_came_in_one_go(desk, consoles):
    """As of a text that is pasted where the terminal does not say so."""
    desk.configure(JOB)
    (console,) = consoles(1)
    console.wait_for("once")
    console.send("2")
    console.wait_for("fire now")
    console.send("jfpjfp")
    console.wait_for("press it by itself")
    assert desk.json("run", "list")["runs"] == []
    assert desk.config_file.read_text() == JOB
    console.send("f")
    console.wait_for("once runs now")
