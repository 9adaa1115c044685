"""Are exactly the declared names replaced, once, and is a value that does not fit refused?"""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.model import Config, Param, Template
from engine.config.params import fill
from engine.context.fill import fill_all, parameters, uses, words
from engine.context.routing import route
from engine.contract.orders import RunRequest
from state.errors import Refused

VERBATIM = [
    "{0.__class__}",
    "{{7*7}}",
    "%(x)s",
    "{unknown}",
    "{}",
    "{ topic }",
    "{topic!r}",
    "{topic:>9}",
    "{topic",
    "topic}",
    "$topic ${topic.x}",
    "{a.b} {a[0]}",
]


@pytest.mark.parametrize("text", VERBATIM)
def test_what_is_no_declared_name_comes_out_as_it_is(text):
    assert fill(text, {"topic": "tides", "0": "zero"}) == text


def test_a_declared_name_is_replaced_wherever_it_stands():
    assert fill("{topic} and {topic}, {{topic}}", {"topic": "tides"}) == "tides and tides, {tides}"
    assert fill_all(("a/{n}", "b"), {"n": "7"}) == ("a/7", "b")


def test_a_value_is_not_filled_again():
    assert fill("{a}{b}", {"a": "{b}", "b": "{a}"}) == "{b}{a}"


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.text()))
def test_without_its_names_a_text_stays_byte_for_byte(text, values):
    told = {name: value for name, value in values.items() if f"{{{name}}}" not in text}
    assert fill(text, told) == text


@given(st.text(), st.text(), st.text())
def test_a_value_stands_as_it_is_between_what_surrounds_it(before, value, after):
    text = before.replace("{", "") + "{topic}" + after.replace("}", "")
    assert fill(text, {"topic": value}) == before.replace("{", "") + value + after.replace("}", "")


def template(**params):
    names = " ".join(f"{{{name}}}" for name in params)
    return Template(task=names, params={name: Param(type=kind) for name, kind in params.items()})


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("text", "", None),
        ("text", "two\nlines\x1b[31m", None),
        ("word", "tides", None),
        ("word", "../x", None),
        ("word", "two words", "no blanks"),
        ("word", "two\u00a0words", "cannot be printed"),
        ("word", "", "empty"),
        ("word", "a\x00b", "cannot be printed"),
        ("number", "007", None),
        ("number", "-1", "digits"),
        ("number", "1.5", "digits"),
        ("number", "\u0663", "digits"),
        ("path", "notes/a b.md", None),
        ("path", "src/**", None),
        ("path", "a..b/c", None),
        ("path", "/etc/passwd", "inside"),
        ("path", "~/x", "inside"),
        ("path", "a/../../x", "inside"),
        ("path", "..", "inside"),
        ("path", "", "empty"),
        ("path", "a\0", "cannot be printed"),
    ],
)
def test_a_value_must_be_of_its_type(kind, value, why):
    if why is None:
        assert parameters("t", template(x=kind), {"x": value}) == {"x": value}
        return
    with pytest.raises(Refused, match=why) as raised:
        parameters("t", template(x=kind), {"x": value})
    assert raised.value.line.isprintable()
    assert raised.value.fix


@pytest.mark.parametrize("value", ["../secret", "a/b", ".."])
def test_a_word_in_a_path_cannot_leave_its_folder(value):
    scoped = Template(can_write=("notes/{topic}.md",), params={"topic": Param(type="word")})
    with pytest.raises(Refused, match="has no /"):
        parameters("t", scoped, {"topic": value})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "template t needs the parameter 'topic'; give it: topic=VALUE"),
        ({"topic": "x", "topci": "y"}, "template t has no parameter 'topci'; did you mean 'topic'?"),
        ({"topic": "x", "q" * 99: "y"}, f"template t has no parameter '{'q' * 60}...'; known: topic, size"),
    ],
)
def test_a_missing_or_an_unknown_parameter_is_refused_with_a_way_out(given, said):
    declared = Template(
        task="{topic} {size}", params={"topic": Param(type="word"), "size": Param(type="number", default="3")}
    )
    assert parameters("t", declared, {"topic": "x"}) == {"topic": "x", "size": "3"}
    with pytest.raises(Refused) as raised:
        parameters("t", declared, given)
    assert raised.value.line == said


def test_what_opens_a_conversation_can_name_nothing_that_changes():
    routed = route(RunRequest(workspace="/w", job="nightly", trigger="timer"), Config())
    named = words(routed, job=None, workspace="/w", trigger="timer", now=datetime(2026, 11, 21, 9, 5))
    assert named.every == {
        "agent": "digest",
        "task_type": "cron",
        "job": "",
        "workspace": "/w",
        "trigger": "timer",
        "date": "2026-11-21",
        "time": "09:05",
    }
    assert set(named.every) - set(named.opening) == {"trigger", "date", "time"}
    assert uses("{time} at {workspace} {date}") == ("date", "time")
