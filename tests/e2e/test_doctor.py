"""Does `qd doctor` tell where logs are looked for, what could not be read there, and that a database is none?"""

import json

from tests.e2e.test_usage_trouble import as_user


def found(desk, name, code=0):
    """The findings of this name."""
    findings = desk.json("doctor", code=code)["findings"]
    return [(one["level"], one["text"]) for one in findings if one["name"] == name]


def test_every_log_folder_is_listed_with_what_is_in_it(desk):
    desk.install_recordings()
    claude, codex = (len(list((desk.home / name).rglob("*.jsonl"))) for name in (".claude", ".codex"))
    assert (claude > 1, codex) == (True, 1)
    assert found(desk, "claude_code") == [
        ("ok", f"{desk.home}/.config/claude/projects: not there"),
        ("ok", f"{desk.home}/.claude/projects: {claude} logs"),
    ]
    assert found(desk, "codex") == [
        ("ok", f"{desk.home}/.codex/sessions: 1 log"),
        ("ok", f"{desk.home}/.codex/archived_sessions: not there"),
    ]
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
    assert [text for _, text in found(desk, "claude_code")] == [
        f"{good}/projects: not there",
        f"{desk.workspace}/projects: not there",
    ]


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
