"""Cache, context and the client's own sums, from a real state folder."""

import pytest

from engine.config.load import parse
from engine.runtime.settings import CHECKS
from state import board, logs, sessions
from tui.reading import figures

MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_795_003_200_000


def cache(world, now_ms=NOON):
    connection = world.open().connection
    return figures.cache_board(connection, board.board(connection, now_ms - HOUR), now_ms)


def conversation(world, generation, text=""):
    connection = world.open().connection
    config = parse(text, world.home.config_file, CHECKS)
    return figures.conversation(connection, config, sessions.generation(connection, generation))


def respond(world, generation, ratios, at_ms=NOON, **fields):
    """A response for each ratio (in per cent of its input), a minute apart, the last one at `at_ms`."""
    for number, share in enumerate(reversed(ratios)):
        parts = (100 - share, share, 0, 1)
        world.book(generation, parts, key=f"{generation}-{number}", at_ms=at_ms - number * MIN, **fields)


def test_the_pace_weighs_what_is_new(world):
    _, generation = world.session("a", at_ms=NOON)
    for minute in range(60):
        world.spend(generation, 100 if minute < 30 else 1000, key=f"m{minute}", at_ms=NOON - (59 - minute) * MIN)
    pace = figures.pace(world.open().connection, NOON + 59_999)
    assert len(pace.minutes) == 60
    assert pace.minutes[0] == 100
    assert pace.minutes[-1] == 1000
    assert 970 < pace.per_minute <= 1000


def test_nothing_spent_has_no_pace(world):
    assert figures.pace(world.open().connection, NOON).per_minute == 0


@pytest.mark.parametrize(
    ("ratios", "trend"),
    [
        ([50, 50, 90, 90], "rising"),
        ([90, 90, 50, 50], "falling"),
        ([90, 90, 91, 91], "steady"),
        ([0, 90, 90], None),
    ],
)
def test_a_ratio_has_a_trend_when_there_are_responses_enough(world, ratios, trend):
    session, generation = world.session("a", at_ms=NOON)
    respond(world, generation, ratios)
    found = cache(world)[session]
    assert found.ratio == pytest.approx(sum(ratios) / len(ratios) / 100)
    assert found.trend == trend


def test_what_rests_has_no_trend(world):
    session, generation = world.session("a", at_ms=NOON - 2 * DAY)
    respond(world, generation, [50, 50, 90, 90], NOON - 2 * DAY)
    assert cache(world)[session].trend is None


def test_without_input_the_ratio_is_unknown(world):
    session, generation = world.session("a", at_ms=NOON)
    world.spend(generation, 10, at_ms=NOON)
    assert session not in cache(world)
    assert conversation(world, generation).ratio is None


def test_only_the_newest_sessions_are_looked_at_closely(world, monkeypatch):
    monkeypatch.setattr(figures, "TRENDS_MOST", 1)
    for title, at_ms in (("older", NOON - MIN), ("newer", NOON)):
        respond(world, world.session(title, at_ms=at_ms)[1], [50, 50, 90, 90], at_ms)
    assert {session: found.trend for session, found in cache(world).items()} == {1: None, 2: "rising"}


def priced(world, window):
    world.sql("INSERT INTO models (name, provider, context_window) VALUES ('haiku-4', 'anthropic', ?)", window)


OWN = '[prices."anthropic/haiku-4"]\ninput = 1.0\noutput = 5.0\ncontext_window = 500\n'


@pytest.mark.parametrize(
    ("logged", "text", "tokens", "source"),
    [(1000, OWN, 1000, "log"), (None, OWN, 500, "config"), (None, "", 2000, "prices")],
)
def test_the_window_says_where_it_comes_from(world, logged, text, tokens, source):
    _, generation = world.session("a", at_ms=NOON)
    priced(world, 2000)
    world.sql("UPDATE generations SET context_tokens = 250, context_window = ? WHERE id = ?", logged, generation)
    found = conversation(world, generation, text)
    assert (found.window.tokens, found.window.source) == (tokens, source)
    assert found.fill == 250 / tokens


def test_an_unknown_window_leaves_the_fill_unknown(world):
    _, generation = world.session("a", at_ms=NOON)
    world.sql("UPDATE generations SET context_tokens = 250 WHERE id = ?", generation)
    found = conversation(world, generation)
    assert (found.window.source, found.fill) == ("unknown", None)


def test_what_the_client_says_is_compared_with_ours_and_what_is_copied(world):
    _, generation = world.session("a", at_ms=NOON)
    _, other = world.session("b", at_ms=NOON - DAY)
    log = world.log()
    world.book(generation, (10, 20, 30, 40), at_ms=NOON, log_id=log)
    world.repeats(generation, other, log, 3, (1, 2, 3, 4))
    assert conversation(world, generation).difference is None
    for totals, difference in (((11, 22, 33, 44), (0, 0, 0, 0)), ((11, 22, 33, 49), (0, 0, 0, 5))):
        with world.open().transaction() as tx:
            logs.note_totals(tx, generation, logs.ClientTotals("cost-state", NOON, *totals, None))
        found = conversation(world, generation)
        assert found.difference == difference
    assert found.repeats == ((2, 3),)


def test_a_log_is_gone_when_none_of_the_last_ones_is_left(world):
    _, generation = world.session("a", at_ms=NOON)
    kept, gone = world.log("/logs/kept.jsonl"), world.log("/logs/gone.jsonl", gone_ms=NOON)
    world.book(generation, (1, 0, 0, 1), key="a", log_id=gone)
    assert conversation(world, generation).log_gone
    world.book(generation, (1, 0, 0, 1), key="b", log_id=kept)
    assert not conversation(world, generation).log_gone


def test_what_no_log_told_is_not_called_gone(world):
    _, generation = world.session("a", at_ms=NOON)
    world.book(generation, (1, 0, 0, 1))
    assert not conversation(world, generation).log_gone
