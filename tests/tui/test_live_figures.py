"""Money, caches, contexts and windows on the screen, with a real feed on a real database."""

import json
from datetime import UTC
from itertools import pairwise

import pytest
from msgspec.structs import replace

from engine.runtime.boards import BudgetRow, SubscriptionRow
from engine.telemetry.metrics import Projection
from state import logs, runs, sessions
from tui.panes.budgets import band, outlook, resets, window_words
from tui.panes.sessions import context_cell
from tui.reading import changes, views
from tui.reading.feed import Feed
from tui.screens.confirm import Confirm
from tui.screens.run import RunScreen
from tui.screens.session import SessionScreen

MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_795_003_200_000  # Wed 2026-11-18 12:00 UTC


def line_with(pilot, text):
    return next(line for line in pilot.shown().splitlines() if text in line)


@pytest.fixture
def spent(filled):
    """Four sessions: with a price, with a part of one, with none, and with nothing said yet."""
    world = filled
    world.sql("INSERT INTO models (name, provider, context_window) VALUES ('haiku-4', '', 1000)")
    world.sql("UPDATE generations SET context_tokens = 620 WHERE id = 1")
    for number, share in enumerate((50, 50, 90, 90)):
        parts, at_ms = (100 - share, share, 0, 1), world.now_ms + number * 1000
        world.book(1, parts, key=f"c{number}", at_ms=at_ms, cost_microusd=200_000)
    _, partly = world.session("partly priced", at_ms=world.now_ms - 2 * MIN)
    world.book(partly, (10, 0, 0, 5), key="p1", cost_microusd=300_000)
    world.book(partly, (10, 0, 0, 5), key="p2")
    _, unpriced = world.session("never priced", at_ms=world.now_ms - 3 * MIN, model=None)
    world.book(unpriced, (10, 0, 0, 5), key="u1")
    return world


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 30)])
def test_a_session_shows_context_cache_and_cost(spent, drive, size):
    async def scenario(pilot):
        await pilot.sees("fix flaky", "partly priced", "never priced", "ctx cache  tok/h   cost")

        assert " 62%  70%^ " in line_with(pilot, "fix flaky")
        assert " $0.80" in line_with(pilot, "fix flaky")
        assert " -    0%     30 $0.30+ " in line_with(pilot, "partly priced")
        assert " -    0%     15      - " in line_with(pilot, "never priced")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(spent.home, scenario, size)


def test_a_log_that_is_known_by_name_only_has_no_figures_yet(world, drive):
    _, generation = world.session("not read")
    world.sql("UPDATE generations SET read = 0 WHERE id = ?", generation)
    world.session("read, and empty")

    async def scenario(pilot):
        await pilot.sees("not read", "read, and empty")
        assert figures(pilot, "not read") == ["-", "-", "-", "-"]
        assert figures(pilot, "read, and empty") == ["-", "-", "0", "-"]

    drive(world.home, scenario)


def figures(pilot, title):
    """The cells of a session behind its title: context, cache, the last hour, cost."""
    return line_with(pilot, title).partition(title)[2].split()[:4]


def test_the_header_shows_today_in_tokens_and_money(spent, drive):
    async def scenario(pilot):
        await pilot.sees("today 1.6k of 60.0k tok", "$1.10+", "burn ")

    drive(spent.home, scenario)


def test_a_full_context_and_a_falling_cache_stand_out():
    assert context_cell(800, 1000) == (("80%", "warn"),)
    assert context_cell(799, 1000) == (("79%", "text"),)
    assert context_cell(None, 1000) == context_cell(5, None) == context_cell(5, 0) == (("-", "dim"),)


def budget(**fields):
    values = {
        "name": "day", "unit": "tokens", "window": "day", "scope": "all", "limit": 100, "granted": 0, "held": 0,
        "live": 0, "committed": 40, "observed": 0, "overrun": 0, "unpriced": 0,
        "warn_at": 0.8, "action": "refuse", "window_start_ms": 0, "window_end_ms": NOON + DAY,
        "projection": Projection(50, 60, 70),
    }  # fmt: skip
    return BudgetRow(**values | fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ("~60", "text")),
        ({"projection": Projection(40, 40, 40)}, ("ok", "dim")),
        ({"projection": None}, ("-", "dim")),
        ({"projection": None, "committed": 100}, ("full", "bad")),
        ({"projection": Projection(50, 120, 130, NOON + 6 * HOUR)}, ("> 18:00", "warn")),
        ({"projection": Projection(50, 120, 130, NOON + 2 * DAY)}, ("> Fri 12:00", "warn")),
        ({"committed": 100, "projection": Projection(100, 100, 100, NOON)}, ("full", "bad")),
        ({"held": 60}, ("full", "bad")),
        ({"observed": 61, "projection": Projection(101, 101, 101, NOON)}, ("over", "bad")),
    ],
)
def test_an_outlook_says_when_it_runs_out(fields, said):
    assert outlook(budget(**fields), NOON, UTC) == (said,)


def test_a_band_says_likely_then_low_to_high():
    assert band(budget()) == (("60, 50-70", "dim"),)
    assert band(budget(projection=None)) == (("-", "dim"),)


def window(**fields):
    values = {
        "source": "codex", "provider_home": "/h", "kind": "limit", "name": "primary", "window_minutes": 300,
        "state": "current", "used_percent": 34.0, "used_tokens": None, "started_ms": None, "resets_ms": NOON + HOUR,
        "logged_ms": NOON - MIN, "plan": "plus",
    }  # fmt: skip
    return SubscriptionRow(**values | fields)


RESET = {"state": "reset", "used_percent": None, "resets_ms": None}
BLOCK = {"kind": "block", "name": "block", "started_ms": NOON - 3 * HOUR, "resets_ms": NOON + 2 * HOUR}


@pytest.mark.parametrize(
    ("fields", "short", "long"),
    [
        ({}, "resets 13:00", "resets 13:00"),
        ({"resets_ms": NOON + 5 * DAY}, "resets Mon", "resets Mon 12:00"),
        ({"resets_ms": NOON + 20 * DAY}, "resets 08 Dec", "resets 08 Dec"),
        ({"logged_ms": NOON - 2 * HOUR}, "2 h old", "resets 13:00, logged 2 h ago"),
        (RESET | {"logged_ms": NOON - 3 * DAY}, "3 d old", "has reset, logged 3 d ago"),
        (RESET | {"logged_ms": NOON - 5 * MIN}, "5 min old", "has reset, logged 5 min ago"),
        ({"state": "undated", "resets_ms": None}, "-", "does not say when it resets"),
        (BLOCK, "ends 14:00", "since 09:00, ends 14:00"),
        (BLOCK | {"logged_ms": 0}, "ends 14:00", "since 09:00, ends 14:00"),
    ],
)
def test_a_providers_window_says_when_it_resets_or_how_old_it_is(fields, short, long):
    row = window(**fields)
    assert (resets(row, NOON, UTC), window_words(row, NOON, UTC)) == (short, long)
    assert len(short) <= 13


def test_subscription_windows_stand_below_the_budgets_and_can_only_be_looked_at(filled, drive):
    filled.limit("primary", 34.0, 300, filled.now_ms + 2 * HOUR)
    filled.spend(2, 1200, key="seen")
    filled.limit("secondary", 90.0, 10_080, filled.now_ms + 5 * DAY)

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  1 ", "codex 5 h", "34% ##.....     100% resets ", "codex week", "90% ")
        assert "claude 5 h      1.2k                - ends " in line_with(pilot, "claude 5 h")
        await pilot.press("3", "down", "d")
        await pilot.sees("codex 5 h is the provider's own window: it can only be looked at")
        await pilot.press("down", "down", "enter")
        await pilot.sees("claude 5 h is counted from its logs: it can only be looked at")
        await pilot.press("home", "d")
        await pilot.until(lambda: isinstance(pilot.app.screen, Confirm), "a budget can be deleted")

    drive(filled.home, scenario)


def test_a_window_without_budgets_still_says_how_to_set_one(world, drive):
    world.limit("primary", 34.0, 300, world.now_ms + 2 * HOUR)

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  0  n sets a limit", "codex 5 h")

    drive(world.home, scenario)


def test_a_session_page_tells_what_its_numbers_rest_on(spent, drive):
    log = spent.log(gone_ms=spent.now_ms)
    _, other = spent.session("the one before", at_ms=spent.now_ms - DAY)
    spent.sql("UPDATE usage SET log_id = ? WHERE generation_id = 1", log)
    spent.repeats(1, other, log, 34, (0, 0, 0, 7))
    with spent.open().transaction() as tx:
        undone = sessions.start_generation(
            tx, 1, source="quarterdeck", provider_home="", provider_id=None, model=None, workspace=None,
            reason="operator_reset", note=None, at_ms=spent.now_ms,
        )  # fmt: skip
        sessions.undo_generation(tx, undone, 1, spent.now_ms)
        logs.note_totals(tx, 1, logs.ClientTotals("cost-state", spent.now_ms, 120, 280, 0, 1211, 830_000))

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is open")
        await pilot.sees("1,604 tokens, $0.80 over 1 generation ", "(undone)", "62%: 620 of 1,000 tokens")
        await pilot.sees("window from the price list", "70% of all input was read from it, rising", "50 50 90 90")
        await pilot.sees("client     says 1,611 tokens, $0.83: the same as we do", "cost-state")
        await pilot.sees("copied     repeats 34 responses of session 5", "log        gone, kept by us")
        with spent.open().transaction() as tx:
            logs.note_totals(tx, 1, logs.ClientTotals("cost-state", spent.now_ms, 120, 280, 0, 1311, None))
        await pilot.sees("says 1,711 tokens: +100 output against ours")

    drive(spent.home, scenario)


def test_a_session_page_fits_a_small_terminal(spent, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("enter")
        await pilot.sees("tokens   cost", "gen 1   ", "ctx 62%, cache 70%^")
        assert "context    62%" not in pilot.shown()
        await pilot.press("tab")
        await pilot.sees("context    62%", "generation 1   fresh")
        assert all(len(line) <= 80 for line in pilot.shown().splitlines())

    drive(spent.home, scenario, (80, 24))


def test_a_run_page_shows_raw_beside_booked(spent, drive):
    values = {
        "session_id": 1, "generation_id": 1, "agent": "coder", "adapter": "command", "lane": "main", "task": "do it",
        "trigger": "operator", "task_type": "chat", "workspace": "/w", "can_read": "[]", "can_write": "[]",
        "inject": "[]", "state": "settled", "outcome": "succeeded", "estimate_tokens": 210, "verdict": "{}",
        "requested_ms": spent.now_ms, "started_ms": spent.now_ms, "ended_ms": spent.now_ms + 500, "prompt_chars": 812,
        "raw_usage": json.dumps({"input_tokens": 40, "output_tokens": 7, "note\x1b[2J": "x" * 30, "pad": "y" * 600}),
    }  # fmt: skip
    with spent.open().transaction() as tx:
        run_id = runs.add(tx, values)
    spent.book(1, (41, 0, 0, 7), key="run", run_id=run_id, cost_microusd=4_100)

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("5", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        await pilot.sees("raw      booked  basis", "prompt 812 chars", "$0.0041")
        assert line_with(pilot, "  input").split() == ["input", "40", "41", "per_run"]
        assert line_with(pilot, "  output").split() == ["output", "7", "7"]
        assert "\x1b" not in pilot.shown()

    drive(spent.home, scenario)


def test_help_explains_the_figures(filled, drive):
    async def scenario(pilot):
        await pilot.press("question_mark", "end")
        await pilot.sees("rising, falling, steady", "a part of it has no price", "runs out then", "weighs half")

    drive(filled.home, scenario, (120, 90))


def test_a_window_that_resets_is_read_again_though_nobody_commits(filled):
    filled.limit("primary", 34.0, 300, filled.now_ms + 5_000)
    posted = []
    feed = Feed(filled.home, posted.append)
    feed.look(filled.now_ms)
    posted.clear()
    assert not feed.look(filled.now_ms + 4_000)
    feed.look(filled.now_ms + 6_000)
    (board,) = [message.board for message in posted if isinstance(message, changes.BudgetsChanged)]
    assert [row.state for row in board.windows if row.kind == "limit"] == ["reset"]
    feed._close()


def test_what_an_idle_deck_shows_stays_as_it_is(filled):
    """For ten minutes nobody commits: budgets and sessions are read again, and nothing of them is drawn again but what
    is projected, which moves with the time that is left: by less than its figures show, most of the time."""
    at_ms = filled.now_ms + 2 * HOUR - (filled.now_ms + 2 * HOUR) % (10 * MIN)
    posted = []
    feed = Feed(filled.home, posted.append)
    feed.look(at_ms + 1000)
    first = [message.board.rows for message in posted if isinstance(message, changes.BudgetsChanged)]
    posted.clear()
    for minute in range(1, 9):
        feed.look(at_ms + minute * MIN)
    kinds = {type(message) for message in posted}
    assert not kinds & {changes.SessionsChanged, changes.SpendChanged}
    later = [message.board.rows for message in posted if isinstance(message, changes.BudgetsChanged)]
    seen = [drawn(row) for rows in (*first, *later) for row in rows]
    assert {row for row, _ in seen} == {seen[0][0]}
    assert sum(one != other for (_, one), (_, other) in pairwise(seen)) <= 1
    feed._close()


def drawn(row):
    return replace(row, projection=None), outlook(row, NOON, UTC)


def test_what_a_plan_is_called_comes_out_clean(filled):
    filled.limit("primary", 34.0, None, None, plan="\x1b[2Jpro")
    posted = []
    feed = Feed(filled.home, posted.append)
    feed.look(filled.now_ms)
    board = next(message.board for message in posted if isinstance(message, changes.BudgetsChanged))
    assert "\x1b" not in board.windows[0].plan
    assert isinstance(board, views.BudgetBoard)
    feed._close()
