"""A real client that is held over several turns: one program, a bill for each, whatever becomes of the engine."""

import os
import signal

import pytest

from tests.e2e import coder as shared
from tests.e2e.coder import keepers, run, started, tool

coder = shared.coder
PARTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def booked(desk):
    """What each run used, as the client's log says by now."""
    desk.json("usage")
    shown = [desk.json("run", "show", str(one["run"])) for one in desk.json("run", "list")["runs"]]
    return {one["run"]: tuple(one["usage"][part] for part in PARTS) for one in shown}


def test_a_chat_of_three_turns_is_one_program_and_three_bills(coder, server, wait_until):
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
    wait_until(lambda: booked(coder) == dict(made), "its log, which it may write later than it answers, says the same")


def test_a_turn_in_flight_survives_the_engine(coder, server, wait_until):
    run(coder, "one [[say:one]]", "--task-type", "chat")
    run_id = started(coder, "two [[delay:2000]] [[say:two]]", "--task-type", "chat")
    wait_until(lambda: len(server.calls) == 2 or coder.json("run", "show", str(run_id))["started_at"], "it works")
    os.kill(coder.holder_pid(), signal.SIGKILL)
    coder.write("a.md", "text")
    other = coder.json("spawn", "--agent", "digest", "--inject", "a.md")
    assert other["outcome"] == "succeeded", "by the next engine"
    shown = coder.ended(run_id)
    assert (shown["outcome"], shown["text"]) == ("succeeded", "two")
    assert run(coder, "three [[say:three]]", "--task-type", "chat")["text"] == "three"
    assert keepers(coder) == [1, other["run"]], "by the same program"


LONG = tool("Bash", command="sleep 60", run_in_background=True, description="a server")
SLOW = "[[slow:300]] [[say:two, said slowly, for longer than the grace and some more]]"
BASH = ("--keep", "skills", "--tools", "Bash")
"""With nothing kept, it knows no tasks in the background."""
MAY = (*BASH, "--permissions", "allow")


@pytest.mark.parametrize("words", [("--task-type", "chat", *MAY), (*BASH, "--permissions", "ask")])
def test_every_run_gets_its_own_answer_after_one_that_was_ended_with_a_task(coder, server, wait_until, words):
    """Resumed, the client first takes note of that, and says so as if it had answered."""
    first = started(coder, f"one {LONG} {tool('Bash', command='sleep 60', description='work')}", *MAY)
    output = coder.state / "runs" / str(first) / "stdout.log"
    wait_until(lambda: output.exists() and "task_started" in output.read_text(), "its server is started")
    coder.json("run", "stop", str(first))
    assert coder.ended(first)["outcome"] == "cancelled"
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
