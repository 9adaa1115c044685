"""A real client that is spoken to while it works: asked, broken off, capped, replaced, and held over several turns."""

import json
import os
import signal

import pytest

from tests.modelserver import clean_env, client, refused_url

CONFIG = """\
[limits]
grace = "3s"
run_tokens = 200000

[adapter.claude_code]
program = "{program}"

[adapter.anthropic]
base_url = "{refused}"
key = "env:ANTHROPIC_API_KEY"

[adapter.ollama]
base_url = "{server}"

[agent.coder]
adapter = "claude_code"
model = "claude-sonnet-5-5"
env = ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_MAX_RETRIES"]
task_type = "decision"
keep = []
"""
MAKES = "sh -c 'echo hi > made'"
PARTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


@pytest.fixture
def coder(desk, server):
    """A desk whose agent `coder` is the real client, and whose model is the server."""
    program = client("claude")
    known = clean_env(desk.home, program.parent, server, "claude")
    desk.env |= {name: known[name] for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PATH")}
    desk.env["CLAUDE_CODE_MAX_RETRIES"] = "1"
    desk.configure(CONFIG.format(program=program, refused=refused_url(), server=server.url))
    return desk


def run(desk, task, *words, code=0):
    return desk.json("run", "--agent", "coder", "--timeout", "60s", "--task", task, *words, code=code)


def started(desk, task, *words):
    return run(desk, task, "--detach", *words)["run"]


def tool(name, **given):
    return f"[[tool:{name}:{json.dumps(given)}]]"


@pytest.fixture
def ended(coder, wait_until):
    def end(run_id):
        def over():
            shown = coder.json("run", "show", str(run_id))
            return shown if shown["outcome"] is not None else None

        return wait_until(over, f"run {run_id} ends")

    return end


@pytest.fixture
def asked(coder, wait_until):
    return lambda: wait_until(lambda: coder.json("approvals")["approvals"], "it asks")[0]


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_what_it_asks_is_answered_by_the_operator(coder, ended, asked, word):
    run_id = started(
        coder,
        f"{tool('Bash', command=MAKES)} [[say:done]]",
        *("--permissions", "ask", "--tools", "Bash", "--can-write", "."),
    )
    question = asked()
    assert (question["kind"], question["question"]["tool"]) == ("permission", "Bash")
    assert "echo hi > made" in question["question"]["what"]
    coder.json(word, str(question["approval"]))
    shown = ended(run_id)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "done")
    assert (coder.workspace / "made").exists() == (word == "approve")
    assert coder.json("approvals")["approvals"] == []


def test_a_file_within_its_scope_is_written_without_a_question(coder):
    coder.write("notes/a.md", "old")
    path = str(coder.workspace / "notes" / "b.md")
    task = f"{tool('Write', file_path=path, content='new')} [[say:done]]"
    shown = run(coder, task, "--permissions", "ask", "--tools", "Write", "--can-write", "notes/")
    assert (shown["outcome"], (coder.workspace / "notes" / "b.md").read_text()) == ("succeeded", "new")


def test_a_turn_that_is_interrupted_is_cancelled_and_keeps_what_it_used(coder, server, ended, wait_until):
    coder.write("a.md", "text")
    run_id = started(
        coder,
        f"{tool('Read', file_path=str(coder.workspace / 'a.md'))} {tool('Bash', command=MAKES)}",
        *("--permissions", "ask", "--tools", "Read,Bash", "--task-type", "chat"),
    )
    wait_until(lambda: coder.json("approvals")["approvals"], "it asks")
    coder.json("interrupt", str(run_id))
    shown = ended(run_id)
    assert shown["outcome"] == "cancelled"
    assert shown["usage"]["output_tokens"] > 0
    assert coder.json("approvals")["approvals"] == []
    again = run(coder, "[[say:still here]]", "--task-type", "chat", "--permissions", "ask", "--tools", "Read,Bash")
    assert again["text"] == "still here"
    assert keepers(coder) == [run_id], "by the same program"


def keepers(desk):
    """The runs that were given a program of their own."""
    return sorted(int(path.parent.name) for path in (desk.state / "runs").glob("*/keeper.json"))


def test_a_run_over_its_cap_is_ended_and_stays_so(coder):
    coder.write("a.md", "text")
    read = tool("Read", file_path=str(coder.workspace / "a.md"))
    shown = run(
        coder, f"{read} {read} {read} [[slow:100]] [[say:done]]", "--stop-turns", "1", "--tools", "Read", code=1
    )
    assert shown["outcome"] == "budget_reached"
    assert "it may ask 1 time" in shown["why"]
    assert shown["usage"]["tokens"] > 0
    assert [one["run"] for one in coder.json("run", "list")["runs"]] == [shown["run"]]


def test_a_model_that_cannot_be_reached_is_replaced_by_the_next_that_was_declared(coder, server):
    words = ("--model", "anthropic/claude-sonnet-5-5", "--fallback", "ollama/llama3.2")
    shown = run(coder, "hi [[say:from ollama]]", *words)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "from ollama")
    first, second = coder.json("run", "show", "1"), coder.json("run", "show", "2")
    assert (first["outcome"], second["outcome"]) == ("failed", "succeeded")
    assert "goes on as run 2" in first["why"]
    assert [call.path for call in server.calls if call.path.startswith("/api/chat")] == ["/api/chat"]


def test_a_chat_of_three_turns_is_one_program_and_three_bills(coder, server):
    coder.workspace.joinpath("notes").mkdir()
    seen, made = 0, []
    for number in range(3):
        works = tool("Bash", command=f"mktemp && echo {number} > notes/{number}") if number else ""
        words = ("--task-type", "chat", "--tools", "Bash", "--permissions", "allow", "--can-write", "notes/")
        shown = run(coder, f"turn {number} {works} [[say:answer {number}]]", *words)
        assert (shown["outcome"], shown["text"]) == ("succeeded", f"answer {number}")
        calls, seen = server.calls[seen:], len(server.calls)
        cost = tuple(sum(getattr(call.billed, part) for call in calls) for part in PARTS)
        assert tuple(shown["usage"][part] for part in PARTS) == cost
        made.append((shown["run"], cost))
    assert sorted(path.name for path in (coder.workspace / "notes").iterdir()) == ["1", "2"]
    assert keepers(coder) == [made[0][0]]
    assert len({call.session for call in server.calls}) == 1
    coder.json("usage")
    for run_id, cost in made:
        usage = coder.json("run", "show", str(run_id))["usage"]
        assert tuple(usage[part] for part in PARTS) == cost


def test_a_turn_in_flight_survives_the_engine(coder, server, ended, wait_until):
    run(coder, "one [[say:one]]", "--task-type", "chat")
    run_id = started(coder, "two [[delay:2000]] [[say:two]]", "--task-type", "chat")
    wait_until(lambda: len(server.calls) == 2 or coder.json("run", "show", str(run_id))["started_at"], "it works")
    os.kill(coder.holder_pid(), signal.SIGKILL)
    coder.write("a.md", "text")
    other = coder.json("spawn", "--agent", "digest", "--inject", "a.md")
    assert other["outcome"] == "succeeded", "by the next engine"
    shown = ended(run_id)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "two")
    assert run(coder, "three [[say:three]]", "--task-type", "chat")["text"] == "three"
    assert keepers(coder) == [1, other["run"]], "by the same program"


LONG = tool("Bash", command="sleep 60", run_in_background=True, description="a server")
SLOW = "[[slow:300]] [[say:two, said slowly, for longer than the grace and some more]]"
BASH = ("--keep", "skills", "--tools", "Bash")
"""With nothing kept, it knows no tasks in the background."""
MAY = (*BASH, "--permissions", "allow")


@pytest.mark.parametrize("words", [("--task-type", "chat", *MAY), (*BASH, "--permissions", "ask")])
def test_every_run_gets_its_own_answer_after_one_that_was_ended_with_a_task(coder, server, ended, wait_until, words):
    """Resumed, the client first takes note of that, and says so as if it had answered."""
    first = started(coder, f"one {LONG} {tool('Bash', command='sleep 60', description='work')}", *MAY)
    output = coder.state / "runs" / str(first) / "stdout.log"
    wait_until(lambda: output.exists() and "task_started" in output.read_text(), "its server is started")
    coder.json("run", "stop", str(first))
    assert ended(first)["outcome"] == "cancelled"
    seen = len(server.calls)
    shown = [run(coder, task, *words) for task in (SLOW, "[[say:three]]")]
    assert [one["text"].partition(",")[0] for one in shown] == ["two", "three"]
    assert [(one["outcome"], one["exit_code"] or 0) for one in shown] == [("succeeded", 0)] * 2
    assert len(server.calls) == seen + 2
    assert shown[0]["session"] == coder.json("run", "show", str(first))["session"]


def test_a_turn_that_starts_a_server_is_over_with_its_answer(coder):
    shown = run(coder, f"start it {LONG} [[say:started]]", "--task-type", "chat", *MAY)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "started")
    assert shown["duration_s"] < 30, "it is not waited for"
