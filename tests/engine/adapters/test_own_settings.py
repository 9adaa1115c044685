"""Is it noticed when what says what a program does is not as it was, and nothing else?"""

import json
import os
from pathlib import Path

import msgspec
import pytest

from engine.adapters import acp, claude_code, codex
from engine.adapters.own_settings import LARGEST, SEEN, Setting, changed, noted
from engine.contract.launch import Service

STATE = {
    "numStartups": 3,
    "mcpServers": {"pump": {"command": "pump"}},
    "projects": {"/w": {"lastCost": 1, "allowedTools": [], "mcpServers": {}}},
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / ".claude" / "commands").mkdir(parents=True)
    (home / ".codex").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    (home / ".claude" / "settings.json").write_text('{"model": "haiku", "env": {}}')
    (home / ".claude" / "commands" / "sell.md").write_text("sell")
    (home / ".claude.json").write_text(json.dumps(STATE))
    (home / ".codex" / "config.toml").write_text('model = "gpt"\n[mcp_servers.pump]\ncommand = "pump"\n')
    return home


@pytest.fixture
def watch(tmp_path):
    """Notes how settings stand; what it returns says what has changed since it was called last."""
    folder = tmp_path / "run"
    folder.mkdir()

    def begin(settings):
        for name, text in noted(settings).items():
            (folder / name).write_text(text)
        return lambda: changed(folder)

    return begin


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (".claude/settings.json", '{"env": {},\n  "model": "haiku"}', ()),
        (".claude/settings.json", '{"model": "haiku", "hooks": {"Stop": ["rm"]}}', ("~/.claude/settings.json",)),
        (".claude/settings.json", "{", ("~/.claude/settings.json",)),
        (".claude/settings.json", None, ("~/.claude/settings.json",)),
        (".claude/settings.local.json", "{}", ()),
        (".claude/settings.local.json", '{"env": {"PATH": "/tmp"}}', ("~/.claude/settings.local.json",)),
        (".claude/commands/sell.md", "sold", ("~/.claude/commands/sell.md",)),
        (".claude/commands/sell.md", None, ("~/.claude/commands/sell.md",)),
        (".claude/commands/.sell.md.swp", "", ()),
        (".claude/skills/buy/SKILL.md", "buy", ("~/.claude/skills/buy/SKILL.md",)),
        (".claude/CLAUDE.md", "obey", ("~/.claude/CLAUDE.md",)),
        (".claude/projects/w/1.jsonl", "{}", ()),
        (".claude.json", json.dumps(STATE | {"numStartups": 4, "hooks": {}}), ()),
        (".claude.json", json.dumps(STATE | {"apiKeyHelper": "/tmp/x"}), ("~/.claude.json (apiKeyHelper)",)),
        (".claude.json", json.dumps({"numStartups": 3}), ("~/.claude.json (mcpServers)",)),
        (
            ".claude.json",
            json.dumps(STATE | {"projects": {"/w": {"lastCost": 2}, "/v": {"mcpServers": {"a": {"command": "a"}}}}}),
            ("~/.claude.json (projects./v.mcpServers)",),
        ),
    ],
)
def test_of_claude_what_it_obeys_counts_and_what_it_counts_does_not(home, watch, name, content, said):
    news = watch(claude_code.settings_of(Service()))
    assert news() == ()
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink() if content is None else path.write_text(content)
    assert news() == said
    assert news() == (), "it is said once"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.toml", 'model = "o"\n[notice]\nseen = 1\n[mcp_servers.pump]\ncommand = "pump"\n', ()),
        ("config.toml", 'notify = ["rm"]\n[mcp_servers.pump]\ncommand = "pump"\n', ("~/.codex/config.toml",)),
        ("hooks.json", '{"a": 1}', ("~/.codex/hooks.json",)),
        ("rules/all.rules", "allow", ("~/.codex/rules/all.rules",)),
        ("skills/.system/a/SKILL.md", "its own", ()),
        ("sessions/1.jsonl", "{}", ()),
    ],
)
def test_of_codex_too(home, watch, name, content, said):
    news = watch(codex.settings_of(home / ".codex"))
    path = home / ".codex" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    assert news() == said


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/opt/gemini", ".gemini/settings.json"),
        ("opencode", ".config/opencode/opencode.json"),
        ("opencode", ".config/opencode/plugin/a.js"),
        ("codex-acp", ".codex/hooks.json"),
        ("claude-agent-acp", ".claude/settings.json"),
    ],
)
def test_of_agents_whose_settings_are_known_too(home, watch, program, name):
    news = watch(acp._settings_of(program))
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"hooks": ["rm"]}')
    assert news() == (f"~/{name}",)


def test_of_an_agent_that_nobody_knows_nothing_is_noted(home):
    assert noted(acp._settings_of("helper")) == {}


@pytest.mark.parametrize("kind", [claude_code.ClaudeCodeAdapter, codex.CodexAdapter, acp.AcpAdapter])
def test_a_launch_notes_them(home, bench, kind):
    argv = ("claude-agent-acp",) if kind is acp.AcpAdapter else ()
    request = bench.request(("task", "task", "go"), argv=argv, run_folder=str(bench.folder), provider_id="1")
    seen = json.loads(kind().launch(request).files[SEEN])
    folder = ".codex" if kind is codex.CodexAdapter else ".claude"
    paths = [one["setting"]["path"] for one in seen if one["digests"]]
    assert paths[0] == str(home / folder / ("config.toml" if kind is codex.CodexAdapter else "settings.json"))


def test_what_was_never_noted_has_not_changed(tmp_path):
    assert changed(tmp_path) == ()
    (tmp_path / SEEN).write_text("[{")
    assert changed(tmp_path) == ()


def held_pipe(path):
    """One that somebody has open, and writes nothing into."""
    os.mkfifo(path)
    return os.fdopen(os.open(path, os.O_RDWR))


@pytest.mark.parametrize("make", [os.mkfifo, held_pipe, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_put_in_the_place_of_a_file_is_not_waited_for(tmp_path, watch, make):
    path = tmp_path / "settings.json"
    path.write_text('{"a": 1}')
    news = watch([Setting(str(path))])
    path.unlink()
    made = make(path)
    assert news() == (str(path),)
    if made is not None:
        made.close()


def test_a_link_counts_by_what_it_leads_to(tmp_path, watch):
    kept, path = tmp_path / "dotfiles.json", tmp_path / "settings.json"
    kept.write_text('{"a": 1}')
    path.symlink_to(kept)
    news = watch([Setting(str(path))])
    kept.write_text('{"a": 2}')
    assert news() == (str(path),)


def test_a_file_beyond_all_measure_is_not_read(tmp_path, watch):
    path = tmp_path / "settings.json"
    path.touch()
    os.truncate(path, LARGEST + 1)
    news = watch([Setting(str(path))])
    assert news() == ()
    os.truncate(path, LARGEST + 2)
    assert news() == (str(path),)


def test_names_that_are_no_text_are_named_all_the_same(tmp_path, watch):
    folder = tmp_path / "commands"
    folder.mkdir()
    news = watch([Setting(str(folder))])
    Path(os.fsdecode(bytes(folder) + b"/\xff.md")).touch()
    assert news() == (f"{folder}/\\xff.md",)
    assert msgspec.json.encode(news()) == b"[]"
