"""Is what a program asks put to a terminal whole, once, and is it never allowed before all of it could be read?"""

import os

import msgspec
import pytest

from engine.runtime.questions import Permission
from state import approvals
from tests.tui.test_cli_runs import run_of
from tui.cli.answering import SHORT_LINES, Asker
from tui.cli.telling import Teller


@pytest.fixture
def typed(monkeypatch):
    """Where a test types: the other end is our standard input."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "w", buffering=1) as ours:
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours


@pytest.fixture
def asker(world):
    """Of a run whose program asks about a text of so many lines."""

    def make(lines):
        run = run_of(world, state="running", outcome=None)
        what = "\n".join(f"line {number} \x1b[31m" for number in range(lines))
        asked = Permission(run, "coder", None, "mend", "/w", "Bash", what, "/w/a.md")
        with world.open().transaction() as tx:
            text = msgspec.json.encode(asked).decode()
            number = approvals.ask(tx, run, text, world.now_ms, world.now_ms + 1, request_id="r")
        return Asker(world.home, world.open().connection, run, Teller()), number

    return make


def orders(world):
    return list(world.home.orders.iterdir()) if world.home.orders.exists() else []


def test_a_short_question_is_shown_whole_and_once(world, asker, typed, capsys):
    asking, _ = asker(SHORT_LINES - 1)
    asking.look()
    asking.look()
    said = capsys.readouterr().err
    assert said.count("coder asks: Bash /w/a.md") == 1
    assert said.count("  line ") == SHORT_LINES - 1
    assert "more lines" not in said
    assert "\x1b" not in said
    assert said.endswith("[y]es, [n]o, [d]etails? ")


def test_a_long_one_cannot_be_allowed_before_all_of_it_was_shown(world, asker, typed, capsys):
    asking, number = asker(SHORT_LINES + 40)
    asking.look()
    assert "(41 more lines: d shows them)" in capsys.readouterr().err
    typed.write("y\n")
    asking.look()
    assert "not all of it has been shown" in capsys.readouterr().err
    assert orders(world) == []
    assert approvals.get(world.open().connection, number).state == "open"
    typed.write("d\n")
    asking.look()
    assert f"line {SHORT_LINES + 39}" in capsys.readouterr().err


def test_what_is_answered_elsewhere_is_withdrawn_and_typing_then_answers_nothing(world, asker, typed, capsys):
    asking, number = asker(1)
    asking.look()
    with world.open().transaction() as tx:
        approvals.withdraw_one(tx, number, world.now_ms)
    typed.write("y\n")
    asking.look()
    assert "answered elsewhere" in capsys.readouterr().err
    assert orders(world) == []


def test_when_nobody_is_there_any_more_it_says_how_else(world, asker, typed, capsys):
    asking, number = asker(1)
    asking.look()
    typed.close()
    asking.look()
    asking.look()
    assert capsys.readouterr().err.count(f"nobody answers here: qd approve {number}, qd deny {number}") == 1
    assert orders(world) == []
