"""How long until a list of 100,000 rows is to be seen, and what does one changed cell cost? Beside Textual's DataTable.

In a real terminal: from the key that fills it to the first row; then CPU and bytes of a key that changes one cell, less
those of a key that does nothing.
"""

import statistics
import sys
from pathlib import Path

import pytest

from tests.bench.console_home import environment
from tests.bench.pty_watch import Watched, cpu_s

APP = str(Path(__file__).with_name("table_app.py"))
ROWS = 100_000
FILLS = {"ours": 5, "stock": 1}
CHANGES = 30


@pytest.mark.parametrize("kind", ["ours", "stock"])
def test_many_rows(kind, tmp_path):
    fills = []
    for number in range(FILLS[kind]):
        one = Watched([sys.executable, APP, kind, str(ROWS)], environment(tmp_path), str(tmp_path))
        try:
            one.until("tokens")
            before = one.settle()
            pressed_s = one.send("1")
            fills.append((one.until("session 20", before, 120.0) - pressed_s) * 1000)
            if number == 0:
                one.settle(1.0)
                nothing_ms, _ = cost(one, "3")
                changed_ms, sent = cost(one, "2")
        finally:
            one.close()
    print(f"\n{kind}: {ROWS:,} rows shown in {min(fills):.0f} ms at best ({statistics.median(fills):.0f}),", end="")
    print(f" one changed cell {changed_ms - nothing_ms:.1f} ms of CPU and {sent:.0f} bytes")


def cost(one, key):
    """CPU milliseconds and bytes of pressing it, one by one."""
    at, spent_s = len(one.bytes), cpu_s(one.process.pid)
    for _ in range(CHANGES):
        before = len(one.bytes)
        one.send(key)
        if key == "2":
            one.reacted(before)
        one.settle(0.05)
    return (cpu_s(one.process.pid) - spent_s) * 1000 / CHANGES, (len(one.bytes) - at) / CHANGES
