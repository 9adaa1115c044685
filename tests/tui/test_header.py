"""The first line: what it keeps when it gets narrow."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from tui.reading.views import EngineStatus, Spend
from tui.screens.header import DayLimits, day_limits, header_line
from tui.widgets.cells import line_width

HOUR = 3_600_000
UP = EngineStatus("up", started_ms=0, pid=1)


class Day(Struct):
    name: str = "day"
    scope: str = "all"
    spent: int = 41_200
    most: int = 60_000
    level: str = "ok"
    projection: Any = None
    word: str = "ok"
    window: str = "day"
    unit: str = "tokens"


MONEY = Day(name="usd", unit="microusd", spent=830_000, most=25_000_000)


def spend(**figures):
    values = {"today": 41_200, "cost_microusd": 830_000, "unpriced": 0, "responses": 9, "minutes": (), "burn": 1234}
    return Spend(**values | {"running": 4} | figures)


def line(width, day=Day(), money=None, **figures):  # noqa: B008 - it is not changed
    cell = header_line("build-7", UP, spend(**figures), DayLimits(day, money), 76 * HOUR, width)
    assert line_width(cell) <= width
    return "".join(text for text, _ in cell)


@pytest.mark.parametrize(
    ("width", "kept", "gone"),
    [
        (120, ("quarterdeck", "host build-7", "up 3d 4h", "4 running", "41.2k of 60.0k tok", "$0.83", "1.2k/min"), ()),
        (80, ("qd  engine up 3d 4h", "4 running", "41.2k of 60.0k tok", "$0.83", "1.2k/min"), ("host", "quarterdeck")),
        (60, ("up 3d 4h", "4 running", "41.2k of 60.0k tok", "$0.83"), ("burn", "qd")),
        (40, ("up 3d 4h", "41.2k of 60.0k tok"), ("$0.83", "running")),
        (30, ("up 3d 4h", "today 41.2k tok"), ("burn", "running")),
    ],
)
def test_it_never_wraps_and_drops_the_least_important_first(width, kept, gone):
    said = line(width)
    assert [piece for piece in kept if piece not in said] == []
    assert [piece for piece in gone if piece in said] == []


def test_every_width_fits():
    for width in range(20, 200):
        line(width, today=2_270_000_000, burn=999_999, cost_microusd=99_990_000, unpriced=1, running=12)
        line(width, money=MONEY, today=2_270_000_000, burn=999_999, cost_microusd=99_990_000, unpriced=1, running=12)


@pytest.mark.parametrize(
    ("width", "kept", "gone"),
    [
        (120, ("41.2k of 60.0k tok", "$0.83 of $25", "burn 1.2k/min (5 min)"), ()),
        (80, ("engine up", "4 running", "41.2k of 60.0k tok", "$0.83 of $25"), ("burn",)),
        (60, ("up 3d 4h", "41.2k of 60.0k tok", "$0.83 of $25"), ("burn", "engine")),
    ],
)
def test_tokens_and_money_keep_their_limits_longer_than_what_matters_less(width, kept, gone):
    said = line(width, money=MONEY)
    assert [piece for piece in kept if piece not in said] == []
    assert [piece for piece in gone if piece in said] == []


def test_what_is_over_or_full_says_so_in_a_word_and_keeps_it():
    over, full = Day(level="full", word="over", spent=61_000), replace(MONEY, level="full", word="full")
    for width in (120, 80):
        said = line(width, over, full, today=61_000)
        assert "61.0k of 60.0k tok over" in said
        assert "$0.83 of $25 full" in said


def test_the_limits_of_a_day_are_the_widest_and_money_counts_everything():
    small, part = Day(most=5), Day(name="p", unit="microusd", scope="isolated lane", most=10**9)
    month, each = Day(window="month", most=10**9), Day(window="run", unit="microusd", most=10**9)
    assert day_limits([small, Day(), part, MONEY, month, each]) == DayLimits(Day(), MONEY)
    assert day_limits([month]) == DayLimits()


def test_as_long_as_nothing_was_told_it_is_unknown():
    said = line(120, None, responses=0, cost_microusd=0, today=0)
    assert "today - tok" in said
    assert "cost -" in said


def test_a_budget_that_counts_only_a_part_stands_beside_today():
    said = line(140, Day(name="isolated", scope="isolated lane", spent=9_700, most=20_000))
    assert "today 41.2k tok" in said
    assert "isolated 9.7k of 20.0k" in said


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"unpriced": 2}, "$0.83+"),
        ({"unpriced": 9, "cost_microusd": 0}, "cost -"),
        ({"responses": 1, "cost_microusd": 0, "today": 0}, "$0.00"),
    ],
)
def test_an_unknown_cost_is_not_zero(figures, said):
    assert said in line(120, **figures)


def test_before_anything_is_known_it_says_who_and_where():
    cell = header_line("build-7", EngineStatus("none"), None, DayLimits(), 0, 80)
    assert "".join(text for text, _ in cell).split() == ["quarterdeck", "host", "build-7", "engine", "none"]
