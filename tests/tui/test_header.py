"""The first line: what it keeps when it gets narrow."""

import pytest
from msgspec import Struct

from tui.views import EngineStatus, Spend
from tui.widgets.cells import line_width
from tui.widgets.header import header_line

HOUR = 3_600_000
UP = EngineStatus("up", started_ms=0, pid=1)


class Day(Struct):
    name: str = "day"
    scope: str = "all"
    taken: int = 41_200
    most: int = 60_000
    level: str = "ok"


def spend(**figures):
    values = {"today": 41_200, "cost_microusd": 830_000, "unpriced": 0, "responses": 9, "minutes": (), "burn": 1234}
    return Spend(**values | {"running": 4} | figures)


def line(width, day=Day(), **figures):  # noqa: B008 - it is not changed
    cell = header_line("build-7", UP, spend(**figures), day, 76 * HOUR, width)
    assert line_width(cell) <= width
    return "".join(text for text, _ in cell)


@pytest.mark.parametrize(
    ("width", "kept", "gone"),
    [
        (120, ("quarterdeck", "host build-7", "up 3d 4h", "4 running", "41.2k of 60.0k tok", "$0.83", "1.2k/min"), ()),
        (80, ("qd  engine up 3d 4h", "4 running", "41.2k of 60.0k tok", "$0.83", "1.2k/min"), ("host", "quarterdeck")),
        (60, ("up 3d 4h", "4 running", "today 41.2k tok", "burn 1.2k/min"), ("$0.83", "of 60.0k", "qd")),
        (30, ("up 3d 4h",), ("burn", "running")),
    ],
)
def test_it_never_wraps_and_drops_the_least_important_first(width, kept, gone):
    said = line(width)
    assert [piece for piece in kept if piece not in said] == []
    assert [piece for piece in gone if piece in said] == []


def test_every_width_fits():
    for width in range(20, 200):
        line(width, today=2_270_000_000, burn=999_999, cost_microusd=99_990_000, unpriced=1, running=12)


def test_a_budget_that_counts_only_a_part_stands_beside_today():
    said = line(140, Day(name="isolated", scope="isolated lane", taken=9_700, most=20_000))
    assert "today 41.2k tok" in said
    assert "isolated 9.7k of 20.0k" in said


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"unpriced": 2}, "$0.83+"),
        ({"unpriced": 9, "cost_microusd": 0}, "cost -"),
        ({"responses": 0, "cost_microusd": 0, "today": 0}, "$0.00"),
    ],
)
def test_an_unknown_cost_is_not_zero(figures, said):
    assert said in line(120, **figures)


def test_before_anything_is_known_it_says_who_and_where():
    cell = header_line("build-7", EngineStatus("none"), None, None, 0, 80)
    assert "".join(text for text, _ in cell).split() == ["quarterdeck", "host", "build-7", "engine", "none"]
