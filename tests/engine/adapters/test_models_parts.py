"""The parts of the program that asks models: pauses, conversations on disk, bills, and what is put out."""

import json
import os
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.runner.bill import Bill, used
from engine.adapters.runner.faults import Fault, NoConversation
from engine.adapters.runner.history import History
from engine.adapters.runner.job import Job, JobPart, Retries
from engine.adapters.runner.out import merged
from engine.adapters.runner.refusal import words
from engine.adapters.runner.retry import may_pass, pause_s, retry_after_s, unavailable
from engine.adapters.runner.talk import Answer, Message, Text, Told
from engine.contract.launch import RunUsage
from engine.contract.progress import Noted, Said, Thought

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW_S + 30, UTC), usegmt=True)}, 30.0),
        ({"retry-after": format_datetime(datetime.fromtimestamp(NOW_S - 30, UTC), usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Wed, 99 Oct 99999 07:28:00 GMT"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_how_long_a_server_wants_us_to_wait(headers, expected):
    assert retry_after_s(headers, NOW_S) == expected


@given(st.text(max_size=40))
def test_whatever_stands_in_the_header_is_a_time_or_nothing(text):
    told = retry_after_s({"retry-after": text}, NOW_S)
    assert told is None or told >= 0


@pytest.mark.parametrize(
    ("status", "again", "gone"),
    [
        *((status, False, False) for status in (307, 400, 413, 422)),
        *((status, False, True) for status in (401, 402, 403, 404)),
        *((status, True, True) for status in (408, 409, 429, 500, 503, 529)),
    ],
)
def test_what_a_status_means(status, again, gone):
    assert (may_pass(status, {}), unavailable(status)) == (again, gone)
    assert may_pass(status, {"x-should-retry": "true"})
    assert not may_pass(status, {"x-should-retry": "false"})


POLICY = Retries(most=3, first_s=1.0, longest_s=5.0, total_s=30.0)


@pytest.mark.parametrize(
    ("tried", "after_s", "spent_s", "chance", "expected"),
    [
        (1, None, 0.0, 1.0, 1.0),
        (1, None, 0.0, 0.0, 0.5),
        (2, None, 2.0, 1.0, 2.0),
        (3, None, 4.0, 1.0, 4.0),
        (4, None, 4.0, 1.0, None),
        (1, 20.0, 0.0, 0.0, 20.0),
        (1, 20.0, 11.0, 0.0, None),
        (1, 3600.0, 0.0, 0.0, None),
        (1, None, 29.9, 1.0, None),
        (1, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_when_a_server_is_asked_again(tried, after_s, spent_s, chance, expected):
    assert pause_s(POLICY, tried, after_s, spent_s, chance) == expected


@given(st.integers(1, 9), st.none() | st.floats(0, 1e9), st.floats(0, 100), st.floats(0, 1))
def test_no_pause_goes_beyond_the_time_there_is_nor_below_what_the_server_wants(tried, after_s, spent_s, chance):
    pause = pause_s(POLICY, tried, after_s, spent_s, chance)
    assert pause is None or (spent_s + pause <= POLICY.total_s and pause >= (after_s or 0) and tried <= POLICY.most)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "slow\\ndown", "type": "x"}}', "slow down"),
        (b'{"type": "error", "error": {"type": "x", "message": "m"}}', "m"),
        (b'{"error": "no model"}', "no model"),
        (b'{"detail": [{"msg": "bad"}]}', '[{"msg":"bad"}]'),
        (b"<html>\n502 Bad Gateway", "<html> 502 Bad Gateway"),
        (b"", ""),
        (b"[" * 10_000, "[" * 300),
    ],
)
def test_what_a_refusal_says_is_one_line(body, expected):
    assert words(body) == expected


# Conversations


def job(folder, **changes):
    fields = {"api": "chat", "base_url": "http://x", "model": "m", "workspace": "/w", "folder": str(folder)}
    fields |= {"system": (), "message": (JobPart("x"),), "conversation": "one"}
    return Job(**{**fields, **changes})


def said(*texts):
    return tuple(Message("user" if place % 2 == 0 else "assistant", (Text(text),)) for place, text in enumerate(texts))


def text_of(messages):
    return [block.text for message in messages for block in message.blocks]


def test_a_conversation_goes_on_where_it_was(tmp_path):
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    going = History(job(tmp_path, resume=True))
    assert text_of(going.messages) == ["a", "b"]
    going.add(said("c", "d"), whole=False)
    assert text_of(History(job(tmp_path, resume=True)).messages) == ["a", "b", "c", "d"]
    path = tmp_path / "one.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["whole"] for line in path.read_text().splitlines()] == [True, False]


def test_a_fork_begins_as_a_copy_and_leaves_the_other_as_it_was(tmp_path):
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    before = (tmp_path / "one.jsonl").read_bytes()
    fork = History(job(tmp_path, conversation="two", fork_of="one"))
    assert not (tmp_path / "two.jsonl").exists()
    fork.add(said("c", "d"), whole=True)
    assert text_of(History(job(tmp_path, conversation="two", resume=True)).messages) == ["a", "b", "c", "d"]
    assert (tmp_path / "one.jsonl").read_bytes() == before


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_turn_that_was_written_in_part_is_none(tmp_path, cut):
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    path = tmp_path / "one.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes()[:cut])
    going = History(job(tmp_path, resume=True))
    assert text_of(going.messages) == ["a", "b"]
    going.add(said("c", "d"), whole=True)
    assert text_of(History(job(tmp_path, resume=True)).messages) == ["a", "b", "c", "d"]
    assert text_of(History(job(tmp_path, conversation="two", fork_of="one")).messages) == ["a", "b", "c", "d"]


def test_a_part_of_a_turn_longer_than_a_step_is_cut_off(tmp_path):
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    path = tmp_path / "one.jsonl"
    path.write_bytes(path.read_bytes() + b"x" * 200_000)
    History(job(tmp_path, resume=True)).add(said("c", "d"), whole=True)
    assert len(path.read_bytes().splitlines()) == 2


BAD = ["../one", "/etc/passwd", "", ".", "a/b", "one.jsonl", "x" * 201, "o\0ne", "ö"]


@pytest.mark.parametrize("bad", BAD)
def test_an_id_leads_nowhere_else(tmp_path, bad):
    inner = tmp_path / "inner"
    inner.mkdir()
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    with pytest.raises(NoConversation):
        History(job(inner, conversation=bad, resume=True))
    with pytest.raises(NoConversation):
        History(job(inner, conversation="new", fork_of=bad))
    with pytest.raises(Fault):
        History(job(inner, conversation=bad))


def test_a_conversation_that_is_not_there_or_is_no_file_is_unknown(tmp_path):
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "one.jsonl")
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name in ("none", "link", "pipe"):
        with pytest.raises(NoConversation):
            History(job(tmp_path, conversation=name, resume=True))


def test_a_conversation_that_cannot_be_read_is_unknown(tmp_path):
    (tmp_path / "one.jsonl").write_bytes(b'{"messages": 3}\n')
    with pytest.raises(NoConversation):
        History(job(tmp_path, resume=True))


def test_a_new_conversation_takes_the_place_of_an_attempt_before(tmp_path):
    History(job(tmp_path)).add(said("a", "b"), whole=True)
    History(job(tmp_path)).add(said("c", "d"), whole=True)
    assert text_of(History(job(tmp_path, resume=True)).messages) == ["c", "d"]
    assert [path.name for path in tmp_path.iterdir()] == ["one.jsonl"]


def test_a_folder_that_is_gone_is_said(tmp_path):
    history = History(job(tmp_path / "gone"))
    with pytest.raises(Fault, match="cannot be kept"):
        history.add(said("a"), whole=True)


# Bills

WORDS = (Text("x" * 40),)


@pytest.mark.parametrize(
    ("answer", "usage", "estimated"),
    [
        (Answer(WORDS, Told(7, 3, 2, 1), "end"), RunUsage(7, 3, 2, 1), False),
        (Answer(WORDS, Told(7, 1, 2, 1), "cut"), RunUsage(7, 10, 2, 1), True),
        (Answer(WORDS, Told(7, 30, 2, 1), "cut"), RunUsage(7, 30, 2, 1), False),
        (Answer(WORDS, Told(), "cut"), RunUsage(100, 10), True),
        (Answer((), Told(), "cut"), RunUsage(100, 0), True),
        (Answer(WORDS, Told(None, 3), "end"), RunUsage(100, 3), True),
        (Answer(WORDS, Told(0, 0), "end"), RunUsage(0, 0), False),
    ],
)
def test_what_a_request_has_used(answer, usage, estimated):
    assert used(answer, 400) == (usage, estimated)


def test_a_bill_adds_up_and_says_what_of_it_is_estimated():
    lines = []
    bill = Bill(lines.append)
    bill.open(400)
    bill.close_free()
    bill.open(400)
    bill.close(Answer((), Told(), "cut"), asked=False)
    bill.open(400)
    bill.show(Answer(WORDS, Told(5, 1), "cut"))
    bill.close(Answer(WORDS, Told(5, 9), "end", {"out": 9}))
    bill.close(Answer(WORDS, Told(5, 9), "end"))  # nothing is open
    assert [(one.usage, one.rounds, one.told, one.untold, one.partial) for one in lines] == [
        (RunUsage(0, 0), 0, 0, 0, False),
        (RunUsage(100, 0), 0, 0, 1, True),
        (RunUsage(105, 10), 1, 1, 2, True),
        (RunUsage(105, 9), 1, 1, 1, True),
    ]
    assert lines[-1].raw == ({}, {"out": 9})


def test_words_that_follow_each_other_are_put_out_as_one():
    noted = Noted("warning", "x")
    told = [Said("a"), Said("b"), Thought("c"), noted, Said("d"), Said("e")]
    assert merged(told) == [Said("ab"), Thought("c"), noted, Said("de")]
