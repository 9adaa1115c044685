"""Requests of a run as bars, and its tools: only what is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.responses import BookedResponse
from tests.tui.test_run_gate import detail
from tui.reading.tools_seen import ToolSeen
from tui.screens.waterfall import SHOWN, bar, tool_lines, waterfall_lines
from tui.widgets.cells import line_width


def row(at_ms, read=0, wrote=0, put_in=0, out=0, log="/l"):
    empty = dict.fromkeys(BookedResponse.__struct_fields__)
    parts = {
        "input_tokens": put_in, "cache_read_tokens": read, "cache_write_tokens": wrote, "output_tokens": out,
    }  # fmt: skip
    return BookedResponse(**empty | parts | {"at_ms": at_ms, "log": log, "basis": "per_run", "confidence": "final"})


def text(lines):
    return ["".join(part for part, _ in line) for line in lines]


def ran(rows, width=100, **fields):
    return text(waterfall_lines(detail({"started_ms": 1_000, **fields}, usage=tuple(rows)), width))


def test_each_request_has_its_time_its_tokens_and_a_bar():
    head, titles, first, second = ran([row(3_000, 30_000, 9_000, 1_000, 512), row(9_000, 60_000, 0, 40, 512)])
    assert head.startswith("requests   2; = read from the cache, + written to it, # in, o out")
    assert titles.split()[:3] == ["at", "after", "tokens"]
    assert first.split()[:6] == ["+2.0", "s", "2.0", "s", "40.5k", first.split()[5]]
    assert first.split()[6:] == ["30.0k", "9.0k", "1.0k", "512"]
    assert "=++" in first
    assert "+8.0 s" in second
    assert "6.0 s" in second


@pytest.mark.parametrize("width", [40, 58, 78, 118])
def test_no_line_is_longer_than_the_page(width):
    rows = [row(1_000 + 600_000 * number, 11_000 * number, 10, 41, 5) for number in range(30)]
    lines = waterfall_lines(detail({"started_ms": 0}, usage=tuple(rows)), width)
    assert max(map(line_width, lines[1:])) <= width


def test_one_sum_for_a_whole_run_is_no_request():
    assert ran([row(3_000, out=5, log=None)]) == [
        "requests   one sum for the whole run; its agent tells of none by itself"
    ]
    assert len(ran([row(3_000, out=5, log=None)], turns=1)) == 3
    assert len(ran([row(3_000, out=5)])) == 3
    assert ran([]) == []


def test_of_many_requests_the_last_are_shown_each_after_the_one_before():
    lines = ran([row(1_000 * number, out=1) for number in range(1, SHOWN + 3)])
    assert f"{SHOWN + 2}; the last {SHOWN} of them" in lines[0]
    assert len(lines) == SHOWN + 2
    assert "1.0 s" in lines[2]
    assert "+2.0 s" in lines[2]


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4).filter(any), st.integers(8, 100), st.integers(1, 4))
def test_a_bar_keeps_its_room_and_shows_all_that_was_used(parts, room, times):
    found = row(0, *parts)
    made = bar(found, sum(parts) * times, room)
    assert 1 <= line_width(made) <= room
    used = [mark for number, mark in zip(parts, "=+#o", strict=True) if number]
    assert [one[0][0] for one in made] == used


def test_tools_stand_in_their_order_and_failed_ones_are_counted():
    tools = (ToolSeen("Read", "a.py", True), ToolSeen("Bash", "make", False), ToolSeen("Read", "b.py", None))
    assert text(tool_lines(tools)) == [
        "tools   3 uses: Read 2, Bash 1; 1 failed; in this order",
        "  ok  Read  a.py",
        "  NO  Bash  make",
        "  ?   Read  b.py",
    ]
    assert tool_lines(None) == tool_lines(()) == []
