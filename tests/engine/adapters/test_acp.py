"""What does the acp adapter start, what does it make of the output, and what does it know of agents beforehand?"""

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from engine.adapters.acp import AcpAdapter
from engine.adapters.acp_client import claude
from engine.adapters.acp_client.endings import is_unavailable, of_error
from engine.adapters.acp_client.lines import Job, Used, encoded, read_job, read_word
from engine.adapters.acp_client.usage import microusd, of_turn
from engine.adapters.registry import adapter
from engine.contract.launch import AdapterResult, RunUsage, Service, Wanted
from engine.contract.progress import Began, Said, Thought, ToolDone, ToolUse, TurnOver
from state.errors import Refused

if TYPE_CHECKING:
    from conftest import Bench

ACP = AcpAdapter()
TASK = ("task", "task", "Mend it.")


def wanted(*argv, **changes):
    fields = {"workspace": "/", "service": Service(), "model": None, "tools": None, "keep": None, "argv": argv}
    return Wanted(**{**fields, **changes})


def test_it_is_known_by_its_name():
    assert adapter("acp").name == "acp"
    assert ACP.resumes(())


def test_the_job_is_on_its_input_and_nothing_of_it_in_its_arguments(bench: "Bench"):
    request = bench.request(
        ("instructions", "AGENT.md", "Be brief."),
        TASK,
        argv=("agent", "--model={model}"),
        model="large",
        can_write=("a",),
    )
    launch = ACP.launch(request)
    job = read_job(launch.stdin.encode())
    assert job == Job(
        argv=("agent", "--model=large"), cwd=str(bench.workspace), prompt="Be brief.\n\nMend it.\n", can_write=("a",)
    )
    assert launch.argv == (sys.executable, "-P", "-m", "engine.adapters.acp_client")
    assert launch.env["QUARTERDECK_MODEL"] == "large"
    assert not launch.input_open


def test_a_conversation_is_new_taken_up_or_a_copy(bench: "Bench"):
    def begun(**changes):
        job = read_job(ACP.launch(bench.request(TASK, argv=("agent",), **changes)).stdin.encode())
        return job.begin, job.session, job.before_microusd

    before = RunUsage(1, 1, cost_microusd=7)
    assert begun(provider_id="ours") == ("new", None, None)
    assert begun(provider_id="theirs", resume=True, before=before) == ("load", "theirs", 7)
    assert begun(provider_id="ours", fork_of="theirs", before=before) == ("fork", "theirs", None)


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [({}, False), ({"held": True}, True), ({"permissions": "ask"}, True), ({"permissions": "allow"}, False)],
)
def test_its_input_stays_open_where_more_is_to_be_said(bench: "Bench", changes, is_open):
    assert ACP.launch(bench.request(TASK, argv=("agent",), **changes)).input_open == is_open


def test_without_a_program_it_cannot_be_started(bench: "Bench"):
    with pytest.raises(Refused, match="no program"):
        ACP.launch(bench.request(TASK))
    assert ACP.lacks(wanted())[0] == "it has no program to run"
    assert ACP.lacks(wanted("no-such-agent"))[0] == "there is no program 'no-such-agent' on the engine's PATH"
    assert ACP.lacks(wanted("sh")) == ("", "")
    assert ACP.lacks(wanted(str(bench.workspace)))[0] == f"'{bench.workspace}' cannot be run: it is a folder"


def test_an_agent_may_write_its_own_state_and_read_its_own_program(bench: "Bench", monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/op")
    modules = tmp_path / "lib" / "node_modules"
    (modules / "codex" / "bin").mkdir(parents=True)
    (modules / "codex" / "bin" / "run.js").touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "codex-acp").symlink_to(modules / "codex" / "bin" / "run.js")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    launch = ACP.launch(bench.request(TASK, argv=("codex-acp",)))
    assert launch.state_paths == ("/home/op/.codex",)
    assert {str(modules), str(tmp_path / "bin"), sys.prefix} <= set(launch.read_paths)
    assert ACP.launch(bench.request(TASK, argv=("sh",))).state_paths == ()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    own = ACP.launch(bench.request(TASK, argv=("claude-agent-acp",))).state_paths
    assert "/home/op/.claude/projects" in own
    assert not {"/home/op/.claude", "/home/op/.claude.json"} & set(own), "its settings are not the run's to write"
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    renewed = ACP.launch(bench.request(TASK, argv=("claude-agent-acp",))).state_paths
    assert "/home/op/.claude" in renewed, "a login is renewed there"


def test_what_is_said_to_it_is_one_line_each():
    for line, field, value in (
        (ACP.speech.message("a\nb"), "message", "a\nb"),
        (ACP.speech.answer("3", True), "answer", "3"),
        (ACP.speech.interrupt(), "interrupt", True),
    ):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert getattr(read_word(line), field) == value
    assert json.loads(ACP.speech.answer("3", False, "no"))["why"] == "no"


@pytest.fixture
def reader(bench: "Bench"):
    """A reader of these lines."""

    def read(*lines, start=0):
        with (bench.folder / "stdout.log").open("ab") as file:
            file.writelines(line if isinstance(line, bytes) else encoded(line) for line in lines)
        return ACP.reader(bench.folder, start)

    return read


DONE = TurnOver(AdapterResult("", ok=True, usage=RunUsage(5, 7)))


def test_a_run_is_read_as_it_goes_and_as_a_whole(reader):
    tools = ToolUse("t", "Bash", "ls"), ToolDone("t", True, "x")
    lines = (Began("s"), Used(40), Said("Hel"), *tools, Thought("hm"), Said("lo"), DONE)
    following = reader(*lines)
    told = following.poll()
    assert told[:2] == [Began("s"), Said("Hel")]
    assert told[-1].result.text == "Hello"
    assert (following.usage, following.turns) == (RunUsage(5, 7), 2)
    assert following.poll() is None
    assert following.result(0) == reader().result(0) == AdapterResult("Hello", ok=True, usage=RunUsage(5, 7), turns=2)


def test_until_it_tells_more_it_has_used_at_least_what_its_context_holds(reader):
    following = reader(Used(40), Used(30))
    assert following.usage is None
    following.poll()
    assert following.usage == RunUsage(40, 0)
    assert following.result(None).usage is None


def test_a_next_turn_is_read_from_where_the_one_before_ended(reader):
    first = reader(Said("one"), DONE)
    first.poll()
    second = reader(Said("two"), DONE, start=first.offset)
    assert second.result(0).text == "two"
    assert first.poll()[-1].result.text == "two"


def test_an_output_without_an_end_is_a_failure(reader, bench: "Bench"):
    (bench.folder / "stderr.log").write_text("Traceback\nboom\n")
    done = reader(Said("half"), b"garbage\n", b'{"type":"said"').result(1)
    assert (done.ok, done.text) == (False, "half")
    assert done.why == "the client exited with code 1 before the agent had answered: boom"
    assert reader(DONE, Said("next")).result(None).why.startswith("the client ended by a signal before")


COUNTS = {"inputTokens": 1, "outputTokens": 2, "cachedReadTokens": 4, "cachedWriteTokens": 8}


@pytest.mark.parametrize(
    ("agent", "usage", "meta", "how", "used"),
    [
        ("x", COUNTS, None, {}, RunUsage(1, 2, 4, 8, 3)),
        ("x", COUNTS | {"thoughtTokens": 16, "totalTokens": 31}, None, {}, RunUsage(1, 18, 4, 8, 3)),
        ("x", COUNTS | {"thoughtTokens": 1, "totalTokens": 15}, None, {}, RunUsage(1, 2, 4, 8, 3)),
        ("x", None, None, {}, None),
        ("x", dict.fromkeys(COUNTS, 0), None, {}, None),
        ("x", COUNTS | {"inputTokens": -1}, None, {}, None),
        ("x", COUNTS | {"inputTokens": True}, None, {}, None),
        ("x", {"inputTokens": 1}, None, {}, None),
        ("x", COUNTS, {"quota": {"model_usage": []}}, {}, RunUsage(1, 2, 4, 8, 3)),
        ("x", COUNTS, {"quota": {"model_usage": [{"token_count": COUNTS}] * 2}}, {}, RunUsage(2, 4, 8, 16, 3)),
        ("x", COUNTS, {"quota": 7}, {}, RunUsage(1, 2, 4, 8, 3)),
        ("x", None, {"quota": {"model_usage": [{"token_count": COUNTS}]}}, {"cancelled": True}, None),
        ("x", COUNTS, None, {"cancelled": True}, RunUsage(1, 2, 4, 8, 3)),
        ("OpenCode 1", COUNTS, None, {"used_tools": True}, None),
        ("OpenCode 1", COUNTS, None, {}, RunUsage(1, 2, 4, 8, 3)),
    ],
)
def test_what_a_turn_used(agent, usage, meta, how, used):
    how = {"used_tools": False, "cancelled": False, "cost_microusd": 3} | how
    assert of_turn(agent, usage, meta, **how) == used


@pytest.mark.parametrize(
    ("cost", "found"),
    [
        ({"amount": 0.5, "currency": "USD"}, 500_000),
        ({"amount": 0, "currency": "USD"}, None),
        ({"amount": 0.5, "currency": "EUR"}, None),
        ({"amount": "1", "currency": "USD"}, None),
        (None, None),
    ],
)
def test_a_cost_of_nothing_is_not_known(cost, found):
    assert microusd(cost) == found


@pytest.mark.parametrize(
    ("text", "unavailable"),
    [
        ("API Error: 400 overloaded words do not count beside a status", False),
        ("error 413: too long", False),
        ("HTTP 503", True),
        ("status code 401", True),
        ("unexpected status 429 Too Many Requests", True),
        ("the model foo was not found", True),
        ("prompt is too long: 503 tokens", False),
        ("fetch failed", True),
        ("the tool broke", False),
    ],
)
def test_which_errors_another_model_may_mend(text, unavailable):
    assert is_unavailable(text) == unavailable


def test_an_error_is_said_in_one_line():
    inner = json.dumps({"error": {"code": 400, "message": "bad\nrequest"}})
    assert of_error(400, inner, None, "it failed").why == "it failed: bad"
    assert of_error(-32603, "", {"details": "the\nreason"}, "it failed").why == "it failed: an error without words: the"


def test_claude_is_told_what_it_may_add():
    assert claude.meta(None, None) == {"claudeCode": {"options": {"promptSuggestions": False}}}
    lean = claude.meta((), ())
    assert lean["systemPrompt"] == claude.SYSTEM
    assert lean["claudeCode"]["options"] == {
        "promptSuggestions": False,
        "tools": [],
        "env": {"CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1", "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1"},
        "settingSources": [],
        "strictMcpConfig": True,
        "extraArgs": {"disable-slash-commands": None},
    }
    whole = claude.meta(None, ("settings", "instructions", "memory", "mcp", "skills", "system"))
    assert whole == {"claudeCode": {"options": {"promptSuggestions": False, "env": {}}}}


def test_what_claude_sends_is_expected():
    lean = ACP.overhead_tokens(wanted("claude-agent-acp", tools=(), keep=()))
    assert 0 < lean < ACP.overhead_tokens(wanted("/x/claude-agent-acp", tools=("Read",))) < 3000
    assert ACP.overhead_tokens(wanted("claude-agent-acp")) > 10_000
    assert ACP.overhead_tokens(wanted("other")) == 0
