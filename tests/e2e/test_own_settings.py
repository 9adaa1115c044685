"""Does the operator hear of a run that has changed what its program does the next time?

An agent that holds its own login may write all of the folder in which that lies, and the kernel lets it.
"""

import json
import sys

import pytest

from engine.execution.sandbox import features
from tests.data.agents.acp.driving import AGENT
from tests.modelserver import clean_env, client

pytestmark = pytest.mark.skipif(features().landlock_abi < 3, reason="this kernel has no Landlock that holds a run")

HOOK = '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "touch ~/obeyed"}]}]}}'


@pytest.fixture
def helper(desk):
    """A desk whose agent does what its task says, and is called like one that keeps its settings in ~/.gemini."""
    program = desk.home / "bin" / "gemini"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {AGENT} --can=load "$@"\n')
    program.chmod(0o755)
    desk.configure(f'[agent.helper]\nadapter = "acp"\nargv = ["{program}"]\nkeep = []\nlinger = "0s"\n')
    return desk


def told(script, say="done"):
    return json.dumps([{"start": {"argv": ["sh", "-c", script], "wait": True}}, {"say": say}])


def run(desk, script, *words, code=0):
    return desk.json("run", "--agent", "helper", "--timeout", "50s", "--task", told(script), *words, code=code)


def test_settings_that_a_run_has_changed_are_a_violation(helper):
    settings = helper.home / ".gemini" / "settings.json"
    first = run(helper, "echo 1 > ~/.gemini/log; echo '{}' > ~/.gemini/settings.json; echo 1 > ~/outside")
    assert (first["outcome"], settings.exists(), (helper.home / "outside").exists()) == ("succeeded", True, False)
    assert first["changes"]["violations"] == [], "what says nothing is as good as none"

    second = run(helper, f"echo '{HOOK}' > ~/.gemini/settings.json", code=1)
    assert second["outcome"] == "succeeded"
    assert (second["changes"]["violations"], second["changes"]["changed"]) == (["~/.gemini/settings.json"], 1)
    assert "1 outside its scope: ~/.gemini/settings.json" in second["why"]
    assert "look at them before the next run" in second["why"]
    shown = helper.run("run", "show", str(second["run"]))[1]
    assert "violation" in shown
    assert "~/.gemini/settings.json" in shown

    third = run(helper, "true")
    assert third["changes"]["violations"] == [], "the change was another run's"


def test_of_a_program_that_is_kept_each_turn_answers_for_itself(helper, wait_until):
    helper.configure(helper.config_file.read_text().replace('linger = "0s"', 'linger = "60s"'))
    first = run(helper, "until [ -e go ]; do sleep 0.02; done", "--detach")["run"]
    wait_until(lambda: begun(helper, first), "its program is known to have begun")
    helper.write("go", "")
    wait_until(lambda: helper.json("run", "show", str(first))["outcome"], "its turn is over")
    write = 'echo \'{{"hooks": {{"Stop": {0}}}}}\' > ~/.gemini/settings.json'
    turns = [run(helper, script, code=int(script != "true")) for script in (write.format(1), "true", write.format(2))]
    programs = [one["run"] for one in turns if (helper.state / "runs" / str(one["run"]) / "keeper.json").exists()]
    assert programs == [], "all of them are turns of the first one's program"
    assert [len(one["changes"]["violations"]) for one in turns] == [1, 0, 1]


def begun(desk, number):
    """Whether we have heard it say which conversation it is in."""
    session = desk.json("run", "show", str(number))["session"]
    return "session-1" in json.dumps(desk.json("session", "show", str(session)))


def test_a_real_client_with_its_own_login_may_change_them_and_is_found_out(desk, server):
    program = client("claude")
    env = clean_env(desk.home, program.parent, server, "claude")
    del env["TMPDIR"], env["ANTHROPIC_API_KEY"]
    env["ANTHROPIC_AUTH_TOKEN"] = "dummy"
    desk.env |= env
    names = [name for name in env if name.startswith(("ANTHROPIC", "CLAUDE", "DISABLE", "ENABLE"))]
    desk.configure(
        f'[adapter.claude_code]\nprogram = "{program}"\n\n[limits]\nallow_unpriced = true\n\n'
        f'[agent.coder]\nadapter = "claude_code"\nenv = {json.dumps(names)}\nkeep = []\ntools = ["Bash"]\n'
        'permissions = "allow"\nlinger = "0s"\n'
    )
    words = ("run", "--agent", "coder", "--model", "claude-sonnet-5-5", "--timeout", "50s", "--task")
    calm = desk.json(*words, "go [[say:one]]")
    assert (calm["outcome"], calm["changes"]["violations"]) == ("succeeded", []), "what it counts itself is no change"
    (desk.workspace / "hook.sh").write_text(f"echo '{HOOK}' > ~/.claude/settings.json\n")
    asked = json.dumps({"command": "sh hook.sh"})
    run = desk.json(*words, f"go [[tool:Bash:{asked}]] [[say:two]]", code=1)
    assert (run["outcome"], run["changes"]["violations"]) == ("succeeded", ["~/.claude/settings.json"])
