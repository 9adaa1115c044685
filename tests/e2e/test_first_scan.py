"""Is the first scan of the logs shown to whoever waits for it, and let finish when nobody does?"""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contract.clock import SystemClock
from engine.contract.usage import Progress
from engine.runtime.log_book import LogBook
from engine.runtime.pricing import PriceBook
from state.database import open_writer
from state.home import Home, prepare
from tests.e2e.conftest import ROOT

WAITS = """
import os, sys, threading
from pathlib import Path
from state.home import Home
from tui.cli.scan_line import scan_shown
with scan_shown(Home(Path(sys.argv[1]), Path(sys.argv[1]))):
    print(*(one.name for one in threading.enumerate()), flush=True)
    sys.stdin.read()
"""
MB = 1_000_000


@pytest.fixture
def book(tmp_path):
    home = Home(tmp_path / "books", tmp_path / "books")
    prepare(home)
    database = open_writer(home)
    made = LogBook(database, SystemClock(), PriceBook(database, SystemClock(), {}, {}))
    made.folder = home.state
    yield made
    database.close()


def tell(book, *progress):
    for _ in book.write(progress):
        pass


def waiting(book, stderr):
    return subprocess.Popen(
        [sys.executable, "-c", WAITS, str(book.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )


def test_a_terminal_is_told_how_far_it_is_and_the_line_is_gone_afterwards(book):
    tell(book, Progress(312, 1_204, 340 * MB, 1_000 * MB, scanning=True))
    ours, theirs = pty.openpty()
    with waiting(book, theirs) as process:
        os.close(theirs)
        seen = b""
        while b"312 of 1,204 files" not in seen:
            seen += os.read(ours, 4096)
        tell(book, Progress(700, 1_204, 600 * MB, 1_000 * MB, scanning=True))
        while b"700 of 1,204 files" not in seen:
            seen += os.read(ours, 4096)
        process.stdin.close()
        assert process.stdout.read() == b"MainThread scan\n"
        assert process.wait() == 0
    while not seen.endswith(b" \r"):
        seen += os.read(ours, 4096)
    os.close(ours)
    assert b"\n" not in seen
    assert b"\x1b" not in seen
    assert b"reading logs 34%" in seen
    assert seen.rpartition(b"\r ")[2].strip() == b"", "the last thing that is written are blanks"


def test_a_file_or_a_pipe_is_told_nothing(book):
    tell(book, Progress(312, 1_204, 340 * MB, 1_000 * MB, scanning=True))
    with waiting(book, subprocess.PIPE) as process:
        assert process.communicate(b"") == (b"MainThread\n", b""), "nobody is there who would tell it"


EAGER = '[engine]\nidle_exit = "1s"\n'


def reader_of(engine):
    """The process that reads logs for this engine."""
    for process in filter(lambda path: path.name.isdigit(), Path("/proc").iterdir()):
        try:
            told = (process / "cmdline").read_bytes()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == engine and b"engine.telemetry.reader" in told:
            return int(process.name)
    return None


def start_engine(desk):
    """As a console starts one."""
    flags = ["--config", str(desk.config_file.parent), "--state", str(desk.state)]
    env = desk.env | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-m", "engine.runtime", *flags], env=env, stdin=subprocess.DEVNULL)


def test_an_engine_that_nobody_needs_finishes_the_scan_before_it_ends(desk, tmp_path, wait_until):
    other = type(desk)(tmp_path / "other")
    for one in (desk, other):
        one.configure(EAGER)
        one.install_recordings()
    with start_engine(desk) as engine:
        reader = wait_until(lambda: reader_of(engine.pid), "it has a reader, which has yet to import all it needs")
        os.kill(reader, signal.SIGSTOP)
        with start_engine(other) as second:
            assert second.wait(40) == 0, "an engine without a scan ends"
        assert engine.poll() is None, "which was started later"
        os.kill(reader, signal.SIGCONT)
        assert engine.wait(40) == 0
