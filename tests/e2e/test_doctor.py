"""Does `qd doctor` tell where logs are looked for, what could not be read there, and that a database is none?"""

import json
import socket

from tests.e2e.test_usage_trouble import as_user


def found(desk, name, code=0):
    """The findings of this name."""
    findings = desk.json("doctor", code=code)["findings"]
    return [(one["level"], one["text"]) for one in findings if one["name"] == name]


def test_every_log_folder_is_listed_with_what_is_in_it(desk):
    desk.install_recordings()
    claude, codex = (len(list((desk.home / name).rglob("*.jsonl"))) for name in (".claude", ".codex"))
    assert (claude > 1, codex) == (True, 1)
    assert found(desk, "claude_code") == [("ok", f"{desk.home}/.claude/projects: {claude} logs")]
    assert found(desk, "codex") == [("ok", f"{desk.home}/.codex/sessions: 1 log")]
    ((level, text),) = found(desk, "logs")
    assert level == "note", "what is not there is not ok, and no trouble"
    assert text.startswith("looked for and not there: claude_code ~/.config/claude/projects; codex ")
    assert "codex ~/.codex/archived_sessions; " in text
    assert all(f"{source} ~/" in text for source in ("gemini", "openclaw", "opencode"))
    assert found(desk, "variable") == []
    assert f"{desk.home}/.claude/projects: {claude} logs" in desk.run("doctor")[1]


def test_a_variable_that_names_no_folder_is_noted(desk):
    good = desk.home / "good"
    good.mkdir()
    desk.env["CLAUDE_CONFIG_DIR"] = f"{good}:{desk.home}/other"
    desk.env["CODEX_HOME"] = "~/nowhere"
    noted = found(desk, "variable")
    assert noted == [
        ("note", f"CLAUDE_CONFIG_DIR names {good}:{desk.home}/other, which is no folder"),
        ("note", "CODEX_HOME names ~/nowhere, which is no folder"),
    ]
    assert "separate several homes by commas" in desk.run("doctor")[1]

    desk.env["CLAUDE_CONFIG_DIR"] = f"{good}, ~/work,"
    desk.env["CODEX_HOME"] = str(good)
    assert found(desk, "variable") == []
    ((_, text),) = found(desk, "logs")
    assert "claude_code ~/good/projects, ~/work/projects; " in text


def test_a_log_that_cannot_be_read_is_a_problem(desk):
    desk.install_recordings()
    log = next((desk.home / ".codex").rglob("*.jsonl"))
    log.chmod(0)
    assert as_user(desk, "usage")[0] == 0
    code, out, _ = as_user(desk, "doctor", "--json")
    (told,) = [one for one in json.loads(out)["findings"] if one["name"] == "log"]
    assert code == 1
    assert (told["level"], told["text"]) == ("problem", f"cannot read {log}: Permission denied")


def test_a_database_that_is_none_is_a_problem(desk):
    assert found(desk, "state") == [("ok", str(desk.state))]
    (desk.state / "quarterdeck.db").write_bytes(b"this is no database" * 100)
    ((level, text),) = found(desk, "state", code=1)
    assert level == "problem"
    assert "quarterdeck.db" in text


CLIENT = "#!/bin/sh\necho '{version} (a client)'\n"


def place(desk, name, version):
    """A program of this name that tells this version, first on the PATH."""
    folder = desk.home / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(CLIENT.format(version=version))
    path.chmod(0o755)
    desk.env["PATH"] = f"{folder}:{desk.env['PATH'].removeprefix(f'{folder}:')}"
    return path


def one(desk, name, code=0):
    (told,) = found(desk, name, code)
    return told


def test_a_client_is_told_with_its_version_and_what_it_would_log_in_with(desk):
    path = place(desk, "claude", "2.1.329")
    assert one(desk, "adapter claude_code") == ("note", f"{path} 2.1.329; no key and no login found")
    (desk.home / ".claude").mkdir()
    (desk.home / ".claude" / ".credentials.json").write_text("{}")
    assert one(desk, "adapter claude_code") == ("ok", f"{path} 2.1.329; logged in, in {desk.home}/.claude")
    desk.env["ANTHROPIC_API_KEY"] = "sk-ant-canary"
    level, text = one(desk, "adapter claude_code")
    assert (level, "its key is ANTHROPIC_API_KEY" in text) == ("ok", True)
    assert "canary" not in desk.run("doctor")[1]

    place(desk, "claude", "2.2.0")
    level, text = one(desk, "adapter claude_code")
    assert (level, "measured on 2.1.329; this is 2.2.0: numbers and resuming are untested" in text) == ("note", True)


def test_what_nobody_uses_is_a_note_and_what_an_agent_needs_is_a_problem(desk):
    desk.env["PATH"] = "/usr/bin:/bin"
    assert one(desk, "adapter codex")[0] == "note"
    desk.configure("[agent.coder]\nadapter = 'codex'\n[agent.pump]\nadapter = 'acp'\nargv = ['no-such-pump']\n")
    assert one(desk, "adapter codex", 1) == ("problem", "no program 'codex', which coder needs")
    assert one(desk, "agent pump", 1) == ("problem", "no program 'no-such-pump' on the engine's PATH")
    desk.configure("[agent.writer]\nadapter = 'anthropic'\nmodel = 'x'\n")
    level, text = one(desk, "adapter anthropic", 1)
    assert (level, text.startswith("ANTHROPIC_API_KEY is not set")) == ("problem", True)


def test_a_key_is_looked_for_where_the_engine_is(desk):
    """Its environment is not that of the shell that asks."""
    desk.json("run", "--", "true")
    desk.env["OPENAI_API_KEY"] = "sk-canary"
    level, text = one(desk, "adapter openai")
    assert (level, text) == ("note", "OPENAI_API_KEY is not set in the engine's environment")
    desk.json("engine", "stop")
    assert one(desk, "adapter openai") == ("ok", "the usual server, which is not asked here; there is a key")


def test_a_server_answers_or_does_not(desk):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        desk.configure(f"[adapter.ollama]\nbase_url = '{url}'\n")
        assert one(desk, "adapter ollama") == ("ok", f"{url} answers")
    assert one(desk, "adapter ollama") == ("note", f"{url} does not answer within 1 s")
    desk.configure(f"[agent.small]\nadapter = 'ollama'\nmodel = 'x'\nbase_url = '{url}'\n")
    assert one(desk, "adapter ollama", 1) == ("problem", f"{url} does not answer within 1 s, which small needs")


def test_what_the_kernel_can_do_is_told(desk):
    findings = {one["name"]: one["level"] for one in desk.json("doctor")["findings"]}
    assert {"landlock", "bwrap", "cgroup", "pidfd"} <= findings.keys()


def test_a_program_below_the_home_is_found(desk):
    program = desk.home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 2.1.329\n")
    program.chmod(0o755)
    desk.configure("[adapter.claude_code]\nprogram = '~/bin/claude'\n")
    (found,) = [one for one in desk.json("doctor")["findings"] if one["name"] == "adapter claude_code"]
    assert found["text"].startswith(f"{program} 2.1.329;")


def test_the_file_itself_is_looked_at_where_it_is_good(desk):
    """Nobody has told the engine of it yet; while it is broken, what was good before is looked at."""
    desk.configure("[agent.old]\nadapter = 'acp'\nargv = ['no-such-old']\n")
    desk.json("run", "--", "true")
    desk.json("engine", "stop")
    desk.configure("[agent.new]\nadapter = 'acp'\nargv = ['no-such-new']\n")
    assert (found(desk, "agent old", 1), found(desk, "agent new", 1)[0][0]) == ([], "problem")
    desk.configure("[agent.new\n")
    assert (found(desk, "agent old", 1)[0][0], found(desk, "agent new", 1)) == ("problem", [])


def test_a_server_that_does_not_answer_is_told_to_those_whom_it_hinders(desk):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        gone = "[agent.gone]\nadapter = 'anthropic'\nbase_url = 'http://127.0.0.1:2'\n"
        desk.configure(
            f"[adapter.anthropic]\nbase_url = '{url}'\n[agent.chat]\nadapter = 'anthropic'\n{gone}"
            "[agent.other]\nadapter = 'ollama'\nmodel = 'anthropic/x'\nbase_url = 'http://127.0.0.1:3'\n"
        )
        findings = desk.json("doctor", code=1)["findings"]
    told = [one for one in findings if one["name"] == "adapter anthropic"]
    assert [(one["level"], one["text"]) for one in told] == [
        ("problem", "http://127.0.0.1:2 does not answer within 1 s, which gone needs")
    ]
    assert told[0]["fix"] == "start it, or correct base_url in [agent.gone]"


def test_a_key_that_is_missing_is_told_to_those_who_need_it(desk):
    desk.env["ANTHROPIC_API_KEY"] = "sk-canary"
    desk.configure(
        "[agent.good]\nadapter = 'anthropic'\n[agent.bad]\nadapter = 'anthropic'\nkey = 'env:NOPE_KEY'\n"
        "[agent.other]\nadapter = 'ollama'\nmodel = 'anthropic/x'\nkey = 'env:NO_OTHER'\n"
    )
    ((level, text),) = found(desk, "adapter anthropic", 1)
    assert (level, text.startswith("NOPE_KEY is not set"), text.endswith(", which bad needs")) == (
        "problem",
        True,
        True,
    )


PROVIDER = 'model_provider = "mine"\n[model_providers.mine]\nenv_key = "MY_KEY"\n'


def test_the_key_of_a_provider_of_codex_is_one(desk):
    place(desk, "codex", "0.169.0")
    settings = desk.home / ".codex" / "config.toml"
    settings.parent.mkdir()
    settings.write_text(PROVIDER)
    desk.configure("[agent.coder]\nadapter = 'codex'\nenv = ['MY_KEY']\n")
    level, text = one(desk, "adapter codex")
    assert (level, "MY_KEY, which" in text, "MY_KEY is not set" in text) == ("note", True, True)
    desk.env["MY_KEY"] = "sk-canary"
    level, text = one(desk, "adapter codex")
    assert (level, text.endswith(f"its key is MY_KEY, which {settings} names")) == ("ok", True)
    desk.configure("[agent.coder]\nadapter = 'codex'\n")
    (told,) = [one for one in desk.json("doctor")["findings"] if one["name"] == "adapter codex"]
    assert (told["level"], told["fix"]) == ("note", 'say env = ["MY_KEY"] in [agent.coder]')
    settings.write_text('model_provider = "built-in"\n')
    assert "no key and no login found" in one(desk, "adapter codex")[1]
