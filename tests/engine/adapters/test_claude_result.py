"""What did a run of Claude Code use, and was it good? Its exit code lies, its totals are cumulative."""

import pytest

from engine.adapters.claude_reader import Facts
from engine.adapters.claude_turn import message_id
from engine.contract.launch import RunUsage
from tests.engine.adapters.claude_folder import lines, reader, recorded, told

SONNET = "claude-sonnet-5-5"


def model_usage(inputs=0, outputs=0, reads=0, writes=0, usd=None, basis="list"):
    counts = {"inputTokens": inputs, "outputTokens": outputs}
    counts |= {"cacheReadInputTokens": reads, "cacheCreationInputTokens": writes}
    return {**counts, "costBasis": basis, **({} if usd is None else {"costUSD": usd})}


def ended(total, since=None, **more):
    row = {"type": "result", "subtype": "success", "is_error": False, "result": "done", "modelUsage": total}
    return row | ({} if since is None else {"model_usage_since_last_result": since}) | more


def response(name, usage, parent=None):
    message = {"id": name, "model": SONNET, "content": [{"type": "text", "text": "x"}], "usage": usage}
    return {"type": "assistant", "message": message, "parent_tool_use_id": parent}


BEGUN = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}


@pytest.mark.parametrize(
    ("name", "exit_code", "ok", "why", "unavailable", "resume_refused"),
    [
        ("stream-json", 0, True, "", False, False),
        ("stream-json", 1, False, "Claude Code exited with code 1", False, False),
        ("stream-json", None, False, "Claude Code ended by a signal", False, False),
        ("f-drop-mid-once", 0, True, "", False, False),
        ("f-http401", 1, False, "Failed to authenticate. API Error: 401 mock error 401", True, False),
        ("f-http529", 1, False, "API Error: 529 mock error 529.", True, False),
        ("f-http429-retryafter", 0, True, "", False, False),
        ("k-sigint-hang", 0, False, "Claude Code exited with code 0 without an answer", False, False),
        ("k-sigterm-bash", 143, False, "Claude Code exited with code 143 without an answer", False, False),
        ("max-turns", 1, False, "it may not ask its model more often: Reached maximum number", False, False),
        ("max-budget", 1, False, "it may not cost more: Reached maximum budget ($0.05)", False, False),
        ("s9b-resume-unknown-streamjson", 1, False, "No conversation found with session ID", False, True),
        ("subagent", 0, True, "", False, False),
        ("tool-bash-denied", 0, True, "", False, False),
    ],
)
def test_a_run_is_good_only_with_a_result_that_is_no_error_and_exit_0(
    tmp_path, name, exit_code, ok, why, unavailable, resume_refused
):
    result = reader(tmp_path, recorded(name)).result(exit_code)
    assert (result.ok, result.unavailable, result.resume_refused) == (ok, unavailable, resume_refused)
    assert result.why.startswith(why)
    assert bool(result.why) != ok
    assert ok or name == "stream-json" or result.text == "", "an error is no answer"


@pytest.mark.parametrize(
    ("status", "terminal", "unavailable"),
    [
        (None, "api_error", True),
        (404, "api_error", True),
        (429, "api_error", True),
        (500, "api_error", True),
        (400, "api_error", False),
        (413, "api_error", False),
        (None, "max_turns", False),
        (None, None, False),
    ],
)
def test_another_model_is_worth_a_try_unless_the_request_is_at_fault(tmp_path, status, terminal, unavailable):
    row = ended({}, {}, is_error=True, terminal_reason=terminal, api_error_status=status)
    assert reader(tmp_path, lines(row)).result(1).unavailable == unavailable


def test_a_resume_that_is_refused_before_any_line_is_known_by_the_standard_error(tmp_path):
    result = reader(tmp_path, b"", errors="No conversation found with session ID: 1\n").result(1)
    assert result.resume_refused
    assert result.why == ("Claude Code exited with code 1 without an answer: No conversation found with session ID: 1")


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("stream-json", RunUsage(0, 2, 9683, 2356, 6878)),
        ("stream-json-input", RunUsage(0, 2, 13349, 10745, 28218)),
        ("subagent", RunUsage(0, 32, 34759, 9393, 27278)),
        ("tool-bash-denied", RunUsage(0, 19, 19816, 4383, 13129)),
        ("asked", RunUsage(0, 52, 18775, 3918, 12193)),
    ],
)
def test_the_usage_is_what_the_server_billed(tmp_path, name, usage):
    """As written down by the server of the recordings: subagents, several turns and interrupted ones included."""
    result = reader(tmp_path, recorded(name)).result(0)
    assert result.usage == usage
    assert not result.streamed


def test_totals_over_a_conversation_are_differenced(tmp_path):
    total = {SONNET: model_usage(100, 20, 30, 40, 0.5), "claude-opus-5-5": model_usage(1, 2, 3, 4, 0.25)}
    before = RunUsage(60, 10, 30, 4, 500_000)
    result = reader(tmp_path, lines(ended(total)), facts=Facts(before=before)).result(0)
    assert result.usage == RunUsage(41, 12, 3, 40, 250_000)


def test_several_totals_in_one_output_are_differenced_one_by_one(tmp_path):
    rows = [ended({SONNET: model_usage(100, 20, usd=0.1)}), ended({SONNET: model_usage(150, 30, usd=0.2)})]
    result = reader(tmp_path, lines(*rows), facts=Facts(before=RunUsage(90, 0, cost_microusd=0))).result(0)
    assert result.usage == RunUsage(60, 30, cost_microusd=200_000)
    assert result.text == "done\n\ndone"


def test_a_total_smaller_than_what_was_booked_before_is_no_negative_use(tmp_path):
    facts = Facts(before=RunUsage(900, 900, 900, 900, 900_000))
    result = reader(tmp_path, lines(ended({SONNET: model_usage(1, 1, 1, 1, 0.1)})), facts=facts).result(0)
    assert result.usage == RunUsage(0, 0, cost_microusd=0)


def test_a_later_turn_that_tells_totals_alone_tells_nothing(tmp_path):
    first = lines(ended({SONNET: model_usage(100)}))
    output = first + lines(ended({SONNET: model_usage(150)}))
    assert reader(tmp_path, output, start=len(first)).result(0).usage is None


def test_what_the_client_knows_no_price_of_has_none(tmp_path):
    turn = {SONNET: model_usage(1, usd=0.1), "other": model_usage(2, usd=0.0, basis="unknown")}
    assert reader(tmp_path, lines(ended({}, turn))).result(0).usage == RunUsage(3, 0, cost_microusd=None)


def test_what_responses_tell_while_they_go_is_a_lower_bound_and_each_counts_once(tmp_path):
    reading = reader(tmp_path, lines(response("m1", BEGUN), response("m1", BEGUN), response("m2", BEGUN, "toolu_1")))
    told(reading)
    assert reading.usage == RunUsage(20, 2, 10, 6)
    assert reading.turns == 2
    result = reading.result(None)
    assert (result.usage, result.streamed, result.turns) == (reading.usage, True, 2)


def test_a_finished_response_tells_its_whole_output(tmp_path):
    output = recorded("stream-json-partial")
    before_the_end = output[: output.rindex(b'{"duration_api_ms"')]
    assert reader(tmp_path, before_the_end).result(None).usage == RunUsage(0, 5, 7767, 4281)


def test_the_end_of_a_turn_takes_the_place_of_what_its_responses_told(tmp_path):
    rows = [response("m1", BEGUN), ended({}, {SONNET: model_usage(10, 50, 5, 3, 0.01)}), response("m1", BEGUN)]
    reading = reader(tmp_path, lines(*rows))
    told(reading)
    assert reading.usage == RunUsage(10, 50, 5, 3, 10_000)
    more = reader(tmp_path, lines(*rows, response("m2", BEGUN)))
    told(more)
    assert more.usage == RunUsage(20, 51, 10, 6)


ABORTED = {"is_error": True, "terminal_reason": "aborted_streaming"}


def test_a_turn_that_was_broken_off_and_tells_nothing_keeps_what_its_responses_told(tmp_path):
    told_before = ended({}, {SONNET: model_usage(1, 1, 1, 1, 0.01)})
    result = reader(tmp_path, lines(told_before, response("m1", BEGUN), ended({}, {}, **ABORTED))).result(0)
    assert (result.usage, result.streamed) == (RunUsage(11, 2, 6, 4, cost_microusd=None), True)


def test_what_a_turn_used_that_was_broken_off_before_any_response_is_unknown(tmp_path):
    result = reader(tmp_path, lines(ended({}, {}, **ABORTED))).result(0)
    assert (result.usage, result.streamed) == (None, True)


def test_what_a_turn_tells_that_was_broken_off_is_what_it_used(tmp_path):
    rows = [response("m1", BEGUN), ended({}, {SONNET: model_usage(10, 7, 5, 3, 0.01)}, **ABORTED)]
    result = reader(tmp_path, lines(*rows)).result(0)
    assert (result.usage, result.streamed) == (RunUsage(10, 7, 5, 3, 10_000), False)


def test_usage_that_cannot_be_read_is_unknown_and_not_zero(tmp_path):
    reading = reader(tmp_path, lines(ended({}, {SONNET: {"inputTokens": "many"}})))
    assert reading.result(0).usage is None


def test_the_raw_usage_is_as_the_client_told_it(tmp_path):
    turn = {SONNET: model_usage(1)}
    one = reader(tmp_path, lines(ended({}, turn))).result(0).raw_usage
    two = reader(tmp_path, lines(ended({}, turn), ended({}, {}))).result(0).raw_usage
    assert two == f"[{one},{{}}]"


def delta(name, index, words):
    event = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": words}}
    return {"type": "stream_event", "api_message_id": name, "event": event}


def aborted():
    return ended({}, {}, is_error=True, result=None, subtype="error_during_execution", terminal_reason="aborted")


@pytest.mark.parametrize("rows", [[], [aborted()]])
def test_what_a_broken_off_turn_has_said_so_far_is_kept(tmp_path, rows):
    said = [delta("m1", 0, "I begin"), response("m1", BEGUN), delta("m2", 0, "and go "), delta("m2", 0, "on, but ")]
    result = reader(tmp_path, lines(*said, *rows)).result(None)
    assert (result.ok, result.text) == (False, "I begin\n\nand go on, but")


def test_what_was_said_in_turns_that_ended_well_is_not_told_twice(tmp_path):
    rows = [delta("m1", 0, "one"), ended({}, {}, result="one"), delta("m2", 0, "tw")]
    assert reader(tmp_path, lines(*rows)).result(None).text == "one\n\ntw"
    assert reader(tmp_path, lines(*rows[:2])).result(0).text == "one"


def test_a_held_turn_that_is_broken_off_says_what_it_has_said(tmp_path):
    taken = {"type": "user", "uuid": message_id(), "isReplay": True, "message": {"content": "go"}}
    rows = [taken, delta("m1", 0, "half a"), aborted()]
    over = told(reader(tmp_path, lines(*rows), facts=Facts(open=True)))[-1]
    assert (over.result.ok, over.result.text) == (False, "half a")
