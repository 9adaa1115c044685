"""What the tests of a real client share that is spoken to while it works: an agent `coder`, and what it is asked."""

import json

import pytest

from tests.modelserver import clean_env, client, refused_url

CONFIG = """\
[limits]
grace = "3s"
run_tokens = 200000

[adapter.claude_code]
program = "{program}"

[adapter.anthropic]
base_url = "{refused}"
key = "env:ANTHROPIC_API_KEY"

[adapter.ollama]
base_url = "{server}"

[agent.coder]
adapter = "claude_code"
model = "claude-sonnet-5-5"
env = ["ANTHROPIC_BASE_URL", "CLAUDE_CODE_MAX_RETRIES"]
task_type = "decision"
keep = []
"""
MAKES = "sh -c 'echo hi > made'"


@pytest.fixture
def coder(desk, server):
    """A desk whose agent `coder` is the real client, and whose model is the server."""
    program = client("claude")
    known = clean_env(desk.home, program.parent, server, "claude")
    desk.env |= {name: known[name] for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PATH")}
    desk.env["CLAUDE_CODE_MAX_RETRIES"] = "1"
    desk.configure(CONFIG.format(program=program, refused=refused_url(), server=server.url))
    return desk


def run(desk, task, *words, code=0):
    return desk.json("run", "--agent", "coder", "--timeout", "60s", "--task", task, *words, code=code)


def started(desk, task, *words):
    return run(desk, task, "--detach", *words)["run"]


def tool(name, **given):
    return f"[[tool:{name}:{json.dumps(given)}]]"


def keepers(desk):
    """The runs that were given a program of their own."""
    return sorted(int(path.parent.name) for path in (desk.state / "runs").glob("*/keeper.json"))
