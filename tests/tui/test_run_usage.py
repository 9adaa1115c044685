"""A run's usage as reported and as booked, side by side."""

import json

import pytest

from state import runs
from state.responses import BookedResponse
from tests.tui.test_run_gate import page_lines
from tui.reading.details import RunDetail
from tui.reading.reported import reported
from tui.screens.run_usage import usage_lines
from tui.widgets.cells import line_width

RUN = dict.fromkeys(runs.Run.__struct_fields__) | {
    "id": 1, "agent": "coder", "adapter": "command", "lane": "main", "trigger": "operator", "task_type": "chat",
    "task": "do it", "workspace": "/w", "can_read": "[]", "can_write": "[]", "inject": "[]", "state": "settled",
    "outcome": "succeeded", "estimate_tokens": 210, "verdict": "{}", "requested_ms": 0, "started_ms": 0, "ended_ms": 9,
}  # fmt: skip
RESPONSE = dict.fromkeys(BookedResponse.__struct_fields__) | {
    "source": "claude_code", "key": "k", "at_ms": 0, "model": "haiku-4", "input_tokens": 41, "log_gone": 0,
    "cache_read_tokens": 12_038, "cache_write_tokens": 18, "output_tokens": 512, "basis": "per_run",
    "confidence": "final", "cost_microusd": 4_100, "price_origin": "genai-prices 0.2.3",
}  # fmt: skip
RAW = {
    "input_tokens": 40,
    "cache_read_input_tokens": 12_038,
    "cache_creation_input_tokens": 18,
    "output_tokens": 512,
    "total_cost_usd": 0.0041,
}


def detail(*responses, raw=None, **run):
    row = runs.Run(**RUN | run)
    given = {
        "generation": None,
        "session_title": None,
        "verdict": None,
        "parts": (),
        "tail": (),
        "errors": (),
        "held": 0,
    }
    booked = tuple(BookedResponse(**RESPONSE | response) for response in responses)
    return RunDetail(run=row, usage=booked, raw=reported(json.dumps(raw) if raw is not None else None), **given)


def said(found):
    return ["".join(text for text, _ in line).rstrip() for line in usage_lines(found)]


def row(found, name):
    return next(line for line in said(found) if line.strip().startswith(name)).split()


def test_raw_and_booked_stand_side_by_side():
    found = detail({}, raw=RAW)
    assert row(found, "input")[1:] == ["40", "41", "per_run"]
    assert row(found, "cache read")[2:] == ["12,038", "12,038"]
    assert row(found, "cache write")[2:] == ["18", "18"]
    assert row(found, "output")[1:] == ["512", "512"]
    assert row(found, "cost")[1:] == ["$0.0041", "$0.0041", "genai-prices", "0.2.3"]


def test_responses_are_summed_and_the_weak_ones_told():
    less = {"basis": "partial", "confidence": "partial", "output_tokens": 1, "cost_microusd": 10}
    found = detail({"reasoning_tokens": 90, "cache_write_5m_tokens": 8, "cache_write_1h_tokens": 10}, {}, less)
    assert "37,316 tokens, 3 responses" in said(found)[0]
    assert row(found, "input")[1:] == ["-", "123", "2", "per_run,", "1", "partial,", "1", "partial"]
    assert row(found, "cache write")[3:] == ["54", "8", "for", "5", "min,", "10", "for", "1", "h"]
    assert row(found, "output")[2:] == ["1,025", "90", "of", "it", "reasoning"]


@pytest.mark.parametrize(
    ("responses", "cells"),
    [
        ([{"cost_microusd": None, "model": "glm-9"}], ["-", "-", "no", "price", "for", "glm-9", "(1", "response)"]),
        ([{"cost_microusd": 0, "price_origin": None}], ["-", "$0.00", "free"]),
        ([{"price_origin": None}], ["-", "$0.0041", "reported", "by", "the", "agent"]),
    ],
)
def test_a_cost_says_whose_it_is(responses, cells):
    assert row(detail(*responses), "cost")[1:] == cells


def test_a_cost_that_misses_a_part_says_so():
    found = detail({}, {"cost_microusd": None, "model": "glm-9"})
    assert row(found, "cost")[2] == "$0.0041+"
    assert "no price for glm-9 (1 response)" in " ".join(row(found, "cost"))


def test_a_program_is_not_named_as_a_model():
    found = detail({"model": "command", "cost_microusd": None})
    assert "no price, as no model is named (1 response)" in " ".join(row(found, "cost"))
    assert row(found, "model") == ["model", "none", "named"]


def test_what_was_reported_but_not_booked_yet_is_shown():
    found = detail(raw=RAW, state="running")
    assert "not booked yet" in said(found)[0]
    assert row(found, "output")[1:] == ["512", "-"]


@pytest.mark.parametrize(
    ("state", "words"), [("refused", "nothing was spent"), ("running", "not known yet"), ("settled", "none reported")]
)
def test_without_any_usage_it_says_why(state, words):
    assert said(detail(state=state)) == [f"usage   {words}   (estimate 210 tokens)"]


def test_a_log_that_is_gone_is_still_the_evidence():
    found = detail({"log": "/logs/a.jsonl", "log_gone": 1})
    assert "evidence     /logs/a.jsonl (gone, kept by us)" in "\n".join(said(found))


def test_the_page_says_what_the_agent_was_given():
    known = {"prompt_chars": 812, "instructions_chars": 240, "skill_count": 2, "skill_set_hash": "9f8e7d6c5b4a"}
    found = detail({}, task_session_reused=1, context_fetch_mode="delta", **known)
    lines = ["".join(text for text, _ in line) for line in page_lines(found, 0, 118)]
    wanted = "session reused for its task, prompt 812 chars, instructions 240 chars, 2 skills (9f8e7d6c), context delta"
    assert any(wanted in line for line in lines)
    assert not any(
        line.startswith("given") for line in ("".join(t for t, _ in c) for c in page_lines(detail({}), 0, 118))
    )


@pytest.mark.parametrize("width", [60, 78, 112, 118, 180])
def test_no_line_is_wider_than_the_page(width):
    from engine.contract.verdict import ReceiptPart

    found = detail({"log": "/a/very/long/path" * 6, "model": "m" * 80}, raw=RAW | {"note": "x" * 40})
    part = ReceiptPart(kind="file", source="README.md" * 9, chars=9, tokens=3, sha256="x", stable=True)
    from msgspec.structs import replace

    lines = page_lines(replace(found, parts=(part,)), 0, width)
    if width >= 112:
        assert all(line_width(line) <= width for line in lines)
    assert any("README" in text for line in lines for text, _ in line)


@pytest.mark.parametrize("text", [None, "", "null", "[]", "{", '"x"', "7", "\udcff"])
def test_what_is_no_usage_object_is_none(text):
    assert reported(text) is None


def test_other_spellings_are_understood():
    nested = {"usage": {"prompt_tokens": 5, "completion_tokens": 7, "cached_input_tokens": 2}, "cost_usd": 1.5}
    found = reported(json.dumps(nested))
    assert (found.input, found.output, found.cache_read, found.cache_write, found.cost_microusd) == (
        5,
        7,
        2,
        None,
        1_500_000,
    )


@pytest.mark.parametrize("value", [True, "12", None, [], 1e300])
def test_a_number_that_is_none_is_unknown(value):
    assert reported(json.dumps({"input_tokens": value})).input is None


def test_what_else_was_reported_is_clean_and_short():
    found = reported(
        json.dumps(
            {"num_turns": 3, "tier\x1b[2J": "std", "zero": 0, "deep": {"a": 1}} | {f"k{i}": i + 1 for i in range(20)}
        )
    )
    assert found.beside[0] == "num_turns 3"
    assert "\x1b" not in " ".join(found.beside)
    assert len(found.beside) == 6
