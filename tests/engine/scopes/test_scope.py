"""What may a run write? Resolved against the workspace; what leaves it, or is not understood, is refused."""

import os

import msgspec
import pytest

from engine.scopes.scope import Scope, coverage, covers, resolve_scope
from engine.scopes.survey import Survey


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "odd").mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "in").symlink_to(folder / "sub")
    (folder / "file.txt").write_text("")
    (tmp_path / "w2").mkdir()
    return folder


@pytest.fixture
def odd(workspace):
    """With links that lead out, or nowhere."""
    (workspace / "odd" / "out").symlink_to(workspace.parent / "outside")
    (workspace / "odd" / "file").symlink_to("/etc/passwd")
    (workspace / "odd" / "later").symlink_to("../../not/yet")
    (workspace / "loops").mkdir()
    (workspace / "loops" / "loop").symlink_to("loop")
    (workspace / "loops" / "one").symlink_to("two")
    (workspace / "loops" / "two").symlink_to("one/x")
    return workspace


@pytest.mark.parametrize(
    ("pattern", "resolved"),
    [
        ("sub", "sub"),
        ("sub/", "sub"),
        ("./sub//deep/.", "sub/deep"),
        ("new/file.md", "new/file.md"),
        (".", ""),
        ("sub/..", ""),
        ("sub/../new", "new"),
        ("in/x", "sub/x"),
        ("in/../x", "x"),
        ("in/*.md", "sub/*.md"),
        ("sub/**/*.py", "sub/**/*.py"),
        ("**", "**"),
        ("[ab]?", "[ab]?"),
        ("a b", "a b"),
        ("sub/~", "sub/~"),
        ("..a", "..a"),
        ("file.txt/x", "file.txt/x"),
        ("new/{a}", "new/{a}"),
        ("sub/*/", "sub/*"),
        ("a//**/**/b", "a/**/b"),
    ],
)
def test_inside(workspace, pattern, resolved):
    scope = resolve_scope(workspace, [pattern])
    assert scope.problems == ()
    assert scope.paths == (f"{workspace}/{resolved}".rstrip("/"),)


def test_absolute(workspace):
    inside = resolve_scope(workspace, [f"{workspace}/sub/*", str(workspace)])
    assert inside.paths == (f"{workspace}/sub/*", str(workspace))
    assert inside.problems == ()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("..", "outside the workspace"),
        ("../w2", "outside the workspace"),
        ("sub/../../w2/x", "outside the workspace"),
        ("/etc", "outside the workspace"),
        ("/", "outside the workspace"),
        ("/*", "outside the workspace"),
        ("in/../../w2", "outside the workspace"),
        ("{sub,..}", "outside the workspace"),
        ("{../w2,..}/x", "outside the workspace"),
        ("new/../x", "which is no folder"),
        ("file.txt/..", "which is no folder"),
        ("", "is no path"),
        ("  ", "is no path"),
        ("a\0b", "is no path"),
        ("~/x", "begins with ~"),
        ("~", "begins with ~"),
        ("!sub", "begins with !"),
        ("**.py", "** stands for whole folders only"),
        ("sub/a**/x", "** stands for whole folders only"),
        ("***", "** stands for whole folders only"),
        ("*/../x", ".. after a wildcard"),
        ("sub/*/..", ".. after a wildcard"),
        ("sub/[ab]/../x", ".. after a wildcard"),
        ("**/..", ".. after a wildcard"),
        ("{a,**.py}", "** stands for whole folders only"),
        ("{~,a}", "begins with ~"),
        ("{a,!b}", "begins with !"),
        ("{,a}", "an alternative that is no path"),
        ("{a,b", "a brace that is never closed"),
        ("a,b}", "a brace that is never opened"),
        ("{1..9}", "a {..} range"),
        ("{a,b}" * 9, "more than 256 alternatives"),
        ("{" + ",".join(map(str, range(257))) + "}", "more than 256 alternatives"),
        ("a\\*b", "a backslash"),
        ("[^a]", "write [!a-c]"),
        ("[[:alpha:]]", "write [!a-c]"),
        ("a" * 256, "no name is that long"),
        ("x/" * 2100, "longer than 4,096"),
        ("*/" * 129, "more than 128 segments"),
    ],
)
def test_refused(workspace, pattern, why):
    scope = resolve_scope(workspace, ["sub", pattern])
    assert scope.paths == (f"{workspace}/sub",)
    assert [problem for problem in scope.problems if why in problem and problem.startswith(f"'{pattern}' ")]
    assert len(scope.problems) == 1


def test_a_sibling_with_a_longer_name_is_outside(workspace):
    assert resolve_scope(workspace, [f"{workspace}2"]).problems


def test_bytes_that_are_no_text_are_refused_in_a_way_that_can_be_stored(workspace):
    scope = resolve_scope(workspace, ["a\udc80"])
    assert "is not text" in scope.problems[0]
    assert msgspec.json.decode(msgspec.json.encode(scope), type=Scope) == scope


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("odd/out", "outside the workspace"),
        ("odd/out/x", "outside the workspace"),
        ("odd/out/*", "outside the workspace"),
        ("odd/file", "outside the workspace"),
        ("odd/later", "outside the workspace"),
        ("odd/later/x", "outside the workspace"),
        ("odd/out/../w2", "outside the workspace"),
        ("odd", "through the link {w}/odd/"),
        ("odd/ou*", "/outside outside the workspace {w} through the link {w}/odd/out"),
        ("odd/*/x", "through the link {w}/odd/"),
        ("odd/l*", "/not/yet outside the workspace {w} through the link {w}/odd/later"),
        ("**/x", "loop"),
        (".", "through"),
        ("loops/loop", "a loop of links at {w}/loops/loop"),
        ("loops/loop/x", "a loop of links"),
        ("loops/one", "a loop of links"),
        ("loops", "a loop of links"),
        ("loops/*/x", "a loop of links"),
    ],
)
def test_links_out_of_the_workspace_and_loops_are_refused(odd, pattern, why):
    scope = resolve_scope(odd, ["sub", pattern])
    (problem,) = scope.problems
    assert problem.startswith(f"'{pattern}' ")
    assert why.format(w=odd) in problem


@pytest.mark.parametrize("pattern", ["odd/out/../w/sub", "odd/*.py", "*.py", "sub/**", "odd/new/x", "[!l]*s/*"])
def test_what_does_not_touch_those_links_is_fine(odd, pattern):
    assert resolve_scope(odd, [pattern]).problems == ()


def test_a_tree_that_is_too_large_is_refused_and_a_name_in_it_is_not(workspace):
    for number in range(12):
        (workspace / "sub" / f"f{number}").write_text("")
    for pattern in ("sub", ".", "sub/*/x"):
        (problem,) = resolve_scope(workspace, [pattern], Survey(workspace, entries_max=12)).problems
        assert "too large" in problem
    survey = Survey(workspace, entries_max=12)
    assert resolve_scope(workspace, ["odd", "sub/f1", "new/*", "odd/**"], survey).problems == ()
    assert resolve_scope(workspace, ["sub"], Survey(workspace, entries_max=13)).problems == ()


def test_too_many_places_are_refused(workspace, monkeypatch):
    monkeypatch.setattr("engine.scopes.resolve.REACHES_MAX", 5)
    for number in range(6):
        (workspace / "odd" / f"d{number}").mkdir()
    (problem,) = resolve_scope(workspace, ["odd/*"]).problems
    assert "leads to more than 5 places" in problem
    assert resolve_scope(workspace, ["odd", "sub/*"]).problems == ()


def test_the_same_path_counts_once_and_a_linked_workspace_is_its_target(workspace, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(workspace)
    assert resolve_scope(link, ["sub", "./sub", "in"]).paths == (f"{workspace}/sub",)
    assert resolve_scope(link, []).paths == ()


def test_a_scope_can_be_stored(workspace):
    os.link(workspace / "file.txt", workspace / "twin.txt")
    scope = resolve_scope(workspace, ["**/*.py", "file.txt", "in/x", "sub/[a-c]?", "new"], mode="r")
    assert scope.twins
    assert msgspec.json.decode(msgspec.json.encode(scope), type=Scope) == scope


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("sub", "sub", True),
        ("sub", "sub/x/y", True),
        ("sub", "in/x", True),
        ("sub", "subs", False),
        ("in/*", "sub/x", True),
        ("in/*", "sub/x/y", False),
        ("in/*", "sub/deep/y", True),
        ("in/*", "in/deep/../y", True),
        ("sub/*.py", "sub/x.py", True),
        ("sub/*.py", "sub/x.pyc", False),
        ("new", "new/x", True),
        ("**", "new/x", True),
        (".", ".", True),
        ("sub", ".", False),
        ("file.txt", "file.txt", True),
        ("sub/**/x", "sub/new/[x]/x", True),
        ("sub", "new/../sub", False),
    ],
)
def test_covers_judges_one_path(workspace, pattern, path, expected):
    scope = resolve_scope(workspace, [pattern])
    assert covers(scope, f"{workspace}/{path}") is expected
    assert coverage(scope)(f"{workspace}/{path}") is expected


def test_covers_knows_a_file_by_its_other_name(workspace):
    os.link(workspace / "file.txt", workspace / "sub" / "twin.txt")
    scope = resolve_scope(workspace, ["sub"])
    assert covers(scope, f"{workspace}/file.txt")
    assert not covers(resolve_scope(workspace, ["sub/deep"]), f"{workspace}/file.txt")


def test_nothing_is_covered_by_an_empty_scope_and_nothing_outside_by_any(workspace):
    assert not covers(resolve_scope(workspace, []), f"{workspace}/sub")
    assert not covers(resolve_scope(workspace, ["**"]), "/etc/passwd")
    assert not covers(resolve_scope(workspace, ["**"]), "/")
