"""Is what Claude Code prints told once, in order, whole, however it arrives? On recordings of the real client."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.adapters.claude_outcome import first_line
from engine.adapters.claude_reader import Facts
from engine.adapters.claude_turn import message_id
from engine.adapters.tape import LONGEST_LINE, STEP_BYTES
from engine.contract.progress import (
    Answered,
    Asks,
    Began,
    Noted,
    Said,
    Thought,
    ToolDone,
    ToolUse,
    TurnOver,
)
from tests.engine.adapters.claude_folder import OPEN, RECORDINGS, lines, reader, recorded, told

MODEL = "claude-sonnet-5-5"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.jsonl"))


def facts(name):
    return Facts(open=name in OPEN)


def said(progress):
    return "".join(one.text for one in progress if isinstance(one, Said))


def only(progress, kind):
    return [one for one in progress if isinstance(one, kind)]


def assistant(name, *blocks, parent=None, **more):
    message = {"id": name, "model": MODEL, "content": list(blocks)}
    return {"type": "assistant", "message": message, "parent_tool_use_id": parent, **more}


def taken(number=1):
    """The client takes a message of ours."""
    return {"type": "user", "uuid": message_id(), "isReplay": True, "message": {"content": f"message {number}"}}


def result(words="done", **more):
    row = {"type": "result", "subtype": "success", "result": words, "num_turns": 1, "is_error": False}
    return row | {"model_usage_since_last_result": {MODEL: {"inputTokens": 1, "outputTokens": 2}}} | more


def tasks(*kinds):
    return {"type": "system", "subtype": "background_tasks_changed", "tasks": [{"task_type": kind} for kind in kinds]}


HEEDED = {"type": "control_response", "response": {"subtype": "success", "request_id": "1"}}


def text(words):
    return {"type": "text", "text": words}


def test_there_are_recordings():
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_said_once(tmp_path, name):
    reading = reader(tmp_path, recorded(name), facts=facts(name))
    progress = told(reading)
    rows = [json.loads(line) for line in recorded(name).splitlines()]
    ends = [row for row in rows if row["type"] == "result" and not row["is_error"]]
    if any(row["type"] == "assistant" for row in rows):
        assert all(said(progress).count(row["result"]) >= 1 for row in ends)
    assert len(only(progress, Began)) <= 1
    assert len(only(progress, ToolDone)) == len(only(progress, ToolUse))
    assert reading.offset == len(recorded(name))


@pytest.mark.parametrize(
    "name", ["asked", "background", "unasked", "stream-json-partial", "subagent", "tool-bash-denied"]
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.floats(0, 1), max_size=6))
def test_the_same_is_told_however_the_output_is_cut(tmp_path, name, cuts):
    output = recorded(name)
    whole = reader(tmp_path, output, facts=facts(name))
    expected, result = told(whole), whole.result(0)
    piecewise = reader(tmp_path, b"", facts=facts(name))
    progress = []
    for cut in [*sorted(cuts), 1]:
        (tmp_path / "stdout.log").write_bytes(output[: int(cut * len(output))])
        progress += told(piecewise)
    assert progress == expected
    assert piecewise.result(0) == result


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1))
def test_a_run_that_was_cut_anywhere_tells_no_more_than_the_whole(tmp_path, cut):
    output = recorded("subagent")
    whole = reader(tmp_path, output).result(0).usage
    part = reader(tmp_path, output[: int(cut * len(output))]).result(None)
    if part.usage is not None:
        assert part.usage.input_tokens <= whole.input_tokens
        assert part.usage.output_tokens <= whole.output_tokens
        assert part.usage.cache_read_tokens <= whole.cache_read_tokens
        assert part.usage.cache_write_tokens <= whole.cache_write_tokens
    assert not part.ok


def test_a_step_is_bounded(tmp_path):
    row = assistant("msg_1", text("x" * 1000))
    reading = reader(tmp_path, lines(*[row] * 1000))
    assert len(reading.poll()) * 1000 <= STEP_BYTES
    assert len(told(reading)) > 0


def test_a_conversation_is_named_with_what_the_client_made_of_its_model(tmp_path):
    began = only(told(reader(tmp_path, recorded("stream-json"))), Began)
    assert began == [Began("bdf6b2dd-ece6-4d19-90a9-6592fec44a89", "claude-sonnet-5-5", "2.1.329")]


def test_deltas_and_the_whole_of_them_are_said_once(tmp_path):
    progress = told(reader(tmp_path, recorded("stream-json-partial")))
    assert [one for one in progress if isinstance(one, Said | Thought)] == [
        Thought("hm"),
        Said("partia"),
        Said("l text"),
        Said(" here"),
    ]


def test_what_a_subagent_says_is_no_answer(tmp_path):
    rows = [assistant("msg_1", text("mine")), assistant("msg_2", text("its"), parent="toolu_1")]
    assert said(told(reader(tmp_path, lines(*rows)))) == "mine"


def test_texts_of_several_messages_do_not_run_together(tmp_path):
    rows = [assistant("msg_1", text("one")), assistant("msg_2", text("two\n")), assistant("msg_3", text("three"))]
    assert said(told(reader(tmp_path, lines(*rows)))) == "one\n\ntwo\nthree"


def test_a_made_up_message_is_a_note_and_no_answer(tmp_path):
    progress = told(reader(tmp_path, recorded("f-http529")))
    assert said(progress) == ""
    assert [one.kind for one in only(progress, Noted)] == ["retry", "retry", "error"]
    assert only(progress, Noted)[0].text == "529 overloaded: again in 0.6 s, 1 of 2"


def test_a_rate_limit_is_told_apart_from_other_retries(tmp_path):
    kinds = [one.kind for one in only(told(reader(tmp_path, recorded("f-http429-retryafter"))), Noted)]
    assert kinds == ["limited"]


def test_what_it_asks_is_told_whole_and_every_question_is_answered(tmp_path):
    progress = told(reader(tmp_path, recorded("asked"), facts=facts("asked")))
    asks = only(progress, Asks)
    assert [(one.tool, one.what, one.path) for one in asks] == [
        ("Write", "file_path: /home/op/work/n.md\ncontent: x", "/home/op/work/n.md"),
        ("Bash", "command: touch zz\ndescription: Makes a file", None),
        ("Write", "file_path: /home/op/work/n3.md\ncontent: x", "/home/op/work/n3.md"),
    ]
    assert [one.id for one in only(progress, Answered)] == [one.id for one in asks]
    assert [one.ok for one in only(progress, ToolDone)] == [True, False, False]
    order = [type(one) for one in progress if isinstance(one, Answered | ToolDone)]
    assert order == [Answered, ToolDone] * 3


def can_use_tool(number, **given):
    request = {"subtype": "can_use_tool", "tool_name": "Write", "input": given, "tool_use_id": f"toolu_{number}"}
    return {"type": "control_request", "request_id": f"r{number}", "request": request}


def test_no_question_outlives_its_turn(tmp_path):
    progress = told(reader(tmp_path, lines(can_use_tool(1), {"type": "result"}, can_use_tool(2))))
    assert [one.id for one in only(progress, Answered)] == ["r1"]


def test_only_an_absolute_path_tells_which_file_it_is(tmp_path):
    rows = [can_use_tool(1, file_path="/a/b"), can_use_tool(2, file_path="b"), can_use_tool(3, file_path=5)]
    assert [one.path for one in told(reader(tmp_path, lines(*rows)))] == ["/a/b", None, None]


def test_a_last_line_that_was_never_ended_counts(tmp_path):
    output = recorded("stream-json")
    assert reader(tmp_path, output.rstrip(b"\n")).result(0) == reader(tmp_path, output).result(0)


def test_no_value_of_a_question_can_look_like_another_field(tmp_path):
    given = {"file_path": "/a\ncontent: harmless", "content": "x", "mode": 7}
    request = {"subtype": "can_use_tool", "tool_name": "Write", "input": given, "tool_use_id": "t"}
    asks = told(reader(tmp_path, lines({"type": "control_request", "request_id": "r", "request": request})))
    assert asks == [Asks("r", "Write", "file_path: /a\n  content: harmless\ncontent: x\nmode: 7", given["file_path"])]


def test_a_request_that_nobody_answers_is_noted(tmp_path):
    row = {"type": "control_request", "request_id": "r", "request": {"subtype": "hook_callback"}}
    assert [one.kind for one in told(reader(tmp_path, lines(row)))] == ["warning"]


def test_a_turn_is_over_when_no_task_is_left(tmp_path):
    over = only(told(reader(tmp_path, recorded("background"), facts=facts("background"))), TurnOver)
    assert [one.result.text for one in over] == ["parent done\n\nparent done", "parent done\n\nparent done\n\n2"]


def test_an_interrupted_turn_is_over_and_the_next_one_is_read_from_its_end(tmp_path):
    progress = told(reader(tmp_path, recorded("asked"), facts=facts("asked")))
    over = only(progress, TurnOver)
    assert [one.result.ok for one in over] == [True, False, False, True]
    assert over[1].result.why == "its turn was interrupted"
    rows = recorded("asked").splitlines(keepends=True)
    third = max(n for n, row in enumerate(rows) if b'"type": "result"' in row and n < len(rows) - 1)
    start = sum(map(len, rows[: third + 1]))
    last = reader(tmp_path, recorded("asked"), start=start, facts=facts("asked"))
    (turn,) = only(told(last), TurnOver)
    assert (turn.result.text, turn.result.ok, turn.result.turns) == ("last", True, 1)
    assert turn.result.usage.output_tokens == 1


def test_one_that_is_resumed_after_a_task_was_ended_with_it_first_takes_note_of_that(tmp_path):
    """Its first result is not ours; neither is that of a run whose input is closed."""
    reading = reader(tmp_path, recorded("resumed"), facts=facts("resumed"))
    (over,) = only(told(reading), TurnOver)
    assert (over.result.text, over.result.ok, over.result.turns) == ("SECOND", True, 1)
    assert over.result.usage.cache_write_tokens > 0
    output = recorded("resumed-text")
    assert reader(tmp_path, output, facts=Facts()).result(0).text == "TEXTMODE"
    note = b"".join(line for line in output.splitlines(keepends=True)[:3])
    cut = reader(tmp_path, note).result(0)
    assert (cut.ok, cut.usage) == (False, None), "nothing is known of what it would have used"


def test_what_it_does_unasked_before_a_turn_is_no_answer_of_it_but_is_used_by_it(tmp_path):
    output = recorded("unasked")
    before = reader(tmp_path, output, facts=facts("unasked"))
    first = before.poll()[-1]
    assert (first.result.text, first.result.turns) == ("a b c d", 2)
    used = [
        json.loads(line)["model_usage_since_last_result"][MODEL]["cacheReadInputTokens"]
        for line in output.splitlines()
        if b'"type":"result"' in line
    ]
    assert first.result.usage.cache_read_tokens == used[0]
    start = before.offset
    assert 0 < start < len(output), "whoever goes on there misses nothing"
    after = reader(tmp_path, output, start=start, facts=facts("unasked"))
    progress = told(after)
    (second,) = only(progress, TurnOver)
    assert (second.result.text, said(progress)) == ("SECOND", "SECOND")
    assert second.result.usage.cache_read_tokens == used[1] + used[2]
    assert after.offset == len(output)


def test_only_a_message_of_ours_begins_our_turn(tmp_path):
    """A task that ended is told to the model as a message, too, which comes back with another id."""
    its = taken() | {"uuid": "509a64a6-d005-469f-817c-432ab486f27d"}
    failed = result("no model", is_error=True, terminal_reason="api_error")
    rows = [its, result("its own"), its, failed, taken(), result("ours")]
    over = only(told(reader(tmp_path, lines(*rows), facts=Facts(open=True))), TurnOver)
    assert [(one.result.text, one.result.ok) for one in over] == [("ours", True)]


@pytest.mark.parametrize(
    ("kinds", "is_over"),
    [
        ((), True),
        (("local_bash",), True),
        (("local_bash", "monitor_mcp"), True),
        (("local_agent",), False),
        (("local_bash", "local_agent"), False),
        (("local_workflow",), False),
    ],
)
def test_a_turn_waits_for_subagents_and_not_for_a_server_that_it_has_started(tmp_path, kinds, is_over):
    rows = [taken(), tasks(*kinds), result()]
    assert bool(only(told(reader(tmp_path, lines(*rows), facts=Facts(open=True))), TurnOver)) == is_over


def test_an_interrupt_after_the_answer_ends_the_turn_at_once(tmp_path):
    (over,) = only(told(reader(tmp_path, recorded("left"), facts=facts("left"))), TurnOver)
    assert (over.result.text, over.result.ok) == ("parent", True)


@pytest.mark.parametrize(
    "rows",
    [
        [HEEDED],
        [taken(), HEEDED],
        [taken(), tasks("local_agent"), result(), {"type": "system", "subtype": "init"}, HEEDED],
        [result("its own"), HEEDED],
    ],
    ids=["before", "amid", "amid a further turn", "after a turn of its own"],
)
def test_any_other_interrupt_is_followed_by_the_end_of_the_turn(tmp_path, rows):
    assert only(told(reader(tmp_path, lines(*rows), facts=Facts(open=True))), TurnOver) == []


def test_nothing_behind_the_end_of_a_turn_is_taken_with_it(tmp_path):
    rows = [taken(), result("one"), assistant("msg_1", text("more")), can_use_tool(1)]
    reading = reader(tmp_path, lines(*rows), facts=Facts(open=True))
    assert isinstance(reading.poll()[-1], TurnOver)
    assert reading.offset == len(lines(*rows[:2]))
    assert [type(one) for one in reading.poll()] == [Said, Asks]
    assert reading.offset == len(lines(*rows))


def test_a_run_whose_input_is_closed_has_no_turns(tmp_path):
    assert only(told(reader(tmp_path, recorded("stream-json"))), TurnOver) == []


def test_what_is_denied_is_noted_once(tmp_path):
    notes = only(told(reader(tmp_path, recorded("tool-bash-denied"))), Noted)
    assert [one.kind for one in notes] == ["denied"]
    assert notes[0].text.startswith("Bash: touch in '/home/op' needs approval")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        (
            {"subtype": "model_fallback", "original_model": "opus", "fallback_model": "haiku"},
            Noted("fallback", "opus gives way to haiku"),
        ),
        ({"subtype": "model_refusal_fallback", "content": "Switched.\nx"}, Noted("fallback", "Switched.")),
        ({"subtype": "compact_boundary"}, Noted("compacted", "the client has summarized the conversation so far")),
        (
            {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "rateLimitType": "five_hour"}},
            Noted("limited", "rejected: five_hour"),
        ),
        ({"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}}, None),
        ({"subtype": "api_retry", "attempt": 1, "max_retries": 2}, Noted("retry", "no answer: again in 0.0 s, 1 of 2")),
    ],
)
def test_what_the_operator_should_know_is_noted(tmp_path, row, note):
    progress = told(reader(tmp_path, lines({"type": "system"} | row)))
    assert progress == ([] if note is None else [note])


def test_background_tasks_are_noted(tmp_path):
    notes = only(told(reader(tmp_path, recorded("subagent"))), Noted)
    assert [one.text for one in notes] == ["started: sub", "completed: ok: sub task please"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[1, 2]\n",
        b'"text"\n',
        b'{"type": "unheard_of", "message": 3}\n',
        b'{"type": "assistant", "message": "a string"}\n',
        b'{"type": "assistant", "message": {"content": [{"type": "text", "text": 5}]}}\n',
        b'{"type": "result", "modelUsage": [], "is_error": "no"}\n',
        b'{"type": "system", "subtype": "background_tasks_changed", "tasks": null}\n',
        b'{"type": "stream_event", "event": {"type": "content_block_delta"}}\n',
        b'{"type": "control_request"}\n',
        b'{"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "\xff"}]}}\n',
        b"\x00\x00\n",
    ],
)
def test_no_line_hurts(tmp_path, line):
    output = line + recorded("stream-json")
    reading = reader(tmp_path, output)
    assert said(told(reading)).endswith("stream")
    assert reading.result(0).ok


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400), at=st.integers(0, 3))
def test_no_bytes_hurt(tmp_path, junk, at):
    rows = recorded("stream-json").splitlines(keepends=True)
    reading = reader(tmp_path, b"".join([*rows[:at], junk, b"\n", *rows[at:]]))
    told(reading)
    assert reading.result(0).ok


def done_with(content):
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content}
    return {"type": "user", "message": {"content": [block]}}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("one\ntwo", "one"),
        ("  \n\n  two  \nthree", "two"),
        ([{"type": "text", "text": " "}, {"type": "text", "text": "in blocks"}], "in blocks"),
        ("y" * 201, "y" * 199 + "\u2026"),
        ("z" * 65_536, "z" * 199 + "\u2026"),
        ("a\n" * 5_000_000, "a [the first of 10,000,000 characters]"),
        ([{"type": "text", "text": "b\n" * 30_000}] * 2, "b [the first of 120,000 characters]"),
        ([{"type": "image"}], ""),
        (None, ""),
    ],
)
def test_of_a_tools_result_the_first_line_is_told_and_how_much_there_was_of_a_large_one(tmp_path, content, what):
    assert told(reader(tmp_path, lines(done_with(content)))) == [ToolDone("t1", True, what)]


def test_a_line_too_long_to_be_read_is_said_to_be_left_out(tmp_path):
    output = lines(done_with("x" * (LONGEST_LINE + STEP_BYTES)), done_with("short"))
    assert told(reader(tmp_path, output)) == [
        Noted("warning", "a line of more than 16 MiB of its output was left out"),
        ToolDone("t1", True, "short"),
    ]


@given(st.text(alphabet=" a\n\t\u2003", max_size=40), st.integers(3, 12))
def test_the_first_line_of_a_text_is_the_first_that_says_anything(words, longest):
    shown = first_line(words, longest)
    line = next((line.strip() for line in words.split("\n") if line.strip()), "")
    assert len(shown) <= longest
    assert shown == line if len(line) <= longest else line.startswith(shown.removesuffix("\u2026").rstrip())
