"""Lines that are not looked into are lines that could not have mattered."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.telemetry import claude_lines
from engine.telemetry.claude_lines import RESPONSE, TOTALS, candidates
from engine.telemetry.rows import rows_with

USAGE = {"input_tokens": 1, "output_tokens": 2}
STATE = {"modelUsage": {"m": {"cacheCreationInputTokens": 1}}}
TYPES = st.sampled_from(["assistant", "user", "system", "attachment", "cost-state", "file-history-snapshot", "summary"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", 'a "type":"user" b', "{", "}", "\n", "x" * 400, "ü" * 200]),
    st.sampled_from([{"type": "user"}, {"type": "assistant", "usage": USAGE}, [{"type": "text"}], USAGE, STATE]),
)
ROWS = st.tuples(
    TYPES,
    st.dictionaries(
        st.sampled_from(["parentUuid", "message", "usage", "content", "modelUsage", "zz"]), VALUES, max_size=5
    ),
    st.integers(0, 5),
    st.booleans(),
)


def line(kind, fields, place, spaced):
    items = list(fields.items())
    items.insert(place, ("type", kind))
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(dict(items), separators=separators, ensure_ascii=False).encode() + b"\n"


def of_type(rows, kind):
    return [(begin, text) for begin, text in rows if json.loads(text)["type"] == kind]


@pytest.mark.parametrize("short", [0, 10**9], ids=["searched", "hopped"])
@settings(max_examples=300, deadline=None)
@given(rows=st.lists(ROWS, max_size=12))
def test_no_row_that_matters_is_passed_over(short, rows):
    block = b"".join(line(*row) for row in rows)
    plain = claude_lines._SHORT_BYTES
    claude_lines._SHORT_BYTES = max(1, len(block) + 1) if short == 0 else 1
    try:
        found = candidates(block)
    finally:
        claude_lines._SHORT_BYTES = plain
    assert found.lines == len(rows)
    assert of_type(found.responses, "assistant") == of_type(rows_with(block, RESPONSE), "assistant")
    states = of_type(rows_with(block, TOTALS), "cost-state")
    assert [state for state in of_type(found.totals, "cost-state") if TOTALS in state[1]] == states


def test_what_is_told_by_its_head_is_not_looked_into():
    big = {"type": "user", "message": {"content": "x" * 2000, "usage": USAGE, "cacheCreationInputTokens": 1}}
    block = b"".join(json.dumps(big, separators=(",", ":")).encode() + b"\n" for _ in range(3))
    assert candidates(block) == (3, [], [])
