"""Projections and subscription windows, from a real state folder."""

import pytest

from engine.config.load import parse
from engine.runtime.boards import budget_board, subscription_board
from engine.runtime.settings import CHECKS

MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
HOUR_MS = 1_795_003_200_000  # Wed 2026-11-18 12:00 UTC
NOW_MS = HOUR_MS + 20 * MIN


@pytest.fixture
def board(world):
    def made(text, now_ms=NOW_MS):
        config = parse(f'timezone = "UTC"\n{text}', world.home.config_file, CHECKS)
        return budget_board(world.open().connection, config, now_ms)

    return made


def budget(name, window="month", tokens=10**9, **more):
    keys = "".join(f'{key} = "{value}"\n' for key, value in more.items())
    return f'[budget.{name}]\nwindow = "{window}"\ntokens = {tokens}\n{keys}'


def test_nothing_spent_projects_nothing(world, board):
    row = board(budget("b"))[0]
    assert (row.projection.low, row.projection.likely, row.projection.high) == (0, 0, 0)
    assert row.projection.runs_out_ms is None


def test_a_month_goes_on_as_the_last_days_did(world, board):
    _, generation = world.session("steady", at_ms=NOW_MS)
    for day in range(7):
        world.spend(generation, 2400, key=f"d{day}", at_ms=HOUR_MS - day * DAY - HOUR)
    now_ms = HOUR_MS + 59 * MIN
    row = board(budget("b"), now_ms)[0]
    hours = (row.window_end_ms - now_ms) / HOUR
    assert row.projection.likely - row.taken == pytest.approx(100 * hours, rel=0.05, abs=600)
    assert row.taken <= row.projection.low <= row.projection.likely <= row.projection.high


def test_the_pace_of_the_last_hour_goes_on_for_an_hour(world, board):
    """Then it is the mean of the past day: a burst does not project a month of bursts."""
    _, generation = world.session("burst", at_ms=NOW_MS)
    world.spend(generation, 10, key="old", at_ms=HOUR_MS - 7 * DAY)
    world.spend(generation, 60_000, key="now", at_ms=NOW_MS)
    row = board(budget("b", tokens=90_000, window="month"))[0]
    assert row.projection.likely - row.taken == pytest.approx(60_000, rel=0.02)
    assert row.projection.runs_out_ms == pytest.approx(NOW_MS + 30 * MIN, abs=MIN)


def test_hours_before_the_first_usage_do_not_count(world, board):
    """A machine that is new here is projected by the hours that it has been counted for."""
    _, generation = world.session("new", at_ms=NOW_MS)
    for hours in (1, 2):
        world.spend(generation, 1000, key=f"h{hours}", at_ms=HOUR_MS - hours * HOUR)
    row = board(budget("b", window="day"))[0]
    assert row.projection.likely - row.taken == pytest.approx(1000 * 10.7, rel=0.02)


def test_what_is_full_runs_out_now(world, board):
    _, generation = world.session("all", at_ms=NOW_MS)
    world.spend(generation, 100, at_ms=NOW_MS)
    row = board(budget("b", tokens=50))[0]
    assert row.level == "full"
    assert row.projection.runs_out_ms == NOW_MS


def test_a_scope_is_projected_by_its_own_usage(world, board):
    _, ours = world.session("ours", agent="coder", at_ms=NOW_MS)
    _, seen = world.session("seen", at_ms=NOW_MS)
    world.spend(ours, 60, key="a", at_ms=NOW_MS, source="quarterdeck")
    world.spend(seen, 6000, key="b", at_ms=NOW_MS)
    agents = "".join(f'[agent.{name}]\nadapter = "command"\nargv = ["true"]\n' for name in ("coder", "nobody"))
    text = (
        agents
        + budget("coder", agent="coder")
        + budget("idle", agent="nobody")
        + budget("claude", source="claude_code")
    )
    coder, idle, claude = board(text)
    assert [row.projection.likely - row.taken for row in (coder, idle, claude)] == [60, 0, 6000]


def test_time_alone_moves_a_projection_in_steps(world, board):
    _, generation = world.session("steady", at_ms=NOW_MS)
    world.spend(generation, 2400, at_ms=HOUR_MS - 5 * HOUR)
    row = board(budget("b"), HOUR_MS + 20 * MIN)[0]
    seen = {board(budget("b"), HOUR_MS + minute * MIN)[0].projection.likely for minute in range(20, 60)}
    assert row.projection.likely in seen
    assert len(seen) <= 2


def test_logged_windows_are_shown_until_they_reset(world):
    world.limit("primary", 34.0, 300, NOW_MS + HOUR, at_ms=NOW_MS)
    world.limit("secondary", 12.0, 10_080, NOW_MS + DAY, at_ms=NOW_MS)
    connection = world.open().connection
    first, second = subscription_board(connection, NOW_MS)
    assert (first.window_minutes, first.used_percent, first.state, first.resets_ms) == (
        300,
        34.0,
        "current",
        NOW_MS + HOUR,
    )
    assert second.window_minutes == 10_080
    later = subscription_board(connection, NOW_MS + 2 * HOUR)
    assert [(row.state, row.used_percent) for row in later] == [("reset", None), ("current", 12.0)]
    assert subscription_board(connection, NOW_MS + 31 * DAY) == []


def test_homes_of_the_same_client_have_windows_of_their_own(world):
    world.limit("primary", 34.0, 300, NOW_MS + HOUR, home="/a", at_ms=NOW_MS)
    world.limit("primary", 80.0, 300, NOW_MS + HOUR, home="/b", at_ms=NOW_MS)
    found = subscription_board(world.open().connection, NOW_MS)
    assert [(row.provider_home, row.used_percent) for row in found] == [("/a", 34.0), ("/b", 80.0)]


def test_claude_has_a_block_of_five_hours_and_no_limit(world):
    _, generation = world.session("claude", at_ms=NOW_MS)
    for hours, tokens in ((12, 1), (3, 20), (1, 300), (0, 4000)):
        at_ms = HOUR_MS - hours * HOUR + 5 * MIN
        world.spend(generation, tokens, key=f"r{hours}", at_ms=at_ms)
    connection = world.open().connection
    (block,) = subscription_board(connection, NOW_MS)
    assert (block.kind, block.used_tokens, block.used_percent) == ("block", 4320, None)
    assert (block.started_ms, block.resets_ms) == (HOUR_MS - 3 * HOUR, HOUR_MS + 2 * HOUR)
    assert subscription_board(connection, HOUR_MS + 2 * HOUR) == []


def test_codex_makes_no_block(world):
    _, generation = world.session("x", at_ms=NOW_MS)
    world.sql("UPDATE generations SET source = 'codex' WHERE id = ?", generation)
    world.spend(generation, 5, source="codex", at_ms=NOW_MS)
    assert subscription_board(world.open().connection, NOW_MS) == []


def test_without_a_database_there_is_nothing(world):
    assert subscription_board(None, NOW_MS) == []
