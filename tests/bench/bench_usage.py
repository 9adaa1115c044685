"""What do the books cost? A cold scan beside ccusage and beside this machine's limits, the same again, and following.

`QD_BENCH_MB` sets the size of the corpus (300). Peers are found as `tests/bench/peers.py` says.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.contract.clock import SystemClock
from engine.runtime import ingest, log_book
from engine.runtime.pricing import PriceBook
from state.database import open_reader, open_writer
from state.home import Home, find_home
from tests.bench import peers
from tests.bench.corpus import append_turn, write_claude

MEGABYTES = int(os.environ.get("QD_BENCH_MB", "300"))
FILES = 2_500
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    home = tmp_path_factory.mktemp("corpus")
    return home, write_claude(home, MEGABYTES, FILES)


def environment(home):
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def qd(home, state, *arguments):
    """(answer, CPU seconds of all its processes, wall seconds)."""
    before, started = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "tui", *arguments, "--json", "--home", str(state)]
    done = subprocess.run(command, env=environment(home), stdout=subprocess.PIPE, check=True, cwd=home)
    wall_s, after = time.perf_counter() - started, os.times()
    cpu_s = after.children_user - before.children_user + after.children_system - before.children_system
    return json.loads(done.stdout), cpu_s, wall_s


def size_mb(home):
    return sum(path.stat().st_size for path in home.rglob("*.jsonl")) / 1e6


def read_all(home):
    started = time.process_time()
    for path in home.rglob("*.jsonl"):
        path.read_bytes()
    return time.process_time() - started


def test_cold_and_again(corpus, tmp_path):
    home, responses = corpus
    megabytes = size_mb(home)
    read_s = min(read_all(home) for _ in range(2))
    runs = [qd(home, tmp_path / f"state{number}", "usage") for number in range(3)]
    answer, cold_s, cold_wall_s = min(runs, key=lambda run: run[1])
    again = [qd(home, tmp_path / "state0", "usage") for _ in range(5)]
    print(f"\n{megabytes:.0f} MB in {FILES:,} files, {responses:,} responses, each on two rows")
    print("                                  MB per CPU second    wall s")
    print(f"  read every file                 {megabytes / read_s:12.0f}")
    print(f"  qd usage, cold, all stored      {megabytes / cold_s:12.0f}      {cold_wall_s:10.2f}")
    for peer in peers.installed():
        if peer.name == "ccusage":  # the fastest of them; it stores nothing
            cpu_s, wall_s = min((peer.run_timed(home) for _ in range(3)), key=lambda run: run[0])
            print(f"  {peer.name + ' ' + peer.version():<30}  {megabytes / cpu_s:12.0f}      {wall_s:10.2f}", end="")
            print(f"    qd has {cpu_s / cold_s:.2f} of its speed")
    print(f"  qd usage, nothing changed: wall {statistics.median(run[2] for run in again):.3f} s")
    assert answer["totals"]["responses"] == responses
    assert all(run[0]["totals"] == answer["totals"] for run in (*runs, *again))


def test_how_long_the_write_connection_is_held(corpus, tmp_path):
    home, responses = corpus
    state = Home(config=tmp_path, state=tmp_path)
    database, held, plain = open_writer(state), [], log_book.LogBook._book

    def timed(self, batches):
        started = time.perf_counter()
        plain(self, batches)
        held.append(time.perf_counter() - started)

    log_book.LogBook._book = timed
    try:
        prices = PriceBook(database, SystemClock(), {}, os.environ)
        ingest.ingest_once(database, SystemClock(), environment(home), prices)
    finally:
        log_book.LogBook._book = plain
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = state.database.stat().st_size
    database.close()
    held.sort()
    print(f"\n{len(held):,} transactions for {responses:,} responses")
    print(
        f"  held for {statistics.median(held) * 1e3:.1f} ms median, {held[int(len(held) * 0.99)] * 1e3:.1f} ms p99,",
        end="",
    )
    print(f" {held[-1] * 1e3:.1f} ms worst (20 aimed at); {size / responses:.0f} bytes a response")


def processes(root):
    """A process and all its descendants."""
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def pss_mb(pids):
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def test_memory_of_a_cold_scan(corpus, tmp_path):
    home, _ = corpus
    command = [sys.executable, "-m", "tui", "usage", "--json", "--home", str(tmp_path / "state")]
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL, cwd=home)
    worst, most = 0.0, 0
    while process.poll() is None:
        found = processes(process.pid)
        worst, most = max(worst, pss_mb(found)), max(most, len(found))
        threading.Event().wait(0.05)
    print(f"\nsummed PSS of a cold scan: {worst:.0f} MiB at most, over {most} processes (150 allowed)")
    assert process.returncode == 0


def cpu_s(pids):
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_following(corpus, tmp_path):
    home, responses = corpus
    state = tmp_path / "state"
    qd(home, state, "usage")
    command = [sys.executable, "-m", "tui", "engine", "--home", str(state)]
    engine = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL, cwd=home)
    try:
        qd(home, state, "usage")  # answered by the engine once it follows
        connection = open_reader(find_home(str(state), {}))
        latencies = []
        for turn in range(1, 41):
            threading.Event().wait(0.2)
            append_turn(home, turn * 37 % FILES, 10_000_000 + turn)
            started = time.perf_counter()
            while connection.execute("SELECT count(*) FROM usage").fetchone()[0] < responses + turn:
                threading.Event().wait(0.002)
            latencies.append(time.perf_counter() - started)
        pids = processes(engine.pid)
        before = [cpu_s([pid]) for pid in pids]
        threading.Event().wait(20)
        used = [(cpu_s([pid]) - start) / 20 * 100 for pid, start in zip(pids, before, strict=True)]
        latencies.sort()
        middle, worst = statistics.median(latencies) * 1e3, latencies[-1] * 1e3
        print(f"\nfrom append to ledger, {FILES:,} files watched: {middle:.0f} ms median, {worst:.0f} ms worst (100)")
        shares = ", ".join(f"{share:.2f} %" for share in used)
        print(f"quiet: {shares} of a core (engine, reader); PSS {pss_mb(pids):.0f} MiB in all")
    finally:
        engine.terminate()
        engine.wait()
        shutil.rmtree(state, ignore_errors=True)
