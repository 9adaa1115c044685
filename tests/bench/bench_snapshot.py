"""What does it cost to note a workspace of 20,000 files before and after a run, beside `os.walk` that stats each?

And, when a keeper was killed: what does a look at the environment of every process cost, beside a look at their state?
"""

import os
import statistics
import subprocess
import time

import pytest

from engine.execution.remains import gone, remains
from engine.execution.snapshot import changed, load, store, take
from engine.execution.tree import living

FILES = 20_000
EACH = 100
"""Files of one folder."""
PROCESSES = 300
TIMES = 7


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    for number in range(FILES // EACH):
        folder = root / f"src{number % 10}" / f"package{number}"
        folder.mkdir(parents=True)
        for place in range(EACH):
            (folder / f"module_{place}.py").write_text("pass\n")
    return root


def _median_ms(ask):
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def _walk(root):
    return sum(bool(os.lstat(f"{path}/{name}")) for path, _, names in os.walk(root) for name in names)


def _report(base, figures):
    for name, took in figures.items():
        print(f"  {name:<44} {took:7.1f} ms  {took / figures[base]:5.2f} x")


def test_snapshots(workspace, tmp_path):
    before, kept = take(workspace), tmp_path / "kept"
    for number in range(0, FILES, 200):
        (workspace / f"src{number // EACH % 10}" / f"package{number // EACH}" / "module_0.py").write_text("changed\n")
    after = take(workspace)
    figures = {
        "os.walk, lstat of each": _median_ms(lambda: _walk(workspace)),
        "take": _median_ms(lambda: take(workspace)),
        "changed": _median_ms(lambda: changed(before, after)),
        "store": _median_ms(lambda: store(before, kept)),
        "load": _median_ms(lambda: load(kept)),
    }
    print(f"\n{FILES:,} files in {FILES // EACH} folders; {kept.stat().st_size / FILES:.0f} bytes each on disk")
    _report("os.walk, lstat of each", figures)
    assert len(changed(before, after)) == FILES // 200
    assert _walk(workspace) == len(after.entries)


def test_remains(tmp_path):
    crowd = [subprocess.Popen(["sleep", "300"]) for _ in range(PROCESSES)]
    try:
        figures = {
            "the state of every process": _median_ms(living),
            "remains, without a key": _median_ms(lambda: remains(tmp_path, "")),
            "remains, by a key": _median_ms(lambda: remains(tmp_path, "5eed")),
            "gone": _median_ms(lambda: gone(tmp_path, "5eed")),
        }
        print(f"\n{len(living())} processes")
        _report("the state of every process", figures)
    finally:
        for process in crowd:
            process.kill()
            process.wait()
