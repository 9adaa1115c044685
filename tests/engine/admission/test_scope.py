"""What may a run write? Resolved against the workspace; what leaves it, or is not understood, is refused."""

import pytest

from engine.admission.scope import resolve_scope


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    (folder / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (folder / "out").symlink_to(tmp_path / "outside")
    (folder / "in").symlink_to(folder / "sub")
    (folder / "file").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")
    (tmp_path / "w2").mkdir()
    return folder


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
        ("out", "outside the workspace"),
        ("out/x", "outside the workspace"),
        ("out/*", "outside the workspace"),
        ("in/../../w2", "outside the workspace"),
        ("file", "outside the workspace"),
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
    ],
)
def test_refused(workspace, pattern, why):
    scope = resolve_scope(workspace, ["sub", pattern])
    assert scope.paths == (f"{workspace}/sub",)
    assert [problem for problem in scope.problems if why in problem and problem.startswith(f"'{pattern}' ")]
    assert len(scope.problems) == 1


def test_a_sibling_with_a_longer_name_is_outside(workspace):
    assert resolve_scope(workspace, [f"{workspace}2"]).problems


def test_a_loop_is_never_a_plain_path_outside(workspace):
    scope = resolve_scope(workspace, ["loop/x"])
    assert scope.problems or scope.paths[0].startswith(f"{workspace}/")


def test_the_same_path_counts_once_and_a_linked_workspace_is_its_target(workspace, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(workspace)
    assert resolve_scope(link, ["sub", "./sub", "in"]).paths == (f"{workspace}/sub",)
    assert resolve_scope(link, []).paths == ()
