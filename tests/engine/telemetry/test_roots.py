"""Where agent CLIs keep their logs, from the environment alone."""

import pytest

from engine.telemetry.roots import log_roots


def places(environ):
    return [(root.source, root.provider_home, root.folder) for root in log_roots(environ)]


def test_without_variables_every_home_below_home(tmp_path):
    home = str(tmp_path)
    assert places({"HOME": home}) == [
        ("claude_code", f"{home}/.config/claude", "projects"),
        ("claude_code", f"{home}/.claude", "projects"),
        ("codex", f"{home}/.codex", "sessions"),
        ("codex", f"{home}/.codex", "archived_sessions"),
        ("gemini", f"{home}/.gemini", "tmp"),
        ("openclaw", f"{home}/.openclaw", "agents"),
        ("openclaw", f"{home}/.clawdbot", "agents"),
        ("openclaw", f"{home}/.moltbot", "agents"),
        ("openclaw", f"{home}/.moldbot", "agents"),
        ("opencode", f"{home}/.local/share/opencode", "storage/message"),
        ("opencode", f"{home}/.local/share/opencode", ""),
    ]


def test_the_variables_win_and_a_comma_list_is_split(tmp_path):
    environ = {
        "HOME": str(tmp_path),
        "CLAUDE_CONFIG_DIR": f" {tmp_path}/one ,~/two,,",
        "XDG_CONFIG_HOME": f"{tmp_path}/ignored",
        "CODEX_HOME": f"{tmp_path}/dex",
        "GEMINI_CLI_HOME": f"{tmp_path}/gem",
        "OPENCLAW_STATE_DIR": "~/claw",
        "OPENCLAW_HOME": f"{tmp_path}/ignored",
        "XDG_DATA_HOME": f"{tmp_path}/data",
    }
    assert places(environ) == [
        ("claude_code", f"{tmp_path}/one", "projects"),
        ("claude_code", f"{tmp_path}/two", "projects"),
        ("codex", f"{tmp_path}/dex", "sessions"),
        ("codex", f"{tmp_path}/dex", "archived_sessions"),
        ("gemini", f"{tmp_path}/gem/.gemini", "tmp"),
        ("openclaw", f"{tmp_path}/claw", "agents"),
        ("opencode", f"{tmp_path}/data/opencode", "storage/message"),
        ("opencode", f"{tmp_path}/data/opencode", ""),
    ]


def test_openclaw_may_have_a_home_of_its_own(tmp_path):
    found = places({"HOME": "/h", "OPENCLAW_HOME": str(tmp_path)})
    assert [home for source, home, _ in found if source == "openclaw"] == [
        f"{tmp_path}/{name}" for name in (".openclaw", ".clawdbot", ".moltbot", ".moldbot")
    ]


def test_a_relative_xdg_data_home_is_ignored():
    found = places({"HOME": "/h", "XDG_DATA_HOME": "relative"})
    assert ("opencode", "/h/.local/share/opencode", "") in found


@pytest.mark.parametrize(("config", "expected"), [("/xdg", "/xdg/claude"), ("relative", "{home}/.config/claude")])
def test_xdg_config_home_counts_only_when_absolute(tmp_path, config, expected):
    found = places({"HOME": str(tmp_path), "XDG_CONFIG_HOME": config})
    assert found[0][1] == expected.format(home=tmp_path)


def test_one_folder_under_two_names_is_one_root(tmp_path):
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "claude").symlink_to(tmp_path / ".claude")
    assert [root[1] for root in places({"HOME": str(tmp_path)}) if root[0] == "claude_code"] == [
        str(tmp_path / ".claude")
    ]


def test_a_loop_of_links_is_not_a_crash(tmp_path):
    (tmp_path / ".claude").symlink_to(tmp_path / ".claude")
    assert ("claude_code", str(tmp_path / ".claude"), "projects") in places({"HOME": str(tmp_path)})


def test_without_home_only_what_is_named():
    assert places({}) == []
    assert places({"CODEX_HOME": "/c"}) == [("codex", "/c", "sessions"), ("codex", "/c", "archived_sessions")]


def test_homes_that_agents_declare_are_looked_at_once(tmp_path):
    own = str(tmp_path / "own")
    found = [
        (root.source, root.provider_home, root.folder)
        for root in log_roots(
            {"HOME": str(tmp_path)}, (("claude_code", own), ("codex", own), ("codex", f"{tmp_path}/.codex"))
        )
    ]
    assert found[len(places({"HOME": str(tmp_path)})) :] == [
        ("claude_code", own, "projects"),
        ("codex", own, "sessions"),
        ("codex", own, "archived_sessions"),
    ]
