"""Which paths are granted for a scope, and what is said of what the kernel cannot tell apart?"""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.model import Config
from engine.context.routing import route
from engine.contract.orders import RunRequest
from engine.runtime.sandboxing import _around, _states, grants_of, loose_words, reads_words
from engine.scopes.scope import resolve_scope


@pytest.fixture
def work(tmp_path):
    """`notes/a.md`, `notes/deep/`, `one.md`, `[x].md` and a link to `notes`."""
    folder = tmp_path / "work"
    (folder / "notes" / "deep").mkdir(parents=True)
    for name in ("notes/a.md", "one.md", "[x].md"):
        (folder / name).write_text("x")
    (folder / "link").symlink_to("notes")
    return folder


def granted(work, *patterns, aside=False):
    scope = resolve_scope(work, patterns, twins=False)
    return {os.path.relpath(one.path, work): one.exact for one in grants_of(scope, aside=aside)}


@pytest.mark.parametrize(
    ("pattern", "grants"),
    [
        ("notes/", {"notes": True}),
        ("notes/**", {"notes": True}),
        (".", {".": True}),
        ("one.md", {"one.md": True}),
        ("[[]x].md", {"[x].md": True}),
        ("notes/a.md", {"notes/a.md": True}),
        ("link", {"notes": True}),
        ("link/a.md", {"notes/a.md": True}),
        ("notes/*.md", {"notes": False}),
        ("notes/new/er/file.md", {"notes": False}),
        ("new.md", {".": False}),
        ("new/*.md", {".": False}),
        ("**/*.md", {".": False}),
        ("notes/deep/../a.md", {"notes/a.md": True}),
        ("{one.md,notes/deep}", {"one.md": True, "notes/deep": True}),
        ("../elsewhere", {}),
        ("one.md/below", {"one.md": False}),
    ],
)
def test_the_nearest_that_is_there_is_granted(work, pattern, grants):
    assert granted(work, pattern) == grants


def test_a_program_that_writes_aside_is_granted_the_folder_of_its_file(work):
    assert granted(work, "notes/a.md", "notes/deep", aside=True) == {"notes": False, "notes/deep": True}


def test_nothing_is_granted_where_a_scope_has_a_problem(work):
    (work / "notes" / "out").symlink_to("/")
    assert granted(work, "notes/") == granted(work, ".") == granted(work, "notes/out/x") == {}
    assert granted(work, "notes/", "../elsewhere") == {}


def test_nothing_above_a_workspace_that_is_gone_is_granted(tmp_path):
    assert granted(tmp_path / "gone", ".", "a.md", "*.md") == {}


def words(work, *patterns):
    scope = resolve_scope(work, patterns, twins=False)
    return loose_words(grants_of(scope), scope.workspace)


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (("notes/", "one.md"), ()),
        (("notes/*.md",), ("notes/*.md: notes/ is enforced, the rest is checked afterwards",)),
        (("notes/*.md", "notes/"), ()),
        (("new.md",), ("new.md: all of the workspace may be written, the rest is checked afterwards",)),
    ],
)
def test_what_is_only_checked_afterwards_is_said(work, patterns, said):
    assert words(work, *patterns) == said


@pytest.mark.parametrize(
    ("read", "can_read", "held", "said"),
    [
        ("open", (), True, ""),
        ("open", ("notes/",), True, "whatever you may: read is open"),
        ("strict", (), True, "its workspace, its program's own files and the system's, nothing else"),
        ("strict", ("notes/", "a.md"), True, "notes/, a.md, its program's own files"),
        ("strict", ("notes/",), False, "reading is not seen afterwards"),
    ],
)
def test_what_it_may_read_is_said_and_that_reading_leaves_no_trace(read, can_read, held, said):
    found = reads_words(route(RunRequest("/w", read=read, can_read=can_read), Config()), held=held)
    assert said in found
    assert bool(found) is bool(said)


def test_the_first_few_are_named(work):
    said = words(work, *(f"notes/{number}.md" for number in range(9)))
    assert len(said) == 4
    assert said[-1] == "and 6 more like these"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c.md", "*", "**", "*.md", "..", "new", "l"]), min_size=1, max_size=5))
def test_whatever_is_granted_is_there_and_in_the_workspace_and_covers_what_is_asked_for(tmp_path_factory, names):
    work = tmp_path_factory.mktemp("work")
    (work / "a" / "b").mkdir(parents=True)
    (work / "a" / "b" / "c.md").write_text("x")
    (work / "l").symlink_to("a/b")
    scope = resolve_scope(work, ["/".join(names)], twins=False)
    grants = grants_of(scope)
    assert bool(scope.problems) or grants
    for one in grants:
        path = Path(one.path)
        assert path.exists()
        assert path.resolve() == path
        assert path == work or work in path.parents


def test_what_lies_beside_our_own_folders_is_granted_without_them(tmp_path):
    for name in ("a", "state/mine", "state/beside", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("/")
    found = sorted(os.path.relpath(path, tmp_path) for path in _around([str(tmp_path)], [tmp_path / "state" / "mine"]))
    assert found == ["a", "b", "state/beside"]
    assert list(_around([str(tmp_path / "a")], [tmp_path / "state"])) == [str(tmp_path / "a")]
    assert list(_around([str(tmp_path / "state")], [tmp_path / "state"])) == []


def test_a_programs_own_folder_is_made_and_its_file_is_not(tmp_path):
    (tmp_path / "kept.json").write_text("{}")
    paths = [str(tmp_path / name) for name in (".tool", ".tool.json", "kept.json")]
    assert [Path(path).name for path in _states(paths)] == [".tool", "kept.json"]
    assert (tmp_path / ".tool").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / ".tool.json").exists()
