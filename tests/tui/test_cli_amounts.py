"""How are values read from a command line: exactly, or with one line that says how to write them?"""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Config
from state.errors import NotFound, QuarterdeckError, Refused, UsageError
from tui.cli import amounts
from tui.cli.asking import parent_of
from tui.cli.cron import _who
from tui.cli.dispatch import capture


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("60000", 60_000), ("60k", 60_000), ("1.5M", 1_500_000), ("0.2K", 200), ("1e3", 1000)],
)
def test_tokens_are_read_as_operators_write_them(text, number):
    assert amounts.tokens(text) == number


@given(st.integers(0, amounts.MOST_TOKENS))
def test_a_plain_number_of_tokens_is_itself(number):
    assert amounts.tokens(str(number)) == number


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        *(
            (amounts.tokens, text, "is no number of tokens")
            for text in ("", "k", "20x", "-1", "nan", "inf", "1e99", "1_")
        ),
        (amounts.some_tokens, "0", "at least 1"),
        (amounts.some_tokens, "0.2", "at least 1"),
        *((amounts.dollars, text, "is no amount of dollars") for text in ("", "$2", "-0.1", "nan", "inf", "1e9")),
        (amounts.duration, "soon", "is no duration"),
        (amounts.parameter, "file", "NAME=VALUE"),
        (amounts.parameter, "=x", "NAME=VALUE"),
        *((amounts.number, text, "invalid int value") for text in ("", "x", "0", "-1", "1.5", str(2**63), "9" * 5000)),
        *((amounts.how_many, text, "give one from 0 to") for text in ("many", "-1", str(2**63))),
    ],
)
def test_what_makes_no_sense_says_how_to_write_it(kind, text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        kind(text)


def test_the_last_number_of_all_is_one():
    assert amounts.number(str(2**63 - 1)) == 2**63 - 1
    assert amounts.how_many("0") == 0


def test_a_parameter_may_be_empty_or_hold_more_signs():
    assert amounts.parameter("a=b=c") == ("a", "b=c")
    assert amounts.parameter("a=") == ("a", "")


@pytest.mark.parametrize(
    "words",
    [
        ("spawn", "--max-tokens", "20x"),
        ("spawn", "--max-injected", "0"),
        ("run", "--max-usd", "free"),
        ("spawn", "--param", "file"),
        ("budget", "set", "b", "--tokens", "many"),
        ("budget", "set", "b", "--usd", "many"),
        ("budget", "set", "b", "--action", "sleep"),
        ("cron", "add", "--name", "j", "--every", "1h", "--timeout", "soon"),
        ("approve", "three"),
        ("approve", "18446744073709551615"),
        ("approvals", "show", "9223372036854775808"),
        ("run", "--session", "18446744073709551615"),
        ("run", "--session", "0"),
        ("run", "show", "18446744073709551615"),
        ("run", "stop", "18446744073709551615"),
        ("run", "list", "--limit", "18446744073709551615"),
        ("session", "show", "18446744073709551615"),
        ("session", "reset", "18446744073709551615"),
        ("sessions", "--limit", "18446744073709551615"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(world, words):
    code, out, err = capture([*words], world.home)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "--help" in err


@pytest.mark.parametrize(("told", "parent"), [(None, None), ("", None), ("7", 7), (str(2**63 - 1), 2**63 - 1)])
def test_a_run_that_asks_is_the_parent(told, parent):
    assert parent_of({} if told is None else {"QUARTERDECK_RUN": told}) == parent


@pytest.mark.parametrize("told", ["x", "-1", "1.5", "٣", "0", str(2**63), "18446744073709551615", "9" * 5000])
def test_a_parent_that_is_no_run_is_a_mistake(told):
    with pytest.raises(UsageError, match="QUARTERDECK_RUN"):
        parent_of({"QUARTERDECK_RUN": told})


def test_no_run_is_asked_for_by_one_that_cannot_be(world, monkeypatch):
    monkeypatch.setenv("QUARTERDECK_RUN", "18446744073709551615")
    code, out, err = capture(["spawn", "--task", "x"], world.home)
    assert (code, out) == (2, "")
    assert err == "qd: QUARTERDECK_RUN is '18446744073709551615', which is no run; unset QUARTERDECK_RUN"
    assert not world.home.orders.exists() or not list(world.home.orders.iterdir())


CONFIG = """
[agent.coder]
adapter = "command"
argv = ["true"]
"""


@pytest.mark.parametrize(
    ("agent", "model", "is_"),
    [
        (None, None, ("digest", None)),
        (None, "digest", ("digest", None)),
        (None, "command", ("command", None)),
        ("coder", None, ("coder", None)),
        ("coder", "haiku", ("coder", "haiku")),
        ("coder", "digest", ("coder", "digest")),
        (None, "haiku", Refused),
        ("digest", "haiku", Refused),
        ("coda", None, NotFound),
    ],
)
def test_a_job_names_an_agent_and_its_model(agent, model, is_):
    from pathlib import Path

    from engine.config.load import parse

    config: Config = parse(CONFIG, Path("quarterdeck.toml"))
    if isinstance(is_, type) and issubclass(is_, QuarterdeckError):
        with pytest.raises(is_):
            _who(agent, model, config)
    else:
        assert _who(agent, model, config) == is_
