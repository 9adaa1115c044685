"""What is written right now does not wait for the rest of the first scan, nor disturb the file being read."""

import os
import queue

import msgspec
import pytest

from engine.contract.usage import LogBatch, ReaderMessage, ReaderSetup
from engine.telemetry import line_log, outlet
from engine.telemetry.reader import Reader
from engine.telemetry.watcher import Changed


def row(key):
    message = {"id": key, "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
    return {"type": "assistant", "message": message, "pad": "x" * 9000}


def write_five(home):
    paths = [home.write(f"p/{name}.jsonl", row(f"msg_{name}")) for name in "abcde"]
    for age, path in enumerate(paths):
        os.utime(path, (2_000_000 - age, 2_000_000 - age))
    return paths


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch):
    """Each batch is sent by itself, so that a test can tell what happens between two."""
    monkeypatch.setattr(outlet, "HOLD_BYTES", 0)


def keys_sent(home, react):
    """The keys in the order sent; `react(batches sent so far, events)` runs after each batch."""
    events, batches = queue.Queue(), []

    def send(line):
        message = msgspec.json.decode(line, type=ReaderMessage)
        if isinstance(message, LogBatch):
            batches.append(message)
            react(len(batches), events)

    Reader(ReaderSetup((home.root,), follow=False), send, events).run()
    return [response.key for batch in batches for response in batch.parts[0].responses]


def test_a_changed_file_jumps_the_queue_of_the_first_scan(claude_home):
    oldest = write_five(claude_home)[-1]

    def append(sent, events):
        if sent == 1:
            claude_home.append("p/e.jsonl", row("msg_live"))
            events.put(Changed(frozenset([str(oldest)])))

    assert keys_sent(claude_home, append) == ["msg_a", "msg_e", "msg_live", "msg_b", "msg_c", "msg_d"]


def test_a_changed_file_is_read_between_two_batches_of_a_big_one(claude_home, monkeypatch):
    monkeypatch.setattr(line_log, "BATCH_RESPONSES", 1)
    path = claude_home.write("p/big.jsonl", *(row(f"msg_{number}") for number in range(90)))
    other = claude_home.folder / "p" / "other.jsonl"

    def change(sent, events):
        if sent == 1:
            claude_home.append("p/other.jsonl", row("msg_other"))
            claude_home.append("p/big.jsonl", row("msg_late"))
            events.put(Changed(frozenset([str(path), str(other)])))

    keys = keys_sent(claude_home, change)
    assert keys.index("msg_other") < keys.index("msg_89")
    assert len(keys) == len(set(keys))
