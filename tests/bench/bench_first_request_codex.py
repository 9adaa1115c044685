"""How large is the first request of a run of Codex, by its task type: with all that it sends by itself, and as scoped?

A small repository with an AGENTS.md, ten skills and an MCP server, and an operator with instructions of his own; the
prompt is two letters. Prints characters.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.adapters.codex import CHARS_PER_TOKEN, CodexAdapter
from engine.config.routed import SHIPPED
from engine.contract.launch import AdapterRequest, Part, Prompt, Service, Wanted
from tests.modelserver import ModelServer, clean_env, client

MODELS = ("gpt-6.1-sol", "gpt-5.5")
MCP = """\
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    tool = {"name": "look_up", "description": "Looks a word up. " * 10, "inputSchema": {"type": "object"}}
    results = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                       "serverInfo": {"name": "words", "version": "1"}},
        "tools/list": {"tools": [tool]},
    }
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": results.get(asked["method"], {})}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def home(tmp_path):
    """Its HOME, with a repository in `work`."""
    work = tmp_path / "work"
    for number in range(10):
        skill = work / ".agents" / "skills" / f"skill-{number}" / "SKILL.md"
        skill.parent.mkdir(parents=True)
        skill.write_text(
            f"---\nname: skill-{number}\ndescription: {'When words are to be counted. ' * 4}\n---\nCount.\n"
        )
    (work / "AGENTS.md").write_text("Keep to the house rules.\n" * 320)
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "AGENTS.md").write_text("Be brief.\n" * 200)
    (tmp_path / "mcp.py").write_text(MCP)
    return tmp_path


def request(home, folder, model, tools, keep, permissions):
    return AdapterRequest(
        prompt=Prompt((Part("task", "task", "hi", 1, "", False),)),
        workspace=str(home / "work"),
        argv=(),
        argv_resume=(),
        model=model,
        tools=tools,
        provider_id=None,
        resume=False,
        agent_state=str(home / "state"),
        can_write=(),
        output_limit_tokens=400,
        run_folder=str(folder),
        service=Service(program=str(client("codex")), home=str(home / ".codex")),
        keep=keep,
        permissions=permissions,
    )


def first_chars(server, home, model, tools, keep, permissions="deny"):
    """Characters of the first request, and what the adapter expects, our prompt apart."""
    folder = home / "run"
    folder.mkdir(exist_ok=True)
    env = clean_env(home, client("codex").parent, server, "codex")
    settings = Path(env["CODEX_HOME"], "config.toml")
    settings.write_text(
        f'{settings.read_text()}\n[mcp_servers.words]\ncommand = "{sys.executable}"\nargs = ["{home}/mcp.py"]\n'
    )
    asked = request(home, folder, model, tools, keep, permissions)
    launch = CodexAdapter().launch(asked)
    for name, text in launch.files.items():
        (folder / name).write_text(text)
    before = len(server.calls)
    subprocess.run(
        launch.argv,
        env=env | launch.env,
        cwd=home / "work",
        input=launch.stdin.encode(),
        capture_output=True,
        check=True,
    )
    wanted = Wanted(asked.workspace, asked.service, model, tools, keep)
    return server.calls[before].total_chars, CodexAdapter().overhead_tokens(wanted) * CHARS_PER_TOKEN


def test_first_request_by_task_type(home, capsys):
    with ModelServer() as server, capsys.disabled():
        for model in MODELS:
            default, expected = first_chars(server, home, model, None, None)
            print(f"\n{model}: characters of the first request; by itself {default:,} (expected {expected:,})")
            print(f"{'task type':12}{'scoped':>10}{'ratio':>8}{'expected':>10}  tools, keep")
            for name, kind in SHIPPED.items():
                chars, expected = first_chars(server, home, model, kind.tools, kind.keep, kind.permissions)
                said = "; ".join("all" if part is None else f"({', '.join(part)})" for part in (kind.tools, kind.keep))
                print(f"{name:12}{chars:10,}{chars / default:8.2f}{expected:10,}  {said}")
