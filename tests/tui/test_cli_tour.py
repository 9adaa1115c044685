"""Are five keys enough to begin with, and are they those that this operator has?"""

import json

from state.home import Home
from tui import actions
from tui.cli.dispatch import run
from tui.cli.tour import MATTER


def test_the_five_keys_that_matter_fit_a_small_terminal(tmp_path):
    code, out, err = run(["tour"], Home(tmp_path, tmp_path))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) < 100
    keys = {line.split()[0] for line in lines if line.startswith("  ")}
    assert keys == {"enter", "s", "i", ":", "?"}


def test_the_keys_are_those_of_the_registry(tmp_path, monkeypatch):
    moved = tuple(
        action if action.name != "spawn" else actions.Action(**{**_fields(action), "key": "f7"})
        for action in actions.ACTIONS
    )
    monkeypatch.setattr(actions, "ACTIONS", moved)
    data = json.loads(run(["tour", "--json"], Home(tmp_path, tmp_path))[1])
    assert [(one["name"], one["key"]) for one in data["keys"] if one["name"] == "spawn"] == [("spawn", "f7")]
    assert len(data["keys"]) == len(MATTER) == 5


def _fields(action):
    return {name: getattr(action, name) for name in action.__struct_fields__}
