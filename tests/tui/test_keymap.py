"""Which key does what? Every preset means one thing in one place; what cannot be is told, and the rest holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.console import ConsoleConfig
from state.home import Home
from tui import actions
from tui.actions.keymap import NO_KEY, PRESETS, Keymap, clashes, is_typed, keymap, parse_key
from tui.actions.together import PLACES
from tui.cli.dispatch import run

NAMES = [action.name for action in actions.ACTIONS]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_key_has_two_meanings_in_one_place_of_any_preset(preset):
    found = keymap(preset, {})
    assert found.problems == ()
    assert clashes(found.keys) == []


def test_the_configuration_knows_every_preset():
    assert set(ConsoleConfig.__annotations__["keys"].__args__) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_name_and_key_of_a_preset_is_one(preset):
    for name, keys in PRESETS[preset].items():
        assert name in NAMES
        assert [parse_key(key) for key in keys.split(",")] == keys.split(",")


def test_every_key_of_the_registry_is_a_key():
    for action in actions.ACTIONS:
        assert [parse_key(key) for key in action.key.split(",") if key != "ctrl+@"] == [
            key for key in action.key.split(",") if key != "ctrl+@"
        ], action.name


def test_names_are_unique_and_every_place_has_one():
    assert len(NAMES) == len(set(NAMES))
    used = {context for action in actions.ACTIONS for context in action.where}
    assert used <= set(PLACES)
    assert used <= {context for contexts in actions.TOGETHER for context in contexts}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("R", "R"),
        ("shift+r", "R"),
        ("ctrl+R", "ctrl+r"),
        ("?", "question_mark"),
        ("+", "plus"),
        ("/", "slash"),
        ("comma", "comma"),
        ("esc", "escape"),
        ("F5", "f5"),
        ("shift+ctrl+up", "ctrl+shift+up"),
        ("alt+x", "alt+x"),
        ("g g", "g g"),
        (" G ", "G"),
        *((wrong, None) for wrong in ("", "gg", "ctrl+", "meta+x", "ctrl+ctrl+x", "g g g", "ctrl+g g", "escap")),
    ],
)
def test_a_key_is_read_as_operators_write_it(text, key):
    assert parse_key(text) == key


@given(st.text(max_size=12))
def test_no_text_breaks_the_reading_of_keys(text):
    key = parse_key(text)
    assert key is None or parse_key(key) == key


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"talk.say": "ctrl+x"}, "talk.say cannot be on ctrl+x: talk.stop has it in talk"),
        ({"session.interrupt": "x"}, "session.interrupt cannot be on x: run.stop has it in session"),
        ({"sheet.take": "ctrl+s"}, "sheet.take cannot be on ctrl+s: sheet.save has it in sheets"),
        ({"filter.keep": "x"}, "filter.keep cannot be on x: run.stop has it in Sessions"),
        ({"spawn.fold": "tab"}, "spawn.fold cannot be on tab: sheet.take has it in spawn sheet"),
        ({"talk.say": "f5", "session.attach": "f5"}, "session.attach cannot be on f5: talk.say has it in talk"),
        ({"sheet.take": "f5", "field.next": "f5"}, None),
        ({"talk.say": "f5", "list.open": "f5"}, None),
        ({"session.interrupt": "q"}, None),
    ],
)
def test_an_action_shares_its_key_with_those_that_are_meant_and_no_other(changes, problem):
    found = keymap("default", changes)
    assert [line.removeprefix("keymap: ").removesuffix("; move that first") for line in found.problems] == (
        [problem] if problem else []
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, "n sets one, esc leaves"), ({"list.new": "N,f2"}, "N sets one"), ({"list.new": ""}, "no key sets one")],
)
def test_a_text_has_the_keys_in_force(changes, said):
    assert keymap("default", changes).told("{list.new} sets one, {back} leaves").startswith(said)
    assert Keymap().told("{} {what?} {1}") == "{} {what?} {1}"


@pytest.mark.parametrize(
    ("changes", "keys", "problems"),
    [
        ({"session.reset": "R"}, {"session.reset": ("R",)}, []),
        ({"session.reset": "R,f5"}, {"session.reset": ("R", "f5")}, []),
        ({"undo": ""}, {"undo": ()}, []),
        ({"spawn": "f6", "pane.zoom": "s"}, {"spawn": ("f6",), "pane.zoom": ("s",)}, []),
        ({"session.talk": "a", "session.attach": "t"}, {"session.talk": ("a",), "session.attach": ("t",)}, []),
        ({"session.resett": "R"}, {}, ["there is no action 'session.resett'; did you mean session.reset?"]),
        ({"session.reset": "Rr"}, {}, ["session.reset: 'Rr' is no key"]),
        ({"session.reset": "s"}, {}, ["session.reset cannot be on s: spawn has it in Sessions"]),
        ({"undo": "s", "help": "f1"}, {"help": ("f1",)}, ["undo cannot be on s: spawn has it"]),
        ({"undo": "q"}, {}, ["undo cannot be on q: leave has it"]),
        ({"undo": "z z"}, {}, ["undo cannot be on z"]),
        ({"spawn.wait": "w"}, {}, ["spawn.wait cannot be on w: that is a letter in a line where it works"]),
        ({"prompt.complete": "x"}, {}, ["prompt.complete cannot be on x: that is a letter"]),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_the_rest_holds(changes, keys, problems):
    found = keymap("default", changes)
    assert found.keys == keys
    assert len(found.problems) == len(problems)
    for line, said in zip(found.problems, problems, strict=True):
        assert line.startswith("keymap: ")
        assert said in line
        assert "\n" not in line


KEYS = st.sampled_from(["", "R", "s", "x", "enter", "g g", "g", "ctrl+r", "q,f5", "nonsense", "up"])


@given(st.sampled_from(list(PRESETS)), st.dictionaries(st.sampled_from([*NAMES, "no.such"]), KEYS, max_size=6))
def test_whatever_is_asked_for_what_holds_never_clashes(preset, changes):
    found = keymap(preset, changes)
    assert clashes(found.keys) == []
    held = {name for name in changes if name in found.keys and found.keys[name] == _read(changes[name])}
    refused = {name for name in changes if any(line.startswith(f"keymap: {name}") for line in found.problems)}
    unknown = {"no.such"} & set(changes)
    assert set(changes) <= held | refused | unknown
    for action in actions.ACTIONS:
        if actions.TYPED.issuperset(action.where):
            assert not any(is_typed(key) for key in found.of(action))


def _read(keys):
    return tuple(parse_key(key) for key in keys.split(",")) if keys else ()


def test_an_action_without_a_key_gets_one_that_nobody_can_press():
    assert keymap("default", {"undo": ""}).for_textual() == {"undo": NO_KEY}
    assert parse_key(NO_KEY) is None


def test_the_doctor_and_the_tour_say_the_same(tmp_path):
    (tmp_path / "quarterdeck.toml").write_text('[console.keymap]\nspawn = "f7"\nundo = "q"\n')
    home = Home(tmp_path, tmp_path)
    assert "\n  f7  " in run(["tour"], home)[1]
    code, out, _ = run(["doctor"], home)
    assert code == 1
    assert "keymap: undo cannot be on q: leave has it" in out
