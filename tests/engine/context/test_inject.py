"""Is exactly what is on the inject list read, and everything else refused with a way out?"""

import hashlib
import os
from pathlib import Path

import pytest

from engine.context import inject, stamp
from engine.context.inject import FILE_CAP_BYTES
from engine.tokens.count import count_tokens

CAP = 10**6


def read_injected(workspace, names, file_tokens=CAP):
    return inject.read_injected(workspace, names, file_tokens)


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


@pytest.mark.parametrize(("cap", "ok"), [(300, True), (299, False)])
def test_the_cap_in_tokens(workspace, cap, ok):
    (workspace / "long.md").write_text("word " * 299)
    assert count_tokens("word " * 299).tokens == 300
    files, problems = read_injected(workspace, ["a.md", "long.md"], cap)
    assert [file.name for file in files] == ["a.md", "long.md"][: 1 + ok]
    assert [(problem.name, problem.why) for problem in problems] == [
        ("long.md", "300 tokens are over the cap of 299 for one file")
    ] * (not ok)
    assert ok or "limits.file_tokens" in problems[0].fix


def test_a_file_comes_with_its_tokens_and_its_hash(workspace):
    (workspace / "a.md").write_text("tide tables")
    (file,) = read_injected(workspace, ["a.md"])[0]
    assert (file.tokens, file.sha256) == (
        count_tokens("tide tables").tokens,
        hashlib.sha256(b"tide tables").hexdigest(),
    )


def test_what_may_not_be_read_says_so(workspace, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    _, problems = read_injected(workspace, ["a.md"])
    assert "Permission denied" in problems[0].why
    assert "readable" in problems[0].fix


@pytest.fixture
def long_settled(monkeypatch):
    """As if every file had been written long ago."""
    monkeypatch.setattr(stamp, "_SETTLED_NS", -(10**12))


def reads(monkeypatch):
    seen = []
    plain = Path.read_bytes

    def counted(path):
        seen.append(path.name)
        return plain(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return seen


def test_a_file_that_has_not_changed_is_read_once(workspace, long_settled, monkeypatch):
    seen = reads(monkeypatch)
    first = read_injected(workspace, ["a.md", "sub/b.md"])
    assert read_injected(workspace, ["a.md", "sub/b.md"]) == first
    assert seen == ["a.md", "b.md"]


def test_a_file_that_was_written_just_now_is_read_again(workspace, monkeypatch):
    seen = reads(monkeypatch)
    read_injected(workspace, ["a.md"])
    read_injected(workspace, ["a.md"])
    assert seen == ["a.md", "a.md"]


def test_other_content_of_the_same_length_and_time_is_noticed(workspace, long_settled):
    path = workspace / "a.md"
    os.utime(path, ns=(10**18, 10**18))
    assert read_injected(workspace, ["a.md"])[0][0].text == "A"
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the clock of the file system has ticked
        path.write_text("B")
        os.utime(path, ns=(10**18, 10**18))
    assert stamp.stamp_of(path.stat())[:4] == stamp.stamp_of(before)[:4]
    assert read_injected(workspace, ["a.md"])[0][0].text == "B"
