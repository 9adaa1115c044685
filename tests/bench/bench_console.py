"""How long until the console shows something, lists every session, and follows a log? In a real terminal.

Measured the same way beside named baselines: a trivial Textual program for the first paint, `tail -f` for following.
"""

import json
import os
import signal
import statistics
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tui.text import tokens

ROOT = Path(__file__).resolve().parents[2]
FILES = 2_500
STARTS = 5
APPENDS = 15
TRIVIAL = """
from textual.app import App
from textual.widgets import Static
class A(App):
    def compose(self):
        yield Static("painted")
A().run()
"""


def load(name, path):
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


conftest = load("e2e_conftest", ROOT / "tests" / "e2e" / "conftest.py")
terminal = load("terminal", ROOT / "tests" / "e2e" / "terminal.py")


@pytest.fixture
def desk(tmp_path):
    made = conftest.Desk(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def opened(desk):
    terminals = []

    def open_one(argv, size=(120, 34)):
        name = f"bench-{os.getpid()}-{len(terminals)}"
        terminals.append(terminal.Terminal(name, argv, desk.env, str(desk.workspace), size))
        return terminals[-1]

    yield open_one
    for one in terminals:
        one.close()


def row(number, output):
    return {
        "type": "assistant",
        "uuid": f"u{number}-{output}",
        "sessionId": f"00000000-0000-4000-8000-{number:012d}",
        "timestamp": f"2026-11-20T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        "cwd": "/home/op/work",
        "requestId": f"req_{number}_{output}",
        "message": {
            "id": f"msg_{number}_{output}",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "x" * 400}],
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 0, "output_tokens": output},
        },
    }


def write_logs(home, files):
    folder = home / ".claude" / "projects" / "-home-op-work"
    folder.mkdir(parents=True)
    for number in range(files):
        lines = [json.dumps(row(number, output)) for output in range(20)]
        path = folder / f"00000000-0000-4000-8000-{number:012d}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


def seconds_until(begin, screen, text):
    while text not in screen():
        if time.monotonic() - begin > 60:
            raise AssertionError(f"never on screen: {text}\n{screen()}")
        time.sleep(0.002)
    return time.monotonic() - begin


def test_first_paint_and_first_list(desk, opened):
    write_logs(desk.home, FILES)
    painted, listed, trivial = [], [], []
    for _ in range(STARTS):
        begin = time.monotonic()
        console = opened(desk.argv)
        painted.append(seconds_until(begin, console.screen, "1 Sessions"))
        listed.append(seconds_until(begin, console.screen, "claude"))
        os.kill(console.pid(), signal.SIGTERM)
        desk.close()
        for path in desk.state.glob("quarterdeck.db*"):
            path.unlink()
        begin = time.monotonic()
        program = opened([sys.executable, "-c", TRIVIAL])
        trivial.append(seconds_until(begin, program.screen, "painted"))
        program.close()
    base = min(trivial)
    print(f"\n{FILES} logs, cold state, no engine, {STARTS} starts; minimum (median), seconds")
    for name, got in (
        ("trivial Textual program painted", trivial),
        ("console painted", painted),
        ("sessions listed", listed),
    ):
        print(f"  {name:<34}{min(got):6.2f} ({statistics.median(got):.2f})   {min(got) / base:4.1f} x")


def test_append_to_screen(desk, opened):
    folder = write_logs(desk.home, 50)
    log = folder / f"00000000-0000-4000-8000-{49:012d}.jsonl"
    console = opened(desk.argv)
    console.wait_for("engine up", "claude")
    tail = opened(["tail", "-n", "1", "-f", str(log)], (1000, 30))
    tail.wait_for("msg_49_19")
    on_screen, by_tail, total = [], [], 20 * 5 + sum(range(20))
    console.wait_for(str(total))
    for number in range(APPENDS):
        # 11,000 more each time: what the cell shows changes, however few digits it has
        total += 11_000 + 5
        begin = time.monotonic()
        with log.open("a") as file:
            file.write(
                json.dumps(row(49, 11_000) | {"uuid": f"n{number}"}).replace("msg_49_11000", f"msg_n{number}") + "\n"
            )
        by_tail.append(seconds_until(begin, tail.screen, f"msg_n{number}"))
        on_screen.append(seconds_until(begin, console.screen, tokens(total)))
    base = statistics.median(by_tail)
    print(f"\nappend to screen, {APPENDS} lines; median (worst), milliseconds")
    for name, got in (("tail -f", by_tail), ("console", on_screen)):
        got_ms = [value * 1000 for value in got]
        print(
            f"  {name:<34}{statistics.median(got_ms):6.0f} ({max(got_ms):.0f})   {statistics.median(got) / base:4.1f} x"
        )
