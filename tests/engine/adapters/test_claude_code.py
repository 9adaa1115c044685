"""How is Claude Code started: new, resumed, as a copy, held, and with what in which place?"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from engine.adapters.claude_code import LEAN, NOTHING_NEW, VERSION, ClaudeCodeAdapter, ClaudeSpeech
from engine.adapters.claude_reader import FACTS, Facts
from engine.adapters.installed import version
from engine.adapters.registry import adapter
from engine.contract.launch import Prompt, RunUsage, Service, Wanted

if TYPE_CHECKING:
    from conftest import Bench

CLAUDE = ClaudeCodeAdapter()
ID, OTHER = "11111111-2222-4333-8444-000000000001", "11111111-2222-4333-8444-000000000002"
RULES = ("instructions", "AGENT.md", "Be brief.")
TASK = ("task", "task", "What is open?")


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def launched(bench: "Bench", *parts, **changes):
    request = bench.request(*parts, **({"provider_id": ID, "run_folder": "/run/7", "keep": ()} | changes))
    return CLAUDE.launch(request)


def value(launch, name):
    return launch.argv[launch.argv.index(name) + 1]


def unsent(request_parts):
    return tuple(msgspec.structs.replace(part, sent=False) for part in request_parts)


def test_it_is_registered():
    assert isinstance(adapter("claude_code"), ClaudeCodeAdapter)


def test_a_new_conversation_has_the_id_that_it_is_given(bench: "Bench"):
    launch = launched(bench, RULES, TASK, model="haiku")
    assert launch.argv[:5] == ("claude", "-p", "--output-format", "stream-json", "--verbose")
    assert "--include-partial-messages" in launch.argv
    assert value(launch, "--session-id") == ID
    assert value(launch, "--model") == "haiku"
    assert "--resume" not in launch.argv


def test_a_resumed_conversation_keeps_its_id(bench: "Bench"):
    launch = launched(bench, TASK, resume=True)
    assert value(launch, "--resume") == ID
    assert "--session-id" not in launch.argv


def test_a_copy_of_a_conversation_gets_an_id_of_its_own(bench: "Bench"):
    launch = launched(bench, TASK, fork_of=OTHER)
    assert value(launch, "--resume") == OTHER
    assert "--fork-session" in launch.argv
    assert value(launch, "--session-id") == ID


def test_what_opens_a_conversation_goes_with_the_system_prompt_and_the_rest_is_the_message(bench: "Bench"):
    launch = launched(bench, RULES, ("file", "notes.md", "- [ ] pump"), TASK)
    assert launch.files["system.md"].endswith("\nBe brief.\n")
    assert launch.stdin == "--- notes.md ---\n- [ ] pump\n\nWhat is open?\n"
    assert value(launch, "--system-prompt-file") == "/run/7/system.md"


def test_its_own_system_prompt_is_only_added_to(bench: "Bench"):
    launch = launched(bench, RULES, TASK, keep=("system",))
    assert launch.files["system.md"] == "Be brief.\n"
    assert value(launch, "--append-system-prompt-file") == "/run/7/system.md"
    bare = launched(bench, TASK, keep=None)
    assert "system.md" not in bare.files
    assert not any("system-prompt" in word for word in bare.argv)


@pytest.mark.parametrize("changes", [{"resume": True}, {"fork_of": OTHER}])
def test_a_changed_opening_of_a_conversation_that_goes_on_is_a_message(bench: "Bench", changes):
    launch = launched(bench, RULES, TASK, **changes)
    assert launch.stdin == "Be brief.\n\nWhat is open?\n"
    assert "Be brief." in launch.files["system.md"], "for when the client has summarized the conversation"


def test_an_opening_that_the_conversation_holds_is_not_sent_again(bench: "Bench"):
    request = bench.request(RULES, TASK, provider_id=ID, resume=True, run_folder="/run/7", keep=())
    parts = (*unsent(request.prompt.parts[:1]), *request.prompt.parts[1:])
    launch = CLAUDE.launch(msgspec.structs.replace(request, prompt=Prompt(parts)))
    assert launch.stdin == "What is open?\n"
    assert "Be brief." in launch.files["system.md"]


def test_every_part_that_is_sent_is_sent_once(bench: "Bench"):
    parts = [RULES, ("bootstrap", "b", "Boot."), ("tools", "tools", "Tools: x"), ("file", "f", "File."), TASK]
    for changes in ({}, {"keep": None}, {"permissions": "ask"}):
        launch = launched(bench, *parts, **changes)
        sent = launch.stdin + launch.files.get("system.md", "")
        assert all(sent.count(part[2]) == 1 for part in parts)


def test_an_opening_alone_is_the_message(bench: "Bench"):
    launch = launched(bench, RULES)
    assert launch.stdin == "Be brief.\n"
    assert "Be brief." not in launch.files["system.md"]


def test_it_is_never_started_without_a_word(bench: "Bench"):
    assert launched(bench, resume=True).stdin == NOTHING_NEW


@pytest.mark.parametrize(
    ("keep", "tools", "begins"), [((), None, "\n/clear"), (None, None, "/clear"), ((), ("Skill",), "/clear")]
)
def test_a_prompt_that_begins_with_a_slash_calls_no_command_where_there_are_no_skills(
    bench: "Bench", keep, tools, begins
):
    assert launched(bench, ("task", "task", "/clear"), keep=keep, tools=tools).stdin.startswith(begins)


def test_nothing_of_a_prompt_stands_in_an_argument(bench: "Bench"):
    secret = "open sesame"
    for changes in ({}, {"permissions": "ask"}, {"keep": None}, {"held": True}):
        launch = launched(bench, ("instructions", "a", secret), ("task", "task", secret), **changes)
        assert not any(secret in word for word in launch.argv)


@pytest.mark.parametrize(
    ("permissions", "held", "open_", "mode", "asks"),
    [
        ("deny", False, False, "dontAsk", False),
        ("allow", False, False, "dontAsk", False),
        ("ask", False, True, "manual", True),
        ("deny", True, True, "dontAsk", False),
        ("ask", True, True, "manual", True),
    ],
)
def test_its_input_is_open_where_it_may_ask_or_is_held(bench: "Bench", permissions, held, open_, mode, asks):
    launch = launched(bench, TASK, permissions=permissions, held=held)
    assert launch.input_open == open_
    assert value(launch, "--permission-mode") == mode
    assert ("--permission-prompt-tool" in launch.argv) == asks
    assert ("--input-format" in launch.argv) == open_
    assert ("--replay-user-messages" in launch.argv) == open_, "to know from what point on it answers us"
    assert msgspec.json.decode(launch.files[FACTS], type=Facts).open == open_
    if open_:
        message = json.loads(launch.stdin)
        assert message["message"] == {"role": "user", "content": "What is open?\n"}
        assert launch.stdin.endswith("\n")


def test_what_was_used_before_is_known_to_its_reader(bench: "Bench"):
    before = RunUsage(1, 2, 3, 4, 5)
    facts = msgspec.json.decode(launched(bench, TASK, resume=True, before=before).files[FACTS], type=Facts)
    assert facts.before == before
    assert msgspec.json.decode(launched(bench, TASK).files[FACTS], type=Facts).before == RunUsage(0, 0, cost_microusd=0)


def test_a_prompt_that_is_not_text_can_be_sent(bench: "Bench"):
    launch = launched(bench, ("task", "task", "a\udcffb"), permissions="ask")
    assert json.loads(launch.stdin)["message"]["content"] == "a\udcffb\n"


def test_what_it_must_write_is_its_own_folder(bench: "Bench", home: Path):
    launch = launched(bench, TASK)
    assert launch.state_paths == (f"{home}/.claude", f"{home}/.claude.json")
    assert (home / ".claude").is_dir(), "what is not there cannot be made writable"
    assert "CLAUDE_CONFIG_DIR" not in launch.env
    own = launched(bench, TASK, service=Service(home=str(home / "other")))
    assert own.state_paths == (f"{home}/other",)
    assert own.env["CLAUDE_CONFIG_DIR"] == f"{home}/other"
    assert own.read_paths == ("/run/7",)


def test_nothing_is_sent_home(bench: "Bench"):
    env = launched(bench, TASK, keep=None).env
    for name in ("DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "DISABLE_AUTOUPDATER"):
        assert env[name] == "1"
    assert not any("KEY" in name or "TOKEN" in name for name in env)


def test_lines_of_speech():
    speech = ClaudeSpeech()
    hi, again = json.loads(speech.message("hi")), json.loads(speech.message("hi"))
    assert hi == {"type": "user", "uuid": hi["uuid"], "message": {"role": "user", "content": "hi"}}
    assert str(UUID(hi["uuid"])) == hi["uuid"] != again["uuid"]
    yes, no = json.loads(speech.answer("r1", True)), json.loads(speech.answer("r1", False, "not now"))
    assert yes["response"] == {"subtype": "success", "request_id": "r1", "response": {"behavior": "allow"}}
    assert no["response"]["response"] == {"behavior": "deny", "message": "not now"}
    one, other = json.loads(speech.interrupt()), json.loads(speech.interrupt())
    assert one["request"] == {"subtype": "interrupt"}
    assert one["request_id"] != other["request_id"]


def wanted(**changes):
    fields = {"workspace": "/w", "service": Service(), "model": None, "tools": None, "keep": None}
    return Wanted(**{**fields, **changes})


def program(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_what_is_lacking_is_named_with_the_remedy(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    why, fix = CLAUDE.lacks(wanted())
    assert "no program 'claude'" in why
    assert f"npm install -g @anthropic-ai/claude-code@{VERSION}" in fix
    why, fix = CLAUDE.lacks(wanted(service=Service(program="/nowhere/claude")))
    assert "/nowhere/claude" in why
    assert "[adapter.claude_code]" in fix
    assert CLAUDE.lacks(wanted(argv=("x",)))[0] == "it takes no program"
    path = program(tmp_path / "bin", "true")
    assert CLAUDE.lacks(wanted(service=Service(program=str(path)))) == ("", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert CLAUDE.lacks(wanted()) == ("", "")


def test_its_version_is_asked_for_once_until_it_changes(tmp_path: Path):
    count = tmp_path / "count"
    path = program(tmp_path / "bin", f"echo x >> {count}; echo '2.1.329 (Claude Code)'")
    assert [version(str(path)), version(str(path))] == ["2.1.329", "2.1.329"]
    assert count.read_text() == "x\n"
    program(tmp_path / "bin", "echo 3.0.0")
    os.utime(path, ns=(1, 1))
    assert version(str(path)) == "3.0.0"
    assert version(str(program(tmp_path / "broken", "exit 3"))) is None
    assert version(str(tmp_path / "none")) is None


def test_what_it_sends_beside_our_prompt_is_known_by_what_is_kept(tmp_path: Path):
    (tmp_path / "CLAUDE.md").write_text("x" * 4000)

    def said(**changes):
        service = Service(home=str(tmp_path / "none"), key_known=changes.pop("key_known", False))
        return CLAUDE.overhead_tokens(wanted(workspace=str(tmp_path), service=service, **changes))

    lean = len(LEAN.format(workspace=tmp_path))
    assert said(keep=(), tools=(), key_known=True) == -(-(136 + lean) // 4)
    assert said(keep=(), tools=("Read",)) > said(keep=(), tools=())
    assert said(keep=("system", "instructions")) - said(keep=("system",)) == 1056
    assert said() > 10_000
