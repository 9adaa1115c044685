"""A real client that is spoken to while it works: what it asks is answered, it is broken off, capped, replaced."""

import pytest

from tests.e2e import coder as shared
from tests.e2e.coder import MAKES, keepers, run, started, tool

coder = shared.coder


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_what_it_asks_is_answered_by_the_operator(coder, word):
    run_id = started(
        coder,
        f"{tool('Bash', command=MAKES)} [[say:done]]",
        *("--permissions", "ask", "--tools", "Bash", "--can-write", "."),
    )
    (question,) = coder.asked()
    assert (question["kind"], question["question"]["tool"]) == ("permission", "Bash")
    assert "echo hi > made" in question["question"]["what"]
    coder.json(word, str(question["approval"]))
    shown = coder.ended(run_id)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "done")
    assert (coder.workspace / "made").exists() == (word == "approve")
    assert coder.json("approvals")["approvals"] == []


def test_a_file_within_its_scope_is_written_without_a_question(coder):
    coder.write("notes/a.md", "old")
    path = str(coder.workspace / "notes" / "b.md")
    task = f"{tool('Write', file_path=path, content='new')} [[say:done]]"
    shown = run(coder, task, "--permissions", "ask", "--tools", "Write", "--can-write", "notes/")
    assert (shown["outcome"], (coder.workspace / "notes" / "b.md").read_text()) == ("succeeded", "new")


def test_a_turn_that_is_interrupted_is_cancelled_and_keeps_what_it_used(coder):
    coder.write("a.md", "text")
    run_id = started(
        coder,
        f"{tool('Read', file_path=str(coder.workspace / 'a.md'))} {tool('Bash', command=MAKES)}",
        *("--permissions", "ask", "--tools", "Read,Bash", "--task-type", "chat"),
    )
    coder.asked()
    coder.json("interrupt", str(run_id))
    shown = coder.ended(run_id)
    assert shown["outcome"] == "cancelled"
    assert shown["usage"]["output_tokens"] > 0
    assert coder.json("approvals")["approvals"] == []
    again = run(coder, "[[say:still here]]", "--task-type", "chat", "--permissions", "ask", "--tools", "Read,Bash")
    assert again["text"] == "still here"
    assert keepers(coder) == [run_id], "by the same program"


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
