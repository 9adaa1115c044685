"""What does `qd context` say of a prompt, and does it touch nothing?"""

import json
import os
import subprocess
import sys

import pytest

from state.home import Home
from tui.cli import context
from tui.cli.dispatch import capture
from tui.cli.verb import Page

CONFIG = """
timezone = "UTC"
[agent.ops]
adapter = "command"
argv = ["true"]
instructions = "AGENTS.md"
skills = "both"
model = "haiku"
[task_type.research]
inject = ["notes.md", "long.md"]
injected_tokens = 100
[template.look]
task = "Look at {what}"
inject = ["{what}.md"]
task_type = "research"
[template.look.params.what]
type = "word"
[job.nightly]
every = "1h"
agent = "ops"
workspace = "~"
inject = ["notes.md"]
task = "Tidy up"
[skill_set.both]
skills = ["tide", "wind"]
[skill_set.more]
skills = ["tide", "gale"]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A workspace with skills, a configuration, and a HOME that holds nothing."""
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "AGENTS.md").write_text("Be brief.")
    (workspace / "notes.md").write_text("Some notes.")
    (workspace / "long.md").write_text("word " * 120)
    (workspace / "other.md").write_text("word " * 300)
    for name in ("tide", "wind"):
        folder = workspace / "skills" / name
        folder.mkdir(parents=True)
        (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: When to {name}\n---\nBody")
    home = tmp_path / "home"
    home.mkdir()
    (home / "quarterdeck.toml").write_text(CONFIG)
    (tmp_path / "nobody").mkdir()
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    return workspace


@pytest.fixture
def ask(place, tmp_path):
    home = Home(config=tmp_path / "home", state=tmp_path / "home")

    def ask(*words):
        return capture(["context", "--workspace", str(place), *words], home)

    return ask


@pytest.fixture
def answered(ask):
    def answered(*words):
        code, out, err = ask(*words, "--json")
        assert err == ""
        return code, json.loads(out)

    return answered


def test_every_part_with_what_it_costs_and_who_decided(answered):
    code, answer = answered("--agent", "ops", "--task", "Do it", "--order", "sent")
    assert code == 0
    assert [(part["kind"], part["source"], part["stable"]) for part in answer["parts"]] == [
        ("instructions", "AGENTS.md", True),
        ("skills", "tide, wind", True),
        ("task", "task", False),
    ]
    assert answer["tokens"] == sum(part["tokens"] for part in answer["parts"])
    assert answer["chars"] == sum(part["chars"] for part in answer["parts"])
    assert answer["decided"]["model"] == "agent"
    assert answer["decided"]["agent"] == "spawn"
    assert answer["route"]["model"] == "haiku"
    assert (answer["problems"], answer["warnings"]) == ([], [])


def test_the_dearest_part_comes_first_unless_the_order_of_sending_is_asked_for(answered):
    dearest = [part["tokens"] for part in answered("--job", "nightly")[1]["parts"]]
    assert dearest == sorted(dearest, reverse=True)
    sent = [part["kind"] for part in answered("--job", "nightly", "--order", "sent")[1]["parts"]]
    assert sent == ["instructions", "skills", "file", "task"]


def test_what_everything_would_cost_and_what_is_saved(answered):
    answer = answered("--task-type", "heartbeat", "--agent", "digest")[1]
    assert answer["tokens"] == 0
    answer = answered("--job", "nightly")[1]
    sources = [piece["source"] for piece in answer["everything"]]
    assert sources == ["AGENTS.md", "notes.md", "task", "long.md", "other.md", "tide", "wind"]
    assert answer["everything_tokens"] == sum(piece["tokens"] for piece in answer["everything"])
    assert answer["saved_tokens"] == answer["everything_tokens"] - answer["tokens"]
    assert answer["saved_percent"] == round(100 * answer["saved_tokens"] / answer["everything_tokens"])


def test_a_job_is_what_it_is_when_it_is_due(answered):
    answer = answered("--job", "nightly")[1]
    assert (answer["route"]["task_type"], answer["route"]["lane"]) == ("cron", "isolated")
    assert (answer["route"]["task"], answer["decided"]["task"]) == ("Tidy up", "job")
    assert (answer["target_tokens"], answer["limit_tokens"]) == (100, 8000)


def test_a_job_is_asked_for_by_the_clock(answered, tmp_path):
    path = tmp_path / "home" / "quarterdeck.toml"
    path.write_text(CONFIG.replace('model = "haiku"', 'prompt_template = "{trigger}"'))
    for words, chars in ((["--job", "nightly"], len("timer")), (["--agent", "ops"], len("operator"))):
        assert [part["chars"] for part in answered(*words)[1]["parts"] if part["kind"] == "prompt"] == [chars]


def test_a_template_is_filled_in(answered):
    code, answer = answered("--template", "look", "--param", "what=notes", "--task", "closely")
    assert code == 0
    assert (answer["route"]["task"], answer["route"]["inject"]) == ("Look at notes\nclosely", ["notes.md"])
    assert answer["decided"]["inject"] == "template"


def test_a_prompt_over_its_limit_is_a_problem_and_over_its_target_is_not(ask, answered):
    code, answer = answered("--task-type", "research", "--agent", "digest")
    assert code == 1
    over = answer["tokens"] - 100
    assert (answer["over_limit_tokens"], answer["over_target_tokens"]) == (over, 0)
    assert [problem["what"] for problem in answer["problems"]] == ["prompt"]
    code, out, _ = ask("--task-type", "research", "--agent", "digest")
    assert code == 1
    assert f"{over:,} over, by task type" in out
    assert out.splitlines()[-1].startswith("NO    prompt: ")
    code, answer = answered("--task-type", "heartbeat", "--task", "word " * 70)
    assert answer["over_target_tokens"] > 0
    assert "HEARTBEAT.md" in answer["problems"][0]["what"]


def test_what_is_missing_is_a_line_and_exit_code_1(ask, place):
    (place / "notes.md").unlink()
    code, out, _ = ask("--job", "nightly")
    assert code == 1
    assert "NO    notes.md: it does not exist" in out
    assert "\n\nvalue " in out


def test_a_skill_that_is_not_found_is_a_problem(answered, tmp_path):
    path = tmp_path / "home" / "quarterdeck.toml"
    path.write_text(CONFIG.replace('skills = "both"', 'skills = "more"'))
    code, answer = answered("--agent", "ops")
    assert code == 1
    assert [problem["why"] for problem in answer["problems"]] == ["skill gale is not found"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--job", "nightl"], 1, "there is no job 'nightl'; did you mean 'nightly'?"),
        (["--agent", "op"], 1, "there is no agent 'op'; did you mean 'ops'?"),
        (["--template", "lok"], 1, "did you mean 'look'?"),
        (["--template", "look"], 1, "needs the parameter 'what'"),
        (["--template", "look", "--param", "what=a b"], 1, "no blanks"),
        (["--template", "look", "--param", "what"], 2, "write it as NAME=VALUE"),
        (["--param", "what=x"], 1, "name the template"),
        (["--task-type", "reserch"], 1, "did you mean 'research'?"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_line(ask, words, code, said):
    found = ask(*words)
    assert found[0] == code
    assert said in found[2]
    assert "\n" not in found[2]


def test_a_workspace_that_is_not_there(place, tmp_path):
    home = Home(config=tmp_path / "home", state=tmp_path / "home")
    code, _, err = capture(["context", "--workspace", str(place / "gone")], home)
    assert code == 1
    assert "is not a folder" in err


def test_a_changing_prompt_template_is_noted(ask, answered, tmp_path):
    path = tmp_path / "home" / "quarterdeck.toml"
    path.write_text(CONFIG.replace('model = "haiku"', 'prompt_template = "It is {time}."'))
    code, answer = answered("--agent", "ops")
    assert code == 0
    assert "{time}" in answer["warnings"][0]
    assert "note  the prompt template changes" in ask("--agent", "ops")[1]


def test_it_fits_into_80_columns(ask, place, monkeypatch):
    deep = place / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "the-end.md").write_text("x")
    name = str(deep.relative_to(place) / "the-end.md")
    config = ["--template", "deep"]
    path = place.parent / "home" / "quarterdeck.toml"
    path.write_text(CONFIG + f'[template.deep]\ninject = ["{name}"]\n')
    monkeypatch.setattr(context, "page", lambda: Page(80, True))
    code, out, _ = ask(*config)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "the-end.md" in out.splitlines()[1]
    monkeypatch.setattr(context, "page", lambda: Page(None, False))
    assert name in ask(*config)[1]


def test_nothing_that_a_terminal_obeys_is_printed(ask, place):
    code, out, _ = ask("--task", "\x1b[31mred", "--agent", "ops")
    assert code == 0
    assert "\x1b" not in out
    assert "[31mred" in out


SLOW = """
[agent.slow]
adapter = "command"
argv = ["true"]
timeout = "1h"
inject = ["notes.md"]
[task_type.y]
timeout = "5m"
timeout_max = "2h"
"""


@pytest.mark.parametrize(
    ("words", "config", "what", "why"),
    [
        ((), "", "agent", "it reads the files that are injected"),
        (("--agent", "command"), "", "agent", "it has no program to run"),
        (("--agent", "ops"), '[agent.ops]\nadapter = "command"\nargv = ["no-such-program"]\n', "agent", "no program"),
        (("--agent", "ops"), '[agent.ops]\nadapter = "command"\nargv = ["{model}"]\n', "agent", "names {model}"),
        (("--template", "t"), '[template.t]\ninject = ["notes.md"]\ncan_write = ["../x"]\n', "scope", "../x"),
        (("--template", "t"), '[template.t]\ninject = ["notes.md"]\ncan_read = ["src/"]\n', "notes.md", "can_read"),
        (("--agent", "slow", "--task-type", "heartbeat"), SLOW, "timeout", "1 h, where at most 30 min"),
        (("--agent", "slow", "--task-type", "y"), SLOW, None, ""),
    ],
)
def test_what_the_gate_would_refuse_before_any_budget_is_a_problem(answered, tmp_path, words, config, what, why):
    (tmp_path / "home" / "quarterdeck.toml").write_text(config)
    code, answer = answered(*words)
    assert code == (0 if what in (None, "agent") else 1), "a prompt can be looked at before anybody could run it"
    assert [problem["what"] for problem in answer["problems"]] == ([] if what is None else [what])
    assert all(why in problem["why"] for problem in answer["problems"])


def test_the_workspace_that_is_looked_at_is_the_one_that_is_named(answered, tmp_path):
    path = tmp_path / "home" / "quarterdeck.toml"
    path.write_text(CONFIG.replace('model = "haiku"', f'workspace = "{tmp_path / "gone"}"'))
    assert answered("--agent", "ops")[1]["problems"] == []


def test_values_have_the_names_and_the_words_of_the_configuration(ask, tmp_path):
    path = tmp_path / "home" / "quarterdeck.toml"
    path.write_text(CONFIG.replace('model = "haiku"', 'timeout = "180s"\nrun_usd = 0.05'))
    values = {line.split("  ")[0]: line for line in ask("--agent", "ops")[1].splitlines()}
    assert values["timeout"].split()[1:] == ["3", "min", "agent"]
    assert values["run_usd"].split()[1:] == ["$0.0500", "agent"]
    assert not {"timeout_s", "timeout_max_s", "run_microusd"} & set(values)


def test_a_spawn_and_a_template_are_routed_as_the_spawn_would_be(answered):
    assert answered("--agent", "ops")[1]["route"]["lane"] == "main"
    spawned = answered("--agent", "ops", "--spawn")[1]
    assert (spawned["route"]["lane"], spawned["route"]["task_type"]) == ("isolated", "subagent")
    assert answered("--agent", "ops", "--spawn", "--task-type", "chat")[1]["route"]["lane"] == "isolated"
    assert answered("--template", "look", "--param", "what=notes")[1]["decided"]["lane"] == "spawn"


def test_it_touches_nothing(place, tmp_path):
    """In a process of its own, with an empty HOME: neither engine nor state, and no folder that was not there."""
    env = {"HOME": str(tmp_path / "nobody"), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT, "context", "--workspace", str(place), "--task-type", "chat"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("part")
    assert "NO    agent: it reads the files that are injected, and none is named" in done.stdout
    assert done.stderr == ""
    assert list((tmp_path / "nobody").rglob("*")) == []


SCRIPT = """
import os, sys
def hook(event, given):
    writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes and given[0] != os.devnull or event in ("sqlite3.connect", "os.mkdir", "os.rename", "socket.connect"):
        sys.stderr.write(f"{event} {given}\\n")
    if event == "subprocess.Popen" and given[0] == sys.executable:
        sys.stderr.write(f"{event} {given}\\n")
from tui.cli.main import main
sys.addaudithook(hook)
sys.exit(main(sys.argv[1:]))
"""
