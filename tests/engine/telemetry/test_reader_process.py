"""The reader as the engine runs it: a process, asked on stdin, answering on stdout."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from engine.contract.usage import (
    CatchUp,
    CaughtUp,
    Discovered,
    LogBatch,
    Progress,
    ReaderMessage,
    ReaderSetup,
    Unreadable,
)

ROOT = Path(__file__).parents[3]
DEADLINE_S = 20


class Running:
    """A reader process whose messages are waited for, each with a deadline."""

    def __init__(self, setup, prelude=""):
        code = f"from engine.telemetry import reader; {prelude}; reader.main()"
        command = [sys.executable, *(["-c", code] if prelude else ["-m", "engine.telemetry.reader"])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        self.messages = queue.Queue()
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()
        self.tell(setup)

    def _collect(self):
        decoder = msgspec.json.Decoder(ReaderMessage)
        for text in self.process.stdout:
            self.messages.put(decoder.decode(text))
        self.messages.put(None)

    def tell(self, message):
        self.process.stdin.write(msgspec.json.encode(message) + b"\n")
        self.process.stdin.flush()

    def until(self, wanted):
        """Messages up to and with the first wanted one."""
        seen, deadline = [], time.monotonic() + DEADLINE_S
        while True:
            message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            assert message is not None, f"ended after {seen}"
            seen.append(message)
            if wanted(message):
                return seen

    def scanned(self):
        return self.until(lambda message: isinstance(message, Progress) and not message.scanning)

    def has_read(self, key):
        return self.until(lambda message: key in keys([message]))

    def rest(self):
        """Messages until the process ends by itself."""
        seen = []
        while (message := self.messages.get(timeout=DEADLINE_S)) is not None:
            seen.append(message)
        assert self.process.wait(DEADLINE_S) == 0
        return seen

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start():
    """Starts a reader; ends it with the test."""
    running = []

    def make(root, prelude="", **options):
        running.append(Running(ReaderSetup((root,), **options), prelude))
        return running[-1]

    yield make
    for reader in running:
        reader.close()


def keys(messages):
    return [response.key for batch in batches(messages) for response in batch.parts[0].responses]


def batches(messages):
    return [message for message in messages if isinstance(message, LogBatch)]


def row(key, **more):
    message = {"id": key, "model": "m", "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1}}
    return {"type": "assistant", "uuid": key, "timestamp": "2026-11-10T10:00:00Z", "message": message, **more}


def write_dated(home, name, at_s, *rows):
    path = home.write(name, *rows)
    os.utime(path, (at_s, at_s))
    return path


def test_it_discovers_then_reads_the_newest_first_and_ends(claude_home, start):
    for age, name in enumerate(("c", "a", "b")):
        write_dated(claude_home, f"p/{name}.jsonl", 2_000_000 - age, row(f"msg_{name}"))
    messages = start(claude_home.root, follow=False).rest()
    assert isinstance(messages[0], Discovered)
    assert [(seen.provider_id, seen.last_active_ms) for seen in messages[0].sessions] == [
        ("c", 2_000_000_000),
        ("a", 1_999_999_000),
        ("b", 1_999_998_000),
    ]
    assert keys(messages) == ["msg_c", "msg_a", "msg_b"]
    last = messages[-1]
    assert isinstance(last, Progress)
    assert (last.files_done, last.files_total, last.scanning) == (3, 3, False)
    assert last.bytes_done == last.bytes_total == messages[0].total_bytes


def test_without_following_an_early_end_of_stdin_cuts_nothing_short(claude_home, start):
    claude_home.write("p/a.jsonl", row("msg_1"))
    reader = start(claude_home.root, follow=False)
    reader.process.stdin.close()
    assert keys(reader.rest()) == ["msg_1"]


def test_a_file_that_its_cursor_knows_is_not_read_again(claude_home, start):
    claude_home.write("p/a.jsonl", row("msg_1"))
    claude_home.write("p/b.jsonl", row("msg_2"))
    first = start(claude_home.root, follow=False).rest()
    cursors = tuple(batch.cursor for batch in batches(first))
    claude_home.append("p/b.jsonl", row("msg_3"))
    second = start(claude_home.root, cursors=cursors, follow=False).rest()
    assert keys(second) == ["msg_3"]
    assert (second[-1].files_done, second[-1].files_total) == (2, 2)
    assert second[-1].bytes_done == second[-1].bytes_total


WATCH_ONLY = "reader.SWEEP_S = 3600"
SWEEP_ONLY = "reader.SWEEP_S = 0.05; reader.Watcher.keep = lambda self, folders: None"


@pytest.mark.parametrize("prelude", [WATCH_ONLY, SWEEP_ONLY], ids=["by watch alone", "by sweep alone"])
def test_it_follows_an_append_a_new_file_and_a_new_folder(claude_home, start, prelude):
    claude_home.write("p/a.jsonl", row("msg_1"))
    reader = start(claude_home.root, prelude)
    reader.scanned()
    claude_home.append("p/a.jsonl", row("msg_2"))
    assert keys(reader.has_read("msg_2")) == ["msg_2"]
    claude_home.write("p/b.jsonl", row("msg_3"))
    assert keys(reader.has_read("msg_3")) == ["msg_3"]
    claude_home.write("q/s/subagents/agent-1.jsonl", row("msg_4", sessionId="s"))
    seen = reader.has_read("msg_4")
    assert keys(seen) == ["msg_4"]
    assert batches(seen)[0].parts[0].session.provider_id == "s"


def test_a_root_that_appears_later_is_noticed_and_then_followed(claude_home, start):
    reader = start(claude_home.root)
    assert reader.scanned()[0].files == 0
    claude_home.write("p/a.jsonl", row("msg_1"))
    reader.has_read("msg_1")
    claude_home.append("p/a.jsonl", row("msg_2"))
    reader.has_read("msg_2")


def test_a_torn_row_is_sent_when_it_is_whole(claude_home, start):
    text = json.dumps(row("msg_2")).encode() + b"\n"
    claude_home.write("p/a.jsonl", row("msg_1"), text[:30])
    reader = start(claude_home.root)
    assert keys(reader.scanned()) == ["msg_1"]
    claude_home.append("p/a.jsonl", text[30:])
    (batch,) = batches(reader.has_read("msg_2"))
    assert not batch.restarted


def test_a_truncation_is_told(claude_home, start):
    claude_home.write("p/a.jsonl", *(row(f"msg_{number}") for number in range(9)))
    reader = start(claude_home.root)
    reader.scanned()
    claude_home.write("p/a.jsonl", row("msg_new"))
    assert any(batch.restarted for batch in batches(reader.has_read("msg_new")))


def test_catch_up_is_answered_after_everything_that_was_on_disk(claude_home, start):
    for number in range(50):
        claude_home.write(f"p/{number}.jsonl", row(f"msg_{number}"))
    reader = start(claude_home.root)
    reader.tell(CatchUp("early"))
    seen = reader.until(lambda message: message == CaughtUp("early"))
    assert len(set(keys(seen))) == 50
    claude_home.append("p/7.jsonl", row("msg_after"))
    reader.tell(CatchUp("one"))
    reader.tell(CatchUp("two"))
    seen = reader.until(lambda message: message == CaughtUp("one"))
    assert "msg_after" in keys(seen)
    reader.until(lambda message: message == CaughtUp("two"))


def test_the_end_of_stdin_ends_it(claude_home, start):
    reader = start(claude_home.root)
    reader.scanned()
    reader.process.stdin.close()
    assert reader.rest() == []


def test_the_end_of_stdin_ends_it_even_when_nobody_reads_its_output(claude_home):
    claude_home.write("p/a.jsonl", *(row(f"msg_{number}") for number in range(5000)))
    command = [sys.executable, "-m", "engine.telemetry.reader"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(msgspec.json.encode(ReaderSetup((claude_home.root,))) + b"\n")
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 0


def test_a_closed_stdout_ends_it(claude_home):
    command = [sys.executable, "-m", "engine.telemetry.reader"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(msgspec.json.encode(ReaderSetup((claude_home.root,))) + b"\n")
        process.stdin.flush()
        while b'"scanning":false' not in process.stdout.readline():
            pass
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 0


def test_what_cannot_be_opened_is_told_once(claude_home, start):
    claude_home.write("p/a.jsonl", row("msg_1"))
    (claude_home.folder / "p" / os.fsdecode(b"\xff.jsonl")).write_bytes(b"")
    reader = start(claude_home.root)
    seen = reader.scanned()
    reader.tell(CatchUp("again"))
    seen += reader.until(lambda message: isinstance(message, CaughtUp))
    assert len([message for message in seen if isinstance(message, Unreadable)]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told_and_the_others_are_read(claude_home, start):
    path = claude_home.write("p/a.jsonl", row("msg_1"))
    path.chmod(0)
    claude_home.write("p/b.jsonl", row("msg_2"))
    seen = start(claude_home.root, follow=False).rest()
    assert [message.path for message in seen if isinstance(message, Unreadable)] == [str(path)]
    assert keys(seen) == ["msg_2"]


def test_a_name_that_is_not_utf_8_is_told_and_not_a_crash(claude_home, start):
    claude_home.write("p/a.jsonl", row("msg_1"))
    (claude_home.folder / "p" / os.fsdecode(b"\xff.jsonl")).write_bytes(b"")
    seen = start(claude_home.root, follow=False).rest()
    assert [message.why for message in seen if isinstance(message, Unreadable)] == ["its name is not UTF-8"]
    assert keys(seen) == ["msg_1"]
