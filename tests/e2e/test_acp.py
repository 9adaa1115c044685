"""Does a real agent over the Agent Client Protocol do what is asked, through the gate, under a keeper and in a sandbox?

What it really used is what the model server billed. It tells less: calls that it makes on the side once it has
answered, and calls that were cut, it is billed for and does not tell.
"""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.modelserver import clean_env, client

CONFIG = """\
[limits]
allow_unpriced = true

[agent.helper]
adapter = "acp"
argv = ["claude-agent-acp"]
env = {names}
keep = []
tools = ["Read", "Write", "Bash"]
"""


@pytest.fixture
def helper(desk, server):
    """A desk whose agent `helper` is the real one, and whose model is the server."""
    program = client("claude-agent-acp")
    env = clean_env(desk.home, program.parent, server, "claude-agent-acp") | {"CLAUDE_CODE_MAX_RETRIES": "1"}
    del env["TMPDIR"]
    desk.env |= env
    names = [name for name in env if name.startswith(("ANTHROPIC", "CLAUDE", "DISABLE", "ENABLE"))]
    desk.configure(CONFIG.format(names=json.dumps(names)))
    return desk


def run(desk, task, *words, code=0):
    return desk.json("run", "--agent", "helper", "--timeout", "50s", "--task", task, *words, code=code)


def detached(desk, task, *words):
    return run(desk, task, "--detach", *words)["run"]


def show(desk, number):
    return desk.json("run", "show", str(number))


def settled(desk, number, wait_until):
    wait_until(lambda: show(desk, number)["outcome"], f"run {number} ends")
    return show(desk, number)


def tool(name, **arguments):
    return f"[[tool:{name}:{json.dumps(arguments)}]]"


def told_by(run):
    """What its agent told of its usage."""
    return run["raw"]["quota"]["model_usage"][0]["token_count"]


def client_of(desk, number):
    """The process of our own that speaks with the agent of this run."""
    return json.loads((desk.state / "runs" / str(number) / "keeper.json").read_text())["child_pid"]


def agent_of(desk, number):
    """The agent that it speaks with."""
    client = client_of(desk, number)
    return int(Path(f"/proc/{client}/task/{client}/children").read_text().split()[0])


def survivors(desk):
    """Processes of this desk's runs."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, NotADirectoryError):
            continue
        ours = any(one.startswith(b"QUARTERDECK_RUN=") for one in environment)
        if ours and f"HOME={desk.home}".encode() in environment:
            found.append(folder.name)
    return found


def test_it_works_goes_on_and_is_booked_once(helper, server):
    inside, outside = helper.workspace / "made.txt", helper.home / "outside.txt"
    task = f"go {tool('Write', file_path=str(inside), content='one')}"
    task += tool("Write", file_path=str(outside), content="two")
    task += tool("Bash", command="echo 3 > third.txt") + "[[say:made it]]"
    words = ("--can-write", "made.txt", "--task-type", "research", "--permissions", "deny")
    first = run(helper, task, *words)
    assert (first["outcome"], first["text"], first["turns"]) == ("succeeded", "made it", 4)
    assert (inside.read_text(), outside.exists(), (helper.workspace / "third.txt").exists()) == ("one", False, False)
    assert first["changes"]["violations_total"] == 0
    assert first["leaked"] == 0
    told, billed = told_by(first), server.billed()
    assert (told["cachedInputTokens"], told["cachedWriteTokens"]) == (
        billed.cache_read_tokens,
        billed.cache_write_tokens,
    )
    assert billed.prompt_tokens - told["inputTokens"] - told["cachedInputTokens"] - told["cachedWriteTokens"] in (
        0,
        853,
    )
    session = server.calls[0].session

    second = run(helper, "and now? [[say:two]]", *words)
    assert (second["outcome"], second["text"], second["session"]) == ("succeeded", "two", first["session"])
    assert (second["reuse_reason"], {call.session for call in server.calls}) == ("same_conversation", {session})

    helper.json("usage")  # which reads the agent's own log
    shown = [show(helper, one["run"])["usage"] for one in (first, second)]
    assert [one["confidence"] for one in shown] == ["final", "final"]
    # Its log leaves out what finding titles used. What it told of that is kept, and is no more than what was billed.
    assert [one["tokens"] for one in shown] == [told_by(one)["totalTokens"] for one in (first, second)]
    logged = [call.billed for call in server.calls if call.billed.cache_read_tokens or call.billed.cache_write_tokens]
    least, most = (sum(one.prompt_tokens + one.output_tokens for one in ones) for ones in (logged, [server.billed()]))
    assert least <= sum(one["tokens"] for one in shown) <= most
    assert len(helper.json("sessions")["sessions"]) == 1


def test_the_operator_is_asked_and_heard(helper, wait_until):
    words = ("--permissions", "ask", "--task-type", "subagent")
    paths = {verb: helper.workspace / f"{verb}.txt" for verb in ("approve", "deny")}
    commands = {verb: f"echo 1 > {path}" for verb, path in paths.items()}
    numbers = [detached(helper, f"{tool('Bash', command=one)}[[say:done]]", *words) for one in commands.values()]
    asked = wait_until(lambda: _both(helper.json("approvals")["approvals"]), "both ask")
    for verb, command in commands.items():
        (one,) = [one for one in asked if f"command: {command}" in one["question"]["what"]]
        assert helper.run(verb, str(one["approval"]))[0] == 0
    assert [settled(helper, number, wait_until)["outcome"] for number in numbers] == ["succeeded"] * 2
    assert [path.exists() for path in paths.values()] == [True, False]


def _both(asked):
    return asked if len(asked) == 2 else None


def test_what_is_ended_or_killed_leaves_nothing_behind(helper, server, wait_until):
    stopped, agent, ours = (detached(helper, f"{n} [[hang:mid]]", "--task-type", "subagent") for n in range(3))
    wait_until(lambda: [call.outcome for call in server.requests].count("hung mid") == 3, "all of them hang")
    os.kill(agent_of(helper, agent), signal.SIGKILL)
    os.kill(client_of(helper, ours), signal.SIGKILL)
    helper.json("run", "stop", str(stopped))
    ends = [settled(helper, number, wait_until) for number in (stopped, agent, ours)]
    assert [(end["outcome"], end["why"].partition(":")[0]) for end in ends] == [
        ("cancelled", "stopped by the operator"),
        ("failed", "the agent was ended by SIGKILL"),
        ("crashed", "ended by SIGKILL"),
    ]
    assert {end["usage"]["confidence"] for end in ends} <= {"inferred", "partial"}  # by whether the log was read yet
    assert survivors(helper) == []


def test_a_model_that_fails_is_told_of(helper, wait_until):
    marks = ("[[error:400]]", "[[error:429]]", "[[error:529]]", "[[drop:mid:1]] [[say:well]]")
    numbers = [detached(helper, f"x {mark}", "--task-type", "subagent") for mark in marks]
    ends = [settled(helper, number, wait_until) for number in numbers]
    assert [end["outcome"] for end in ends] == ["failed", "failed", "failed", "succeeded"]
    assert all(status in end["why"] for status, end in zip(("400", "429", "529"), ends, strict=False))
    assert ends[3]["text"].endswith("well")
    assert survivors(helper) == []
