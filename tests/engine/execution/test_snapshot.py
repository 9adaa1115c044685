"""Is every file that changed named, and nothing that did not; and is what cannot be told said?"""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.snapshot import Entry, Snapshot, changed, load, store, take
from state.errors import StateError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """In it: a.txt, src/b.py, src/deep/c.py, link -> a.txt, folder -> src, .git/index."""
    folder = tmp_path / "w"
    for name in ("a.txt", "src/b.py", "src/deep/c.py", ".git/index"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("one")
    (folder / "link").symlink_to("a.txt")
    (folder / "folder").symlink_to("src")
    return folder


def later(path: Path) -> None:
    """Return when the file system's clock has gone on since `path` changed."""
    probe = path.parent.parent / "probe"
    probe.touch()
    while probe.stat().st_ctime_ns <= path.lstat().st_ctime_ns:
        probe.touch()


def restored(path: Path, write: Callable[[Path], object]) -> None:
    """Write, and put the modification time back."""
    times = path.stat()
    write(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replaced(path: Path, content: str) -> None:
    aside = path.with_name("aside")
    aside.write_text(content)
    aside.rename(path)


def retargeted(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


CHANGES: list[tuple[str, Callable[[Path], object], tuple[str, ...]]] = [
    ("nothing", lambda w: None, ()),
    ("created", lambda w: (w / "new").touch(), ("new",)),
    ("created below a new folder", lambda w: [(w / "n").mkdir(), (w / "n/x").touch()], ("n/x",)),
    ("an empty folder", lambda w: (w / "n").mkdir(), ()),
    ("written", lambda w: (w / "a.txt").write_text("longer"), ("a.txt",)),
    ("same size", lambda w: (w / "a.txt").write_text("two"), ("a.txt",)),
    ("same size, time put back", lambda w: restored(w / "a.txt", lambda path: path.write_text("two")), ("a.txt",)),
    ("touched", lambda w: os.utime(w / "a.txt"), ("a.txt",)),
    ("replaced by the same", lambda w: replaced(w / "a.txt", "one"), ("a.txt",)),
    ("deleted", lambda w: (w / "src/b.py").unlink(), ("src/b.py",)),
    ("renamed", lambda w: (w / "src/b.py").rename(w / "z.py"), ("src/b.py", "z.py")),
    (
        "a folder renamed",
        lambda w: (w / "src").rename(w / "lib"),
        ("lib/b.py", "lib/deep/c.py", "src/b.py", "src/deep/c.py"),
    ),
    ("made executable", lambda w: (w / "a.txt").chmod(0o755), ("a.txt",)),
    ("a folder made private", lambda w: (w / "src").chmod(0o700), ()),
    ("linked anew", lambda w: (w / "new").hardlink_to(w / "a.txt"), ("new",)),
    (
        "linked anew and made executable",
        lambda w: [(w / "new").hardlink_to(w / "a.txt"), (w / "a.txt").chmod(0o755)],
        ("a.txt", "new"),
    ),
    (
        "linked anew and written",
        lambda w: [(w / "new").hardlink_to(w / "a.txt"), (w / "new").write_text("two")],
        ("a.txt", "new"),
    ),
    ("a link retargeted", lambda w: retargeted(w / "link", "src/b.py"), ("link",)),
    ("a link made again", lambda w: retargeted(w / "link", "a.txt"), ()),
    ("a link by a file", lambda w: [(w / "link").unlink(), (w / "link").write_text("one")], ("link",)),
    ("written through a link", lambda w: (w / "folder/deep/c.py").write_text("two"), ("src/deep/c.py",)),
    ("a file by a folder", lambda w: [(w / "a.txt").unlink(), (w / "a.txt").mkdir()], ("a.txt",)),
    (
        "a folder by a link",
        lambda w: [(w / "src").rename(w.parent / "away"), (w / "src").symlink_to("../away")],
        ("src", "src/b.py", "src/deep/c.py"),
    ),
    ("a pipe", lambda w: os.mkfifo(w / "pipe"), ("pipe",)),
    ("inside of .git", lambda w: (w / ".git/index").write_text("two"), ()),
    ("a file .git", lambda w: (w / "src/.git").touch(), ("src/.git",)),
    ("not UTF-8", lambda w: (w / os.fsdecode(b"\xff\n")).touch(), (os.fsdecode(b"\xff\n"),)),
    ("sorted", lambda w: [(w / name).touch() for name in ("z", "src/y", "b")], ("b", "src/y", "z")),
]


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_what_changed(workspace: Path, change: Callable[[Path], object], expected: tuple[str, ...]) -> None:
    before = take(workspace)
    later(workspace / "folder")
    change(workspace)
    after = take(workspace)
    assert (before.complete, before.why, after.complete, after.why) == (True, "", True, "")
    assert changed(before, after) == expected
    assert changed(after, before) == expected


def test_what_is_no_file_counts_by_what_it_is_not_by_its_use(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(workspace / "socket"))
        before = take(workspace)
        later(workspace / "pipe")
        fd = os.open(workspace / "pipe", os.O_RDWR)
        os.write(fd, b"used")
        os.close(fd)
    after = take(workspace)
    assert before.entries["socket"].kind == before.entries["pipe"].kind == "other"
    assert changed(before, after) == ()
    (workspace / "pipe").unlink()
    (workspace / "pipe").touch()
    assert changed(before, take(workspace)) == ("pipe",)


def test_a_link_is_not_followed(workspace: Path, tmp_path: Path) -> None:
    (workspace / "up").symlink_to(tmp_path)
    (workspace / "loop").symlink_to("loop")
    entries = take(workspace).entries
    assert entries["up"] == Entry("link", target=os.fsencode(tmp_path))
    assert not [path for path in entries if path.startswith(("up/", "folder/"))]


def test_above_the_limit_nothing_is_told(workspace: Path) -> None:
    entries = 8  # Six that are shown, and the folders src and deep; .git counts too.
    assert take(workspace, entries) == take(workspace)
    over = take(workspace, entries - 1)
    assert not over.complete
    assert over.why == "the workspace has more than 7 entries"
    for pair in ((over, take(workspace)), (take(workspace), over)):
        with pytest.raises(ValueError, match="incomplete"):
            changed(*pair)


def test_a_root_that_is_not_there_is_told(workspace: Path) -> None:
    gone = take(workspace / "gone")
    assert (gone.complete, gone.why) == (False, f"{workspace}/gone: No such file or directory")
    assert not take(workspace / "a.txt").complete


def taken_without_rights(workspace: Path) -> Snapshot:
    """By a user whom modes hold back, which root is not."""
    me, here = os.geteuid(), Path.cwd()
    os.chdir(workspace)  # the folders above it are the test's alone
    try:
        if me == 0:
            workspace.chmod(0o755)
            os.seteuid(65534)
        return take(Path())
    finally:
        os.seteuid(me)
        os.chdir(here)


@pytest.mark.parametrize("mode", [0o000, 0o644], ids=["neither listed nor entered", "listed only"])
def test_what_could_not_be_read_is_named_and_not_taken_for_deleted(workspace: Path, mode: int) -> None:
    before = take(workspace)
    (workspace / "a.txt").write_text("two and more")
    (workspace / "src/b.py").write_text("two and more")
    (workspace / "src").chmod(mode)
    after = taken_without_rights(workspace)
    (workspace / "src").chmod(0o755)
    assert (after.complete, after.why) == (True, "not looked into: src (Permission denied)")
    assert changed(before, after) == changed(after, before) == ("a.txt",)


def test_only_some_folders_are_named(workspace: Path) -> None:
    for number in range(5):
        (workspace / f"d{number}").mkdir(mode=0)
    denied = [f"d{number} (Permission denied)" for number in range(3)]
    assert taken_without_rights(workspace).why == f"not looked into: {', '.join(denied)}, 2 more folders"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_another_file_system_is_not_entered_and_named(workspace: Path) -> None:
    (workspace / "mnt").mkdir()
    before = take(workspace)
    program = (
        "import sys; from pathlib import Path; from engine.execution.snapshot import store, take\n"
        "Path(sys.argv[1], 'mnt/x').touch(); store(take(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    script = 'mount -t tmpfs none "$3/mnt" || exit 77; exec "$0" "$@"'
    argv = [sys.executable, "-c", program, str(workspace), str(workspace.parent / "kept")]
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, *argv], cwd=ROOT)
    if done.returncode == 77:
        pytest.skip("mounting is not allowed here")
    after = load(workspace.parent / "kept")
    assert (after.complete, after.why) == (True, "not looked into: mnt (another file system)")
    assert changed(before, after) == ()


def test_our_own_folders_are_left_out(workspace: Path) -> None:
    (workspace / "state").mkdir()
    leave_out = (workspace / "folder/../state", workspace / "missing")
    before = take(workspace, leave_out=leave_out)
    (workspace / "state/qd.sqlite").touch()
    (workspace / "src/new").touch()
    after = take(workspace, leave_out=leave_out)
    assert after.why == ""
    assert changed(before, after) == ("src/new",)


def test_it_is_kept_and_found_again_privately(workspace: Path, tmp_path: Path) -> None:
    (workspace / os.fsdecode(b"caf\xe9")).symlink_to(os.fsdecode(b"\xff"))
    (workspace / "a\nb").touch()
    for one in (take(workspace), take(workspace, 1), Snapshot(True), Snapshot(True, "why", {}, ("src", "z"))):
        store(one, tmp_path / "kept")
        assert load(tmp_path / "kept") == one
        assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600


def test_what_is_damaged_or_missing_is_an_error_that_names_the_file(workspace: Path, tmp_path: Path) -> None:
    store(take(workspace), tmp_path / "kept")
    whole = (tmp_path / "kept").read_bytes()
    for content in (b"", whole[:-9], b"\x93\x01\x02\x03", whole.replace(b"a.txt", b"a\0txt")):
        (tmp_path / "kept").write_bytes(content)
        with pytest.raises(StateError, match="kept is damaged"):
            load(tmp_path / "kept")
    with pytest.raises(StateError, match=r"cannot read .*missing"):
        load(tmp_path / "missing")


def test_a_very_deep_tree_is_walked_as_far_as_it_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    here = os.open(tmp_path / "w", os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=here)
        deeper = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    taken = take(tmp_path / "w")
    assert taken.complete
    assert taken.why.endswith("(File name too long)")


def test_files_that_come_and_go_meanwhile_do_no_harm(workspace: Path) -> None:
    program = (
        "import os\nwhile True:\n"
        "    for i in range(50): os.mkdir(f'd{i}'); open(f'd{i}/x', 'w').close()\n"
        "    for i in range(50): os.unlink(f'd{i}/x'); os.rmdir(f'd{i}')"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=workspace) as busy:
        for _ in range(500):
            taken = take(workspace)
            assert (taken.complete, taken.why) == (True, "")
            assert {"a.txt", "src/b.py"} <= taken.entries.keys()
        busy.kill()


def test_a_folder_whose_place_a_link_takes_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    for number in range(100):
        (tmp_path / f"w/d{number}").mkdir(parents=True)
    program = (
        "import os\nwhile True:\n"
        "    for i in range(100):\n"
        "        os.rmdir(f'd{i}'); os.symlink('../outside', f'd{i}'); os.unlink(f'd{i}'); os.mkdir(f'd{i}')"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path / "w") as busy:
        found = {path for _ in range(500) for path in take(tmp_path / "w").entries if "/" in path}
        busy.kill()
    assert found == set()


names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
entries = st.builds(
    Entry, st.just("file"), inode=st.integers(0, 1), links=st.integers(1, 2), ctime_ns=st.integers(0, 1)
)
snapshots = st.builds(
    Snapshot, st.just(True), st.just(""), st.dictionaries(paths, entries), st.lists(paths, max_size=1).map(tuple)
)


@given(snapshots, snapshots)
def test_a_change_is_seen_from_both_sides_and_never_where_nobody_looked(before: Snapshot, after: Snapshot) -> None:
    found = changed(before, after)
    assert found == changed(after, before)
    assert list(found) == sorted(set(found))
    hidden = (*before.skipped, *after.skipped)
    for path in before.entries.keys() ^ after.entries.keys():
        assert (path in found) != any(path.startswith(f"{folder}/") for folder in hidden)
    for path in before.entries.keys() & after.entries.keys() & set(found):
        assert before.entries[path] != after.entries[path]
    assert changed(before, before) == ()
