"""How long from a key to what it does, while 2,000 events a second arrive and the first scan of QD_BENCH_LOG_MB (1,000)
megabytes of logs runs?

The logs are written for it and taken away afterwards; who writes the events is a process of its own.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter

import pytest

from state.database import open_reader
from state.home import Home
from tests.bench.console_home import end_engine, environment, real
from tests.bench.pty_watch import Watched

MEGABYTES = int(os.environ.get("QD_BENCH_LOG_MB", "1000"))
EVENTS_PER_S = 2_000
KEYS = 120
GAP_S = 0.25
LINES = 2_000
"""Of one log."""
SIGNS = {"3": b"3 Token budgets", "4": b"4 Skill sets"}
"""The title of a pane is written in one piece when the keyboard comes to it, and never otherwise."""
WRITER = """
import sys, time
from pathlib import Path
from state import events
from state.database import open_writer
from state.home import Home
folder, batch = Path(sys.argv[1]), int(sys.argv[2]) // 20
database = open_writer(Home(config=folder, state=folder))
due = time.monotonic()
number = 0
while True:
    with database.transaction(durable=False) as tx:
        for _ in range(batch):
            number += 1
            events.add(tx, time.time_ns() // 1_000_000, "note", f"event {number}")
    due += 0.05
    time.sleep(max(0.0, due - time.monotonic()))
"""


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Home(config=folder, state=folder)
    made.config_file.write_text('timezone = "UTC"\n')
    yield made
    end_engine(made)


@pytest.fixture
def logs(tmp_path):
    """Logs of another program, as large as was asked for."""
    folder = tmp_path / ".claude" / "projects" / "-home-op-work"
    folder.mkdir(parents=True)
    size = number = 0
    while size < MEGABYTES * 1_000_000:
        text = "\n".join(_line(number, place) for place in range(LINES)) + "\n"
        (folder / f"00000000-0000-4000-8000-{number:012d}.jsonl").write_text(text)
        size, number = size + len(text), number + 1
    yield number
    shutil.rmtree(tmp_path / ".claude")


def _line(number, place):
    said = {
        "type": "assistant", "uuid": f"u{number}-{place}", "sessionId": f"00000000-0000-4000-8000-{number:012d}",
        "timestamp": f"2026-11-20T{place // 3600:02d}:{place // 60 % 60:02d}:{place % 60:02d}.000Z",
        "cwd": "/home/op/work", "requestId": f"req_{number}_{place}",
        "message": {
            "id": f"msg_{number}_{place}", "role": "assistant", "model": "claude-sonnet-5-5",
            "stop_reason": "end_turn", "content": [{"type": "text", "text": "words of an answer " * 70}],
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 9_000, "output_tokens": place},
        },
    }  # fmt: skip
    return json.dumps(said)


def test_reaction(home, logs, tmp_path):
    env = environment(tmp_path)
    console = Watched(real(home), env, str(tmp_path))
    writer = None
    try:
        console.until("engine up")
        console.until("reading")
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home.state), str(EVENTS_PER_S)], env=env, start_new_session=True
        )
        console.until("event 1")
        came, took, seen = _events(home), [], Counter()
        began_s = time.monotonic()
        for number in range(KEYS):
            seen["scanning" if _scanning(home) else "done"] += 1
            took.append(_reaction_s(console, "34"[number % 2]) * 1000)
            time.sleep(GAP_S)
        rate = (_events(home) - came) / (time.monotonic() - began_s)
    finally:
        if writer is not None:
            writer.kill()
            writer.wait()
        console.close()
    print(f"\n{KEYS} keys while {rate:,.0f} events a second came and {MEGABYTES} MB of logs were read", end="")
    print(f" (the scan ran at {seen['scanning']} of them); milliseconds from key to reaction:")
    print(f"  median {statistics.median(took):.0f}, p95 {sorted(took)[int(0.95 * KEYS)]:.0f}, worst {max(took):.0f}")


def _reaction_s(console, key):
    before = len(console.bytes)
    pressed_s = console.send(key)
    deadline = pressed_s + 20
    while console.bytes.find(SIGNS[key], before) < 0:
        if time.monotonic() > deadline:
            raise AssertionError(f"no reaction to {key}: {bytes(console.bytes[before:])[:2000]!r}")
        time.sleep(0.001)
    return time.monotonic() - pressed_s


def _ask(home, sql):
    reader = open_reader(home)
    try:
        return reader.execute(sql).fetchone()[0]
    finally:
        reader.close()


def _events(home):
    return _ask(home, "SELECT max(id) FROM events")


def _scanning(home):
    return _ask(home, "SELECT count(*) FROM notices WHERE key = 'scan'") > 0
