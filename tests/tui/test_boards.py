"""Projections and subscription windows, from a real state folder."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config.load import parse
from engine.runtime.boards import budget_board, subscription_board, worst
from engine.runtime.settings import CHECKS
from state import ledger
from tests.tui.conftest import World

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


def test_without_usage_there_is_no_projection(world, board):
    assert board(budget("b"))[0].projection is None


@pytest.mark.parametrize("ago_min", [0, 1, 5 * 60 + 50, 12 * 1440])
def test_from_the_first_usage_on_an_end_is_projected(world, board, ago_min):
    _, generation = world.session("new", at_ms=NOW_MS)
    world.spend(generation, 130, key="first", at_ms=NOW_MS - ago_min * MIN)
    for row in board("".join(budget(kind, window=kind) for kind in ("hour", "day", "week", "month"))):
        assert row.projection is not None
        assert row.spent <= row.projection.low <= row.projection.likely <= row.projection.high


def test_what_was_used_so_long_ago_that_no_hour_counts_any_more_is_still_spent(world, board):
    _, generation = world.session("old", at_ms=NOW_MS)
    world.spend(generation, 130, at_ms=NOW_MS - 17 * DAY)
    (row,) = board(budget("b"))
    assert (row.spent, row.projection.likely, row.projection.runs_out_ms) == (130, 130, None)


def test_a_burn_that_lasts_says_when_it_runs_out_long_before_six_hours(world, board):
    """Twenty minutes of 1.46M a minute, 65.3M of 80M spent: ten minutes are left."""
    _, generation = world.session("hot", at_ms=NOW_MS)
    world.spend(generation, 36_100_000, key="before", at_ms=NOW_MS - 11 * HOUR)
    for minute in range(20):
        world.spend(generation, 1_460_000, key=f"m{minute}", at_ms=NOW_MS - minute * MIN)
    (row,) = board(budget("b", "day", 80_000_000), NOW_MS + MIN - 1)
    assert row.spent == 65_300_000
    left_min = (row.projection.runs_out_ms - NOW_MS) / MIN
    assert left_min == pytest.approx((80.0 - 65.3) / 1.46, abs=1)
    assert row.projection.low < row.projection.likely


def test_one_burst_in_a_new_home_is_no_burn(world, board):
    _, generation = world.session("first", at_ms=NOW_MS)
    world.spend(generation, 60_000, at_ms=NOW_MS)
    day, month = board(budget("d", "day", 200_000) + budget("m", "month", 3_000_000))
    assert day.projection.runs_out_ms is None
    assert day.projection.likely < 130_000
    assert month.projection.runs_out_ms is None


def test_a_scope_that_nobody_used_has_no_projection(world, board):
    _, ours = world.session("ours", agent="coder", at_ms=NOW_MS)
    _, seen = world.session("seen", at_ms=NOW_MS)
    world.spend(seen, 6000, key="a", at_ms=NOW_MS - 12 * HOUR)
    world.spend(ours, 60, key="b", at_ms=NOW_MS - 2 * HOUR, source="quarterdeck")
    agent = '[agent.coder]\nadapter = "command"\nargv = ["true"]\n'
    coder, everything = board(agent + budget("coder", agent="coder") + budget("all"))
    nobody = board('[agent.idle]\nadapter = "digest"\n' + budget("idle", agent="idle"))
    assert nobody[0].projection is None
    assert coder.projection.likely < everything.projection.likely


def test_a_month_goes_on_as_the_last_days_did(world, board):
    _, generation = world.session("steady", at_ms=NOW_MS)
    for hour in range(14 * 24 + 5):
        world.spend(generation, 100, key=f"h{hour}", at_ms=HOUR_MS - hour * HOUR + 30 * MIN)
    now_ms = HOUR_MS + 59 * MIN
    row = board(budget("b"), now_ms)[0]
    hours = (row.window_end_ms - now_ms) / HOUR
    assert row.projection.likely - row.taken == pytest.approx(100 * hours, rel=0.01)


def test_a_burst_goes_on_for_an_hour_and_is_no_month_of_bursts(world, board):
    _, generation = world.session("burst", at_ms=NOW_MS)
    world.spend(generation, 10, key="old", at_ms=HOUR_MS - 7 * DAY)
    world.spend(generation, 60_000, key="now", at_ms=NOW_MS)
    row = board(budget("b", tokens=90_000, window="day"))[0]
    more = row.projection.likely - row.taken
    assert 60_000 / 2 < more < 60_000  # one hour of it, and not the eleven that are left
    assert row.projection.low < row.projection.likely < row.projection.high
    assert NOW_MS + 30 * MIN < row.projection.runs_out_ms < NOW_MS + HOUR


USAGE = st.lists(
    st.tuples(st.integers(20, 40 * 60), st.sampled_from([1, 130, 9000, 400_000])), min_size=1, max_size=5, unique=True
)


@given(usage=USAGE, until_hour=st.integers(0, 10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_nobody_spends_in_does_not_jump_and_a_week_holds_its_days(tmp_path_factory, usage, until_hour):
    """At :59 and at :01, with usage at any minute before but the last twenty, since a burn that lasts falls with every
    idle one: less than a tenth, whatever the window."""
    world = World(tmp_path_factory.mktemp("home") / "home")
    _, generation = world.session("any", at_ms=NOW_MS)
    turn_ms = HOUR_MS + until_hour * HOUR
    for number, (ago_min, tokens) in enumerate([(48 * 60, 100), *usage]):
        world.spend(generation, tokens, key=f"u{number}", at_ms=turn_ms - (ago_min + 2) * MIN)
    text = 'timezone = "UTC"\n' + "".join(budget(kind, window=kind) for kind in ("day", "week", "month"))
    config = parse(text, world.home.config_file, CHECKS)
    before, after = (budget_board(world.open().connection, config, turn_ms + at * MIN) for at in (-1, 1))
    world.close()
    for old, new in zip(before, after, strict=True):
        more = old.projection.likely - old.taken
        assert abs(new.projection.likely - new.taken - more) <= 0.1 * more + 1
    for day, week, month in (before, after):
        for longer in (week, month):
            assert day.projection.low <= longer.projection.low
            assert day.projection.likely <= longer.projection.likely
            assert day.projection.high <= longer.projection.high


def test_observed_usage_is_no_overrun_and_spent_held_and_free_are_the_limit(world, board):
    _, generation = world.session("seen", at_ms=NOW_MS)
    world.spend(generation, 300, key="seen", at_ms=NOW_MS)
    run_id = world.run(state="running", admitted_ms=NOW_MS, told_tokens=150)
    start_ms = NOW_MS // DAY * DAY
    with world.open().transaction() as tx:
        line = ledger.Line("b", "tokens", 1000, start_ms, start_ms + DAY)
        ledger.reserve(tx, run_id, [line], {"tokens": 400}, NOW_MS)
    (row,) = board(budget("b", "day", 1000))
    assert (row.observed, row.overrun, row.live, row.held) == (300, 0, 150, 250)
    assert (row.spent, row.free, row.level) == (450, 300, "ok")
    assert row.spent + row.held + row.free == row.most
    world.sql("UPDATE runs SET told_tokens = 430 WHERE id = ?", run_id)
    (row,) = board(budget("b", "day", 1000))
    assert (row.observed, row.overrun, row.live, row.held) == (300, 30, 400, 0)


def test_what_is_only_held_fills_a_budget_and_warns_of_nothing(world, board):
    run_id = world.run(state="running", admitted_ms=NOW_MS)
    start_ms = NOW_MS // DAY * DAY
    with world.open().transaction() as tx:
        line = ledger.Line("b", "tokens", 1000, start_ms, start_ms + DAY)
        ledger.reserve(tx, run_id, [line], {"tokens": 950}, NOW_MS)
    assert [row.word for row in board(budget("b", "day", 1000))] == ["ok"]
    assert [row.word for row in board(budget("b", "day", 950))] == ["full"]
    world.sql("UPDATE runs SET told_tokens = 951 WHERE id = ?", run_id)
    assert [row.word for row in board(budget("b", "day", 1000))] == ["warn"]
    assert [row.word for row in board(budget("b", "day", 950))] == ["over"]


@pytest.mark.parametrize(
    ("limits", "unit"),
    [((1000, 1000), "tokens"), ((1000, 300), "microusd"), ((300, 1000), "tokens"), ((301, 300), "microusd")],
)
def test_the_worst_limit_of_a_budget_stands_for_it(world, board, limits, unit):
    _, generation = world.session("seen", at_ms=NOW_MS)
    world.spend(generation, 300, at_ms=NOW_MS)
    tokens, microusd = limits
    both = budget("both", "day", tokens, usd="USD").replace('"USD"', f"{microusd / 1e6:f}")
    rows = board(both + budget("each", "run", 5) + budget("other", "day"))
    assert [(row.name, row.unit) for row in worst(rows)] == [("both", unit), ("each", "tokens"), ("other", "tokens")]


def test_a_limit_that_is_full_is_worse_than_one_of_which_more_is_spent(world, board):
    _, generation = world.session("seen", at_ms=NOW_MS)
    world.spend(generation, 300, at_ms=NOW_MS)
    run_id = world.run(state="running", admitted_ms=NOW_MS)
    start_ms = NOW_MS // DAY * DAY
    with world.open().transaction() as tx:
        line = ledger.Line("both", "tokens", 1000, start_ms, start_ms + DAY)
        ledger.reserve(tx, run_id, [line], {"tokens": 700}, NOW_MS)
    rows = board(budget("both", "day", 1000, usd="USD").replace('"USD"', "0.000310"))
    assert [(row.unit, row.word) for row in worst(rows)] == [("tokens", "full")]


def test_what_is_full_runs_out_now(world, board):
    _, generation = world.session("all", at_ms=NOW_MS)
    world.spend(generation, 100, at_ms=NOW_MS - 7 * HOUR)
    row = board(budget("b", tokens=50))[0]
    assert row.level == "full"
    assert row.projection.runs_out_ms == NOW_MS


def test_a_scope_is_projected_by_its_own_usage(world, board):
    _, ours = world.session("ours", agent="coder", at_ms=NOW_MS)
    _, seen = world.session("seen", at_ms=NOW_MS)
    for hours in range(10):
        world.spend(ours, 60, key=f"a{hours}", at_ms=HOUR_MS - hours * HOUR, source="quarterdeck")
        world.spend(seen, 6000, key=f"b{hours}", at_ms=HOUR_MS - hours * HOUR)
    agents = "".join(f'[agent.{name}]\nadapter = "command"\nargv = ["true"]\n' for name in ("coder", "nobody"))
    text = (
        agents
        + budget("coder", agent="coder")
        + budget("idle", agent="nobody")
        + budget("claude", source="claude_code")
    )
    coder, idle, claude = board(text)
    assert idle.projection is None
    more = coder.projection.likely - coder.taken
    assert more > 60
    assert claude.projection.likely - claude.taken == pytest.approx(100 * more, rel=0.001)


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
