"""Does the program lead a scripted agent through every odd thing that one can do?"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.agents.acp.driving import Program, job

WHOLE = {
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 7, "cachedReadTokens": 11, "totalTokens": 23},
}


@pytest.fixture
def start(tmp_path, clients):
    """Starts the program with steps for the agent; all end with the test."""
    started = []

    def begin(*steps, **changes):
        program = Program(job(tmp_path, *steps, **changes), nursery=clients)
        started.append(program)
        return program

    yield begin
    for program in started:
        program.close()


@pytest.fixture
def run(start):
    """The program after its end, and its exit code."""

    def to_the_end(*steps, **changes):
        program = start(*steps, **changes)
        program.code = program.end()
        return program

    return to_the_end


@pytest.mark.parametrize("alone", [True, False])
def test_a_prompt_is_answered(clients, tmp_path, alone):
    """Started by itself as it is by us, and forked off like all that follow."""
    steps = ({"say": "Hello "}, {"say": "there."}, {"stop": WHOLE})
    done = Program(job(tmp_path, *steps, agent=["--models"]), nursery=None if alone else clients)
    assert done.end() == 0
    done.stderr.close()
    assert done.events[0] == {"type": "began", "provider_id": "session-1", "model": "small", "version": "scripted 7"}
    assert done.text == "Hello there."
    assert done.result["ok"]
    assert done.result["usage"] == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_read_tokens": 11,
        "cache_write_tokens": 0,
        "cost_microusd": None,
    }
    assert json.loads(done.result["raw_usage"])["usage"]["totalTokens"] == 23


ZERO = {"stopReason": "end_turn", "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}}
SILENT = {"stopReason": "end_turn"}


def test_what_is_not_told_of_its_usage_is_unknown_and_not_zero(start):
    program = start({"say": "x"}, {"stop": ZERO}, held=True)
    for stop in (ZERO, SILENT):
        result = program.until("turn_over")["result"]
        assert (result["ok"], result["usage"]) == (True, None)
        program.say({"message": json.dumps([{"say": "x"}, {"stop": stop}])})


def test_a_turn_that_comes_to_nothing_says_why(start):
    program = start({"stop": "end_turn"}, held=True)
    program.until("turn_over")
    for step, why in (
        ({"stop": "refusal"}, "it refuses to go on"),
        ({"stop": "max_tokens"}, "its answer was cut: it reached the length that its model may answer"),
        ({"stop": "max_turn_requests"}, "it asked its model as often as it may in one turn"),
        ({"stop": "cancelled"}, "the turn was cancelled"),
        (
            {"error": {"code": -32603, "message": "Internal error: it broke\nhere"}},
            "it failed: Internal error: it broke",
        ),
        ({"stop": {"stopReason": "tired"}}, "the agent's answer cannot be understood: PromptResponse: stopReason: "),
        ({"stop": []}, "the agent's answer cannot be understood: PromptResponse: it: "),
    ):
        program.say({"message": json.dumps([{"say": "half"}, step])})
        result = program.until("turn_over")["result"]
        assert (result["ok"], result["usage"], result["unavailable"]) == (False, None, False)
        assert result["why"].startswith(why)
        assert "\n" not in result["why"]
    assert program.end() == 1


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"exit": 4}, "the agent exited with code 4: something went wrong inside"),
        ({"kill": 1}, "the agent was ended by SIGKILL"),
    ],
)
def test_an_agent_that_is_gone_says_why(run, step, why):
    done = run({"say": "half"}, step)
    assert (done.code, done.text, done.result["why"]) == (1, "half", why)
    assert (done.result["ok"], done.result["usage"], done.result["unavailable"]) == (False, None, False)


def test_a_model_that_does_not_serve_us_may_be_stood_in_for(start):
    program = start({"stop": "end_turn"}, held=True)
    program.until("turn_over")
    for error in (
        {"code": 429, "message": "slow down"},
        {"code": -32603, "message": "Internal error: API Error: 529 overloaded"},
        {"code": -32603, "message": "Internal error", "data": {"errorKind": "rate_limit"}},
        {"code": -32603, "message": "connect ECONNREFUSED 127.0.0.1:2"},
    ):
        program.say({"message": json.dumps([{"error": error}])})
        assert program.until("turn_over")["result"]["unavailable"]


@pytest.mark.parametrize(
    ("agent", "changes", "why"),
    [
        (["--start=die"], {}, "the agent exited with code 3: cannot find my settings"),
        (["--start=hang"], {"start_s": 0.3}, "it did not say what it is within 0.3 s"),
        (["--start=version"], {}, "it speaks version 2 of the protocol, and we speak 1"),
        (["--start=error"], {}, "it failed to start: Internal error: no settings"),
        (["--start=locked-for-good"], {}, "it failed to start: it is not logged in: Authentication required"),
        (["--models"], {"model": "huge"}, "the agent has no model huge; it offers small, large"),
        ([], {"model": "huge"}, "the agent lets nobody choose its model over the protocol"),
        ([], {"begin": "fork", "session": "session-1"}, "the agent cannot begin a conversation as a copy"),
    ],
)
def test_an_agent_that_does_not_start_says_why(run, agent, changes, why):
    done = run({"say": "x"}, agent=agent, **changes)
    assert done.code == 1
    assert not done.result["ok"]
    assert done.result["why"].startswith(why)
    assert not done.result["resume_refused"]


def test_a_program_that_is_not_there_may_be_stood_in_for(run):
    done = run(argv=["no-such-agent"])
    assert done.code == 1
    assert done.result["why"].startswith("cannot start no-such-agent: ")
    assert done.result["unavailable"]


def test_a_first_line_that_is_no_job_is_refused(run):
    done = run(argv=7)
    assert (done.code, done.events, done.errors()) == (2, [], b"the first line of the input is no job\n")


def test_a_locked_agent_is_told_that_it_has_a_key(run):
    assert run({"say": "x"}, agent=["--start=locked"]).result["ok"]


def test_a_conversation_is_taken_up_and_what_it_held_is_not_told_again(run):
    done = run({"say": "new"}, agent=["--can=load"], begin="load", session="session-1")
    assert done.text == "new"
    assert done.of("tool_use") == []
    assert done.events[0]["provider_id"] == "session-1"


@pytest.mark.parametrize(
    ("can", "why"),
    [
        ("load", "it cannot go on with the conversation: Resource not found"),
        ("fork", "the agent cannot go on with a conversation"),
    ],
)
def test_a_conversation_that_it_does_not_know_is_refused_at_once(run, tmp_path, can, why):
    agent = [f"--can={can}", f"--log={tmp_path / 'log'}"]
    done = run({"say": "x"}, agent=agent, begin="load", session="other")
    assert (done.result["resume_refused"], done.result["why"]) == (True, why)
    asked = [json.loads(line)["method"] for line in (tmp_path / "log").read_text().splitlines()]
    assert asked.count("session/load") == (can == "load")


@pytest.mark.parametrize(("session", "refused"), [("session-1", False), ("other", True)])
def test_an_agent_that_stumbles_is_asked_once_more_for_the_conversation(run, tmp_path, session, refused):
    agent = ["--can=load", "--stumble=once", f"--log={tmp_path / 'log'}"]
    done = run({"say": "on"}, agent=agent, begin="load", session=session)
    assert (done.result["ok"], done.result["resume_refused"]) == (not refused, refused)
    asked = [json.loads(line)["method"] for line in (tmp_path / "log").read_text().splitlines()]
    assert asked.count("session/load") == 2


def test_a_conversation_is_resumed_where_it_cannot_be_loaded(run):
    assert run({"say": "x"}, agent=["--can=resume"], begin="load", session="session-9").result["ok"]


def test_a_conversation_begins_as_a_copy(run):
    done = run({"say": "x"}, agent=["--can=fork"], begin="fork", session="session-1")
    assert done.events[0]["provider_id"] == "session-2"


def test_the_model_is_chosen_and_an_agent_that_may_write_nothing_is_to_ask(run, tmp_path):
    log = tmp_path / "log"
    run({"say": "x"}, agent=["--models", "--modes", f"--log={log}"], model="large")
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    by_method = {one["method"]: one.get("params") for one in asked}
    assert by_method["session/set_config_option"]["value"] == "large"
    assert by_method["session/set_mode"]["modeId"] == "read-only"
    capabilities = by_method["initialize"]["clientCapabilities"]
    assert capabilities["fs"] == {"readTextFile": True, "writeTextFile": True}
    assert not capabilities.get("terminal")
    log.unlink()
    run({"say": "x"}, agent=["--models", "--modes", f"--log={log}"], can_write=["a"])
    methods = [json.loads(line).get("method") for line in log.read_text().splitlines()]
    assert methods == ["initialize", "session/new", "session/prompt"]


def test_what_an_agent_cannot_be_told_is_said(run):
    done = run({"say": "x"}, tools=["Read"], keep=[])
    assert done.of("noted")[0]["text"].startswith("`tools` and `keep`: ")


def test_lines_that_are_no_messages_are_said_and_passed_over(run):
    done = run({"raw": "{broken\n\nnull\n"}, {"raw": "4\n5\n"}, {"say": "well"}, agent=["--start=noise"])
    assert (done.code, done.text) == (0, "well")
    noted = [event["text"] for event in done.of("noted")]
    assert noted == [
        f"the agent wrote a line that is no message: {line}"
        for line in ("Welcome!", "[1, 2]", '{"id": [1], "result": 1}')
    ]


def test_a_line_without_an_end_is_given_up(run):
    done = run({"endless": 33 * 1024 * 1024})
    assert done.result["why"] == "the agent sent a line of more than 33,554,432 bytes"


def test_a_flooded_standard_error_stops_nothing_and_its_end_is_kept(run):
    done = run({"flood": 3_000_000}, {"say": "on"}, {"kill": 1})
    assert done.text == "on"
    assert done.result["why"] == "the agent was ended by SIGKILL: the last of it"
    assert len(done.errors()) > 3_000_000


def test_many_updates_are_all_told_before_the_answer(run):
    done = run({"many": 5000}, {"stop": "end_turn"})
    assert done.text == "." * 5000
    assert done.events[-1]["type"] == "turn_over"


def test_half_a_character_is_told_as_a_question_mark(run):
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "a\ud800b"}}
    assert run({"update": update}).text == "a?b"


def test_an_agent_does_not_get_the_path_to_our_modules(run, tmp_path):
    script = "import os, pathlib; pathlib.Path('env').write_text(repr(dict(os.environ)))"
    done = run(argv=[sys.executable, "-c", script])
    assert "PATH" in (tmp_path / "env").read_text()
    assert "PYTHONPATH" not in (tmp_path / "env").read_text()
    assert done.result["why"] == "the agent exited with code 0"


WRITE = {
    "toolCall": {"toolCallId": "w", "title": "Write it", "kind": "edit", "rawInput": {"content": "text"}},
    "options": [
        {"optionId": "ever", "name": "Always", "kind": "allow_always"},
        {"optionId": "once", "name": "Yes", "kind": "allow_once"},
        {"optionId": "never", "name": "Never", "kind": "reject_always"},
        {"optionId": "no", "name": "No", "kind": "reject_once"},
    ],
}
RUN = {
    **WRITE,
    "toolCall": {"toolCallId": "r", "title": "rm x", "kind": "execute", "rawInput": {"command": "rm x\nrm y"}},
}


def write(path, **more):
    call = {**WRITE["toolCall"], "locations": [{"path": str(path)}], **more}
    return {"ask": ["session/request_permission", {**WRITE, "toolCall": call}]}


def outcomes(log):
    """What the agent was answered, in order."""
    told = [json.loads(line) for line in log.read_text().splitlines()]
    return [one.get("result", one.get("error")) for one in told if "method" not in one]


def chosen(log):
    return [one["outcome"].get("optionId", one["outcome"]["outcome"]) for one in outcomes(log)]


@pytest.mark.parametrize(("permissions", "option"), [("allow", "once"), ("deny", "no")])
def test_what_it_asks_is_answered_just_this_once(run, tmp_path, permissions, option):
    log = tmp_path / "log"
    done = run({"ask": ["session/request_permission", RUN]}, agent=[f"--log={log}"], permissions=permissions)
    assert chosen(log) == [option]
    assert [event["text"] for event in done.of("noted")] == ([] if permissions == "allow" else ["execute: rm x"])
    assert done.of("tool_use") == [{"type": "tool_use", "id": "r", "tool": "execute", "what": "rm x"}]


def test_an_edit_within_what_it_may_write_is_not_asked_about(run, tmp_path):
    log = tmp_path / "log"
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("/etc")
    steps = [
        write(tmp_path / "out" / "new.txt"),
        write(tmp_path / "elsewhere.txt"),
        write(tmp_path / "out" / ".." / "up.txt"),
        write(tmp_path / "out" / "a", rawInput={"file_path": str(tmp_path / "other")}),
        write(tmp_path / "out" / "a", kind="execute"),
        write(tmp_path / "link" / "passwd"),
        write("/etc/passwd"),
    ]
    run(*steps, agent=[f"--log={log}"], can_write=["out", "link"])
    assert chosen(log) == ["once"] + ["no"] * 6


def test_without_a_way_to_allow_it_once_it_is_not_allowed(run, tmp_path):
    log = tmp_path / "log"
    params = {**RUN, "options": [one for one in RUN["options"] if "always" in one["kind"]]}
    run({"ask": ["session/request_permission", params]}, agent=[f"--log={log}"], permissions="allow")
    assert chosen(log) == ["cancelled"]


def test_the_operator_is_asked_and_the_answer_is_given_on(start, tmp_path):
    log = tmp_path / "log"
    ask = {"ask": ["session/request_permission", RUN]}
    program = start(ask, ask, ask, ask, {"say": "done"}, agent=[f"--log={log}"], permissions="ask")
    first = program.until("asks")
    assert first == {"type": "asks", "id": "1", "tool": "execute", "what": "rm x\ncommand: rm x\nrm y", "path": None}
    program.say({"answer": "7", "allow": True})
    program.say({"answer": "1", "allow": True})
    assert program.until("answered") == {"type": "answered", "id": "1"}
    assert program.until("asks")["id"] == "2"
    program.say({"answer": "2", "allow": False, "why": "not now"})
    program.until("asks")
    assert program.end() == 0  # nobody can answer the third any more, and the fourth is not asked
    assert chosen(log) == ["once", "no", "no", "no"]
    assert len(program.of("asks")) == 3
    assert [event["text"] for event in program.of("noted")] == ["not now", "execute: rm x"]
    assert program.text == "done"


def test_a_question_names_the_file_of_an_edit(start, tmp_path):
    path = str(tmp_path / "x.txt")
    program = start(write(path, rawInput={"file_path": path, "content": "a\nb"}), permissions="ask")
    asked = program.until("asks")
    assert (asked["path"], asked["what"]) == (path, f"Write it\nfile_path: {path}\ncontent: a\nb")


def test_what_is_too_long_to_be_read_is_not_asked(start, tmp_path):
    log = tmp_path / "log"
    step = write(tmp_path / "x", rawInput={"content": "x" * 300_000})
    program = start(step, agent=[f"--log={log}"], permissions="ask")
    assert program.next()["type"] == "began"
    program.until("noted")
    program.until("turn_over")
    assert (program.of("asks"), chosen(log)) == ([], ["no"])


def test_files_are_read_and_written_within_the_scope_alone(run, tmp_path):
    log = tmp_path / "log"
    (tmp_path / "notes.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "away").symlink_to(tmp_path / "secret.txt")

    def read(path, **more):
        return {"ask": ["fs/read_text_file", {"path": str(path), **more}]}

    def put(path):
        return {"ask": ["fs/write_text_file", {"path": str(path), "content": "put"}]}

    done = run(
        read(tmp_path / "notes.txt"),
        read(tmp_path / "notes.txt", line=2, limit=1),
        read(tmp_path / "out" / "new" / "file.txt"),
        put(tmp_path / "out" / "new" / "file.txt"),
        read(tmp_path / "out" / "new" / "file.txt"),
        read(tmp_path / "secret.txt"),
        read(tmp_path / "out" / "away"),
        put(tmp_path / "out" / "away"),
        put(tmp_path / "notes.txt"),
        put(tmp_path / "out" / ".." / "secret.txt"),
        put("/etc/motd"),
        read(tmp_path / "gone.txt"),
        put(tmp_path / "out"),
        agent=[f"--log={log}"],
        can_read=["notes.txt", "gone.txt"],
        can_write=["out"],
    )
    told = outcomes(log)
    assert [one.get("content", one.get("message", "written")) for one in told[:5]] == [
        "one\ntwo\nthree\n",
        "two\n",
        "",
        "written",
        "put",
    ]
    assert all(one["message"].startswith("denied: ") for one in told[5:11])
    assert told[11] == {"code": -32002, "message": "Resource not found", "data": {"uri": str(tmp_path / "gone.txt")}}
    assert "Is a directory" in told[12]["data"]["details"]
    assert len(done.of("noted")) == 6
    assert (tmp_path / "secret.txt").read_text() == "secret"


def test_a_held_agent_answers_message_after_message(start):
    program = start({"say": "one"}, {"stop": WHOLE}, held=True)
    assert program.until("turn_over")["result"]["ok"]
    program.say({"message": "two"})
    program.until("turn_over")
    assert program.text == "onetwo"
    program.say({"nonsense": 1})
    program.say({"message": json.dumps([{"error": {"code": 1, "message": "not this one"}}])})
    assert program.until("turn_over")["result"]["why"] == "it failed: not this one"
    program.say({"message": "three"})
    assert program.until("turn_over")["result"]["ok"]
    assert program.end() == 0
    assert len(program.of("began")) == 1


def test_an_interrupted_turn_is_left_and_the_next_one_works(start, tmp_path):
    log = tmp_path / "log"
    program = start({"say": "working"}, {"hang": 1}, {"stop": "cancelled"}, held=True, agent=[f"--log={log}"])
    program.until("said")
    program.say({"interrupt": True})
    assert program.until("turn_over")["result"]["why"] == "the turn was cancelled"
    program.say({"interrupt": True})  # nobody works: it is not the next turn that is meant
    program.say({"message": json.dumps([{"say": "again"}])})
    assert program.until("turn_over")["result"]["ok"]
    program.say({"message": json.dumps([{"hang": 1}, {"stop": "cancelled"}])})
    program.say({"interrupt": True})
    assert not program.until("turn_over")["result"]["ok"]
    program.end()
    methods = [json.loads(line).get("method") for line in log.read_text().splitlines()]
    assert methods.count("session/cancel") == 2


def test_what_is_asked_in_a_turn_that_is_left_need_not_be_answered(start, tmp_path):
    log = tmp_path / "log"
    ask = {"ask": ["session/request_permission", RUN]}
    program = start(ask, {"stop": "cancelled"}, agent=[f"--log={log}"], permissions="ask", held=True)
    program.until("asks")
    program.say({"interrupt": True})
    program.until("turn_over")
    assert program.of("answered") == [{"type": "answered", "id": "1"}]
    assert chosen(log) == ["cancelled"]


def test_an_agent_that_does_not_leave_its_turn_is_left(start):
    program = start({"deaf": 1}, held=True, leave_s=0.2)
    program.until("said")
    program.say({"interrupt": True})
    assert program.end(close=False) == 1
    assert program.result["why"] == "the turn was cancelled, and the agent did not leave it"


def test_the_end_is_heeded_in_a_turn_and_what_it_has_used_is_told(start):
    program = start({"say": "working"}, {"hang": 1}, {"stop": {**WHOLE, "stopReason": "cancelled"}})
    program.until("said")
    program.terminate()
    assert program.end(close=False) == 1
    assert (program.result["why"], program.result["usage"]["cache_read_tokens"]) == ("it was ended", 11)


@pytest.mark.parametrize("agent", [["--start=hang"], []])
def test_the_end_is_heeded_whatever_it_waits_for(start, agent, tmp_path):
    program = start({"deaf": 1}, agent=[*agent, f"--log={tmp_path / 'log'}"])
    if agent:
        while not (tmp_path / "log").exists():
            os.sched_yield()
    else:
        program.until("said")
    program.terminate()
    assert program.end(close=False) == 1
    assert not program.result["ok"]


def test_an_idle_agent_that_dies_is_noticed(start):
    program = start({"stop": "end_turn"}, {"say": "late"}, held=True)
    program.until("turn_over")
    os.kill(int(agent_of(program).name), signal.SIGKILL)
    assert program.end(close=False) == 1
    assert program.result["why"] == "the agent was ended by SIGKILL"


def test_costs_are_those_of_the_turn(start):
    def cost(amount):
        return {
            "update": {
                "sessionUpdate": "usage_update",
                "used": 9,
                "size": 10,
                "cost": {"amount": amount, "currency": "USD"},
            }
        }

    program = start(cost(0.25), {"stop": WHOLE}, held=True)
    assert program.until("turn_over")["result"]["usage"]["cost_microusd"] == 250_000
    program.say({"message": json.dumps([cost(0.75), {"stop": WHOLE}])})
    assert program.until("turn_over")["result"]["usage"]["cost_microusd"] == 500_000
    assert program.of("used") == [{"type": "used", "tokens": 9}] * 2
    program.end()
    for before, spent in ((None, None), (100_000, 150_000), (900_000, None)):
        loaded = start(
            cost(0.25), {"stop": WHOLE}, agent=["--can=load"], begin="load", session="session-1", before_microusd=before
        )
        loaded.end()
        assert loaded.result["usage"]["cost_microusd"] == spent


WRITER = "import sys; open(sys.argv[1]).read(); open(sys.argv[2], 'w').write('all that was said')"
"""Writes a file once it is told to, by a pipe."""


@pytest.mark.parametrize("held", [False, True])
def test_what_an_agent_leaves_behind_may_still_write_the_conversation_down(start, tmp_path, held):
    """As the program that does the work for a thin agent."""
    go, log = tmp_path / "go", tmp_path / "log"
    os.mkfifo(go)
    begun = {"start": {"argv": [sys.executable, "-c", WRITER, str(go), str(log)]}}
    program = start(begun, {"say": "done"}, held=held)
    program.until("turn_over")
    agent = agent_of(program)
    program.process.stdin.close()
    while agent.exists():
        os.sched_yield()
    with pytest.raises(subprocess.TimeoutExpired):  # as long as it does not end, this cannot fail
        program.process.wait(1)
    assert not log.exists()
    go.write_text("go on")
    assert (program.end(), log.read_text()) == (0, "all that was said")


def agent_of(program):
    ours = program.process.pid
    (pid,) = Path(f"/proc/{ours}/task/{ours}/children").read_text().split()
    return Path(f"/proc/{pid}")
