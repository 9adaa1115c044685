"""What was typed after `:` is there after a restart: private, bounded, clean, and without secrets."""

import stat
import time

import pytest

from state.home import Home
from tui.places.history import CAP, History, keepable


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path, tmp_path)


def kept(home, true):
    """The lines on disk, once they are there."""
    deadline = time.monotonic() + 20
    path = home.state / "history"
    while not (path.exists() and true(path.read_text().splitlines())):
        assert time.monotonic() < deadline, path.read_text() if path.exists() else "nothing was written"
    return path.read_text().splitlines()


def test_lines_outlive_the_console_in_a_private_file(home):
    one = History(home)
    for line in ("jobs", "runs /failed", "runs /failed"):
        one.add(line)
    assert one.lines == ["jobs", "runs /failed"]
    kept(home, lambda lines: set(lines) == {"jobs", "runs /failed"})
    assert stat.S_IMODE((home.state / "history").stat().st_mode) == 0o600
    assert set(History(home).lines) == {"jobs", "runs /failed"}


def test_what_another_console_has_added_stays(home):
    one, other = History(home), History(home)
    one.add("jobs")
    kept(home, lambda lines: lines == ["jobs"])
    other.add("runs")
    assert kept(home, lambda lines: len(lines) == 2) == ["jobs", "runs"]


def test_no_more_than_so_many_are_kept_and_escapes_are_cleaned(home):
    (home.state / "history").write_text("".join(f"run {number}\n" for number in range(CAP + 50)) + "a\x1b[31mb\n")
    lines = History(home).lines
    assert len(lines) == CAP
    assert lines[0] == "run 51"
    assert "\x1b" not in lines[-1]
    assert "a" in lines[-1]


@pytest.mark.parametrize(
    "line",
    [
        " jobs",
        "",
        "x" * 1001,
        "spawn --task 'api_key=abcdef'",
        "run coder --task 'password: hunter2'",
        "spawn --token abc",
        "say 3 Bearer abcdefghijkl",
        "say 3 sk-ant-REDACTED",
        "say 3 ghp_abcdefghijklmnop1234",
        "say 3 https://me:pw@host/x",
    ],
)
def test_what_may_be_a_secret_is_not_written(home, line):
    assert not keepable(line)
    history = History(home)
    history.add(line)
    history.add("runs")
    assert kept(home, lambda lines: "runs" in lines) == ["runs"]


@pytest.mark.parametrize(
    "line", ["jobs", "budget set day --tokens 60k", "spawn --max-tokens 20000", "sessions /token", "usage --by model"]
)
def test_everything_else_is(line):
    assert keepable(line)


def test_a_console_that_only_looks_leaves_nothing_behind(home):
    history = History(home, writes=False)
    history.add("jobs")
    assert history.lines == ["jobs"]
    assert list(home.state.iterdir()) == []
