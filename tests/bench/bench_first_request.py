"""How large is the first request of a run of Claude Code, by its task type: with all that it sends by itself, and as
scoped?

A small repository with a CLAUDE.md of 8 KB, ten skills, an agent and an MCP server, and an operator with instructions
of 2 KB; the prompt is two letters. Prints characters, and what the adapter expects of each. For Codex: the bench
beside it.
"""

import json
import sys

import pytest

from engine.adapters.claude_code import CHARS_PER_TOKEN, ClaudeCodeAdapter
from engine.config.routed import SHIPPED
from engine.contract.launch import Service
from tests.bench.first_request import MCP, measured
from tests.modelserver import ModelServer, clean_env, client

MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5")
FOUR = ("Read", "Edit", "Write", "Bash")
KEEPS = ("settings", "instructions", "memory", "mcp", "skills", "system")
DECLARED = {"research": ("Read", "WebSearch", "WebFetch"), "decision": ("Read",), "subagent": FOUR, "chat": FOUR}
"""Tools as an operator would name them, where the task type names none."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Its HOME, with a repository in `work`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    claude = tmp_path / "work" / ".claude"
    for number in range(10):
        skill = claude / "skills" / f"skill-{number}" / "SKILL.md"
        skill.parent.mkdir(parents=True)
        skill.write_text(
            f"---\nname: skill-{number}\ndescription: {'When words are to be counted. ' * 4}\n---\nCount.\n"
        )
    (claude / "agents").mkdir()
    (claude / "agents" / "reviewer.md").write_text("---\nname: reviewer\ndescription: Reviews a text.\n---\nReview.\n")
    (tmp_path / "work" / "CLAUDE.md").write_text("Keep to the house rules.\n" * 328)
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "CLAUDE.md").write_text("Be brief.\n" * 205)
    (tmp_path / "mcp.py").write_text(MCP)
    servers = {"words": {"command": sys.executable, "args": [str(tmp_path / "mcp.py")]}}
    (tmp_path / "work" / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))
    return tmp_path


def first_chars(server, home, model, tools, keep):
    env = clean_env(home, client("claude").parent, server, "claude")
    service = Service(program=str(client("claude")), key_known=True)
    told = {"service": service, "model": model, "tools": tools, "keep": keep}
    return measured(ClaudeCodeAdapter(), CHARS_PER_TOKEN, server, home, env, told)


def test_first_request_by_task_type(home, capsys):
    with ModelServer() as server, capsys.disabled():
        for model in MODELS:
            default, expected = first_chars(server, home, model, None, None)
            print(f"\n{model}: characters of the first request; by itself {default:,} (expected {expected:,})")
            print(f"{'task type':12}{'scoped':>10}{'ratio':>8}{'expected':>10}  tools, keep")
            for name, kind in SHIPPED.items():
                print_row(server, home, model, name, kind.tools, kind.keep, default)
                if kind.tools is None and name in DECLARED:
                    print_row(server, home, model, "  with tools", DECLARED[name], kind.keep, default)


def test_first_request_by_what_is_kept(home, capsys):
    with ModelServer() as server, capsys.disabled():
        for tools in (None, FOUR):
            default, _ = first_chars(server, home, MODELS[0], tools, None)
            print(f"\n{MODELS[0]}, tools {'its own' if tools is None else ', '.join(tools)}: all kept {default:,}")
            for keep in ((), *((one,) for one in KEEPS), ("system", "instructions")):
                print_row(server, home, MODELS[0], "", tools, keep, default)


def print_row(server, home, model, name, tools, keep, default):
    chars, expected = first_chars(server, home, model, tools, keep)
    said = "; ".join("all" if part is None else f"({', '.join(part)})" for part in (tools, keep))
    print(f"{name:12}{chars:10,}{chars / default:8.2f}{expected:10,}  {said}")
    assert chars <= default, "keeping less sends more"
