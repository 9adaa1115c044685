"""Each response in Claude Code's logs is counted once, whatever rows it was written as."""

import pytest

from engine.telemetry.catalog import survey

FILE = "-home-x/5d000000-0000-4000-8000-000000000001.jsonl"
SESSION = "5d000000-0000-4000-8000-000000000001"


def usage(output=10, prompt=4, read=100, write=20, **more):
    return {
        "input_tokens": prompt,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": write,
        "output_tokens": output,
        **more,
    }


def row(n=1, message_id="msg_1", used=None, stop="end_turn", model="claude-sonnet-4-5", request="req_1", **more):
    message = {"role": "assistant", "model": model, "stop_reason": stop, "content": [], "usage": used or usage()}
    made = {
        "type": "assistant",
        "uuid": f"u{n}",
        "sessionId": SESSION,
        "cwd": "/home/x",
        "timestamp": f"2026-11-10T10:00:{n:02}.250Z",
        "message": message,
        **more,
    }
    if message_id is not None:
        message["id"] = message_id
    if request is not None:
        made["requestId"] = request
    return made


def prompt(text, **more):
    return {
        "type": "user",
        "sessionId": SESSION,
        "cwd": "/home/x",
        "message": {"role": "user", "content": text},
        **more,
    }


@pytest.mark.parametrize("outputs", [(1, 40, 312), (312, 40, 1), (5, 312, 7), (312, 312, 312)])
def test_of_several_rows_of_one_response_the_highest_output_counts(claude_home, outputs):
    claude_home.write(FILE, *(row(n, used=usage(output)) for n, output in enumerate(outputs)))
    claude_home.read()
    assert claude_home.totals() == (4, 100, 20, 312)
    assert claude_home.responses["msg_1"].at_ms == 1794304800250  # the first row's


def test_the_same_across_two_reads(claude_home):
    claude_home.write(FILE, row(1, used=usage(312)))
    claude_home.read()
    claude_home.append(FILE, row(2, used=usage(7)))
    claude_home.read()
    assert claude_home.totals() == (4, 100, 20, 312)


def test_a_row_without_stop_reason_is_partial_until_one_finishes(claude_home):
    claude_home.write(FILE, row(1, stop=None))
    claude_home.read()
    assert claude_home.responses["msg_1"].confidence == "partial"
    claude_home.append(FILE, row(2))
    claude_home.read()
    assert claude_home.responses["msg_1"].confidence == "final"


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        pytest.param([row(1), row(2, request="req_2", isSidechain=True)], ["msg_1"], id="same id, another request"),
        pytest.param([row(1, request=None), row(2, request=None)], ["msg_1"], id="no request id"),
        pytest.param([row(1, "gw-1"), row(2, "gw-1")], ["gw-1"], id="foreign id with a request id"),
        pytest.param([row(1, None, request=None), row(2, None, request=None)], ["u1", "u2"], id="no ids"),
        pytest.param([row(1, None), row(2, None)], ["req_1"], id="request id only"),
    ],
)
def test_identity(claude_home, rows, keys):
    claude_home.write(FILE, *rows)
    claude_home.read()
    assert sorted(claude_home.responses) == keys


def test_a_gateway_with_one_id_for_all_is_told_apart_by_prompt_size_even_across_reads(claude_home):
    rows = [row(n, "chatcmpl", usage(prompt=size), request=None) for n, size in enumerate((5, 5, 9, 9, 9, 5))]
    claude_home.write(FILE, *rows[:3])
    claude_home.read()
    claude_home.append(FILE, *rows[3:])
    claude_home.read()
    assert list(claude_home.responses) == ["u0", "u2", "u5"]


def test_a_row_without_any_id_has_its_place_as_key(claude_home):
    bare = row(1, None, request=None)
    del bare["uuid"]
    claude_home.write(FILE, row(1), bare)
    claude_home.read()
    assert len(claude_home.responses) == 2
    claude_home.cursors.clear()
    claude_home.read()
    assert len(claude_home.responses) == 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(row(2, "e1", model="<synthetic>"), id="synthetic"),
        pytest.param(row(2, "e1", isApiErrorMessage=True), id="error"),
        pytest.param({"type": "user", "toolUseResult": {"usage": usage()}, "message": {}}, id="tool result"),
        pytest.param({"type": "progress", "data": {"message": row(2, "msg_2")}}, id="progress"),
        pytest.param({"type": "progress", "message": "text", "usage": usage()}, id="another shape"),
        pytest.param(prompt('say {"type":"assistant","usage":1}'), id="quoted"),
        pytest.param({"type": "cost-state", "usage": {}, "modelUsage": {"m": {"outputTokens": 99}}}, id="cost-state"),
        pytest.param({"type": "assistant", "uuid": "x", "message": {"id": "msg_9", "usage": None}}, id="null usage"),
    ],
)
def test_what_is_no_response(claude_home, other):
    claude_home.write(FILE, row(1), other)
    claude_home.read()
    assert list(claude_home.responses) == ["msg_1"]
    assert claude_home.refused == {}
    assert claude_home.sessions[SESSION].model == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("flat", "nested", "total", "five", "hour"),
    [
        (0, {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 30}, 37, 7, 30),
        (37, {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 30}, 37, 7, 30),
        (50, {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": None}, 50, 7, None),
        (50, None, 50, None, None),
        (None, {"ephemeral_1h_input_tokens": 30}, 30, None, 30),
    ],
)
def test_cache_writes_are_the_larger_of_flat_and_nested(claude_home, flat, nested, total, five, hour):
    claude_home.write(FILE, row(used=usage(write=flat, cache_creation=nested)))
    claude_home.read()
    (response,) = claude_home.responses.values()
    found = (response.cache_write_tokens, response.cache_write_5m_tokens, response.cache_write_1h_tokens)
    assert found == (total, five, hour)


def test_nulls_and_numbers_in_odd_shapes_lose_no_row(claude_home):
    odd = {"input_tokens": None, "output_tokens": 5.0, "cache_read_input_tokens": "7", "service_tier": None}
    claude_home.write(FILE, row(used=odd, model=None, timestamp=None, isSidechain=None, requestId=None))
    claude_home.read()
    assert claude_home.totals() == (0, 7, 0, 5)
    assert claude_home.refused == {}


@pytest.mark.parametrize("output", [-1, 2**60, 10**30])
def test_impossible_counts_are_refused_and_visible(claude_home, output):
    claude_home.write(FILE, row(1, used=usage(output)), row(2, "msg_2"))
    claude_home.read()
    assert list(claude_home.responses) == ["msg_2"]
    assert sum(claude_home.refused.values()) == 1


def test_thinking_is_inside_output(claude_home):
    claude_home.write(FILE, row(used=usage(50, output_tokens_details={"thinking_tokens": 30})))
    claude_home.read()
    assert (claude_home.responses["msg_1"].output_tokens, claude_home.responses["msg_1"].reasoning_tokens) == (50, 30)


def test_the_title_is_what_the_operator_typed_first(claude_home):
    tool_result = [{"type": "tool_result", "content": "no"}, {"type": "text", "text": "no"}]
    claude_home.write(
        FILE,
        prompt("meta", isMeta=True),
        prompt(tool_result),
        prompt("<local-command-stdout>no</local-command-stdout>"),
        prompt([{"type": "text", "text": "  fix \x1b[31m " + "x" * 300}]),
        prompt("later"),
        row(1),
    )
    claude_home.read()
    session = claude_home.sessions[SESSION]
    assert session.title == ("fix \x1b[31m " + "x" * 300)[:200]
    assert session.started_ms == session.last_active_ms == 1794304801250


def test_a_title_is_remembered_over_reads(claude_home):
    claude_home.write(FILE, prompt("first"), row(1))
    claude_home.read()
    claude_home.append(FILE, prompt("second"), row(2, "msg_2", model="claude-opus-4-5"))
    claude_home.read()
    session = claude_home.sessions[SESSION]
    assert (session.title, session.model, session.started_ms) == ("first", "claude-opus-4-5", 1794304801250)


@pytest.mark.parametrize("name", [f"-home-x/{SESSION}/subagents/agent-a1.jsonl", "-home-x/agent-a1.jsonl"])
def test_a_subagents_responses_belong_to_its_parent_but_say_nothing_else_of_it(claude_home, name):
    claude_home.write(name, prompt("the task", isSidechain=False), row(1, "msg_7", model="claude-haiku-4-5"))
    (batch,) = claude_home.read()
    assert batch.parts[0].session.provider_id == SESSION
    assert (batch.parts[0].session.title, batch.parts[0].session.model, batch.parts[0].session.started_ms) == (
        None,
        None,
        None,
    )
    assert [response.model for response in batch.parts[0].responses] == ["claude-haiku-4-5"]


def test_a_resumed_copy_has_its_own_session_and_the_same_keys(claude_home):
    claude_home.write(FILE, row(1))
    claude_home.write("-home-x/copy.jsonl", row(1))
    claude_home.read()
    assert {batch.parts[0].session.provider_id for batch in claude_home.batches} == {SESSION, "copy"}
    assert claude_home.totals() == (4, 100, 20, 10)


def test_discovery_names_each_session_once_by_name_alone(claude_home):
    claude_home.write(FILE, b"not even JSON\n")
    claude_home.write(f"-home-x/{SESSION}/subagents/agent-a1.jsonl", b"")
    claude_home.write(f"-home-x/{SESSION}/subagents/agent-a1.meta.json", b"")
    claude_home.write("-home-x/agent-old.jsonl", b"")
    discovered = survey([claude_home.root]).discovered()
    assert [session.provider_id for session in discovered.sessions] == [SESSION]
    assert (discovered.files, discovered.total_bytes) == (3, 14)
