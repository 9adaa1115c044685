"""`qd budget list`: limits with their projection, and the providers' own windows."""

import argparse
import json
import os
import re
import time
import tomllib

import pytest

from engine.runtime.budget_lines import budget_lines
from engine.runtime.lease import Lease
from engine.runtime.settings import load_strict
from state import approvals, ledger
from tests.tui.test_cli_runs import run_of
from tui.cli import budgets
from tui.cli.dispatch import capture
from tui.cli.verb import Context, Page

HOUR = 3_600_000


@pytest.fixture
def listed(filled):
    connections = []

    class Here(Context):
        def reader(self):
            connections.append(super().reader())
            return connections[-1]

    yield lambda: budgets.LIST.run(Here(filled.home, argparse.Namespace()))
    for connection in connections:
        connection.close()


def test_a_budget_has_a_projection(filled, listed):
    filled.spend(1, 900, key="before", at_ms=filled.now_ms - 30 * HOUR)
    (row,) = listed().data["budgets"]
    assert set(row["projection"]) == {"low", "likely", "high", "runs_out_at"}
    assert row["taken"] == 1200
    assert row["taken"] <= row["projection"]["low"] <= row["projection"]["likely"] <= row["projection"]["high"]


def test_without_any_usage_there_is_none(filled, listed):
    filled.configure('[budget.b]\nwindow = "day"\ntokens = 9\nagent = "nobody"\n[agent.nobody]\nadapter = "digest"\n')
    answer = listed()
    (row,) = answer.data["budgets"]
    assert row["projection"] is None
    header, line = answer.text.splitlines()[:2]
    assert header.endswith("at the end  runs out")
    assert line.split()[-2:] == ["-", "-"]


def test_spent_held_and_free_are_told_apart_and_add_up(filled, listed):
    run = run_of(filled)
    config = load_strict(filled.home)
    with filled.open().transaction() as tx:
        lines = budget_lines(tx, "day", config.budget["day"], config, filled.now_ms)
        ledger.reserve(tx, run, lines, {"tokens": 58_800}, filled.now_ms)
    answer = listed()
    (row,) = answer.data["budgets"]
    assert [row[name] for name in ("spent", "held", "free", "taken", "most")] == [1_200, 58_800, 0, 60_000, 60_000]
    assert [row[name] for name in ("live", "committed", "observed", "overrun")] == [0, 0, 1_200, 0]
    header, line = answer.text.splitlines()[:2]
    assert header.split()[3:10] == ["spent", "limit", "share", "held", "free", "observed", "overrun"]
    assert line.split()[3:10] == ["1,200", "60,000", "2%", "58,800", "0", "1,200", "0"]
    assert line.split()[11] == "full"


def test_what_is_over_says_so_and_what_has_no_price_is_unknown(filled, listed):
    filled.configure('[budget.t]\nwindow = "day"\ntokens = 9\n[budget.u]\nwindow = "day"\nusd = 9\nsource = "codex"\n')
    filled.sql("UPDATE generations SET source = 'codex' WHERE id = 2")
    filled.spend(2, 5, key="u", cost_microusd=None, source="codex")
    answer = listed()
    over, unknown = (line.split() for line in answer.text.splitlines()[1:3])
    assert (over[3], over[5], over[11]) == ("1,205", "999%", "over")
    assert (unknown[4], unknown[6]) == ("-", "-")
    assert [row["level"] for row in answer.data["budgets"]] == ["full", "ok"]


def test_subscriptions_stand_beside_the_budgets(filled, listed):
    filled.limit("primary", 34.0, 300, filled.now_ms + 2 * HOUR)
    filled.limit("secondary", 12.0, 10_080, filled.now_ms - HOUR, at_ms=filled.now_ms - 8 * 24 * HOUR)
    filled.spend(2, 500, key="seen")
    answer = listed()
    five_hours, week, block = answer.data["subscriptions"]
    assert (five_hours["source"], five_hours["kind"], five_hours["used_percent"]) == ("codex", "limit", 34.0)
    assert five_hours["resets_at"] is not None
    assert (week["state"], week["used_percent"], week["resets_at"]) == ("reset", None, None)
    assert (block["kind"], block["used_tokens"], block["used_percent"]) == ("block", 500, None)
    assert "codex 5 h" in answer.text
    assert "has reset" in answer.text


def test_without_budgets_the_windows_are_still_told(filled, listed):
    filled.configure("")
    filled.limit("primary", 34.0, 300, filled.now_ms + 2 * HOUR)
    answer = listed()
    assert answer.data["budgets"] == []
    assert "No budgets. Set one" in answer.text
    assert "34%" in answer.text


def said(world, *words, code=0):
    """The answer as JSON, and as text."""
    got, out, err = capture([*words, "--json"], world.home)
    assert got == code, err
    return json.loads(out), capture([*words], world.home)[1]


def test_a_budget_of_any_kind_is_declared_by_a_verb(world):
    words = (
        "--window",
        "5h",
        "--tokens",
        "1.5M",
        "--usd",
        "2.5",
        "--task-type",
        "chat",
        "--model",
        "haiku",
        "--source",
    )
    data, text = said(world, "budget", "set", "b", *words, "gemini", "--warn-at", "0.5", "--action", "pause")
    assert tomllib.loads(world.home.config_file.read_text())["budget"]["b"] == {
        "window": "5h",
        "tokens": 1_500_000,
        "usd": 2.5,
        "task_type": "chat",
        "model": "haiku",
        "source": "gemini",
        "warn_at": 0.5,
        "action": "pause",
    }
    assert [(row["unit"], row["limit"]) for row in data["budgets"]] == [("tokens", 1_500_000), ("microusd", 2_500_000)]
    assert "0 of 1,500,000 tokens and $0.00 of $2.50 spent in five hours, task type chat" in text


def test_a_new_budget_needs_a_window_and_a_limit(world):
    for words in ((), ("--window", "day"), ("--usd", "2")):
        code, _, err = capture(["budget", "set", "b", *words], world.home)
        assert code == 2
        assert "needs --window and --tokens or --usd" in err
    said(world, "budget", "set", "b", "--window", "run", "--usd", "2")
    assert said(world, "budget", "set", "b", "--usd", "3")[1] == "Budget b: $3.00 for each run, all."


def test_each_unit_has_a_row_and_dollars_are_shown_as_dollars(filled):
    filled.spend(1, 900_000, key="dear")
    filled.spend(1, 5, key="unpriced", cost_microusd=None)
    filled.close()
    data, text = said(filled, "budget", "set", "day", "--usd", "2")
    tokens, money = data["budgets"]
    assert (tokens["unit"], tokens["limit"], tokens["most"], tokens["granted"]) == ("tokens", 60_000, 60_000, 0)
    assert (money["unit"], money["limit"], money["taken"], money["unpriced"]) == ("microusd", 2_000_000, 901_200, 1)
    _, text = said(filled, "budget", "list")
    first, second = text.splitlines()[1:3]
    assert "901,205" in first
    assert "$0.90+" in second
    assert "$2.00" in second


def test_what_was_granted_stands_beside_the_limit(filled, monkeypatch):
    run = run_of(filled)
    config = load_strict(filled.home)
    connection = filled.open().connection
    (line,) = budget_lines(connection, "day", config.budget["day"], config, filled.now_ms)
    with filled.open().transaction() as tx:
        number = approvals.ask(tx, run, "{}", filled.now_ms, filled.now_ms + 1)
        approvals.decide(tx, number, True, filled.now_ms)
        approvals.grant(tx, number, line, None, 321, filled.now_ms)
    filled.close()
    data, text = said(filled, "budget", "list")
    assert (data["budgets"][0]["limit"], data["budgets"][0]["most"]) == (60_000, 60_321)
    assert text.splitlines()[1].split()[3:6] == ["1,200", "60,000", "321"]
    monkeypatch.setattr(budgets, "page", lambda: Page(80, True))
    narrow = said(filled, "budget", "list")[1].split("\n\n")[0]
    assert max(map(len, narrow.splitlines())) <= 80
    assert narrow.splitlines()[1].split()[2:5] == ["1.2k", "60.0k", "321"]
    text = said(filled, "budget", "set", "day", "--tokens", "50k")[1]
    assert re.fullmatch(
        r"Budget day: 1,200 of 50,000 tokens spent today, and 321 tokens granted beyond that until [^,]+, all\.", text
    )


@pytest.mark.parametrize("width", [80, 100, 140])
def test_budgets_fit_the_terminal(filled, monkeypatch, width):
    filled.close()
    said(filled, "budget", "set", "day", "--usd", "1234.5", "--agent", "coder")
    said(filled, "budget", "set", "each", "--window", "run", "--tokens", "2M")
    monkeypatch.setattr(budgets, "page", lambda: Page(width, True))
    _, text = said(filled, "budget", "list")
    assert max(map(len, text.splitlines())) <= width
    for name in ("limit", "state", "each", "agent coder"):
        assert name in text


def test_money_that_is_compared_does_not_round_until_it_contradicts(filled, monkeypatch):
    filled.spend(1, 45_300, key="dear")
    filled.close()
    said(filled, "budget", "set", "day", "--usd", "0.05")
    text = said(filled, "budget", "set", "day", "--usd", "0.05")[1]
    assert "$0.0465 of $0.0500 spent today" in text
    for short in (False, True):
        monkeypatch.setattr(budgets, "page", lambda short=short: Page(80, short))
        row = said(filled, "budget", "list")[1].splitlines()[2]
        assert {"$0.0465", "$0.0500", "93%"} <= set(row.split())


def test_one_is_not_several(world):
    text = said(world, "budget", "set", "b", "--window", "run", "--tokens", "1")[1]
    assert text == "Budget b: 1 token for each run, all."


@pytest.mark.parametrize("words", [("budget", "list"), ("run", "list"), ("sessions",), ("cron", "list")])
def test_what_no_engine_follows_says_how_old_it_is(filled, words):
    filled.configure('[job.j]\nevery = "1h"\nagent = "digest"\ninject = ["a"]\n')
    run_of(filled)
    filled.close()
    for path in filled.home.state.glob("quarterdeck.db*"):
        os.utime(path, (time.time() - 3 * 3600 - 5,) * 2)
    data, text = said(filled, *words)
    assert data["live"] is False
    assert data["seen_at"].endswith("Z")
    assert "No engine follows: this was seen 3 h ago." in text


def test_what_an_engine_follows_is_not_old(filled):
    filled.close()
    lease = Lease(filled.home, filled.now_ms)
    try:
        data, text = said(filled, "budget", "list")
    finally:
        lease.release()
    assert data["live"] is True
    assert "No engine follows" not in text


def test_where_there_is_no_state_nothing_is_old(world):
    data, text = said(world, "budget", "list")
    assert (data["live"], data["seen_at"]) == (False, None)
    assert "No engine follows" not in text
