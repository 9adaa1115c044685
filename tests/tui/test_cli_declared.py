"""What does the command line tell of templates and task types? All that the configuration says, and what is shipped."""

import json

import msgspec
import pytest

from engine.config.model import Template
from engine.config.routed import SHIPPED
from tui.cli import declared, run_text
from tui.cli.dispatch import capture
from tui.cli.verb import Page

CONFIG = """
[task_type.heartbeat]
model = "cheap"
tools = ["read"]
[task_type.audit]
timeout = "20m"
[template.fix]
agent = "command"
task = "mend {file}"
inject = ["{file}"]
can_write = ["{file}"]
tools = []
[template.fix.params.file]
type = "path"
[template.fix.params.unused]
default = "x"
[template.bare]
"""


def answer(world, *words):
    code, out, err = capture([*words, "--json"], world.home)
    assert (code, err) == (0, "")
    return json.loads(out), capture([*words], world.home)[1]


def test_without_templates_it_says_how_to_declare_one(world):
    data, text = answer(world, "templates")
    assert data == {"templates": []}
    assert "[template.NAME]" in text


def test_a_template_is_told_with_its_parameters(world):
    world.configure(CONFIG.replace("mend {file}", "mend {file} {unused}"))
    data, text = answer(world, "templates")
    fix, bare = data["templates"]
    assert (fix["name"], fix["agent"], fix["task_type"], fix["can_write"]) == ("fix", "command", None, ["{file}"])
    assert fix["params"] == [
        {"name": "file", "required": True, "type": "path", "default": None},
        {"name": "unused", "required": False, "type": "text", "default": "x"},
    ]
    assert set(fix) == set(Template.__struct_fields__) | {"name"}
    assert bare["params"] == []
    for said in ("fix  command", "mend {file}", "{file}", "path, must be given", "text, else 'x'"):
        assert said in text
    assert any(line.split() == ["tools", "nothing"] for line in text.splitlines()), "an empty list says something"


def test_task_types_say_what_is_shipped_and_what_is_yours(world):
    world.configure(CONFIG[: CONFIG.index("[template")])
    data, text = answer(world, "task-types")
    views = {view["name"]: view for view in data["task_types"]}
    assert set(views) == {*SHIPPED, "audit"}
    heartbeat = views["heartbeat"]
    assert (heartbeat["shipped"], heartbeat["declared"]) == (True, ["model", "tools"])
    assert (heartbeat["model"], heartbeat["tools"], heartbeat["timeout"]) == ("cheap", ["read"], "2m")
    assert (views["audit"]["shipped"], views["audit"]["declared"]) == (False, ["timeout"])
    shipped = msgspec.json.decode(msgspec.json.encode(SHIPPED["decision"]))
    assert {key: views["decision"][key] for key in shipped} == shipped
    assert "shipped, you: model, tools" in text
    assert text.endswith("changed by the configuration: heartbeat (model, tools)\nadded by the configuration: audit")
    assert "  hard limit  " in text.splitlines()[0]
    world.configure("")
    assert "by the configuration" not in answer(world, "task-types")[1]


@pytest.mark.parametrize("verb", ["templates", "task-types"])
def test_they_fit_into_eighty_columns(world, verb, monkeypatch):
    world.configure(CONFIG.replace("mend {file}", "mend {file} {unused} " + "and more " * 30))
    for module in (declared, run_text):
        monkeypatch.setattr(module, "page", lambda: Page(80, True))
    _, text = answer(world, verb)
    assert max(map(len, text.splitlines())) <= 80
    assert "heartbeat" in text or "and more" in text
