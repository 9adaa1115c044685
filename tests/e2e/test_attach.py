"""Does the agent's own program get the terminal, and does the console get it back? With the real Claude Code."""

import json
import os
import re
import shutil
import signal

import pytest

from tests.e2e import test_codex
from tests.e2e.test_claude_code import PARTS, cost, prepare, run
from tests.modelserver.clients import CLAUDE_OPT_OUTS, DUMMY_KEY


@pytest.fixture
def talked(desk, server):
    """A desk with one session of the real client, whose first questions to a new user have been answered."""
    prepare(desk, server)
    desk.env |= CLAUDE_OPT_OUTS
    passed = json.dumps(["ANTHROPIC_BASE_URL", "CLAUDE_CODE_MAX_RETRIES", *CLAUDE_OPT_OUTS])
    before = 'env = ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_MAX_RETRIES"]'
    desk.configure(desk.config_file.read_text().replace(before, f"env = {passed}"))
    made = run(desk, "turn [[say:the first answer]]")
    known = desk.home / ".claude.json"
    told = json.loads(known.read_text()) if known.exists() else {}
    told |= {"hasCompletedOnboarding": True, "customApiKeyResponses": {"approved": [DUMMY_KEY], "rejected": []}}
    told.setdefault("projects", {}).setdefault(str(desk.workspace), {})["hasTrustDialogAccepted"] = True
    known.write_text(json.dumps(told))
    return desk, made["session"]


def used(desk, run_id):
    desk.json("usage")
    usage = desk.json("run", "show", str(run_id))["usage"]
    return tuple(usage[part] for part in PARTS)


def ended(desk, run_id):
    return desk.json("run", "show", str(run_id))["outcome"]


def attach(terminal, *before):
    terminal.wait_for("engine up", *before)
    terminal.keys("a")
    terminal.wait_for("Claude Code v", "the first answer")


def leave(terminal):
    terminal.type("/exit")
    terminal.wait_for("/exit")
    terminal.keys("Enter")


def test_it_opens_on_the_conversation_comes_back_and_what_it_used_is_booked_from_its_log(
    talked, server, open_console, wait_until
):
    desk, _ = talked
    console = open_console()
    attach(console, "turn [[say")
    assert desk.json("run", "list")["runs"][0]["state"] == "running"
    console.type("and more [[say:the second answer]]")
    console.keys("Enter")
    console.wait_for("● the second answer")
    leave(console)
    console.wait_for("1 Sessions", "engine up", "has given the terminal back")
    wait_until(lambda: ended(desk, 2), "the run is settled")
    assert ended(desk, 2) == "succeeded"
    wait_until(lambda: used(desk, 2) == cost(server.calls[1:]), "its log is read")
    console.keys("?")
    console.wait_for("attach")


def test_while_it_is_open_nobody_else_runs_in_the_session_and_nothing_said_is_nothing_booked(
    talked, open_console, wait_until
):
    desk, session = talked
    console = open_console((80, 24))
    attach(console, "turn [[say")
    refused = run(desk, "turn [[say:no]]", "--session", str(session), code=1)
    assert {one["name"] for one in refused["verdict"]["checks"] if not one["ok"]} == {"concurrency"}
    writes = desk.json("spawn", "--task", "t", "--can-write", "a.md", code=1)
    assert "conflict" in {one["name"] for one in writes["verdict"]["checks"] if not one["ok"]}
    leave(console)
    console.wait_for("1 Sessions", "has given the terminal back")
    wait_until(lambda: ended(desk, 2), "the run is settled")
    desk.json("usage")
    assert desk.json("run", "show", "2")["usage"] is None


def test_a_console_that_is_killed_takes_the_program_with_it_and_what_it_used_is_booked(
    talked, server, open_console, wait_until
):
    desk, _ = talked
    console = open_console()
    attach(console, "turn [[say")
    console.type("and more [[say:the second answer]]")
    console.keys("Enter")
    console.wait_for("● the second answer")
    os.kill(console.pid(), signal.SIGKILL)
    wait_until(lambda: ended(desk, 2), "the run is settled")
    assert ended(desk, 2) == "cancelled"
    wait_until(lambda: used(desk, 2) == cost(server.calls[1:]), "its log is read")


def test_what_it_says_when_it_cannot_begin_stays_until_it_has_been_read(talked, open_console, wait_until):
    desk, _ = talked
    shutil.rmtree(desk.home / ".claude" / "projects")
    console = open_console((80, 24))
    console.wait_for("engine up", "turn [[say")
    console.keys("a")
    console.wait_for("No conversation found", "claude ended with exit code 1: press enter to return")
    console.keys("Enter")
    console.wait_for("1 Sessions", "run 2: claude ended with exit code 1")
    wait_until(lambda: ended(desk, 2) == "failed", "the run is settled")
    console.keys("a")
    console.wait_without("1 Sessions")
    console.wait_for("press enter to return")
    console.keys("x", "C-c")
    console.wait_for("1 Sessions", "run 3: claude ended")
    program = re.sub('program = ".*"', 'program = "/nowhere/claude"', desk.config_file.read_text())
    desk.configure(program)
    wait_until(lambda: console.keys("a") or "there is no program /nowhere/claude" in console.screen(), "it is refused")


def test_from_a_shell_it_is_the_same_and_without_a_terminal_it_is_refused(talked, open_console, wait_until):
    desk, session = talked
    code, _, err = desk.run("attach", str(session))
    assert (code, "needs a terminal" in err) == (2, True)
    shell = open_console(argv=[*desk.argv, "attach", str(session)])
    shell.wait_for("Claude Code v", "the first answer")
    leave(shell)
    shell.wait_for("Run 2 succeeded")


def test_codex_is_opened_too_and_asks_although_our_runs_of_it_need_not(desk, server, open_console, wait_until):
    test_codex.prepare(desk, server)
    assert test_codex.run(desk, "turn [[say:the first answer]]")["outcome"] == "succeeded"
    console = open_console()
    console.wait_for("engine up", "turn [[say")
    console.keys("a")
    screen = console.wait_for("OpenAI Codex", "• the first answer")
    assert "YOLO" not in screen
    console.type("more [[say:the second answer]]")
    console.wait_for("more [[say:the second answer]]")
    wait_until(lambda: console.keys("Enter") or "• the second answer" in console.screen(), "it answers")
    wait_until(lambda: console.keys("C-c") or "1 Sessions" in console.screen(), "the console is back")
    wait_until(lambda: ended(desk, 2), "the run is settled")
    assert desk.json("run", "show", "2")["timeout_s"] is None
    desk.json("usage")
    assert desk.json("run", "show", "2")["usage"]["output_tokens"] == server.calls[-1].billed.output_tokens
