"""What does the console cost on the way to the terminal? First paint, idling, four panes that change, focus, full size.

Each figure beside posting, harlequin and the same screen of stock Textual parts, measured in the same run.
"""

import os
import statistics
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.bench.console_home import Busy, alone, end_engine, environment, real, record_runs
from tests.bench.console_peers import PEERS, TRIVIAL, Missing, program
from tests.bench.pty_watch import Watched
from tests.tui.conftest import World

STARTS = int(os.environ.get("QD_BENCH_STARTS", "11"))
RUNS = 100_000
IDLE_S = 30.0
BUSY_S = 10.0
BEAT_S = 0.5
STOCK = str(Path(__file__).with_name("stock_panes.py"))
LOOKS = {"true colour": "textual-dark", "16 colours": "ansi-dark"}


@pytest.fixture
def watched(tmp_path):
    """Opens programs in terminals; they end with the test."""
    opened = []

    def watch(argv):
        opened.append(Watched(argv, environment(tmp_path), str(tmp_path)))
        return opened[-1]

    yield watch
    for one in opened:
        one.close()


@pytest.fixture
def home(tmp_path):
    """A desk on which nothing has happened for a day."""
    world = World(tmp_path / "home")
    world.configure('timezone = "UTC"\n')
    day_ms = 86_400_000
    for number in range(30):
        world.session(f"flaky test {number}", at_ms=world.now_ms - day_ms - number * 60_000)
    world.close()
    yield world.home
    end_engine(world.home)


@pytest.fixture
def busy(tmp_path):
    desk = Busy(tmp_path / "busy")
    yield desk
    desk.close()


def peers():
    """(name, argv, mark) of those that can be had."""
    for peer in PEERS:
        try:
            yield peer.name, [program(peer)], peer.mark
        except Missing as error:
            print(f"  {error}")


def once(argv, mark, folder):
    """Seconds until the mark is on the terminal."""
    one = Watched(argv, environment(folder), str(folder))
    try:
        return one.until(mark) - one.began_s
    finally:
        one.close()


def test_first_paint(home, tmp_path):
    many = World(tmp_path / "many")
    many.configure('timezone = "UTC"\n')
    record_runs(many, RUNS)
    many.close()
    programs = [
        ("trivial Textual app", [sys.executable, "-c", TRIVIAL], "painted", None),
        ("console", real(home), "1 Sessions", home),
        (f"console, {RUNS:,} runs in state", real(many.home), "1 Sessions", many.home),
        (f"  its sessions listed, of {RUNS:,} runs", real(many.home), "session 299", many.home),
        ("stock four tables", [sys.executable, STOCK], "painted", None),
        *((name, argv, mark, None) for name, argv, mark in peers()),
    ]
    took = {name: [] for name, *_ in programs}
    for _ in range(STARTS):
        for name, argv, mark, owner in programs:
            took[name].append(once(argv, mark, tmp_path))
            if owner is not None:
                end_engine(owner)
    base = min(took["trivial Textual app"])
    print(f"\nfirst paint, {STARTS} starts; minimum (median), milliseconds")
    for name, got in took.items():
        least = min(got)
        print(f"  {name:<40}{least * 1000:6.0f} ({statistics.median(got) * 1000:.0f})   {least / base:4.2f} x")


def test_idle(home, watched):
    print(f"\nidle for {IDLE_S:g} s: bytes per second, part of a core")
    show_idle("stock four tables", watched([sys.executable, STOCK, "still"]), "painted")
    for name, argv, mark in peers():
        show_idle(name, watched(argv), mark)
    console = watched(real(home))
    console.until("engine up")
    show_idle("console, its engine up", console, "flaky test 0")


def show_idle(name, one, mark):
    one.until(mark)
    one.settle(1.0)
    time.sleep(2.0)
    seen = one.window(IDLE_S)
    print(f"  {name:<40}{seen.rate:8.1f} B/s   {seen.own_core:6.2%}   {seen.core:6.2%} with what it started")
    one.close()


def test_changing(busy, watched):
    print("\nfour panes that change twice a second: bytes to settle at the start, then kB/s, frames/s, part of a core")
    for look, theme in LOOKS.items():
        one = watched([sys.executable, STOCK, theme, "still"])
        one.until("painted")
        first = one.settle(1.0)
        one.close()
        one = watched([sys.executable, STOCK, theme])
        one.until("painted")
        show_changing(f"stock, {look}", one, first)
    for name, flags in (
        ("console, true colour", ("--theme", "dark")),
        ("console, 16 colours", ("--theme", "ansi")),
        ("console, low bandwidth", ("--low-bandwidth",)),
    ):
        one = watched(alone(busy.home, *flags))
        one.until("flaky test")
        first = one.settle(1.5)
        with beating(busy):
            show_changing(name, one, first)


def show_changing(name, one, first):
    time.sleep(1.5)
    seen = one.window(BUSY_S)
    print(f"  {name:<28}{first:8,} B {seen.rate / 1000:8.1f} kB/s {seen.frames / seen.seconds:6.1f} {seen.core:8.1%}")
    one.close()


class beating:
    """Something in every pane changes, every half second."""

    def __init__(self, desk):
        self._desk = desk
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _beat(self):
        due_s = time.monotonic()
        while not self._ended.wait(max(0.0, due_s - time.monotonic())):
            self._desk.beat()
            due_s += BEAT_S


def test_keys(busy, watched):
    print("\nwhat a key costs, bytes")
    for look, theme in LOOKS.items():
        one = watched([sys.executable, STOCK, theme, "still"])
        one.until("painted")
        print(f"  stock, {look:<24} focus {one.cost_of(chr(9)):7,}")
        one.close()
    for look, flags in (
        ("true colour", ("--theme", "dark")),
        ("16 colours", ("--theme", "ansi")),
        ("low bandwidth", ("--low-bandwidth",)),
    ):
        one = watched(alone(busy.home, *flags))
        one.until("flaky test")
        one.settle(1.5)
        focus = max(one.cost_of(key) for key in ("2", "3", "4", "1"))
        row = one.cost_of("j")
        opened, closed = [], []
        for pane in ("1", "2", "3", "4"):
            one.cost_of(pane) if pane != "1" else None
            opened.append(one.cost_of("z"))
            closed.append(one.cost_of("z"))
        runs = one.cost_of("5")
        print(
            f"  console, {look:<22} focus {focus:7,}   row {row:5,}   full size {max(opened):7,}"
            f"   back {max(closed):7,}   runs {runs:6,}"
        )
        one.close()
