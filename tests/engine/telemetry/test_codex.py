"""Each response in Codex's rollout files is counted once: records, counters, their twins and their repetitions."""

import json

import pytest
import zstandard

THREAD = "01a1fb94-9990-7dc2-aaa2-018b37779d51"
PARENT = "01a1fb94-0000-7dc2-aaa2-018b37779d51"
FILE = f"2026/11/21/rollout-2026-11-21T00-49-42-{THREAD}.jsonl"
META = {"type": "session_meta", "timestamp": "2026-11-10T10:00:00Z", "payload": {"id": THREAD, "cwd": "/w"}}
TURN = {"type": "turn_context", "payload": {"model": "gpt-6.1-sol"}}


def tokens(prompt, output, cached=0, write=0, reasoning=0, total=None):
    return {
        "input_tokens": prompt,
        "cached_input_tokens": cached,
        "cache_write_input_tokens": write,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
        "total_tokens": prompt + output if total is None else total,
    }


def counter(second, total, last=None, limits=None):
    info = {"total_token_usage": total, "last_token_usage": last, "model_context_window": 272000}
    payload = {"type": "token_count", "info": info, "rate_limits": limits}
    return {"timestamp": f"2026-11-10T10:00:{second:02}.100Z", "type": "event_msg", "payload": payload}


def record(second, response_id, used, total, thread=THREAD):
    payload = {"thread_id": thread, "response_id": response_id, "usage": used, "thread_token_usage": total}
    return {"timestamp": f"2026-11-10T10:00:{second:02}.000Z", "type": "token_usage_record", "payload": payload}


ONE, TWO = tokens(100, 10), tokens(150, 5)
BOTH = tokens(250, 15)


def read(home, *rows):
    home.write(FILE, *rows)
    home.read()
    return home


def test_counters_are_counted_by_their_own_last_usage(codex_home):
    home = read(codex_home, META, TURN, counter(1, ONE, ONE), counter(2, BOTH, TWO))
    assert home.totals() == (250, 0, 0, 15)
    assert [response.model for response in home.responses.values()] == ["gpt-6.1-sol"] * 2


def test_a_counter_sent_again_is_not_counted_again(codex_home):
    rows = [META, counter(1, ONE, ONE), counter(2, ONE, ONE, {"primary": 1}), counter(3, BOTH, TWO)]
    assert read(codex_home, *rows).totals() == (250, 0, 0, 15)


def test_moved_means_any_field_moved(codex_home):
    bare = [
        {"input_tokens": 100, "output_tokens": 10},
        {"input_tokens": 90, "output_tokens": 20},
    ]
    rows = [META, counter(1, bare[0], bare[0]), counter(2, bare[1], bare[1]), counter(3, bare[1], bare[1])]
    assert read(codex_home, *rows).totals() == (190, 0, 0, 30)


def test_rate_limits_only_is_no_response(codex_home):
    limits = {"type": "event_msg", "payload": {"type": "token_count", "info": None, "rate_limits": {}}}
    home = read(codex_home, META, limits, counter(1, ONE, ONE))
    assert home.totals() == (100, 0, 0, 10)
    assert home.refused == {}


def test_a_record_stands_for_its_counter(codex_home):
    rows = [META, record(1, "r1", ONE, ONE), counter(1, ONE, ONE), record(2, "r2", TWO, BOTH), counter(2, BOTH, TWO)]
    home = read(codex_home, *rows)
    assert list(home.responses) == ["r1", "r2"]
    assert home.totals() == (250, 0, 0, 15)


def test_a_record_and_its_counter_in_two_reads(codex_home):
    read(codex_home, META, record(1, "r1", ONE, ONE))
    codex_home.append(FILE, counter(1, ONE, ONE))
    codex_home.read()
    assert list(codex_home.responses) == ["r1"]


def test_a_counter_before_its_record_is_counted_once_too(codex_home):
    home = read(codex_home, META, counter(1, ONE, ONE), record(1, "r1", ONE, ONE))
    assert home.totals() == (100, 0, 0, 10)


def test_records_only_from_the_middle_on(codex_home):
    last = tokens(300, 20)
    total = tokens(550, 35)
    rows = [counter(1, ONE, ONE), counter(2, BOTH, TWO), record(3, "r3", last, total), counter(3, total, last)]
    home = read(codex_home, META, *rows)
    assert home.totals() == (550, 0, 0, 35)
    assert len(home.responses) == 3


def test_a_record_of_another_thread_and_its_copied_counter_are_not_counted(codex_home):
    copied = [record(1, "p1", ONE, ONE, PARENT), counter(1, ONE, ONE)]
    home = read(codex_home, META, *copied, record(2, "r2", TWO, BOTH), counter(2, BOTH, TWO))
    assert list(home.responses) == ["r2"]


def test_a_checkpoint_in_a_compaction_is_never_counted(codex_home):
    checkpoint = {"type": "compacted", "payload": {"latest_token_usage_record": record(1, "r0", ONE, ONE)["payload"]}}
    home = read(codex_home, META, checkpoint, record(1, "r1", TWO, TWO))
    assert list(home.responses) == ["r1"]


def test_totals_only_are_counted_by_their_difference(codex_home):
    home = read(codex_home, META, counter(1, ONE), counter(2, BOTH), counter(3, BOTH))
    assert home.totals() == (250, 0, 0, 15)
    assert {response.basis for response in home.responses.values()} == {"session_delta"}


def test_totals_only_behind_a_record_are_its_twin(codex_home):
    home = read(codex_home, META, counter(1, ONE), record(2, "r2", TWO, BOTH), counter(2, BOTH))
    assert home.totals() == (250, 0, 0, 15)


def test_a_forks_first_totals_hold_its_parents_and_are_only_a_start(codex_home):
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    assert read(codex_home, fork, counter(1, ONE), counter(2, BOTH)).totals() == (150, 0, 0, 5)


@pytest.mark.parametrize("after", [tokens(150, 5), tokens(160, 12)])
def test_when_totals_fall_the_rows_own_last_usage_counts(codex_home, after):
    big = tokens(9000, 900)
    home = read(codex_home, META, counter(1, big, big), counter(2, after, tokens(150, 5)))
    assert home.totals() == (9150, 0, 0, 905)


@pytest.mark.parametrize(("between", "told"), [([], "inferred"), ([counter(2, tokens(0, 0))], "final")])
def test_totals_only_that_fall_start_anew(codex_home, between, told):
    home = read(codex_home, META, counter(1, tokens(9000, 900)), *between, counter(3, ONE))
    assert home.totals() == (9100, 0, 0, 910)
    assert [response.confidence for response in home.responses.values()] == ["final", told]


def test_a_context_estimate_is_no_request(codex_home):
    estimate = tokens(0, 0, total=12000)
    home = read(codex_home, META, counter(1, ONE, ONE), counter(2, tokens(100, 10, total=12110), estimate))
    assert len(home.responses) == 1


def test_cached_and_written_tokens_are_inside_input_and_reasoning_inside_output(codex_home):
    used = tokens(1000, 50, cached=600, write=300, reasoning=40)
    (response,) = read(codex_home, META, counter(1, used, used)).responses.values()
    assert (response.input_tokens, response.cache_read_tokens, response.cache_write_tokens) == (100, 600, 300)
    assert (response.output_tokens, response.reasoning_tokens) == (50, 40)


def test_the_model_is_the_turns_and_may_change_or_be_missing(codex_home):
    other = {"type": "turn_context", "payload": {"model": "gpt-6.1-mini"}}
    rows = [META, counter(1, ONE, ONE), TURN, counter(2, BOTH, TWO), other, counter(3, tokens(300, 20), tokens(50, 5))]
    home = read(codex_home, *rows)
    assert [response.model for response in home.responses.values()] == [None, "gpt-6.1-sol", "gpt-6.1-mini"]


def test_a_counters_key_survives_a_second_read_and_the_archive(codex_home):
    rows = [META, counter(1, ONE, ONE), counter(2, BOTH, TWO)]
    read(codex_home, *rows)
    codex_home.write(f"archived/{FILE.rsplit('/', 1)[1]}", *({"ordinal": n, **row} for n, row in enumerate(rows)))
    codex_home.cursors.clear()
    codex_home.read()
    assert codex_home.totals() == (250, 0, 0, 15)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "user_message", "message": " fix it "},
        {"type": "item_completed", "item": {"type": "UserMessage", "content": [{"type": "text", "text": "fix it"}]}},
    ],
)
def test_title_and_session_facts(codex_home, event):
    home = read(codex_home, META, {"type": "event_msg", "payload": event}, counter(5, ONE, ONE))
    session = home.sessions[THREAD]
    assert (session.title, session.workspace) == ("fix it", "/w")
    assert (session.started_ms, session.last_active_ms) == (1794304800000, 1794304805100)


def test_a_file_name_without_a_thread_takes_the_id_from_its_meta(codex_home):
    codex_home.write("rollout-odd.jsonl", META, counter(1, ONE, ONE))
    codex_home.read()
    assert list(codex_home.sessions) == [THREAD]
    assert all(key.startswith(THREAD) for key in codex_home.responses)


def test_spaced_json_is_read_and_quoted_rows_are_not(codex_home):
    spaced = [json.dumps(row, separators=(" , ", " : ")).encode() + b"\n" for row in (TURN, counter(1, ONE, ONE))]
    quoted = {"type": "response_item", "payload": {"type": "message", "text": json.dumps(counter(2, BOTH, TWO))}}
    nested = {"type": "response_item", "payload": counter(2, BOTH, TWO)}
    home = read(codex_home, META, *spaced, quoted, nested)
    assert [response.model for response in home.responses.values()] == ["gpt-6.1-sol"]
    assert (home.totals(), home.refused) == ((100, 0, 0, 10), {})


@pytest.mark.parametrize("spawned", [{"forked_from_id": PARENT}, {"parent_thread_id": PARENT}, {}])
def test_a_fork_is_known_by_its_own_meta_or_by_its_parents(codex_home, spawned):
    own = {**META, "payload": {"id": THREAD, **spawned}}
    metas = [own] if spawned else [own, {**META, "payload": {"id": PARENT}}]
    codex_home.write(FILE.replace(THREAD, PARENT), META | {"payload": {"id": PARENT}}, counter(0, ONE, ONE))
    home = read(codex_home, *metas, counter(1, ONE, ONE), counter(2, BOTH, TWO))
    assert home.totals() == (250, 0, 0, 15)
    assert home.dropped == {"replay": 1}
    assert home.sessions[THREAD].forked_from == PARENT


def test_a_thread_that_is_no_fork_may_answer_at_once(codex_home):
    rows = [counter(0, ONE, ONE), counter(0, BOTH, TWO)]
    assert read(codex_home, META, *rows).totals() == (250, 0, 0, 15)


def test_a_record_without_its_counter_is_no_part_of_the_next_difference(codex_home):
    home = read(codex_home, META, counter(1, ONE), record(2, "r2", TWO, BOTH), counter(3, tokens(300, 20)))
    assert home.totals() == (300, 0, 0, 20)


def test_totals_that_come_after_the_usage_they_hold_add_nothing(codex_home):
    home = read(codex_home, META, counter(1, None, ONE), counter(2, ONE, ONE), counter(3, BOTH))
    assert home.totals() == (250, 0, 0, 15)


@pytest.mark.parametrize(("first", "own"), [(tokens(150, 15), (50, 0, 0, 5)), (tokens(40, 4), (40, 0, 0, 4))])
def test_a_fork_that_copies_nothing_and_tells_only_totals_starts_from_its_parents(codex_home, first, own):
    codex_home.write(FILE.replace(THREAD, PARENT), META | {"payload": {"id": PARENT}}, counter(1, ONE))
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    home = read(codex_home, fork, counter(30, first))
    assert home.totals() == (100 + own[0], 0, 0, 10 + own[3])
    assert sorted(response.confidence for response in home.responses.values()) == ["final", "inferred"]


def test_alike_but_long_after_the_copy_is_own(codex_home):
    """The parent's second row was not copied; the child answered in just the same way, half a minute later."""
    parent = [META | {"payload": {"id": PARENT}}, counter(1, ONE, ONE), counter(2, BOTH, TWO)]
    codex_home.write(FILE.replace(THREAD, PARENT), *parent)
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    home = read(codex_home, fork, counter(10, ONE, ONE), counter(40, BOTH, TWO))
    assert home.totals() == (250 + 150, 0, 0, 15 + 5)


def test_an_old_counter_sent_again_behind_a_record_is_not_counted_again(codex_home):
    home = read(codex_home, META, counter(1, ONE, ONE), record(2, "r2", TWO, BOTH), counter(3, ONE, ONE))
    assert home.totals() == (250, 0, 0, 15)
    assert home.dropped == {"unchanged": 1}


def test_copied_rows_are_matched_in_order(codex_home):
    """The fork's totals start anew, so that its first own response looks like the parent's first."""
    parent = [META | {"payload": {"id": PARENT}}, counter(1, ONE, ONE), counter(2, BOTH, TWO)]
    codex_home.write(FILE.replace(THREAD, PARENT), *parent)
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    home = read(codex_home, fork, counter(10, ONE, ONE), counter(10, BOTH, TWO), counter(12, ONE, ONE))
    assert home.totals() == (250 + 100, 0, 0, 15 + 10)
    assert home.dropped == {"replay": 2}


def test_a_long_burst_of_a_missing_parents_rows_goes_on_while_rows_come_on_its_heels(codex_home):
    burst = [{**counter(0, tokens(n * 100, n), tokens(100, 1))} for n in range(1, 31)]
    for n, row in enumerate(burst):
        row["timestamp"] = f"2026-11-10T10:00:{n * 80 // 1000:02}.{n * 80 % 1000:03}Z"
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    home = read(codex_home, fork, *burst, counter(4, tokens(3200, 50), tokens(200, 20)))
    assert home.totals() == (200, 0, 0, 20)
    assert home.dropped == {"replay_inferred": 30}


def test_a_parent_that_cannot_be_read_as_a_whole_is_no_witness(codex_home):
    rows = [META | {"payload": {"id": PARENT}}, counter(0, ONE, ONE), {"type": "x", "pad": "y" * 999}]
    packed = zstandard.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    codex_home.write(f"{FILE.replace(THREAD, PARENT)}.zst", packed + packed[:-9])
    fork = {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}
    home = read(
        codex_home, fork, counter(0, ONE, ONE), counter(0, BOTH, TWO), counter(9, tokens(300, 20), tokens(50, 5))
    )
    assert home.dropped["replay_inferred"] == 2


def test_a_parent_that_was_replaced_is_read_anew(codex_home):
    parent, other = FILE.replace(THREAD, PARENT), THREAD.replace("9990", "9991")
    meta = META | {"payload": {"id": PARENT}}
    codex_home.write(parent, meta, counter(1, BOTH, BOTH), counter(2, tokens(9000, 900), ONE))
    read(codex_home, {**META, "payload": {"id": THREAD, "forked_from_id": PARENT}}, counter(5, BOTH, BOTH))
    codex_home.write(parent, meta, counter(1, ONE, ONE))
    fork = {**META, "payload": {"id": other, "forked_from_id": PARENT}}
    codex_home.write(FILE.replace(THREAD, other), fork, counter(5, ONE, ONE))
    codex_home.cursors.clear()
    codex_home.read()
    assert not [key for key in codex_home.responses if key.startswith(other)]
