"""How large is the first request of a run of Codex, by its task type: with all that it sends by itself, and as scoped?

A small repository with an AGENTS.md, ten skills and an MCP server, and an operator with instructions of his own; the
prompt is two letters. Prints characters.
"""

import sys
from pathlib import Path

import pytest

from engine.adapters.codex import CHARS_PER_TOKEN, CodexAdapter
from engine.config.routed import SHIPPED
from engine.contract.launch import Service
from tests.bench.first_request import MCP, measured
from tests.modelserver import ModelServer, clean_env, client

MODELS = ("gpt-6.1-sol", "gpt-5.5")


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


def first_chars(server, home, model, tools, keep, permissions="deny"):
    env = clean_env(home, client("codex").parent, server, "codex")
    settings = Path(env["CODEX_HOME"], "config.toml")
    settings.write_text(
        f'{settings.read_text()}\n[mcp_servers.words]\ncommand = "{sys.executable}"\nargs = ["{home}/mcp.py"]\n'
    )
    service = Service(program=str(client("codex")), home=str(home / ".codex"))
    told = {"service": service, "model": model, "tools": tools, "keep": keep, "permissions": permissions}
    return measured(CodexAdapter(), CHARS_PER_TOKEN, server, home, env, told)


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
