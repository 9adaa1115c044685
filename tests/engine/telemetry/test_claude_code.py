"""Each response in Claude Code's logs is counted once, whatever rows it was written as."""

import json
import os

import pytest

from engine.contract.usage import ClientTotals
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
    found = claude_home.responses["msg_1"]
    assert (found.confidence, found.basis) == ("partial", "partial")
    claude_home.append(FILE, row(2))
    claude_home.read()
    found = claude_home.responses["msg_1"]
    assert (found.confidence, found.basis) == ("final", "per_run")


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


def test_ids_of_another_shape_are_none(claude_home):
    claude_home.write(FILE, row(1, None, request=None, uuid=5), row(2, "gw", requestId=["r"], uuid={}))
    claude_home.read()
    assert len(claude_home.responses) == 2
    assert claude_home.refused == {}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(row(2, "e1", model="<synthetic>"), id="synthetic"),
        pytest.param(row(2, "e1", isApiErrorMessage=True), id="error"),
        pytest.param({"type": "user", "toolUseResult": {"usage": usage()}, "message": {}}, id="tool result"),
        pytest.param({"type": "progress", "data": {"message": row(2, "msg_2")}}, id="progress"),
        pytest.param({**row(2, "msg_2"), "type": "progress"}, id="another type"),
        pytest.param({**row(2, "msg_2", usage(moon_phase=3)), "type": "progress"}, id="another type and odd"),
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


@pytest.mark.parametrize(
    ("terms", "factors"),
    [
        ({"service_tier": "standard", "speed": "standard", "inference_geo": ""}, ""),
        ({"service_tier": None, "speed": None, "inference_geo": "not_available"}, ""),
        ({"speed": "fast"}, "fast"),
        ({"service_tier": "batch"}, "batch"),
        ({"service_tier": "priority", "inference_geo": "us", "speed": "fast"}, "fast priority geo:us"),
        ({"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}}, "web:2"),
        ({"server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 7}}, ""),
        ({"service_tier": "x y" * 50}, ("x-y" + "x-y" * 50)[3:][:32]),
    ],
)
def test_terms_that_are_not_standard(claude_home, terms, factors):
    claude_home.write(FILE, row(used=usage(**terms)))
    claude_home.read()
    assert claude_home.responses["msg_1"].factors == factors
    assert claude_home.responses["msg_1"].raw is None
    assert claude_home.totals() == (4, 100, 20, 10)


LIFETIMES = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        pytest.param({"cache_creation": LIFETIMES}, False, id="all known"),
        pytest.param(
            {"output_tokens_details": {"thinking_tokens": 4}, "fallback_credit": None}, False, id="newer keys"
        ),
        pytest.param({"iterations": [{"type": "message", **usage()}]}, False, id="its own iteration"),
        pytest.param({"speed": "fast", "cache_creation": LIFETIMES}, False, id="known, not standard"),
        pytest.param({"moon_phase": 3}, True, id="unknown key"),
        pytest.param({"cache_creation": {**LIFETIMES, "ephemeral_30d_input_tokens": 1}}, True, id="unknown lifetime"),
        pytest.param({"server_tool_use": {"computer_minutes": 1}}, True, id="unknown paid tool"),
        pytest.param({"iterations": [{"type": "dream", "output_tokens": 1}]}, True, id="unknown iteration"),
        pytest.param({"fallback_credit": {"input_tokens": 1}}, True, id="credit"),
        pytest.param({"cache_creation": {**LIFETIMES, "ephemeral_5m_input_tokens": 6}}, True, id="flat is not the sum"),
        pytest.param({"output_tokens_details": {"thinking_tokens": 11}}, True, id="more thinking than output"),
    ],
)
def test_a_usage_object_is_kept_where_it_is_strange(claude_home, more, kept):
    told = usage(**more)
    claude_home.write(FILE, row(1, "msg_0"), row(2, used=told), row(3, "msg_2"))
    claude_home.read()
    raw = [claude_home.responses[key].raw for key in ("msg_0", "msg_1", "msg_2")]
    assert [one and json.loads(one) for one in raw] == [None, told if kept else None, None]
    assert claude_home.refused == {}


def test_sub_calls_become_responses_of_their_own(claude_home):
    advisor = {"type": "advisor_message", "model": "claude-opus-4-5", "input_tokens": 900, "output_tokens": 60}
    advisor["cache_creation"] = {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 2}
    compaction = {"type": "compaction", "input_tokens": 5000, "output_tokens": 300}
    told = usage(iterations=[compaction, {"type": "message", **usage()}, advisor], service_tier="batch")
    told["server_tool_use"] = {"web_search_requests": 1}
    claude_home.write(FILE, row(1, used=usage(3), stop=None), row(2, used=told), row(3, used=told))
    claude_home.read()
    found = {key: (one.model, one.input_tokens, one.output_tokens) for key, one in claude_home.responses.items()}
    assert found == {
        "msg_1": ("claude-sonnet-4-5", 4, 10),
        "msg_1#0": ("claude-sonnet-4-5", 5000, 300),
        "msg_1#2": ("claude-opus-4-5", 900, 60),
    }
    assert [one.factors for one in claude_home.responses.values()] == ["batch web:1", "batch", "batch"]
    assert claude_home.responses["msg_1#2"].cache_write_tokens == 10
    assert claude_home.responses["msg_1"].raw is None


def test_the_context_is_that_of_the_last_main_response(claude_home):
    claude_home.write(FILE, row(1), row(2, "msg_2", usage(30, prompt=9)), row(3, "msg_3", usage(999), isSidechain=True))
    claude_home.write(f"-home-x/{SESSION}/subagents/agent-a1.jsonl", row(4, "msg_4", usage(5000)))
    found = {batch.cursor.path: batch.parts[0].session.context_tokens for batch in claude_home.read()}
    assert sorted(found.values(), key=str) == [159, None]
    claude_home.append(FILE, row(5, "msg_2", usage(1, prompt=9), stop=None))
    claude_home.read()
    assert claude_home.sessions[SESSION].context_tokens == 159  # a late smaller snapshot of the same response
    several = [{"type": "message", **usage(4)}, {"type": "message", **usage(6, prompt=5)}]
    claude_home.append(FILE, row(6, "msg_6", usage(10, 9, 200, 40, iterations=several)))
    claude_home.read()
    assert claude_home.sessions[SESSION].context_tokens == 131  # the top-level counts are sums


@pytest.mark.parametrize("forked", [{"sessionId": "parent", "messageUuid": "u"}, "parent"])
def test_a_fork_names_its_origin(claude_home, forked):
    claude_home.write(FILE, row(1, forkedFrom=forked), row(2, "msg_2"))
    claude_home.read()
    assert claude_home.sessions[SESSION].forked_from == "parent"
    assert claude_home.refused == {}


def cost_state(output, usd=0.0123456, **more):
    told = {"inputTokens": 3, "outputTokens": output, "cacheReadInputTokens": 70, "cacheCreationInputTokens": 5}
    both = {"a": told, "b": {**told, "inputTokens": None}}
    return {"type": "cost-state", "sessionId": SESSION, "totalCostUSD": usd, "modelUsage": both, **more}


def test_the_clients_totals_are_its_last_ones(claude_home):
    claude_home.write(FILE, row(1), cost_state(40), row(2, "msg_2"), cost_state(50), {"type": "mode"})
    (batch,) = claude_home.read()
    assert batch.parts[0].totals == ClientTotals("cost-state", 1794304802250, 3, 140, 10, 100, 12346)
    claude_home.append(FILE, row(3, "msg_3"))
    (batch,) = claude_home.read()
    assert batch.parts[0].totals is None
    claude_home.append(FILE, cost_state(60, hasUnknownModelCost=True))
    (batch,) = claude_home.read()
    assert (batch.parts[0].totals.output_tokens, batch.parts[0].totals.cost_microusd) == (120, None)
    assert claude_home.totals() == (12, 300, 60, 30)


@pytest.mark.parametrize(
    ("damage", "reason"), [({"usd": -1}, "bad_count"), ({"modelUsage": {"cacheCreationInputTokens": 1}}, "bad_row")]
)
def test_damaged_totals_are_refused(claude_home, damage, reason):
    claude_home.write(
        FILE, row(1), {**cost_state(4, damage.get("usd", 1)), **{k: v for k, v in damage.items() if k != "usd"}}
    )
    (batch,) = claude_home.read()
    assert batch.parts[0].totals is None
    assert claude_home.refused == {reason: 1}


@pytest.mark.parametrize(
    ("stamp", "at_ms"),
    [
        ("2026-11-10T10:00:01.250Z", 1794304801250),
        ("2026-11-10T12:00:01.250+02:00", 1794304801250),
        ("2026-11-10T10:00:01", 1794304801000),
        ("2026-11-10 10:00:01.25Z", 1794304801250),
    ],
)
def test_times_in_every_form(claude_home, stamp, at_ms):
    claude_home.write(FILE, row(1, timestamp=stamp))
    claude_home.read()
    assert claude_home.responses["msg_1"].at_ms == at_ms


@pytest.mark.parametrize("stamp", ["yesterday", None, "2026-11-10T10:00:60.000Z"])
def test_without_a_time_a_response_has_that_of_its_file(claude_home, stamp):
    path = claude_home.write(FILE, row(1, timestamp=stamp))
    claude_home.read()
    assert claude_home.responses["msg_1"].at_ms == path.stat().st_mtime_ns // 1_000_000


def test_a_line_of_fifty_megabytes(claude_home):
    long = b'{"type":"progress","stdout":"' + b"x" * 50_000_000 + b'","usage":{"output_tokens":9}}\n'
    claude_home.write(FILE, prompt("go"), row(1), long, row(2, "msg_2"))
    claude_home.read()
    assert sorted(claude_home.responses) == ["msg_1", "msg_2"]
    assert claude_home.refused == {}


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


@pytest.mark.parametrize("stamp", ["garbage", None, "2026-13-45T99:00:00Z"])
def test_a_response_without_a_time_has_that_of_its_file_and_says_so(claude_home, stamp):
    path = claude_home.write("p/s.jsonl", row(timestamp=stamp))
    os.utime(path, (1_794_304_800, 1_794_304_800))
    claude_home.read()
    (response,) = claude_home.responses.values()
    assert (response.at_ms, response.confidence) == (1_794_304_800_000, "inferred")
