"""Does each API's answer mean the same wherever its bytes are cut, and whatever its server leaves out?"""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.runner.faults import Declined, Malformed
from engine.adapters.runner.job import OPENAI_URL, Job, JobPart
from engine.adapters.runner.talk import Call, Kept, Message, Result, Text, Told
from engine.adapters.runner.wires import WIRES
from engine.contract.progress import Said, Thought


def text(frame):
    return json.dumps(frame, ensure_ascii=False)


def events(*frames, named=True, end="\n"):
    name = (lambda frame: f"event: {frame['type']}{end}") if named else (lambda frame: "")
    return "".join(f"{name(frame)}data: {text(frame)}{end}{end}" for frame in frames).encode()


def lines(*frames):
    return "".join(text(frame) + "\n" for frame in frames).encode()


START = {
    "input_tokens": 7,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 200,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 1,
}
ANTHROPIC = (
    {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": START}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "let me "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "see"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Grüße, "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "née 🚢"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t1", "name": "read"}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"path": '}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"a.md"}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 41}},
    {"type": "message_stop"},
)
USED = {
    "input_tokens": 237,
    "input_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 30},
    "output_tokens": 41,
    "output_tokens_details": {"reasoning_tokens": 9},
}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Grüße, née 🚢"}]}
RESPONSES = (
    {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
    {"type": "response.reasoning_summary_text.delta", "delta": "let me "},
    {"type": "response.reasoning_summary_text.delta", "delta": "see"},
    {
        "type": "response.output_item.done",
        "item": {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "let me see"}],
            "encrypted_content": "ZW5j",
        },
    },
    {"type": "response.output_text.delta", "delta": "Grüße, "},
    {"type": "response.output_text.delta", "delta": "née 🚢"},
    {"type": "response.output_item.done", "item": MESSAGE},
    {"type": "response.function_call_arguments.delta", "delta": '{"path": "a.md"}'},
    {
        "type": "response.output_item.done",
        "item": {"type": "function_call", "id": "fc", "call_id": "t1", "name": "read", "arguments": '{"path": "a.md"}'},
    },
    {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [], "usage": USED}},
)


def chunk(delta=None, finish=None, **more):
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], "usage": None, **more}


CHAT = (
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "let me see"}),
    chunk({"content": "Grüße, "}),
    chunk({"content": "née 🚢"}),
    chunk(
        {"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "read", "arguments": ""}}]}
    ),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"path": '}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"a.md"}'}}]}),
    chunk(finish="tool_calls"),
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 237,
            "completion_tokens": 41,
            "prompt_tokens_details": {"cached_tokens": 200},
            "completion_tokens_details": {"reasoning_tokens": 9},
        },
    },
)
OLLAMA = (
    {"message": {"role": "assistant", "content": "", "thinking": "let me see"}, "done": False},
    {"message": {"role": "assistant", "content": "Grüße, "}, "done": False},
    {"message": {"content": "née 🚢"}, "done": False},
    {"message": {"tool_calls": [{"function": {"name": "read", "arguments": {"path": "a.md"}}}]}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 237, "eval_count": 41},
)
RECORDED = {
    "anthropic": events(*ANTHROPIC),
    "responses": events(*RESPONSES),
    "chat": events(*CHAT, named=False) + b"data: [DONE]\n\n",
    "ollama": lines(*OLLAMA),
}
TOLD = {
    "anthropic": Told(7, 41, 200, 30, 20, None),
    "responses": Told(7, 41, 200, 30, None, 9),
    "chat": Told(37, 41, 200, None, None, 9),
    "ollama": Told(237, 41),
}


def read(api, *chunks):
    wire = WIRES[api]
    splitter, decoder, heard = wire.splitter(), wire.decoder(), []
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    for frame in [*frames, *splitter.end()]:
        heard += decoder.take(frame)
    return decoder.answer, heard


def words(heard, kind):
    return "".join(one.text for one in heard if isinstance(one, kind))


@pytest.mark.parametrize("api", RECORDED)
def test_an_answer_is_read_with_its_words_calls_and_usage(api):
    answer, heard = read(api, RECORDED[api])
    assert words(heard, Said) == "Grüße, née 🚢"
    assert words(heard, Thought) == "let me see"
    assert [block.text for block in answer.blocks if isinstance(block, Text)] == ["Grüße, née 🚢"]
    (call,) = answer.calls
    assert (call.name, json.loads(call.arguments)) == ("read", {"path": "a.md"})
    assert answer.stop == "calls"
    assert answer.told == TOLD[api]
    assert answer.reported["output_tokens" if api in ("anthropic", "responses") else list(answer.reported)[1]] == 41


@pytest.mark.parametrize("api", RECORDED)
@given(cuts=st.lists(st.integers(0, 5000), max_size=40))
def test_bytes_may_be_cut_anywhere(api, cuts):
    raw = RECORDED[api]
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    assert read(api, *(raw[low:high] for low, high in pairwise(edges))) == read(api, raw)


@pytest.mark.parametrize("api", RECORDED)
def test_every_single_byte_may_come_alone(api):
    raw = RECORDED[api]
    assert read(api, *(raw[place : place + 1] for place in range(len(raw)))) == read(api, raw)


@pytest.mark.parametrize("api", ["anthropic", "responses", "chat"])
def test_events_may_end_their_lines_in_two_ways_and_carry_comments(api):
    crlf = RECORDED[api].replace(b"\n", b"\r\n")
    commented = RECORDED[api].replace(b"data: ", b": keep-alive\nid: 4\ndata:", 3)
    assert read(api, crlf) == read(api, commented) == read(api, RECORDED[api])


@pytest.mark.parametrize(
    ("api", "kept"),
    [
        ("anthropic", events(*ANTHROPIC[:10])),
        ("responses", events(*RESPONSES[:6])),
        ("chat", events(*CHAT[:4], named=False)),
        ("ollama", lines(*OLLAMA[:3])),
    ],
)
def test_an_answer_without_its_end_is_cut_and_keeps_what_came(api, kept):
    answer, _ = read(api, kept)
    assert answer.stop == "cut"
    assert [block.text for block in answer.blocks if isinstance(block, Text)] == ["Grüße, née 🚢"]
    assert answer.told == (Told(7, 1, 200, 30, 20) if api == "anthropic" else Told())


def test_signed_thoughts_are_kept_as_they_were():
    answer, _ = read("anthropic", RECORDED["anthropic"])
    kept = next(block for block in answer.blocks if isinstance(block, Kept))
    assert json.loads(kept.data) == {"type": "thinking", "thinking": "let me see", "signature": "c2ln"}
    answer, _ = read("responses", RECORDED["responses"])
    kept = next(block for block in answer.blocks if isinstance(block, Kept))
    assert json.loads(kept.data)["encrypted_content"] == "ZW5j"


@pytest.mark.parametrize(
    ("api", "raw", "stop"),
    [
        ("anthropic", events({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}), "length"),
        ("anthropic", events({"type": "message_delta", "delta": {"stop_reason": "refusal"}}), "refusal"),
        ("anthropic", events({"type": "message_stop"}), "end"),
        ("responses", events({"type": "response.completed", "response": {"output": [MESSAGE]}}), "end"),
        (
            "responses",
            events(
                {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}
            ),
            "length",
        ),
        (
            "responses",
            events({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "content_filter"}}}),
            "refusal",
        ),
        ("chat", events(chunk(finish="length"), named=False), "length"),
        ("chat", events(chunk(finish="content_filter"), named=False), "refusal"),
        ("chat", events(chunk({"refusal": "no"}, "stop"), named=False), "refusal"),
        ("chat", b"data: [DONE]\n\n", "end"),
        ("chat", b"data: [DONE]", "end"),
        ("ollama", lines({"done": True, "done_reason": "length"}), "length"),
    ],
)
def test_why_an_answer_ends(api, raw, stop):
    assert read(api, raw)[0].stop == stop


def test_a_response_may_have_its_items_only_at_its_end():
    answer, _ = read("responses", events({"type": "response.completed", "response": {"output": [MESSAGE]}}))
    assert answer.blocks == (Text("Grüße, née 🚢"),)


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        (  # places and ids left out: each named one is a new call
            [{"function": {"name": "read", "arguments": "{}"}}, {"function": {"name": "list", "arguments": "{}"}}],
            [("call_1", "read", "{}"), ("call_2", "list", "{}")],
        ),
        (
            [{"id": "a", "function": {"name": "read", "arguments": '{"p'}}, {"function": {"arguments": '":1}'}}],
            [("a", "read", '{"p":1}')],
        ),
        (
            [{"id": "a", "function": {"name": "read"}}, {"id": "a", "function": {"name": "read", "arguments": "{}"}}],
            [("a", "read", "{}")],
        ),
        ([{"index": 3, "id": "x", "function": {"name": "read", "arguments": None}}], [("x", "read", "{}")]),
    ],
)
def test_calls_of_servers_that_leave_things_out(deltas, calls):
    raw = events(*(chunk({"tool_calls": [delta]}) for delta in deltas), chunk(finish="stop"), named=False)
    assert [(one.id, one.name, one.arguments) for one in read("chat", raw)[0].calls] == calls


def test_usage_that_is_left_out_is_not_told_rather_than_zero():
    assert read("chat", events(chunk({"content": "x"}), chunk(finish="stop"), named=False))[0].told == Told()
    raw = lines({"message": {"content": "x"}, "done": True, "eval_count": 3})
    assert read("ollama", raw)[0].told == Told(None, 3)


def test_usage_with_every_chunk_is_that_of_the_last_one():
    used = [{"prompt_tokens": 9, "completion_tokens": number} for number in (1, 2, 3)]
    raw = events(*(chunk({"content": "x"}, usage=one) for one in used), chunk(finish="stop"), named=False)
    assert read("chat", raw)[0].told == Told(9, 3)


@pytest.mark.parametrize(
    ("api", "raw", "kind"),
    [
        (
            "anthropic",
            events({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
            "overloaded_error",
        ),
        ("responses", events({"type": "error", "code": "server_error", "message": "m"}), "server_error"),
        (
            "responses",
            events({"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "m"}}}),
            "rate_limit_exceeded",
        ),
        ("chat", events({"error": {"type": "server_error", "message": "m"}}, named=False), "server_error"),
        ("chat", events({"error": "broken"}, named=False), "error"),
        ("ollama", lines({"error": "model runner has stopped"}), "model runner has stopped"),
    ],
)
def test_an_error_in_an_answer_is_the_providers_own(api, raw, kind):
    with pytest.raises(Declined) as raised:
        read(api, raw)
    assert raised.value.kind == kind


@pytest.mark.parametrize("api", RECORDED)
@pytest.mark.parametrize(
    "bad", [b"{no json", b"[1]", b'{"type": 3, "choices": 3, "message": 3}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_nobody_can_read_is_malformed(api, bad):
    raw = bad + b"\n" if api == "ollama" else b"data: " + bad + b"\n\n"
    with pytest.raises(Malformed):
        read(api, raw)


@pytest.mark.parametrize("api", RECORDED)
@given(raw=st.binary(max_size=300))
def test_whatever_comes_is_an_answer_or_a_known_fault(api, raw):
    framed = raw if api == "ollama" else b"data: " + raw + b"\n\n"
    for chunks in ([raw], [framed]):
        try:
            read(api, *chunks)
        except (Malformed, Declined):
            continue


@pytest.mark.parametrize("api", RECORDED)
def test_a_line_that_never_ends_is_malformed(api):
    with pytest.raises(Malformed):
        read(api, *[b"data: " + b"x" * 1_000_000] * 9)


def test_half_a_character_becomes_a_question_mark():
    raw = b'data: {"choices": [{"delta": {"content": "a\\ud83d"}}]}\n\n'
    heard = read("chat", raw)[1]
    assert heard == [Said("a?")]
    assert msgspec.json.encode(heard)


# What is asked


def job(api, **changes):
    fields = {
        "api": api,
        "base_url": "http://127.0.0.1:1",
        "model": "m",
        "workspace": "/w",
        "folder": "/f",
        "system": (JobPart("Be good.", True), JobPart(" ", True), JobPart("Be brief.", True)),
        "message": (JobPart("--- a.md ---\nfile\n", True), JobPart("do it")),
        "tools": ("list", "read"),
    }
    return Job(**{**fields, **changes})


USER = Message("user", (Text("--- a.md ---\nfile\n", True), Text("\n"), Text("do it")))
EARLIER = (
    Message("user", (Text("before", True),)),
    Message("assistant", (Kept("anthropic", '{"type": "thinking", "thinking": "x", "signature": "s"}'), Text("said"))),
)
LOOP = (
    Message("assistant", (Text("let me look"), Call("t1", "read", '{"path": "a.md"}'))),
    Message("results", (Result("t1", "read", "error: no", ok=False),)),
)


def body(api, messages, earlier=0, **changes):
    return WIRES[api].body(job(api, **changes), messages, earlier)


def marks(asked):
    """Where the prefix may be cached, as (part, number of the message, number of the block)."""
    found = [("system", 0, place) for place, one in enumerate(asked.get("system", ())) if "cache_control" in one]
    found += [("tools", 0, place) for place, one in enumerate(asked.get("tools", ())) if "cache_control" in one]
    for number, message in enumerate(asked["messages"]):
        found += [("messages", number, place) for place, one in enumerate(message["content"]) if "cache_control" in one]
    return found


def test_anthropic_is_asked_with_at_most_four_marks_on_what_stays():
    asked = body("anthropic", (*EARLIER, USER, *LOOP), 2)
    assert marks(asked) == [("system", 0, 1), ("messages", 1, 1), ("messages", 2, 0), ("messages", 4, 0)]
    assert [one["text"] for one in asked["system"]] == ["Be good.", "Be brief."]
    assert [one["name"] for one in asked["tools"]] == ["read", "list"]
    assert asked["messages"][4]["content"][0] | {"cache_control": None} == {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": "error: no",
        "is_error": True,
        "cache_control": None,
    }
    assert asked["messages"][3]["content"][1]["input"] == {"path": "a.md"}
    assert asked["messages"][1]["content"][0]["type"] == "thinking"
    assert asked["max_tokens"] == 8192


@pytest.mark.parametrize(
    ("changes", "messages", "expected"),
    [
        ({"system": ()}, (USER,), [("tools", 0, 1), ("messages", 0, 0), ("messages", 0, 1)]),
        ({"tools": ()}, (USER,), [("system", 0, 1), ("messages", 0, 0)]),
        ({"tools": (), "system": ()}, (Message("user", (Text("do it"),)),), []),
    ],
)
def test_anthropic_is_asked_without_marks_that_serve_nothing(changes, messages, expected):
    assert marks(body("anthropic", messages, **changes)) == expected


def without_marks(value):
    if isinstance(value, dict):
        return {name: without_marks(one) for name, one in value.items() if name != "cache_control"}
    return [without_marks(one) for one in value] if isinstance(value, list) else value


KEYS = {"anthropic": "messages", "responses": "input", "chat": "messages", "ollama": "messages"}


@pytest.mark.parametrize("api", KEYS)
def test_what_was_asked_before_begins_what_is_asked_next(api):
    first = without_marks(body(api, (USER,)))
    second = without_marks(body(api, (USER, *LOOP), 0))
    third = without_marks(body(api, (USER, *LOOP, Message("user", (Text("more"),))), 3))
    for before, after in ((first, second), (second, third)):
        assert after[KEYS[api]][: len(before[KEYS[api]])] == before[KEYS[api]]
        assert {name: one for name, one in before.items() if name != KEYS[api]} == {
            name: one for name, one in after.items() if name != KEYS[api]
        }


def test_openai_responses_stores_nothing_and_finds_its_cache_by_how_it_opens():
    asked = body("responses", (*EARLIER, USER, *LOOP), 2)
    assert asked["store"] is False
    assert asked["instructions"] == "Be good.\n\nBe brief."
    assert asked["max_output_tokens"] == 8192
    assert [one.get("type", one.get("role")) for one in asked["input"]] == [
        "user",
        "message",
        "user",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert [one["text"] for one in asked["input"][2]["content"]] == ["--- a.md ---\nfile\n", "do it"]
    same = body("responses", (USER,), message=(JobPart("other"),))
    other = body("responses", (USER,), system=(JobPart("else"),))
    assert same["prompt_cache_key"] == asked["prompt_cache_key"] != other["prompt_cache_key"]


def test_chat_asks_openai_and_its_copies_for_what_each_knows():
    copy, own = body("chat", (USER,)), body("chat", (USER,), base_url=OPENAI_URL)
    assert copy["max_tokens"] == own["max_completion_tokens"] == 8192
    assert "prompt_cache_key" in own
    assert "prompt_cache_key" not in copy
    assert copy["stream_options"] == {"include_usage": True}
    assert copy["messages"][:2] == [
        {"role": "system", "content": "Be good.\n\nBe brief."},
        {"role": "user", "content": "--- a.md ---\nfile\n\ndo it"},
    ]


def test_chat_sends_calls_and_their_results_back():
    asked = body("chat", (USER, *LOOP))["messages"]
    assert asked[2]["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"path": "a.md"}'}
    assert asked[3] == {"role": "tool", "tool_call_id": "t1", "content": "error: no"}
    asked = body("ollama", (USER, *LOOP))["messages"]
    assert asked[2]["tool_calls"][0]["function"] == {"name": "read", "arguments": {"path": "a.md"}}
    assert asked[3] == {"role": "tool", "tool_name": "read", "content": "error: no"}


@pytest.mark.parametrize(("chars", "context"), [(100, None), (30_000, 16_384), (10_000_000, 262_144)])
def test_ollama_is_asked_for_a_context_that_the_prompt_fits_into(chars, context):
    assert body("ollama", (Message("user", (Text("x" * chars),)),))["options"].get("num_ctx") == context


@pytest.mark.parametrize("api", KEYS)
@pytest.mark.parametrize("arguments", ["{no", "[1]", "3", ""])
def test_a_call_with_senseless_arguments_can_be_sent_back(api, arguments):
    messages = (USER, Message("assistant", (Call("t1", "read", arguments),)), LOOP[1])
    assert msgspec.json.encode(body(api, messages))


@pytest.mark.parametrize("api", KEYS)
def test_an_answer_that_said_nothing_is_not_sent_back(api):
    nothing = (USER, Message("assistant", ()), Message("user", (Text("more"),)))
    assert len(body(api, nothing)[KEYS[api]]) == len(body(api, (USER, Message("user", (Text("more"),))))[KEYS[api]])
