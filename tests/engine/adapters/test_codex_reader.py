"""What does the output of Codex mean: all that was recorded of 0.169.0, and what could come?"""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.codex_events import Heard, costs_nothing, plain, unavailable
from engine.adapters.codex_reader import CANNOT_ASK, CodexReader
from engine.contract.launch import RunUsage
from engine.contract.progress import Began, Noted, Said, Thought, ToolDone, ToolUse

DATA = Path(__file__).resolve().parents[2] / "data" / "agents" / "codex"
CASES = sorted(folder.name for folder in DATA.iterdir())
LOOP = "/bin/bash -lc 'tail -f /dev/null'"


@pytest.fixture
def run(tmp_path):
    """The folder of a run with this output; its reader."""

    def make(stdout=b"", stderr=b"", **facts):
        folder = tmp_path / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "stdout.log").write_bytes(stdout)
        (folder / "stderr.log").write_bytes(stderr)
        (folder / "codex.json").write_text(json.dumps({"home": str(tmp_path / "home")} | facts))
        return CodexReader(folder, 0)

    return make


def recorded(case):
    return tuple(
        (DATA / case / name).read_bytes() if (DATA / case / name).exists() else b""
        for name in ("stdout.txt", "stderr.txt")
    )


def told(reader):
    found = []
    while (more := reader.poll()) is not None:
        found += more
    return found


ENDS = {
    "arg-json": (0, "one", (13448, 1, 0, 0)),
    "o-minimal-json": (0, "ok", (13446, 1, 0, 0)),
    "reasoning": (0, "after", (13452, 5, 0, 0)),
    "s1-new": (0, "1", (13447, 1, 0, 0)),
    "s5-two-tools": (0, "5", (13924, 33, 27413, 0)),
    "stdin-dash": (0, "from stdin", (13449, 3, 0, 0)),
    "tool-fails": (0, "after", (13597, 18, 13453, 0)),
    "tool-write-workspace": (0, "after", (13785, 23, 13634, 0)),
}


@pytest.mark.parametrize("case", ENDS)
def test_an_answer_comes_with_what_it_used(run, case):
    code, text, (read, written, cached, cache_write) = ENDS[case]
    result = run(*recorded(case)).result(code)
    assert (result.text, result.ok, result.why) == (text, True, "")
    assert result.usage == RunUsage(read, written, cached, cache_write)
    assert json.loads(result.raw_usage)["input_tokens"] == read + cached + cache_write
    assert (result.unavailable, result.resume_refused) == (False, False)


def test_a_resumed_conversation_tells_its_total_and_the_run_used_the_rest(run):
    thread = "01a1fb94-c365-76d0-b3a7-1a5903b2c8aa"
    reader = run(*recorded("s2-resume"), resumed=thread, before=[13447, 0, 0, 1, 0, 13448])
    assert reader.result(0).usage == RunUsage(72, 1, 13447, 0)
    assert reader.usage == RunUsage(72, 1, 13447, 0)


def test_a_total_of_which_the_start_is_not_known_tells_nothing(run):
    result = run(*recorded("s4-fork"), before=None).result(0)
    assert (result.ok, result.usage) == (True, None)
    assert result.raw_usage is not None


FAILS = {
    "f-http401": ("unexpected status 401 Unauthorized", False),
    "f-http429": ("exceeded retry limit, last status: 429", True),
    "f-incomplete": ("Incomplete response returned, reason: max_output_tokens", False),
    "f-sse-context": ("ran out of room", False),
}


@pytest.mark.parametrize("case", FAILS)
def test_a_turn_that_failed_says_why(run, case):
    why, other_model = FAILS[case]
    result = run(*recorded(case)).result(1)
    assert not result.ok
    assert why in result.why
    assert (result.unavailable, result.resume_refused) == (other_model, False)


def test_what_was_never_given_to_a_model_used_nothing_and_of_the_rest_nobody_knows(run):
    assert run(*recorded("f-http429")).result(1).usage == RunUsage(0, 0)
    assert run(*recorded("f-incomplete")).result(1).usage is None


def test_an_unknown_conversation_is_refused(run):
    result = run(*recorded("s7-resume-unknown"), resumed="01a1fb71-7498-7322-ab62-000000000000").result(1)
    assert (result.ok, result.resume_refused, result.usage) == (False, True, RunUsage(0, 0))


def test_another_conversation_than_the_resumed_one_is_no_answer(run):
    reader = run(*recorded("s2-resume"), resumed="01a1fb71-7498-7322-ab62-000000000000", before=[99999, 0, 0, 9, 0, 0])
    assert not [one for one in told(reader) if isinstance(one, Began)], "its name must not become ours"
    result = reader.result(0)
    assert (result.ok, result.resume_refused) == (False, True)
    assert result.usage == RunUsage(13519, 2, 13447, 0), "all of the new one was paid for"


def test_tools_are_told_as_they_begin_and_end(run):
    assert told(run(*recorded("s5-two-tools"))) == [
        Began(provider_id="01a1fb94-c878-7fe2-9b06-1c14fbf78578"),
        ToolUse("item_0", "shell", "/bin/bash -lc 'echo 1'"),
        ToolDone("item_0", True, "1"),
        ToolUse("item_1", "shell", "/bin/bash -lc 'echo 2'"),
        ToolDone("item_1", True, "2"),
        Said("5"),
    ]
    assert ToolDone("item_0", False, "exit code 7") in told(run(*recorded("tool-fails")))
    assert told(run(*recorded("k-sigterm-bash")))[-1] == ToolUse("item_0", "shell", LOOP)
    assert told(run(*recorded("reasoning")))[1:] == [Thought("pondering"), Said("after")]


def test_what_it_tries_again_is_noted(run):
    kinds = [(one.kind, one.text[:16]) for one in told(run(*recorded("f-http401"))) if isinstance(one, Noted)]
    assert kinds == [("retry", "Reconnecting... ")] * 2


@pytest.mark.parametrize("case", CASES)
def test_a_signal_makes_nothing_an_answer(run, case):
    result = run(*recorded(case)).result(None)
    assert not result.ok
    assert result.why.startswith("ended by a signal")


def lines(*told):
    return b"".join(json.dumps(one).encode() + b"\n" for one in told)


BEGUN = ({"type": "thread.started", "thread_id": "t"}, {"type": "turn.started"})
WAITS = {"type": "error", "message": "Reconnecting... waiting for network (Connection failed: error sending request)"}
HALF = {"type": "error", "message": "Reconnecting... 1/5 (stream disconnected before completion: idle timeout)"}
ITEM = {"type": "item.completed", "item": {"id": "item_0", "type": "agent_message", "text": "hi"}}


@pytest.mark.parametrize(
    ("output", "reached", "usage"),
    [
        ((*BEGUN, WAITS, WAITS), False, RunUsage(0, 0)),
        ((*BEGUN, HALF), False, None),
        ((*BEGUN, {"type": "error", "message": "Reconnecting... 1/5 (for a reason of its own)"}), False, None),
        ((*BEGUN, WAITS, ITEM), True, None),
        (BEGUN, True, None),
    ],
    ids=["waits for its network", "cut, and waits", "waits", "got through after all", "silent"],
)
def test_who_was_ended_while_it_only_tried_again_could_not_reach_its_model(run, output, reached, usage):
    result = run(lines(*output)).result(None)
    assert (result.unavailable, result.usage) == (not reached, usage)


def test_what_it_says_in_several_messages_is_told_apart_and_the_last_is_its_answer(run):
    reader = run(lines(*BEGUN, ITEM, ITEM, {"type": "turn.completed"}))
    assert told(reader)[1:] == [Said("hi"), Said("\n\nhi")]
    assert reader.result(0).text == "hi"


def test_it_says_that_it_cannot_ask(run):
    assert told(run(lines(*BEGUN), asks=True)) == [Began(provider_id="t"), Noted("warning", CANNOT_ASK)]
    assert told(run(lines(*BEGUN))) == [Began(provider_id="t")]


def test_it_ended_well_but_said_nothing(run):
    assert run().result(0).why == "it ended without an answer"
    assert run(lines(*BEGUN, ITEM)).result(0).why == "it ended without an answer"


def test_a_run_without_its_facts_tells_what_it_said(run, tmp_path):
    reader = run(*recorded("s1-new"))
    (tmp_path / "run" / "codex.json").unlink()
    result = reader.result(0)
    assert (result.text, result.ok, result.usage) == ("1", True, None)


ROLLOUT = "sessions/2026/11/21/rollout-2026-11-21T00-49-42-t.jsonl"
COUNTER = (
    '{"timestamp":"2026-11-21T00:49:42Z","type":"event_msg","payload":{"type":"token_count","info":'
    '{"total_token_usage":{"input_tokens":50,"cached_input_tokens":20,"output_tokens":7,"total_tokens":57}}}}\n'
)


def test_a_turn_without_an_end_used_what_its_rollout_tells(run, tmp_path):
    rollout = tmp_path / "home" / ROLLOUT
    rollout.parent.mkdir(parents=True)
    rollout.write_text(COUNTER)
    assert run(lines(*BEGUN)).result(None).usage == RunUsage(30, 7, 20)
    assert run(lines(*BEGUN), before=[40, 15, 0, 5, 0, 45]).result(None).usage == RunUsage(5, 2, 5)
    assert run(lines(*BEGUN), before=[50, 20, 0, 7, 0, 57]).result(None).usage is None, "the last attempt is not told"


MORE = [
    {"type": "item.completed", "item": {"id": "a", "type": "error", "message": "Model metadata not found"}},
    {
        "type": "item.completed",
        "item": {"id": "b", "type": "file_change", "changes": [{"path": "/w/a", "kind": "add"}], "status": "completed"},
    },
    {
        "type": "item.started",
        "item": {"id": "c", "type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {"x": 1}},
    },
    {
        "type": "item.completed",
        "item": {
            "id": "c",
            "type": "mcp_tool_call",
            "server": "s",
            "tool": "t",
            "status": "failed",
            "error": {"message": "no"},
        },
    },
    {"type": "item.completed", "item": {"id": "d", "type": "web_search", "query": "pumps"}},
    {
        "type": "item.completed",
        "item": {"id": "e", "type": "collab_tool_call", "tool": "spawn_agent", "prompt": "look"},
    },
    {"type": "item.completed", "item": {"id": "f", "type": "todo_list", "items": []}},
    {"type": "item.completed", "item": {"id": "g", "type": "something new"}},
    {"type": "something.new", "item": 5},
]


def test_every_kind_of_item_has_its_words(run):
    assert told(run(lines(*MORE))) == [
        Noted("warning", "Model metadata not found"),
        ToolUse("b", "apply_patch", "add /w/a"),
        ToolDone("b", True, "completed"),
        ToolUse("c", "s.t", '{"x":1}'),
        ToolDone("c", False, "no"),
        ToolUse("d", "web_search", "pumps"),
        ToolDone("d", True, ""),
        ToolUse("e", "spawn_agent", "look"),
        ToolDone("e", True, ""),
    ]


@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
def test_where_the_output_is_cut_makes_no_difference(tmp_path_factory, case, data):
    stdout, _ = recorded(case)
    cuts = data.draw(st.lists(st.integers(0, len(stdout)), max_size=5).map(sorted))
    folder = tmp_path_factory.mktemp("run")
    (folder / "codex.json").write_text('{"home":"/nowhere"}')
    (folder / "stdout.log").write_bytes(b"")
    reader, found = CodexReader(folder, 0), []
    with (folder / "stdout.log").open("ab", buffering=0) as file:
        for start, end in zip([0, *cuts], [*cuts, len(stdout)], strict=True):
            file.write(stdout[start:end])
            found += told(reader)
    whole = Heard()
    assert found == [one for line in stdout.splitlines() for one in whole.line(line)]
    assert reader.turns == whole.turns


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_line_hurts(line):
    Heard().line(line)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["item.completed", "item.started", "turn.completed", "turn.failed", "error"])},
        optional={
            "item": st.dictionaries(
                st.sampled_from(["id", "type", "text", "changes", "arguments", "error", "exit_code", "prompt"]),
                st.none()
                | st.integers()
                | st.text()
                | st.lists(st.integers())
                | st.sampled_from(["file_change", "mcp_tool_call"]),
            ),
            "usage": st.dictionaries(st.sampled_from(["input_tokens", "output_tokens"]), st.integers()),
            "error": st.none() | st.dictionaries(st.just("message"), st.text()),
            "message": st.text(),
        },
    )
)
def test_no_shape_of_a_line_hurts(told):
    Heard().line(json.dumps(told).encode())


def test_requests_to_the_model_are_counted_as_far_as_they_show():
    heard = Heard()
    for line in recorded("s5-two-tools")[0].splitlines():
        heard.line(line)
    assert heard.turns == 2, "that it asked between two tools does not show"


@pytest.mark.parametrize(
    ("why", "other_model", "free"),
    [
        ("unexpected status 503 Service Unavailable: x", True, True),
        ("unexpected status 529 <unknown status code>", True, True),
        ("exceeded retry limit, last status: 429 Too Many Requests", True, True),
        ("Selected model is at capacity. Please try a different model.", True, False),
        ("rate limit exceeded: slow down", True, False),
        ("stream disconnected before completion: idle timeout waiting for SSE", True, False),
        ("stream disconnected before completion: error sending request", True, False),
        ("Connection failed: error sending request", True, True),
        ("unexpected status 401 Unauthorized", False, True),
        ("unexpected status 400 Bad Request", False, True),
        ("Missing environment variable: `X`.", False, False),
        ("Codex ran out of room in the model's context window.", False, False),
        ("it read 503 lines", False, False),
    ],
)
def test_which_failures_another_model_could_mend_and_which_cost_nothing(why, other_model, free):
    assert (unavailable(why), costs_nothing(why)) == (other_model, free)


def test_an_error_that_is_the_answer_of_a_server_is_said_in_its_words():
    assert plain('{"error":{"message":"400: no such thing","type":"x"}}') == "400: no such thing"
    assert plain('{"error":5}') == '{"error":5}'
    assert plain("just words\nand more") == "just words"
