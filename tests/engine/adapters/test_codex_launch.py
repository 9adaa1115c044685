"""What is Codex started with: which words, which folder, which files, and what it may write?"""

import json
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters import codex
from engine.adapters.codex import INSTRUCTIONS, LEAN, CodexAdapter
from engine.adapters.codex_flags import TOOLS, overhead_chars, quoted, tool_words
from engine.adapters.codex_home import prepare, real_home
from engine.adapters.codex_reader import Facts
from engine.adapters.codex_roots import writable_roots
from engine.adapters.codex_totals import as_totals, totals_of, used_since
from engine.adapters.installed import version
from engine.contract.launch import RunUsage, Service, Wanted
from engine.telemetry.codex_rows import Tokens
from state.errors import Refused

ADAPTER = CodexAdapter()
CONFIG = """\
model = "m"
model_provider = "mine"
sandbox_mode = "danger-full-access"
notify = ["sh", "-c", "true"]

[model_providers.mine]
base_url = "http://localhost/v1"

[mcp_servers.files]
command = "x"
"""
ID = "01a1fb94-c365-76d0-b3a7-1a5903b2c8aa"


@pytest.fixture
def real(bench):
    folder = bench.state.parent / "codex"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def launch(bench, real):
    def start(*parts, **changes):
        changes = {"service": Service(home=str(real)), "run_folder": str(bench.folder), "provider_id": ID} | changes
        return ADAPTER.launch(bench.request(*(parts or (("task", "task", "do it"),)), **changes))

    return start


def settings(launch):
    """What `-c` says, by key."""
    words = launch.argv
    pairs = [words[at + 1].partition("=") for at, word in enumerate(words) if word == "-c"]
    return {key: tomllib.loads(f"value = {value}")["value"] for key, _, value in pairs}


def facts(launch):
    return msgspec.json.decode(launch.files["codex.json"], type=Facts)


def test_a_new_conversation(launch, real):
    made = launch()
    assert made.argv[:4] == ("codex", "exec", "--json", "--skip-git-repo-check")
    assert made.argv[-1] == "-"
    assert "resume" not in made.argv
    assert made.stdin == "do it\n"
    home = made.env["CODEX_HOME"]
    shared = (str(real / name) for name in ("sessions", "archived_sessions", "thread-writer-locks", "auth.json"))
    assert made.state_paths == (home, *(path for path in shared if Path(path).exists()))
    assert not made.input_open
    assert settings(made)["approval_policy"] == "never"
    assert settings(made)["analytics.enabled"] is False
    assert facts(made) == Facts(home=str(real))


def test_one_that_goes_on_and_one_that_begins_as_a_copy(launch):
    assert launch(resume=True, model="gpt-6.1-sol").argv[-3:] == ("resume", ID, "-")
    assert launch(fork_of="other").argv[-3:] == ("fork", "other", "-")
    assert "-m" in launch(resume=True, model="gpt-6.1-sol").argv


def test_the_operators_own_program_is_taken(launch, real):
    assert launch(service=Service(program="/opt/codex", home=str(real))).argv[0] == "/opt/codex"


def test_what_the_conversation_had_used_is_noted_for_the_reader(launch, real):
    used = RunUsage(10, 3, 20, 5)
    assert facts(launch(resume=True)).before is None, "nobody knows"
    assert facts(launch(resume=True, before=used)) == Facts(str(real), ID, (35, 20, 5, 3, 0, 0))
    assert facts(launch(fork_of="other", before=used)) == Facts(str(real), None, (35, 20, 5, 3, 0, 0))
    assert facts(launch(before=used)).before == (), "a new one has used nothing"
    rollout(real, ID, Tokens(50, 20, 0, 7, 0, 57))
    assert facts(launch(resume=True, before=used)).before == (50, 20, 0, 7, 0, 57), "its own file knows better"


def rollout(home, thread, *totals, padding=0):
    path = home / "sessions" / "2026" / "11" / "21" / f"rollout-2026-11-21T00-49-42-{thread}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens")
    with path.open("w") as file:
        for total in totals:
            info = total and {"total_token_usage": dict(zip(names, total, strict=False)) | {"total_tokens": total[5]}}
            payload = {"type": "token_count", "info": info}
            file.write(json.dumps({"type": "event_msg", "payload": payload}) + "\n")
            file.write(json.dumps({"type": "response_item", "text": "x" * padding}) + "\n")
    return path


@pytest.mark.parametrize("padding", [0, *range(261_800, 262_144, 40), 300_000, 600_000])
def test_the_last_totals_of_a_rollout_count(tmp_path, padding):
    rollout(tmp_path, ID, Tokens(1, 0, 0, 1, 0, 2), Tokens(9, 4, 1, 3, 0, 12), None, padding=padding)
    assert totals_of(tmp_path, ID) == Tokens(9, 4, 1, 3, 0, 12)
    assert totals_of(tmp_path, "another") is None
    assert totals_of(tmp_path, "*") is None, "an id is no pattern"


def test_totals_are_found_among_archived_ones_and_damage_is_passed_over(tmp_path):
    path = rollout(tmp_path, ID, Tokens(9, 4, 1, 3, 0, 12))
    with path.open("a") as file:
        file.write('{"type":"event_msg","payload":{"type":"token_count","info":5}}\n{"type":"token_count", \n')
    (tmp_path / "archived_sessions").mkdir()
    path.rename(tmp_path / "archived_sessions" / path.name)
    assert totals_of(tmp_path, ID) == Tokens(9, 4, 1, 3, 0, 12)


TOKENS = st.integers(0, 10**9)


@given(st.builds(RunUsage, TOKENS, TOKENS, TOKENS, TOKENS), st.builds(RunUsage, TOKENS, TOKENS, TOKENS, TOKENS))
def test_what_was_used_since_is_the_difference(before, more):
    total = as_totals(before).plus(as_totals(more))
    assert used_since(total, as_totals(before)) == more
    assert used_since(total, total) == RunUsage(0, 0)


PARTS = (("instructions", "AGENT.md", "Be kind."), ("file", "a.md", "text of a"), ("task", "task", "do it"))


def test_with_its_own_system_prompt_everything_is_the_message(launch):
    made = launch(*PARTS, keep=("system", "skills"))
    assert made.stdin == "Be kind.\n\n--- a.md ---\ntext of a\n\ndo it\n"
    assert INSTRUCTIONS not in made.files
    assert "model_instructions_file" not in settings(made)


def test_without_it_what_opens_the_conversation_takes_its_place(launch, bench):
    made = launch(*PARTS, keep=())
    assert made.stdin == "--- a.md ---\ntext of a\n\ndo it\n"
    lean = LEAN.format(workspace=bench.workspace)
    assert made.files[INSTRUCTIONS] == f"{lean}\nBe kind.\n"
    assert settings(made)["model_instructions_file"] == str(bench.folder / INSTRUCTIONS)
    assert launch(keep=()).files[INSTRUCTIONS] == lean


@pytest.mark.parametrize("goes_on", [{"resume": True}, {"fork_of": "other"}])
def test_a_conversation_that_goes_on_has_its_opening_already(launch, bench, goes_on):
    made = launch(*PARTS, keep=(), **goes_on)
    assert INSTRUCTIONS not in made.files
    assert "model_instructions_file" not in settings(made)
    assert made.stdin.startswith("Be kind."), "what has changed since is sent, as its receipt says"
    prompt = bench.request(*PARTS).prompt
    held = msgspec.structs.replace(prompt.parts[0], sent=False)
    again = msgspec.structs.replace(prompt, parts=(held, *prompt.parts[1:]))
    assert launch(prompt=again, keep=(), **goes_on).stdin == "--- a.md ---\ntext of a\n\ndo it\n"


def test_no_more_tools_than_are_allowed(launch):
    assert "shell_tool" not in launch(tools=None).argv
    assert "shell_tool" not in launch(tools=("shell",)).argv
    none = launch(tools=())
    assert {"shell_tool", "goals", "view_image", "sleep_tool", "apps"} <= set(none.argv)
    assert settings(none)["web_search"] == "disabled"
    assert settings(none)["agents.enabled"] is False
    assert settings(none)["tools.experimental_request_user_input.enabled"] is False
    assert set(tool_words(tuple(TOOLS))) < set(tool_words(()))


def test_what_may_be_written(launch, bench):
    (bench.workspace / "notes").mkdir()
    profile = settings(launch(can_write=("notes/**",)))["permissions.quarterdeck"]
    rights = {":root": "read", ":tmpdir": "write", str(bench.workspace / "notes"): "write"}
    assert profile == {"filesystem": rights, "network": {"enabled": False}}
    assert settings(launch())["permissions.quarterdeck"]["filesystem"] == {":root": "read", ":tmpdir": "write"}
    assert settings(launch(permissions="allow"))["permissions.quarterdeck"]["network"] == {"enabled": True}
    assert settings(launch())["default_permissions"] == "quarterdeck"


def test_within_our_sandbox_its_own_is_left_out(launch):
    made = launch(contained=True)
    assert settings(made)["default_permissions"] == ":danger-full-access"
    assert "permissions.quarterdeck" not in settings(made)


def test_it_cannot_ask(launch):
    assert facts(launch(permissions="ask")).asks
    assert not facts(launch(permissions="deny")).asks


@pytest.mark.parametrize(
    ("can_write", "roots"),
    [
        ((), []),
        (("notes/",), ["notes"]),
        (("notes/**", "notes/deep/x.md"), ["notes"]),
        (("notes/deep/*.md", "other/file.md"), ["notes/deep", "other"]),
        (("new/folder/x",), ["."]),
        (("other/file.md", "notes"), ["notes", "other"]),
        (("**/*.md",), ["."]),
        (("../outside",), ["."]),
        (("/elsewhere",), ["."]),
        (("other/no/such/*",), ["other"]),
    ],
)
def test_the_nearest_folder_that_is_there_is_writable(tmp_path, can_write, roots):
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file.md").touch()
    assert writable_roots(tmp_path, can_write) == tuple(str(tmp_path / root) for root in roots)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_a_setting(text):
    assert tomllib.loads(f"value = {quoted(text)}")["value"] == text


def overlay(made):
    return tomllib.loads((made / "config.toml").read_text())


def test_what_is_not_kept_is_not_in_its_folder(launch, bench, real):
    (real / "AGENTS.md").write_text("user words")
    made = launch(keep=())
    home = bench.state / made.env["CODEX_HOME"].rpartition("/")[2]
    assert overlay(home) == {
        "model": "m",
        "model_provider": "mine",
        "model_providers": {"mine": {"base_url": "http://localhost/v1"}},
    }
    assert not (home / "AGENTS.md").exists()
    assert settings(made)["project_doc_max_bytes"] == 0
    assert settings(made)["skills.include_instructions"] is False
    assert (home / "sessions").resolve() == real / "sessions"
    shared = ("sessions", "archived_sessions", "thread-writer-locks")
    assert made.state_paths == (str(home), *(str(real / name) for name in shared))
    (real / "auth.json").write_text("{}")
    assert (home / "auth.json").read_text() == "{}", "who logs in later is logged in there, too"
    assert str(real / "auth.json") in launch(keep=()).state_paths


@pytest.mark.parametrize(
    ("keep", "keys", "linked"),
    [
        (("mcp",), {"mcp_servers"}, set()),
        (("settings",), {"sandbox_mode", "notify"}, {"rules"}),
        (("instructions",), set(), {"AGENTS.md"}),
        (("skills",), set(), {"skills"}),
        (("memory",), set(), {"memories"}),
        (("settings", "mcp", "instructions"), {"sandbox_mode", "notify", "mcp_servers"}, {"rules", "AGENTS.md"}),
    ],
)
def test_what_is_kept_is_there(bench, real, keep, keys, linked):
    for folder in ("skills", "rules", "memories"):
        (real / folder).mkdir()
    (real / "AGENTS.md").write_text("user words")
    made = prepare(real, bench.state, keep)
    home = bench.state / Path(made.folder).name
    assert set(overlay(home)) == {"model", "model_provider", "model_providers"} | keys
    assert {path.name for path in home.iterdir() if path.is_symlink() and path.exists()} == {
        "sessions",
        "archived_sessions",
        "thread-writer-locks",
    } | linked
    assert set(made.readable) == {str(real / name) for name in linked}


def test_who_keeps_everything_reads_all_of_the_real_folder_and_writes_no_settings(bench, real):
    (real / "config.toml").write_text("# as it is\nmodel = 'x'\n")
    (real / "AGENTS.md").write_text("be brief")
    (real / "hooks.json").write_text("{}")
    made = prepare(real, bench.state, None)
    home = Path(made.folder)
    assert (home / "config.toml").read_text() == "# as it is\nmodel = 'x'\n"
    assert {str(real / "AGENTS.md"), str(real / "hooks.json")} <= set(made.readable)
    assert not {str(real), str(real / "hooks.json"), str(real / "config.toml")} & set(made.writable)


def test_what_a_run_leaves_for_the_next_one_is_not_there_any_more(bench, real):
    home = Path(prepare(real, bench.state, None).folder)
    (home / "hooks.json").write_text("{}")
    (home / "rules").mkdir()
    (home / "rules" / "x").touch()
    (home / "plugins").mkdir()
    (home / "config.toml").write_bytes(b"model = 'left behind \xff'\n")
    prepare(real, bench.state, None)
    assert not (home / "plugins").exists()
    assert not (home / "hooks.json").exists()
    assert not (home / "rules").exists()
    assert "left behind" not in (home / "config.toml").read_text()
    (home / "config.toml").unlink()
    (home / "config.toml").symlink_to(real / "config.toml")
    prepare(real, bench.state, None)
    assert not (home / "config.toml").is_symlink(), "what is written there must not be the operator's own"


def test_a_folder_is_made_once_and_follows_the_real_one(bench, real):
    first = prepare(real, bench.state, ("skills",))
    (bench.state / Path(first.folder).name / "skills").mkdir()  # as Codex does where there is none
    (real / "skills").mkdir()
    (real / "config.toml").write_text('model = "other"\n')
    again = prepare(real, bench.state, ("skills",))
    assert again.folder == first.folder
    home = bench.state / Path(first.folder).name
    assert overlay(home) == {"model": "other"}
    assert (home / "skills").is_symlink()
    (real / "skills").rmdir()
    prepare(real, bench.state, ("skills",))
    assert not (home / "skills").is_symlink()
    assert sorted(path.name for path in bench.state.iterdir()) == [home.name]


def test_runs_at_once_prepare_one_folder(bench, real):
    (real / "skills").mkdir()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: prepare(real, bench.state, ("skills",)), range(64)))
    assert len(set(made)) == 1
    assert not [path.name for path in Path(made[0].folder).iterdir() if path.name.startswith(".")], (
        "nothing is left over"
    )


def test_another_home_has_another_folder(bench, real):
    other = real.parent / "second"
    assert prepare(real, bench.state, ()).folder != prepare(other, bench.state, ()).folder
    assert overlay(Path(prepare(other, bench.state, ()).folder)) == {}


def test_settings_that_cannot_be_read_refuse_the_run(launch, real):
    (real / "config.toml").write_text("model = \n")
    with pytest.raises(Refused, match="cannot read"):
        launch(keep=())
    assert launch(keep=None).argv, "left to Codex itself"


def test_where_its_home_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert real_home(Service(), {}) == tmp_path / ".codex"
    assert real_home(Service(), {"CODEX_HOME": "/there"}).as_posix() == "/there"
    assert real_home(Service(home="~/mine"), {"CODEX_HOME": "/there"}) == tmp_path / "mine"


def wanted(**changes):
    fields = {"workspace": "/w", "service": Service(program="sh"), "model": None, "tools": None, "keep": None}
    return Wanted(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"tools": ("shell", "apply_patch")}, ""),
        ({"tools": ("Read",)}, "codex has no tool 'Read'"),
        ({"argv": ("x",)}, "it takes no program"),
        ({"service": Service(program="/no/codex")}, "there is no program /no/codex"),
    ],
)
def test_what_is_lacking_is_said_before_anything_is_spent(changes, why):
    said, fix = ADAPTER.lacks(wanted(**changes))
    assert said == why
    assert bool(fix) == bool(why)


def test_without_the_program_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    why, fix = ADAPTER.lacks(wanted(service=Service()))
    assert "'codex'" in why
    assert f"@openai/codex@{codex.VERSION}" in fix


def test_less_is_sent_where_less_is_kept():
    def tokens(**changes):
        return ADAPTER.overhead_tokens(wanted(**changes))

    assert tokens() == 13_124
    assert tokens(keep=(), tools=()) < tokens(keep=(), tools=("shell",)) < tokens(keep=("system",)) < tokens()
    assert tokens(model="gpt-5.5") < tokens(model="gpt-6.1-sol") == tokens()
    assert overhead_chars("gpt-6.1-sol", None, None) == 52_496


def test_its_version_is_asked_for_once(tmp_path):
    program = tmp_path / "codex"
    program.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked\necho codex-cli 0.169.0\n")
    program.chmod(0o755)
    assert version(str(program)) == version(str(program)) == "0.169.0"
    assert (tmp_path / "asked").read_text() == "x\n"
    assert version(str(tmp_path / "none")) is None
