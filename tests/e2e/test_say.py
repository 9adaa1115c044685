"""`qd say` and `qd run show --follow`: an answer as it comes, questions put to whoever is there, and Ctrl-C."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from engine.proof.drills_walls import ASKER
from tests.e2e.conftest import PATIENCE_S
from tests.modelserver import ModelServer, clean_env, client

TALKER = r"""
echo "one"
until [ -e ../go ]; do sleep 0.02; done
echo "two"
"""


class Terminal:
    """`qd` with a terminal for its input and its errors; what it answers goes to a pipe."""

    def __init__(self, desk, *words):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*desk.argv, *words],
            env=desk.env,
            cwd=desk.workspace,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
            text=True,
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < deadline, f"waited in vain for {text!r}: {self.seen}"
            if select.select([self.ours], [], [], 0.1)[0]:
                self.seen += self._read()
        self.seen = self.seen.partition(text)[2]

    def _read(self):
        try:
            return os.read(self.ours, 65536).decode(errors="replace")
        except OSError:  # it has ended, and nobody has the other side any more
            raise AssertionError(f"it has ended: {self.seen}, {self.process.communicate()}") from None

    def type(self, text):
        os.write(self.ours, text.encode())

    def ended(self):
        """Exit code and answer."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        os.close(self.ours)
        return self.process.returncode, out


@pytest.fixture
def talker(desk):
    """A session whose agent says something, waits for a file `go`, and says more."""
    (desk.home / "go").touch()
    desk.configure(
        f"[agent.talker]\nadapter = 'command'\nargv = ['sh', '-c', {json.dumps(TALKER)}]\n"
        "[adapter.command]\noutput_tokens = 400\n"
    )
    desk.session = str(desk.json("run", "--agent", "talker")["session"])
    (desk.home / "go").unlink()
    return desk


@pytest.fixture
def asker(desk):
    """A session whose agent asks before it answers, and answers with what it was told."""
    program = json.dumps([sys.executable, "-c", ASKER])
    desk.configure(f"[agent.asker]\nadapter = 'acp'\nargv = {program}\n")
    desk.session = str(desk.json("run", "--adapter", "acp", "--task", "sell", "--permissions", "deny")["session"])
    return desk


def start(desk, *words):
    return subprocess.Popen(
        [*desk.argv, *words],
        env=desk.env,
        cwd=desk.workspace,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def live_run(desk):
    found = [run for run in desk.json("run", "list")["runs"] if run["state"] == "running"]
    return found[0] if found else None


def test_an_answer_is_read_while_it_comes(talker):
    saying = start(talker, "say", talker.session, "go on")
    assert saying.stdout.readline() == "one\n"
    run = live_run(talker)
    assert (run["session"], run["task"], run["task_type"]) == (int(talker.session), "go on", "chat")
    following = start(talker, "run", "show", str(run["run"]), "--follow")
    assert following.stdout.readline() == "one\n"
    (talker.home / "go").touch()
    assert (*saying.communicate(timeout=PATIENCE_S), saying.returncode) == ("two\n", "", 0)
    out, err = following.communicate(timeout=PATIENCE_S)
    assert (out.split("\n")[0], err, following.returncode) == ("two", "", 0)
    assert f"run {run['run']}  talker  succeeded" in out


def test_as_json_it_is_one_object_at_the_end(talker):
    (talker.home / "go").touch()
    run = talker.json("say", talker.session, "go on")
    assert (run["outcome"], run["text"], run["stdout"]) == ("succeeded", "one\ntwo\n", "one\ntwo\n")


def test_a_refusal_says_what_it_lacks(talker):
    talker.json("budget", "set", "tiny", "--window", "day", "--tokens", "5")
    code, out, err = talker.run("say", talker.session, "go on")
    assert (code, out) == (1, "")
    assert "is refused" in err
    assert "budget: tiny" in err


def test_nothing_is_said_in_a_session_that_is_not_there(talker):
    code, out, err = talker.run("say", "99", "hello")
    assert (code, out) == (1, "")
    assert "99" in err
    code, _, err = talker.run("say", talker.session, "  ")
    assert code == 2
    assert "nothing to say" in err


def test_an_interrupt_ends_what_cannot_leave_its_turn(talker, wait_until):
    saying = start(talker, "say", talker.session, "go on")
    saying.stdout.readline()
    run = live_run(talker)["run"]
    assert talker.json("interrupt", str(run)) == {"run": run}
    _, err = saying.communicate(timeout=PATIENCE_S)
    assert (saying.returncode, f"run {run} cancelled" in err) == (1, True)
    code, _, err = talker.run("interrupt", str(run))
    assert (code, "has ended already" in err) == (1, True)


def test_ctrl_c_has_it_leave_its_turn_and_tells_how_it_ended(talker):
    saying = start(talker, "say", talker.session, "go on")
    saying.stdout.readline()
    saying.send_signal(signal.SIGINT)
    _, err = saying.communicate(timeout=PATIENCE_S)
    assert saying.returncode == 1
    assert "it is asked to leave its turn" in err
    assert "cancelled" in err


def test_a_question_is_put_to_whoever_is_there(asker, wait_until):
    """One after the other: allowed, denied, read first, answered elsewhere; and nobody is asked without a terminal."""
    words = ("say", asker.session, "sell it", "--permissions", "ask")
    for typed, told in (("y\n", '"yes"'), ("n\n", '"no"'), ("huh\nd\ny\n", '"yes"')):
        saying = Terminal(asker, *words)
        saying.until("asker asks: execute")
        saying.until("[y]es, [n]o, [d]etails?")
        for line in typed.splitlines(keepends=True):
            saying.type(line)
        code, out = saying.ended()
        assert (code, told in out) == (0, True), typed

    saying = Terminal(asker, *words)
    saying.until("[y]es, [n]o, [d]etails?")
    asker.json("deny", str(asker.json("approvals")["approvals"][0]["approval"]))
    code, out = saying.ended()
    assert (code, '"no"' in out) == (0, True)

    silent = start(asker, *words)
    (asked,) = wait_until(lambda: asker.json("approvals")["approvals"], "it asks")
    asker.json("approve", str(asked["approval"]))
    out, err = silent.communicate(timeout=PATIENCE_S)
    assert (silent.returncode, '"yes"' in out, "asks" in err) == (0, True, False)


def test_a_real_claude_is_talked_to(desk):
    with ModelServer() as server:
        program = client("claude")
        known = clean_env(desk.home, program.parent, server, "claude")
        desk.env |= {name: known[name] for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PATH")}
        desk.configure(
            f"[adapter.claude_code]\nprogram = '{program}'\n"
            "[agent.claude_code]\nadapter = 'claude_code'\nenv = ['ANTHROPIC_BASE_URL']\nkeep = []\n"
        )
        words = ("run", "--model", "claude_code/claude-sonnet-5-5", "--task", "hello [[say:one]]")
        first = desk.json(*words, "--permissions", "deny")
        assert (first["agent"], first["model"], first["text"]) == ("claude_code", "claude-sonnet-5-5", "one")
        saying = Terminal(
            desk, "say", str(first["session"]), 'do [[tool:Bash:{"command":"echo 7 > made.md"}]] [[say:made it]]'
        )
        saying.until("claude_code asks: Bash")
        saying.type("y\n")
        assert saying.ended() == (0, "made it\n")
        second = desk.json("run", "list")["runs"][0]
        assert (second["session"], second["model"]) == (first["session"], "claude-sonnet-5-5")
        assert [one["state"] for one in second["asked"]] == ["approved"]


def test_a_session_of_programs_cannot_be_spoken_to(desk):
    session = desk.json("run", "--", "true")["session"]
    code, out, err = desk.run("say", str(session), "and now?")
    assert (code, out) == (1, "")
    assert "agent 'command' has no program of its own that could answer" in err
    assert f"qd say {session} --agent NAME" in err
