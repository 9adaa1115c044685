"""Forked helpers read the first scan: nothing is lost, nothing is told twice, whoever of them ends early."""

import contextlib
import os
import select
import threading
from pathlib import Path

import pytest

from engine.contract.usage import CatchUp, CaughtUp, Discovered, Gone, LogBatch, Progress, ReaderSetup, Unreadable
from tests.engine.telemetry.test_reader_process import DEADLINE_S, Running, keys, row

CREW = "from engine.telemetry import crew; crew.WORTH_BYTES = 0; crew.Crew.wanted = staticmethod(lambda size, files: 2)"


@pytest.fixture
def start():
    running = []

    def make(root, prelude="", **options):
        running.append(Running(ReaderSetup((root,), **options), f"{CREW}; {prelude}" if prelude else CREW))
        return running[-1]

    yield make
    for reader in running:
        reader.close()


def fill(home, files=20, rows=30):
    for number in range(files):
        home.write(f"p/{number:02}.jsonl", *(row(f"msg_{number}_{place}") for place in range(rows)))
    return {f"msg_{number}_{place}" for number in range(files) for place in range(rows)}


def test_two_helpers_read_what_one_reader_reads_and_every_file_once(claude_home, start):
    expected = fill(claude_home)
    messages = start(claude_home.root, follow=False).rest()
    assert isinstance(messages[0], Discovered)
    assert sorted(keys(messages)) == sorted(expected)
    progress = messages[-1]
    assert isinstance(progress, Progress)
    assert (progress.files_done, progress.files_total, progress.scanning) == (20, 20, False)
    assert progress.bytes_done == progress.bytes_total


def test_it_reads_on_from_the_cursors_of_its_helpers(claude_home, start):
    fill(claude_home, files=4, rows=2)
    reader = start(claude_home.root)
    reader.scanned()
    claude_home.append("p/03.jsonl", row("msg_new"))
    reader.tell(CatchUp("now"))
    seen = reader.until(lambda message: isinstance(message, CaughtUp))
    assert keys(seen) == ["msg_new"]


def holding(fifo):
    """A prelude by which a log named `held` is read only when somebody writes into the FIFO."""
    os.mkfifo(fifo)
    return (
        "from engine.telemetry import claude_code as c; plain = c.ClaudeCode.read; "
        "c.ClaudeCode.read = lambda self, file, cursor, archive: "
        f"'held' in file.path and open({str(fifo)!r}).read() or plain(self, file, cursor, archive)"
    )


def test_a_live_session_does_not_wait_for_the_helpers(claude_home, start, tmp_path):
    expected = fill(claude_home, files=5)
    for name in ("held1", "held2"):
        claude_home.write(f"p/{name}.jsonl", row(f"msg_{name}"))
    reader = start(claude_home.root, holding(tmp_path / "fifo"))
    reader.until(lambda message: isinstance(message, Discovered))
    claude_home.append("p/live.jsonl", row("msg_live"))
    seen = reader.has_read("msg_live")
    assert not {"msg_held1", "msg_held2"} & set(keys(seen))
    seen += release_until(reader, tmp_path / "fifo", lambda m: isinstance(m, Progress) and not m.scanning)
    assert sorted(keys(seen)) == sorted(expected | {"msg_live", "msg_held1", "msg_held2"})


def release_until(reader, fifo, wanted):
    """Let whoever waits at the FIFO go on, until the wanted message comes."""
    stop = threading.Event()

    def release():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
            stop.wait(0.01)

    thread = threading.Thread(target=release)
    thread.start()
    try:
        return reader.until(wanted)
    finally:
        stop.set()
        thread.join()


def test_a_helper_that_dies_costs_its_file_and_no_other(claude_home, start):
    expected = fill(claude_home, files=6, rows=2)
    claude_home.write("p/bad.jsonl", row("msg_deadly"))
    die = (
        "from engine.telemetry import claude_code as c; plain = c.ClaudeCode.read; "
        "c.ClaudeCode.read = lambda self, file, cursor, archive: "
        "c.os_exit() if file.path.endswith('bad.jsonl') else plain(self, file, cursor, archive); "
        "import os; c.os_exit = lambda: os._exit(9)"
    )
    seen = start(claude_home.root, die, follow=False).rest()
    assert sorted(keys(seen)) == sorted(expected)
    assert [(m.path[-9:], m.why) for m in seen if isinstance(m, Unreadable)] == [
        ("bad.jsonl", "reading it ended unexpectedly")
    ]


def test_a_log_that_breaks_its_parser_is_told_and_the_others_are_read(claude_home, start):
    fill(claude_home, files=3, rows=1)
    claude_home.write("p/bad.jsonl", row("msg_bad"))
    broken = (
        "from engine.telemetry import claude_code as c; plain = c.ClaudeCode.read; "
        "c.ClaudeCode.read = lambda self, file, cursor, archive: "
        "[][1] if file.path.endswith('bad.jsonl') else plain(self, file, cursor, archive)"
    )
    seen = start(claude_home.root, broken, follow=False).rest()
    assert len(keys(seen)) == 3
    assert [m.why for m in seen if isinstance(m, Unreadable)] == ["IndexError: list index out of range"]


def test_helpers_end_with_their_reader(claude_home, start, tmp_path):
    claude_home.write("p/held.jsonl", row("msg_held"))
    claude_home.write("p/other.jsonl", row("msg_other"))
    reader = start(claude_home.root, holding(tmp_path / "fifo"))
    reader.has_read("msg_other")
    helpers = [os.pidfd_open(pid) for pid in _children(reader.process.pid)]
    assert helpers
    reader.process.kill()
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))  # the one that is held finds nobody to tell
    for helper in helpers:
        assert select.select([helper], [], [], DEADLINE_S)[0]
        os.close(helper)


def test_what_is_gone_is_told_once_and_read_again_when_it_is_back(claude_home, start):
    path = claude_home.write("p/a.jsonl", row("msg_1"))
    claude_home.write("p/b.jsonl", row("msg_2"))
    claude_home.read()
    cursors = tuple(claude_home.cursors.values())
    aside = path.rename(path.with_suffix(".aside"))
    reader = start(claude_home.root, cursors=cursors)
    seen = reader.scanned()
    assert [message.paths for message in seen if isinstance(message, Gone)] == [(str(path),)]
    assert keys(seen) == []
    aside.rename(path)
    reader.tell(CatchUp("back"))
    seen = reader.until(lambda message: isinstance(message, CaughtUp))
    assert keys(seen) == ["msg_1"]
    assert not [message for message in seen if isinstance(message, Gone)]
    assert all(isinstance(message, LogBatch | CaughtUp) for message in seen)


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
