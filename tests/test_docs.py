"""The documents say what the product does, or this fails."""

import importlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tui.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]


def test_config_page_is_what_the_model_says():
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "config.md").read_text() == module.config_page(), "run: python docs/generate.py"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_verb_is_in_the_readme(command):
    table = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `qd")]
    first = command.words[0]
    lines = [line for line in table if f"`qd {first}" in line]
    assert lines, f"qd {first}"
    assert all(any(word in line for line in lines) for word in command.words[1:])


def test_every_file_that_the_readme_links_to_is_there():
    import re

    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / link).exists(), link


def test_every_trap_is_a_row_of_the_readme():
    text = (ROOT / "README.md").read_text()
    clients = {"claude_code": "Claude Code", "codex": "Codex", "openclaw": "OpenClaw", "gemini": "Gemini CLI"}
    for module in ("claude", "codex", "openclaw", "gemini", "opencode"):
        for trap in importlib.import_module(f"tests.traps.{module}").TRAPS:
            row = f"| {clients.get(trap.source, trap.source)} | {trap.name} |"
            assert f"{row} " in text, f"make the table anew: {row}"


def test_the_table_of_the_plan_is_what_is_counted():
    table = importlib.import_module("tests.bench.bench_context").plan_table()
    text = (ROOT / "README.md").read_text()
    assert "\n".join(table) in text, "paste it between the marks: tests.bench.bench_context.plan_table()"
