"""What does `qd session show` make of a session: its figures, its money, and what its client says of both?"""

import json
import re

import msgspec
import pytest

from engine.contract.clock import iso
from state import logs, prices, sessions
from tui.cli import generations
from tui.cli.dispatch import capture
from tui.cli.verb import Page


def test_what_has_no_response_has_no_known_cost(world):
    session, _ = world.session("fix", agent="coder")
    world.close()
    _, out, _ = capture(["sessions", "--json"], world.home)
    assert [row["cost_microusd"] for row in json.loads(out)["sessions"]] == [None]
    _, out, _ = capture(["session", "show", str(session), "--json"], world.home)
    assert [one["cost_microusd"] for one in json.loads(out)["generations"]] == [None]
    _, out, _ = capture(["session", "show", str(session)], world.home)
    row = out.split("\n\n")[1].splitlines()[1]
    assert row.split() == ["1", *["0"] * 5, "-"]


def test_a_session_has_the_columns_of_usage_within_80(world, monkeypatch):
    session, generation = world.session("fix", agent="coder")
    world.book(generation, (123_456_789, 987_654_321, 55_555_555, 44_444_444), cost_microusd=10**12)
    world.close()

    _, piped, _ = capture(["session", "show", str(session)], world.home)
    monkeypatch.setattr("tui.cli.sessions.page", lambda: Page(80, True))
    _, seen, _ = capture(["session", "show", str(session)], world.home)

    header, row, *_ = piped.split("\n\n")[1].splitlines()
    assert re.split("  +", header) == [
        "generation",
        "responses",
        "input",
        "cache read",
        "cache write",
        "output",
        "cost",
    ]
    assert row.split() == ["1", "1", "123,456,789", "987,654,321", "55,555,555", "44,444,444", "$1,000,000.00"]
    assert max(map(len, seen.split("\n\n")[1].splitlines())) <= 80
    assert "123M" in seen
    assert "generation 1: since " in piped
    assert "fresh: the session's first run" in piped


@pytest.mark.parametrize(
    ("theirs", "ours", "unpriced", "said"),
    [
        (200_000, 30_000, 0, "client says the same tokens; it says $0.20, we say $0.03 (cost-state)"),
        (30_000, 200_000, 0, "client says the same tokens; it says $0.03, we say $0.20 (cost-state)"),
        (100_900, 100_000, 0, "client says the same (cost-state)"),
        (102_000, 100_000, 0, "client says the same tokens; it says $0.1020, we say $0.1000 (cost-state)"),
        (2, 1, 0, "client says the same (cost-state)"),
        (None, 100_000, 0, "client says the same (cost-state)"),
        (200_000, None, 1, "client says the same (cost-state)"),
        (200_000, 30_000, 1, "client says the same (cost-state)"),
    ],
)
def test_the_same_tokens_at_another_cost_are_said(world, theirs, ours, unpriced, said):
    session, generation = world.session("fix")
    world.book(generation, (2, 20, 200, 2000), "a", cost_microusd=ours)
    if unpriced and ours is not None:
        world.book(generation, (0, 0, 0, 0), "b", cost_microusd=None)
    with world.open().transaction() as tx:
        logs.note_totals(tx, generation, logs.ClientTotals("cost-state", world.now_ms, 2, 20, 200, 2000, theirs))
    (view,) = generations.views(world.open().connection, session)
    assert said in list(generations.remarks(view))


def test_a_generation_is_compared_with_its_client_after_what_it_repeats(world):
    """A fork's client counts its parent's responses as its own; they are booked for the parent."""
    _, parent = world.session("parent", at_ms=world.now_ms - 10)
    _, child = world.session("child")
    log = logs.LogFile(0, "claude_code", "/l", 1, 2, 10, 20, 10, "h", "", 5, "{}", "{}", 1)
    with world.open().transaction() as tx:
        first = logs.advance(tx, log, {}, {}, False)
        second = logs.advance(tx, msgspec.structs.replace(log, path="/gone"), {}, {}, False)
        logs.mark_gone(tx, ("/gone",), world.now_ms)
    for generation, key, log_id in ((parent, "a", first), (child, "a", second), (child, "b", second)):
        world.book(generation, (1, 10, 100, 1000), key, log_id=log_id, cost_microusd=None if key == "b" else 3)
    with world.open().transaction() as tx:
        logs.note_totals(tx, child, logs.ClientTotals("cost-state", world.now_ms, 2, 20, 200, 2001, 77))
    connection = world.open().connection

    (view,) = generations.views(connection, sessions.generation(connection, child).session_id)

    assert view["client"]["difference"] == {
        "input_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 1,
    }
    assert (view["client"]["kind"], view["client"]["cost_microusd"]) == ("cost-state", 77)
    parents = sessions.generation(connection, parent).session_id
    assert view["copied_from"] == [{"session": parents, "responses": 1}]
    assert view["logs"] == [{"path": "/gone", "gone_at": iso(world.now_ms)}]
    assert (view["cost_microusd"], view["responses_unpriced"], view["window_from"]) == (None, 1, None)
    assert list(generations.remarks(view)) == [
        "client says output +1 (cost-state)",
        f"repeats 1 response of session {parents}, counted there",
        "log gone, kept by us: /gone",
    ]
    (untold,) = generations.views(connection, parents)
    assert (untold["client"], untold["copied_from"], untold["cost_microusd"]) == (None, [], 3)


def test_a_context_window_says_where_it_is_from(world):
    session, generation = world.session("fix", model="m1")
    connection = world.open().connection

    def seen(**columns):
        with world.open().transaction() as tx:
            for name, value in columns.items():
                tx.execute(f"UPDATE generations SET {name} = ? WHERE id = ?", (value, generation))
        (view,) = generations.views(connection, session)
        return view["context_window"], view["window_from"], *generations.remarks(view)

    assert seen() == (None, None)
    assert seen(context_tokens=50_000) == (None, None, "context 50.0k tokens of an unknown window")
    with world.open().transaction() as tx:
        number = prices.model_id(tx, "m1", "nobody")
        prices.note_asked(tx, number, "list", None, 200_000)
    assert seen() == (200_000, "prices", "context 50.0k tokens of 200k, 25% (window from prices)")
    with world.open().transaction() as tx:
        prices.note_window(tx, number, 500_000)
    assert seen() == (500_000, "config", "context 50.0k tokens of 500k, 10% (window from config)")
    assert seen(context_window=100_000) == (100_000, "log", "context 50.0k tokens of 100k, 50% (window from log)")
