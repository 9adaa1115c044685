"""What is rarely said on the spawn sheet: what stands for it, and is all of it reached on every screen?"""

import pytest

from engine.config.load import parse
from engine.contract.verdict import ReceiptView
from engine.runtime.settings import CHECKS
from state.errors import Refused
from tests.tui.test_spawn import EMPTY, SCOPE, TEMPLATE, Engine, verdict
from tui.screens.spawn_request import folded_words, holds, request_of


@pytest.fixture
def config(tmp_path):
    return parse(TEMPLATE, tmp_path / "quarterdeck.toml", CHECKS)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        (
            {"permissions": "ask", "sandbox": "require", "read": "strict", "fallback": "a, b/c"},
            {"permissions": "ask", "sandbox": "require", "read": "strict", "fallback": ("a", "b/c")},
        ),
        ({"fallback": "none", "keep": "none"}, {"fallback": (), "keep": ()}),
        ({"keep": "memory mcp", "grace": "1s"}, {"keep": ("memory", "mcp"), "grace_s": 1, "silence_s": None}),
        ({"silence": "2m", "stop turns": "9"}, {"silence_s": 120, "stop_turns": 9, "stop_tokens": None}),
        ({"stop tokens": "20k", "stop usd": "$0.10"}, {"stop_tokens": 20_000, "stop_usd": 0.1, "stop_turns": None}),
    ],
)
def test_folded_fields_ask_for_what_they_say_and_empty_ones_for_nothing(fields, asked):
    found = request_of(EMPTY | fields)
    assert {key: getattr(found, key) for key in asked} == asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"permissions": "yes"}, "permissions: 'yes' is none of them"),
        ({"sandbox": "on"}, "sandbox: 'on'"),
        ({"read": "none"}, "read: 'none'"),
        ({"keep": "memory all"}, "keep: 'all'"),
        ({"silence": "long"}, "silence: 'long' is no duration"),
        ({"grace": "soon"}, "grace: "),
        ({"stop turns": "0"}, "stop turns: '0' is no number of turns"),
        ({"stop turns": "9" * 5000}, "stop turns: "),
        ({"stop tokens": "few"}, "stop tokens: 'few' is no number of tokens"),
        ({"stop usd": "$many"}, "stop usd: '$many' is no amount of dollars"),
    ],
)
def test_a_folded_field_that_makes_no_sense_is_named(fields, said):
    with pytest.raises(Refused) as caught:
        request_of(EMPTY | fields)
    assert str(caught.value).startswith(said)


def test_the_fold_says_what_holds_of_each_and_first_what_was_typed(config):
    hints = holds(request_of(EMPTY | {"agent": "coder", "stop turns": "3"}), config, {"permissions": "task type"})
    assert hints["permissions"] == "deny (task type)"
    assert hints["grace"] == "10 s (limits)"
    assert (hints["keep"], hints["stop usd"]) == ("none (?)", "none (?)")
    line = folded_words(EMPTY | {"stop turns": "3"}, hints, ("permissions", "read", "stop turns", "keep"))
    assert line == (("stop turns 3, ", "accent"), ("permissions deny, read open, no keep", "dim"))
    names = ("permissions", "sandbox", "read", "silence", "fallback", "keep", "grace")
    line = folded_words(EMPTY, hints, (*names, "stop turns", "stop tokens", "stop usd"))
    said = (
        "permissions deny, sandbox prefer, read open, grace 10 s, stop turns 3, no silence, fallback, keep, stop tokens"
    )
    assert line == ((f"{said}, stop usd", "dim"),)
    nothing = hints | {"stop turns": "none (?)"}
    line = folded_words(EMPTY, nothing, (*names, "stop turns", "stop tokens", "stop usd"))
    assert line[0][0] == "permissions deny, sandbox prefer, read open, grace 10 s, no silence, fallback, keep, stops"
    assert folded_words(EMPTY, {}, ("read",)) == (("", "dim"),)


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_what_is_rarely_said_is_folded_and_unfolded_and_judged_as_it_is_typed(filled, drive, size):
    async def scenario(pilot):
        engine = Engine(pilot)
        sheet = await engine.sheet()
        await engine.says(verdict(), ReceiptView((), 0, 0, None, None, {"permissions": "task type"}))
        await pilot.sees("more        ctrl+o  permissions deny, sandbox prefer")
        assert "stop tokens" not in pilot.shown() or size[0] > 100
        await pilot.press("up", "up", *"wc")
        assert sheet.form.values["workspace"].endswith("wc"), "folded fields are stepped over"
        await pilot.press("ctrl+o")
        await pilot.sees("deny (task type)", "ctrl+o  folds these")
        seen, names = set(), [field.name for field in sheet.form.fields if field.folded]
        await pilot.press(*"deny")
        for name in names:
            seen |= {one for one in names if f"{one} " in pilot.shown()}
            await pilot.press(*(["down"] if name not in ("stop tokens", "stop usd") else []))
        assert seen == set(names), "what does not fit is scrolled to"
        await pilot.press(*"9k")
        await pilot.sees("stop tokens 9k")
        assert (sheet.form.values["permissions"], sheet.form.values["stop tokens"]) == ("deny", "9k")
        await engine.says(verdict(SCOPE))
        assert (engine.asked[-1].permissions, engine.asked[-1].stop_tokens) == ("deny", 9_000)
        await pilot.sees("1 check must pass first: scope")
        await pilot.press("ctrl+o")
        await pilot.sees("more        ctrl+o  permissions deny, stop tokens 9k, ")
        await pilot.press(*"!")
        assert sheet.form.values["program"] == "!", "the keyboard is at the last field in sight"
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(filled.home, scenario, size)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_a_long_title_goes_on_below(filled, drive, size):
    async def scenario(pilot):
        await Engine(pilot).sheet()
        words = " ".join(pilot.shown().split())
        assert "Spawn a subagent in a conversation of its own; the prompt holds what is named here" in words

    drive(filled.home, scenario, size)
