"""The documents say what the product does, or this fails."""

import importlib
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import msgspec
import pytest

from engine.config import console, model, routed
from tui.actions import ACTIONS
from tui.cli.commands import COMMANDS
from tui.cli.flags import HELP

ROOT = Path(__file__).resolve().parents[1]


def test_config_page_is_what_the_model_says():
    assert (ROOT / "docs" / "config.md").read_text() == _generator().config_page(), "run: python docs/generate.py"


def _generator():
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_every_verb_is_in_the_readme(command):
    table = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `qd")]
    first = command.words[0]
    lines = [line for line in table if f"`qd {first}" in line]
    assert lines, f"qd {first}"
    assert all(any(word in line for line in lines) for word in command.words[1:])


DOCUMENTS = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def test_keys_page_is_what_the_registry_says():
    assert (ROOT / "docs" / "keys.md").read_text() == _generator().keys_page(), "run: python docs/generate.py"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_action_is_documented(action):
    assert f"`{action.name}`" in DOCUMENTS


def test_verbs_page_is_what_the_command_line_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = _generator().verbs_page()
    assert (ROOT / "docs" / "verbs.md").read_text() == page, "run: python docs/generate.py"
    assert all(f"## `qd {' '.join(command.words)}`" in page for command in COMMANDS)


@pytest.mark.parametrize("flag", [name.split()[0] for name, _ in HELP])
def test_every_flag_of_the_console_is_documented(flag):
    assert f"`{flag}" in DOCUMENTS


@pytest.mark.parametrize("kind", [*vars(model).values(), *vars(routed).values(), *vars(console).values()])
def test_every_key_of_the_configuration_is_documented(kind):
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or kind is msgspec.Struct:
        return
    page = (ROOT / "docs" / "config.md").read_text()
    for name, field in kind.__annotations__.items():
        tables = f"[{name}]" in page or f"[{name}." in page or f".{name}." in page or f'[{name}."' in page
        assert f"| `{name}` |" in page or tables, f"{kind.__name__}.{name}: {field}"


def variables():
    """Every environment variable that the product reads or hands out."""
    found = set()
    for room in ("tui", "engine", "state"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text()
            found |= set(re.findall(r"environ(?:\.get\(|\.pop\(|\[)\s*\"([A-Z][A-Z_]+)\"", text))
            found |= set(re.findall(r"\bQUARTERDECK_[A-Z_]+\b", text))
    return sorted(found)


@pytest.mark.parametrize("name", variables())
def test_every_environment_variable_is_documented(name):
    assert f"`{name}`" in DOCUMENTS


def test_the_page_of_the_environment_names_nothing_that_is_not_looked_at():
    code = "\n".join(path.read_text() for room in ("tui", "engine", "state") for path in (ROOT / room).rglob("*.py"))
    page = (ROOT / "docs" / "environment.md").read_text()
    assert [name for name in re.findall(r"`([A-Z][A-Z_]{2,})`", page) if name not in code] == []


def test_every_file_that_the_readme_links_to_is_there():
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / link).exists(), link


def test_every_trap_is_a_row_of_its_page():
    text = (ROOT / "docs" / "traps.md").read_text()
    clients = {"claude_code": "Claude Code", "codex": "Codex", "openclaw": "OpenClaw", "gemini": "Gemini CLI"}
    for module in ("claude", "codex", "openclaw", "gemini", "opencode"):
        for trap in importlib.import_module(f"tests.traps.{module}").TRAPS:
            row = f"| {clients.get(trap.source, trap.source)} | {trap.name} |"
            assert f"{row} " in text, f"make the table anew: {row}"


def test_the_table_of_the_plan_is_what_is_counted():
    table = importlib.import_module("tests.bench.bench_context").plan_table()
    text = (ROOT / "docs" / "work.md").read_text()
    assert "\n".join(table) in text, "paste it between the marks: tests.bench.bench_context.plan_table()"
