"""The monitoring screen: what it says of the books, how it looks in little room, and what it draws again."""

import re
from itertools import pairwise

import pytest

from engine.runtime.boards import SubscriptionRow
from state.rollups import Sums
from tui.lists.fresh import Fresh
from tui.reading import changes
from tui.reading.feed import Feed
from tui.reading.live_usage import LiveUsage, Share, live_usage
from tui.reading.views import BudgetBoard
from tui.screens.overview import Overview
from tui.screens.usage import UsageScreen
from tui.screens.usage_lines import figures, usage_lines
from tui.widgets.cells import line_width
from tui.widgets.spark import bars, spark

MIN, HOUR = 60_000, 3_600_000
NOW = 1_795_003_200_000  # Wed 2026-11-18 12:00 UTC
SPENT = Sums(3, 100, 800, 100, 0, 0, 1000, 0, 830_000, 0, 0, 0)
LESS = Sums(2, 10, 0, 0, 0, 0, 20, 0, 0, 1, 1, 1)


def usage(**fields):
    shares = {
        "model": (Share("sonnet", 120, 900, SPENT), Share(None, 0, 0, LESS)),
        "lane": (Share("main", 120, 900, SPENT),),
        "agent": (Share("coder", 120, 900, SPENT), Share(None, 0, 0, LESS)),
        "source": (Share("claude_code", 120, 900, SPENT),),
    }
    values = {
        "minutes": (*(0,) * 59, 900),
        "hours": (*(0,) * 23, 900),
        "burn": 120,
        "today": Sums(*(one + other for one, other in zip(SPENT, LESS, strict=True))),
        "shares": shares,
    }
    return LiveUsage(**values | fields)


def window(**fields):
    values = {
        "source": "codex", "provider_home": "/h", "kind": "limit", "name": "primary", "window_minutes": 300,
        "state": "current", "used_percent": 34.0, "used_tokens": None, "started_ms": None,
        "resets_ms": NOW + 2 * HOUR, "logged_ms": NOW, "plan": "plus",
    }  # fmt: skip
    return SubscriptionRow(**values | fields)


def said(found, room=(118, 34), board=None, fresh=None):
    lines = usage_lines(found, board, room, NOW, None, fresh or Fresh())
    assert all(line_width(line) <= room[0] for line in lines if line[:1] != (("today   ", "head"),))
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def line_with(lines, text):
    return next(line for line in lines if text in line)


def test_a_label_has_its_pace_its_tokens_its_share_its_cost_and_its_cache():
    lines = said(usage())
    assert line_with(lines, "sonnet").split() == ["sonnet", "120", "900", "2.0k", "98%", "$0.83", "80%"]
    assert line_with(lines, "claude").split()[0] == "claude"
    assert line_with(lines, "no agent of ours").split()[-6:] == ["0", "0", "30~", "1%", "$0.00+", "0%"]


def test_marks_say_what_they_mean_and_only_when_they_are_there():
    lines = said(usage())
    assert line_with(lines, "~ 1 response unfinished, 1 response estimated   + 1 response without a price")
    assert "( )" not in "".join(lines)
    clean = said(usage(today=SPENT, shares={}))
    assert [line for line in clean if line.startswith(("~", "+"))] == []
    assert clean.count("nothing yet today") == 4


def test_what_names_no_model_is_no_model():
    shares = {"model": (Share("sonnet", 0, 0, SPENT), Share("command", 0, 0, SPENT)), "agent": ()}
    lines = said(usage(shares=shares))
    assert line_with(lines, "(command)")
    assert line_with(lines, "( ) a program, no model")


def test_a_scale_says_what_the_highest_bar_is_and_since_when():
    lines = said(usage())
    assert "120 (5 min)" in lines[0]
    assert lines[0].count("900 at most") == 2
    assert "60 min ago" in lines[4]
    assert "24 h ago" in lines[4]
    assert lines[4].split()[-1] == "now"


@pytest.mark.parametrize("room", [(118, 34), (78, 24), (58, 20), (200, 60), (99, 30)])
def test_the_newest_bar_is_above_now(room):
    lines = said(usage(), room)
    drawn, foot = next((a, b) for a, b in pairwise(lines) if "60 min ago" in b)
    assert drawn.index("█") == foot.index("now") + 2


def test_windows_say_when_they_turn_and_budgets_what_they_will_hold():
    board = BudgetBoard((), (window(), window(state="reset", used_percent=None, resets_ms=None, logged_ms=NOW - HOUR)))
    lines = said(usage(), board=board)
    assert re.search(r"codex 5 h +34% ##\.+ +of 100% resets \d\d:\d\d +plus plan", line_with(lines, "34%"))
    assert "1 h old" in line_with(lines, "has reset, logged 1 h ago")
    heads = ["budgets", "spent", "limit", "at", "the", "end", "likely,", "low-high", "window,", "counts"]
    assert line_with(lines, "at the end").split() == heads


def test_figures_that_changed_stand_out():
    fresh = Fresh()
    fresh.take(figures(usage()))
    more = Share("sonnet", 120, 900, SPENT._replace(output_tokens=9000))
    changed = usage(shares={"model": (more,)})
    fresh.take(figures(changed))
    lines = usage_lines(changed, None, (118, 34), NOW, None, fresh)
    tones = {text.strip(): tone for line in lines for text, tone in line}
    assert tones["10.0k"] == "bold"
    assert tones["$0.83"] == "text"


def test_bars_are_as_high_as_their_share():
    assert bars([0, 1, 8, 16], 4, 2) == ["   █", "·▁██"]
    assert bars([0, 0], 4, 2) == ["    ", "····"]
    assert bars([], 4, 2) == ["", ""]
    assert bars([16], 3, 1) == ["███"]
    assert spark([0, 0], 5) == "··"


@pytest.fixture
def spent(filled):
    """Two sources, now and two hours ago."""
    filled.book(2, (100, 800, 100, 1000), key="b1", cost_microusd=830_000)
    filled.book(2, (0, 0, 0, 5000), key="b2", at_ms=filled.now_ms - 2 * HOUR, confidence=2)
    return filled


def test_it_reads_what_the_books_say(spent):
    posted = []
    feed = Feed(spent.home, posted.append)
    feed.watch(live_usage)
    feed.look(spent.now_ms + 1000)
    feed._close()
    (found,) = [change.detail for change in posted if isinstance(change, changes.DetailChanged)]
    assert sum(found.minutes) == found.minutes[-1] == 3200
    assert sum(found.hours) == 8200
    assert {
        name: sum(share.today.tokens for share in shares) for name, shares in found.shares.items()
    } == dict.fromkeys(("model", "lane", "agent", "source"), found.today.tokens)
    assert [(share.label, share.hour) for share in found.shares["agent"]] == [(None, 2000), ("coder", 1200)]


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_m_opens_it_it_follows_and_escape_goes_back(spent, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("m")
        await pilot.sees("tok/min", "tok/h", "24 h ago", "today")
        spent.book(2, (0, 0, 0, 40_000), key="b3")
        await pilot.sees("43.2k at most")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())
        await pilot.sees("~ ", "estimated")
        await pilot.press("end")
        await pilot.sees("by source")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Overview)

    drive(spent.home, scenario, size)


def test_the_colon_goes_there_too_and_help_on_top_of_it_does_not_stop_it(spent, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("colon", *"tokens", "enter")
        await pilot.sees("by model")
        await pilot.press("question_mark")
        await pilot.sees("overview > tokens > keys")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, UsageScreen), "it is back")
        spent.book(2, (0, 0, 0, 40_000), key="b4")
        await pilot.sees("43.2k at most")

    drive(spent.home, scenario)


def test_only_cells_that_differ_are_drawn_again(spent, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("m")
        await pilot.sees("by model")
        page, drawn = pilot.app.screen.page, []
        real = page.refresh
        page.refresh = lambda *regions, **how: (drawn.extend(regions), real(*regions, **how))[1]
        spent.book(2, (0, 0, 0, 100), key="b5")
        await pilot.until(lambda: drawn, "something differs")
        assert all(region.height == 1 for region in drawn)
        assert sum(region.width for region in drawn) < 400  # of 118 x 30 cells
        drawn.clear()
        for _ in range(5):
            pilot.app._tick()
        await pilot.pause(0.1)
        assert sum(region.width for region in drawn) < 200  # marks that go

    drive(spent.home, scenario)


def test_the_strip_comes_back_whole_after_a_pane_had_the_screen(spent, drive):
    async def scenario(pilot):
        await pilot.sees("tok/min, last hour", "█")
        await pilot.press("5")
        await pilot.sees("5 Runs")
        spent.book(2, (0, 0, 0, 90_000), key="b6")
        await pilot.until(lambda: max(pilot.app.overview._spend.minutes) > 90_000, "it was read meanwhile")
        await pilot.press("escape")
        await pilot.sees("tok/min, last hour")
        await pilot.pause()
        assert "93.2k at most" in pilot.shown()  # and not only when something is read again

    drive(spent.home, scenario)


def test_the_strip_on_the_overview_tells_lanes_apart_where_there_is_room(spent, drive):
    async def scenario(pilot):
        await pilot.sees("tok/min, last hour", "main 100%")

    drive(spent.home, scenario, (200, 50))
