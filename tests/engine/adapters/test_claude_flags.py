"""What may Claude Code add to a prompt, and what may it do unasked: flags, variables and rules?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.claude_code import ClaudeCodeAdapter
from engine.adapters.claude_flags import EVERY_TOOL, edit_rules, scoping, settings
from engine.contract.launch import Service, Wanted

KEEPS = ("settings", "instructions", "memory", "mcp", "skills", "system")
FOUR = ("Read", "Edit", "Write", "Bash")
WORK = "/work/shop"


def scoped(keep, tools=None, workspace=WORK, *, key_known=False):
    return scoping(keep, tools, str(workspace), key_known=key_known)


def value(flags, name):
    return flags[flags.index(name) + 1]


def off(scope, name):
    return f"CLAUDE_CODE_DISABLE_{name}" in scope.env


def test_all_of_the_client_is_left_as_it_is_when_everything_is_kept():
    for keep in (None, KEEPS):
        scope = scoped(keep)
        assert scope.flags == ()
        assert not off(scope, "CLAUDE_MDS")
        assert not off(scope, "AUTO_MEMORY")
        assert (scope.own_prompt, scope.skills, scope.hooks, scope.bare) == (False, True, True, False)


def test_the_leanest_leaves_out_all_of_it():
    scope = scoped((), FOUR)
    assert scope.flags == (
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--disable-slash-commands",
        "--tools",
        "Read,Edit,Write,Bash",
    )
    assert off(scope, "CLAUDE_MDS")
    assert off(scope, "AUTO_MEMORY")
    assert (scope.own_prompt, scope.skills, scope.hooks) == (True, False, False)


def test_a_tool_that_grows_without_skills_goes_with_them():
    assert value(scoped(()).flags, "--disallowedTools") == "Workflow"
    assert "--disallowedTools" not in scoped(("skills",)).flags
    assert "--disable-slash-commands" not in scoped((), ("Workflow",)).flags


def test_no_tools_are_no_tools():
    assert value(scoped((), ()).flags, "--tools") == ""
    assert "--tools" not in scoped((), None).flags


def test_a_tool_with_a_pattern_is_offered_by_its_name_and_allowed_by_its_pattern():
    tools = ("Bash(git *)", "Bash(ls)", "Read")
    assert value(scoped((), tools).flags, "--tools") == "Bash,Read"
    assert settings("deny", tools, (), WORK, hooks=True)["permissions"]["allow"] == ["Bash(git *)", "Bash(ls)"]


@pytest.mark.parametrize(
    ("keep", "sources"),
    [
        ((), ""),
        (("system",), ""),
        (("memory", "mcp"), ""),
        (("instructions",), "user"),
        (("skills",), None),
        (("skills", "instructions"), None),
        (("settings",), None),
    ],
)
def test_settings_folders_are_read_only_for_what_is_kept(keep, sources):
    flags = scoped(keep).flags
    assert (value(flags, "--setting-sources") if "--setting-sources" in flags else None) == sources


def test_instructions_without_settings_come_from_the_folder_itself():
    scope = scoped(("instructions",))
    assert value(scope.flags, "--add-dir") == WORK
    added = "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD"
    assert added in scope.env
    for keep in (("instructions", "settings"), ("instructions", "skills"), ("settings",), None):
        assert "--add-dir" not in scoped(keep).flags
        assert added not in scoped(keep).env


def test_hooks_are_settings():
    for keep, hooks in ((None, True), (("settings",), True), (("skills",), False), ((), False)):
        assert scoped(keep).hooks == hooks
    assert settings("deny", None, (), WORK, hooks=False)["disableAllHooks"] is True
    assert "disableAllHooks" not in settings("deny", None, (), WORK, hooks=True)


def test_servers_are_started_only_when_their_tools_may_be_used(tmp_path):
    (tmp_path / ".mcp.json").write_text("{}")
    assert "--strict-mcp-config" in scoped((), None, tmp_path).flags
    assert "--strict-mcp-config" in scoped(None, FOUR, tmp_path).flags
    assert "--strict-mcp-config" not in scoped(None, (*FOUR, "mcp__scale__weigh"), tmp_path).flags
    assert value(scoped(("mcp",), None, tmp_path).flags, "--mcp-config") == str(tmp_path / ".mcp.json")
    assert "--mcp-config" not in scoped(("mcp", "settings"), None, tmp_path).flags


@pytest.mark.parametrize(
    ("keep", "tools", "key_known", "bare"),
    [
        ((), (), True, True),
        ((), ("Read", "Bash(ls)"), True, True),
        ((), ("Read", "Write"), True, False),
        ((), None, True, False),
        ((), (), False, False),
        (("system",), (), True, False),
        (None, (), True, False),
    ],
)
def test_the_bare_client_is_used_where_it_has_all_that_is_wanted(keep, tools, key_known, bare):
    scope = scoped(keep, tools, key_known=key_known)
    assert scope.bare == bare
    assert ("--bare" in scope.flags) == bare


def test_files_named_in_a_prompt_are_never_sent_beside_it():
    assert all(off(scoped(keep), "FILE_MENTIONS") for keep in (None, (), ("system",)))


@given(
    keep=st.none() | st.lists(st.sampled_from(KEEPS), unique=True).map(tuple),
    tools=st.none() | st.lists(st.sampled_from((*FOUR, "Skill", "Agent", "Workflow")), unique=True).map(tuple),
    key_known=st.booleans(),
)
def test_keeping_less_never_sends_more(keep, tools, key_known):
    adapter = ClaudeCodeAdapter()

    def said(kept):
        service = Service(home="/nowhere", key_known=key_known)
        return adapter.overhead_tokens(Wanted("/nowhere", service, None, tools, kept))

    assert said(keep) <= said(None)
    for name in keep or ():
        assert said(tuple(one for one in keep if one != name)) <= said(keep)


@pytest.mark.parametrize(
    ("pattern", "rules"),
    [
        ("notes/", ["Edit(//work/shop/notes)", "Edit(//work/shop/notes/**)"]),
        ("notes/out.md", ["Edit(//work/shop/notes/out.md)", "Edit(//work/shop/notes/out.md/**)"]),
        ("src/**", ["Edit(//work/shop/src/**)"]),
        ("*.md", ["Edit(//work/shop/*.md)"]),
        (".", ["Edit(//work/shop)", "Edit(//work/shop/**)"]),
        ("./a/../b*", ["Edit(//work/shop/b*)"]),
        ("{a,b}*", ["Edit(//work/shop/a*)", "Edit(//work/shop/b*)"]),
        ("/elsewhere/x*", ["Edit(//elsewhere/x*)"]),
    ],
)
def test_a_scope_becomes_rules(pattern, rules):
    assert edit_rules(pattern, WORK) == rules


def test_a_workspace_behind_a_link_is_allowed_by_both_names(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    rules = edit_rules("a*", str(tmp_path / "link"))
    assert rules == [f"Edit(/{tmp_path}/link/a*)", f"Edit(/{tmp_path}/real/a*)"]


def test_what_looks_like_a_pattern_in_the_name_of_the_workspace_is_none():
    assert edit_rules("a*", "/w[1]/x*y") == ["Edit(//w\\[1\\]/x\\*y/a*)"]


def test_alternatives_without_end_are_cut():
    assert len(edit_rules("{a,b}" * 20 + "*", WORK)) <= 256


def test_what_is_allowed_is_named_tool_by_tool():
    def allowed(permissions, tools, can_write=()):
        return settings(permissions, tools, can_write, WORK, hooks=True)["permissions"]["allow"]

    assert allowed("deny", FOUR) == []
    assert allowed("ask", None) == []
    assert allowed("allow", FOUR) == list(FOUR)
    assert allowed("allow", None) == list(EVERY_TOOL)
    assert allowed("ask", FOUR, ("a*",)) == allowed("deny", None, ("a*",)) == ["Edit(//work/shop/a*)"]
    json.dumps(settings("allow", FOUR, ("a*",), WORK, hooks=False))
