"""Is exactly what is on the inject list read, and everything else refused with a way out?"""

import os

import pytest

from engine.context.inject import FILE_CAP_BYTES, read_injected


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "w"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("A")
    (folder / "sub" / "b.md").write_text("B")
    (folder / "link.md").symlink_to("sub/b.md")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nothing")
    os.mkfifo(folder / "pipe")
    (tmp_path / "w2").mkdir()
    (tmp_path / "w2" / "c.md").write_text("C")
    return folder


def test_in_the_order_of_the_list(workspace):
    files, problems = read_injected(workspace, ["sub/b.md", "a.md"])
    assert [(file.name, file.path, file.text) for file in files] == [
        ("sub/b.md", f"{workspace}/sub/b.md", "B"),
        ("a.md", f"{workspace}/a.md", "A"),
    ]
    assert problems == []
    assert read_injected(workspace, []) == ([], [])


@pytest.mark.parametrize(
    "names",
    [["a.md", "a.md"], ["a.md", "./a.md"], ["a.md", "sub/../a.md"]],
)
def test_a_file_is_sent_once(workspace, names):
    files, problems = read_injected(workspace, [*names, "sub/b.md"])
    assert [file.name for file in files] == ["a.md", "sub/b.md"]
    assert problems == []


def test_a_link_inside_is_its_target(workspace, tmp_path):
    assert [file.path for file in read_injected(workspace, ["link.md", "sub/b.md"])[0]] == [f"{workspace}/sub/b.md"]
    linked = tmp_path / "linked"
    linked.symlink_to(workspace)
    assert read_injected(linked, ["a.md", str(workspace / "a.md")])[0][0].text == "A"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nothing.md", "does not exist"),
        ("dangling", "does not exist"),
        ("a.md/b", "Not a directory"),
        ("", "not a regular file"),
        ("sub", "not a regular file"),
        ("pipe", "not a regular file"),
        ("../w2/c.md", "outside the workspace"),
        ("/etc/passwd", "outside the workspace"),
        ("passwd", "outside the workspace"),
        ("..", "outside the workspace"),
        ("~/.ssh/id_rsa", "does not exist"),
        ("a\0.md", "null"),
        ("loop", "loop"),
        ("x" * 5000, "too long"),
        ("*.md", "does not exist"),
    ],
)
def test_what_cannot_be_used(workspace, name, why):
    files, problems = read_injected(workspace, ["a.md", name])
    assert [file.name for file in files] == ["a.md"]
    assert [problem.name for problem in problems] == [name]
    assert why.lower() in problems[0].why.lower()
    assert problems[0].fix


@pytest.mark.parametrize(("size", "ok"), [(FILE_CAP_BYTES, True), (FILE_CAP_BYTES + 1, False)])
def test_the_cap(workspace, size, ok):
    (workspace / "big").write_bytes(b"x" * size)
    files, problems = read_injected(workspace, ["big"])
    assert (len(files), len(problems)) == (ok, not ok)
    assert ok or "524,289 bytes are over the cap of 524,288" in problems[0].why


def test_bad_utf8_is_marked_and_not_fatal(workspace):
    (workspace / "bad").write_bytes(b"a\xff\xed\xa0\x80b\0")
    text = read_injected(workspace, ["bad"])[0][0].text
    assert text.startswith("a\ufffd")
    assert text.endswith("b\0")
    assert text.encode()


def test_a_workspace_that_is_not_there(tmp_path):
    files, problems = read_injected(tmp_path / "gone", ["a.md"])
    assert files == []
    assert "does not exist" in problems[0].why
