"""Are the recorded words of four real agents understood? Each is led through its recording, and says the same again.

What their turns had really used is what the model server had counted beside the recording.
"""

import json
import sys
from pathlib import Path

import pytest

from engine.contract.launch import RunUsage
from tests.data.agents.acp.driving import HERE, REPLAY, Program
from tests.nursery import Nursery

PLAIN = ["plain answer", "second answer", "done"]


class Replayed:
    """The turns of a recording from a line on, as our program told them."""

    def __init__(self, agent: str, first: int, folder: Path, nursery: Nursery) -> None:
        wire = [json.loads(line)["msg"] for line in (HERE / f"{agent}.jsonl").read_text().splitlines()][first:]
        ends = [place for place, one in enumerate(wire) if one.get("method") == "initialize"][1:]
        self.methods = [one["method"] for one in wire[: ends[0] if ends else None] if "method" in one]
        sessions = [one["params"]["sessionId"] for one in wire if one.get("method") == "session/load"]
        begin = {"begin": "load", "session": sessions[0]} if "session/new" not in self.methods else {}
        argv = [sys.executable, str(REPLAY), str(HERE / f"{agent}.jsonl"), str(first)]
        job = {"argv": argv, "cwd": str(folder), "prompt": "x", "can_write": ["made.txt"], "permissions": "ask"}
        self.program = Program({**job, **begin, "held": True}, nursery=nursery)
        self.turns = [self._turn(cancelled) for cancelled in self._cancelled()]
        self.program.close()

    def _cancelled(self) -> list[bool]:
        """Of each prompt, whether it was cancelled."""
        told = [one == "session/cancel" for one in self.methods if one in ("session/prompt", "session/cancel")]
        starts = [place for place, cancel in enumerate(told) if not cancel]
        return [told[place + 1 : place + 2] == [True] for place in starts]

    def _turn(self, cancelled: bool) -> dict:
        program = self.program
        before = len(program.events)
        if before:
            program.say({"message": "x"})
        if cancelled:
            program.say({"interrupt": True})
        while (event := program.next())["type"] != "turn_over":
            if event["type"] == "asks":
                program.say({"answer": event["id"], "allow": "rejected" not in event["what"]})
        new = program.events[before:]
        usage = event["result"]["usage"]
        return {
            "text": "".join(one["text"] for one in new if one["type"] == "said"),
            "result": event["result"],
            "usage": None if usage is None else RunUsage(**usage),
            "asked": [one["what"] for one in new if one["type"] == "asks"],
            "tools": [(one["tool"], one["what"]) for one in new if one["type"] == "tool_use"],
            "done": [one["ok"] for one in new if one["type"] == "tool_done"],
            "began": [one for one in new if one["type"] == "began"],
        }


@pytest.fixture
def replayed(tmp_path, clients):
    return lambda agent, first=0: Replayed(agent, first, tmp_path, clients).turns


def test_claude_told_what_its_turns_used_and_cost_with_its_calls_on_the_side(replayed):
    turns = replayed("claude")
    assert [turn["text"] for turn in turns[:6]] == [*PLAIN, "done", "done", "done"]
    assert [turn["usage"] for turn in turns[:4]] == [
        RunUsage(885, 7, 0, 11298, 30_085),  # as counted by the server
        RunUsage(0, 4, 11298, 25, 1_232),  # two more calls on the side had not come back yet
        RunUsage(2149, 40, 34016, 125, 8_412),
        RunUsage(1259, 30, 34384, 84, 6_467),
    ]
    assert [model["model"] for model in turns[0]["began"]] == ["sonnet", "claude-sonnet-5-5"]
    assert turns[2]["tools"] == [("Write", "Write made.txt")]
    assert turns[2]["asked"] == ["Write made.txt\nfile_path: /home/op/work/made.txt\ncontent: written text"]
    assert (turns[4]["done"], turns[5]["done"]) == ([False], [True])
    command = "touch allowed.txt && echo hi"
    assert turns[5]["asked"] == [f"{command}\ncommand: {command}\ndescription: mock\n/home/op/work/allowed.txt"]
    ends = [(turn["result"]["ok"], turn["result"]["why"], turn["usage"] is None) for turn in turns[6:]]
    assert ends == [
        (False, "the turn was cancelled", True),
        (True, "", False),
        (False, "the turn was cancelled", True),
        (True, "", False),
        (False, "it failed: Internal error: API Error: 400 mock error 400", True),
    ]


def test_codex_told_all_that_its_turns_used_and_hid_an_error(replayed):
    turns = replayed("codex")
    assert [turn["text"] for turn in turns[:6]] == [*PLAIN, "done", "done", "done"]
    assert [turn["usage"] for turn in turns[1:6]] == [
        RunUsage(79, 4, 13828),
        RunUsage(251, 32, 27905),
        RunUsage(241, 26, 28401),
        RunUsage(247, 30, 28888),
        RunUsage(234, 22, 29375),
    ]  # as counted by the server
    assert turns[2]["tools"] == [("exec_command", 'printf %s "written text" > /home/op/work/made.txt')]
    assert [turn["usage"] for turn in turns if not turn["result"]["ok"]] == [None] * 3
    last = turns[-1]["result"]
    assert (last["ok"], last["why"]) == (False, "mock error 400")


def test_opencode_tells_its_last_request_alone_so_a_turn_with_tools_is_unknown(replayed):
    turns = replayed("opencode")
    assert [turn["text"] for turn in turns[:6]] == [*PLAIN, "done", "done", "done"]
    assert [turn["usage"] for turn in turns[:3]] == [RunUsage(7457, 3), RunUsage(28, 4, 7457), None]
    assert [len(turn["tools"]) for turn in turns[:6]] == [0, 0, 1, 1, 1, 1]
    assert turns[2]["tools"] == [("execute", 'printf %s "written text" > /home/op/work/made.txt')]
    assert turns[-1]["result"]["why"] == "it failed: Internal error: mock error 400"


def test_gemini_tells_no_more_than_input_with_what_was_cached_and_output(replayed):
    turns = replayed("gemini")
    assert [turn["text"] for turn in turns[:2]] == PLAIN[:2]
    assert [turn["usage"] for turn in turns[:3]] == [RunUsage(11729, 3), RunUsage(11760, 4), RunUsage(23710, 33)]
    assert turns[3]["asked"][0].startswith("touch rejected.txt && echo hi > /home/op\n")
    assert (turns[4]["tools"], turns[4]["done"]) == ([("execute", "touch allowed.txt && echo hi")], [True])
    assert turns[5]["result"]["why"] == "it asked its model as often as it may in one turn"
    assert turns[5]["usage"] is None
    assert "mock error 400" in turns[-1]["result"]["why"]


@pytest.mark.parametrize(
    ("agent", "first", "usage"),
    [
        ("claude", 111, None),
        ("codex", 100, RunUsage(110, 2, 15279)),
        ("opencode", 81, RunUsage(35, 2, 8296)),
        ("gemini", 55, RunUsage(12244, 2)),
    ],
)
def test_a_loaded_conversation_is_not_told_again(replayed, agent, first, usage):
    (turn,) = replayed(agent, first)
    assert turn["tools"] == []
    assert turn["usage"] == usage
    assert turn["text"] == ("API Error: 400 mock error 400" if agent == "claude" else "loaded")
