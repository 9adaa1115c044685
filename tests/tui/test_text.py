from datetime import UTC

import pytest

from tui.screens.budget_sheet import parse_tokens
from tui.text import (
    age,
    ago,
    cost,
    due,
    duration,
    moment,
    money,
    percent,
    plural,
    short_path,
    tokens,
    uptime,
    window_name,
)
from tui.widgets.meter import meter
from tui.widgets.spark import spark

MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_795_003_200_000  # Tue 2026-11-18 12:00 UTC


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (12_000, "12.0k"),
        (41_249, "41.2k"),
        (412_345, "412k"),
        (999_499, "999k"),
        (999_999, "1.00M"),
        (2_270_000, "2.27M"),
        (82_000_000, "82.0M"),
        (2_270_000_000_000, "2.27T"),
    ],
)
def test_tokens_fit_six_cells(number, said):
    assert tokens(number) == said
    assert len(said) <= 6


@pytest.mark.parametrize(
    ("microusd", "short", "long"),
    [
        (None, "-", "-"),
        (0, "$0.00", "$0.00"),
        (1, "<$.01", "<$0.0001"),
        (4_149, "<$.01", "$0.0041"),
        (9_999, "<$.01", "$0.0100"),
        (10_000, "$0.01", "$0.01"),
        (829_999, "$0.83", "$0.83"),
        (9_994_999, "$9.99", "$9.99"),
        (9_995_000, "$10.0", "$10.00"),
        (12_344_999, "$12.3", "$12.34"),
        (99_949_999, "$99.9", "$99.95"),
        (99_950_000, "$100", "$99.95"),
        (1_234_560_000, "$1235", "$1,234.56"),
        (12_345_000_000, "$12k", "$12,345.00"),
        (9_999_999_999_999, "$10M", "$10,000,000.00"),
    ],
)
def test_money_fits_a_column_and_is_exact_on_a_page(microusd, short, long):
    assert (money(microusd), money(microusd, short=False)) == (short, long)
    assert len(short) <= 5


@pytest.mark.parametrize(
    ("microusd", "unpriced", "responses", "said"),
    [
        (0, 0, 0, "$0.00"),
        (0, 0, 3, "$0.00"),
        (830_000, 0, 3, "$0.83"),
        (830_000, 1, 3, "$0.83+"),
        (0, 1, 3, "$0.00+"),
        (0, 3, 3, "-"),
    ],
)
def test_a_cost_tells_unknown_from_nothing(microusd, unpriced, responses, said):
    assert cost(microusd, unpriced, responses) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (None, "-"),
        (0.0, "0%"),
        (0.004, "<1%"),
        (0.29, "29%"),
        (0.57, "57%"),
        (0.9999, "99%"),
        (1.0, "100%"),
        (1.04, "104%"),
        (50.0, "999%"),
    ],
)
def test_only_what_is_full_says_so(share, said):
    assert percent(share) == said


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(None, None), (0, None), (300, "5 h"), (10_080, "week"), (1440, "day"), (90, "90 min"), (2880, "48 h")],
)
def test_subscription_windows_have_names(minutes, said):
    assert window_name(minutes) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (5 * MIN, "12:05"),
        (-3 * HOUR, "09:00"),
        (19 * HOUR, "Thu 07:00"),
        (-19 * HOUR, "Tue 17:00"),
        (6 * DAY, "Tue 12:00"),
        (7 * DAY, "25 Nov"),
    ],
)
def test_moments(ahead, said):
    assert moment(NOON + ahead, NOON, UTC) == said


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (-5, "now"),
        (59_999, "now"),
        (MIN, "1 min"),
        (59 * MIN, "59 min"),
        (HOUR, "1 h"),
        (47 * HOUR, "47 h"),
        (3 * DAY, "3 d"),
    ],
)
def test_ages(passed, said):
    assert age(NOON - passed, NOON) == said


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (-5, "just now"),
        (9_999, "just now"),
        (10_000, "10 s ago"),
        (119_999, "110 s ago"),
        (2 * MIN, "2 min ago"),
    ],
)
def test_what_was_a_short_while_ago_has_seconds(passed, said):
    assert ago(NOON - passed, NOON) == said


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (None, "-"),
        (-1, "now"),
        (11_000, "in 15 s"),
        (75_000, "in 75 s"),
        (119_000, "in 120 s"),
        (2 * MIN, "in 2 min"),
        (3 * MIN + 1, "in 4 min"),
        (6 * HOUR, "18:00"),
        (19 * HOUR, "tomorrow 07:00"),
        (5 * DAY, "Mon 12:00"),
        (36 * DAY, "24 Dec 12:00"),
    ],
)
def test_due_times(ahead, said):
    assert due(None if ahead is None else NOON + ahead, NOON, UTC) == said


def test_the_rest():
    assert uptime(0, 3 * DAY + 4 * HOUR) == "3d 4h"
    assert uptime(0, 4 * MIN) == "4 min"
    assert [duration(ms) for ms in (410, 41_000, 200_000, 3_900_000)] == ["0.4 s", "41 s", "3 min 20 s", "1 h 5 min"]
    assert plural(1, "run") == "1 run"
    assert plural(1200, "run") == "1,200 runs"
    assert short_path("/home/op/src", "/home/op") == "~/src"
    assert short_path("/home/operator", "/home/op") == "/home/operator"


@pytest.mark.parametrize(
    ("spent", "held", "limit", "bar"),
    [
        (0, 0, 100, "................"),
        (1, 0, 100_000, "#..............."),
        (50, 25, 100, "########____...."),
        (99, 0, 100, "###############."),
        (90, 9, 100, "##############_."),
        (100, 0, 100, "################"),
        (250, 10, 100, "################"),
        (0, 0, 0, "################"),
    ],
)
def test_a_meter_says_how_full_it_is(spent, held, limit, bar):
    assert "".join(text for text, _ in meter(spent, held, limit)) == bar


def test_a_spark_fits_and_tells_nothing_from_little():
    assert spark([0, 1, 100], 10) == "·▁█"
    assert len(spark(range(60), 29)) <= 29
    assert spark([], 10) == ""
    assert spark([5], 0) == ""


@pytest.mark.parametrize(
    ("text", "number"), [("200000", 200_000), ("200k", 200_000), ("1.5M", 1_500_000), ("60,000", 60_000)]
)
def test_limits_are_typed_the_way_they_are_said(text, number):
    assert parse_tokens(text) == number


@pytest.mark.parametrize("text", ["", "many", "-1", "nan", "1e99"])
def test_a_limit_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"tokens|sense"):
        parse_tokens(text)
