"""`qd budget list`: limits with their projection, and the providers' own windows."""

import argparse

import pytest

from tui.cli import budgets
from tui.cli.verb import Context

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


def test_without_six_hours_of_usage_there_is_none(listed):
    answer = listed()
    (row,) = answer.data["budgets"]
    assert row["projection"] is None
    header, line = answer.text.splitlines()[:2]
    assert header.endswith("at the end  runs out")
    assert line.split()[-2:] == ["-", "-"]


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
