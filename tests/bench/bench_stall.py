"""A terminal that reads nothing for QD_STALL_S seconds (20): is the engine late, does the console spin, and how soon is
the screen current when the terminal reads again? Beside a Textual app of stock parts that repaints four times a second.
"""

import os
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from tests.e2e import test_reality as reality
from tests.e2e.pty import Pty
from tui.text import tokens

ROOT = Path(__file__).resolve().parents[2]
STALL_S = float(os.environ.get("QD_STALL_S", "20"))
STEP_S = 0.25
STOCK = """
import time
from textual.app import App
from textual.widgets import Static
class Stock(App):
    def compose(self):
        self.box = Static()
        yield self.box
    def on_mount(self):
        self.last, self.worst = time.monotonic(), 0.0
        self.set_interval(0.25, self.tick)
    def tick(self):
        now = time.monotonic()
        self.worst, self.last = max(self.worst, now - self.last), now
        self.box.update("\\n".join(f"{now:.3f} " * 12 for _ in range(38)) + f"\\nworst {self.worst:.1f}")
Stock().run()
"""


def load(name, path):
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


conftest = load("e2e_conftest", ROOT / "tests" / "e2e" / "conftest.py")


@pytest.fixture
def desk(tmp_path):
    made = conftest.Desk(tmp_path / "home")
    yield made
    made.close()


def cpu_s(pid):
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_stalled(desk):
    reality.session_log(desk, 2, "unread")
    console = Pty(desk.argv, desk.env, str(desk.workspace), (160, 40))  # wide enough for the tokens
    try:
        console.wait_for("engine up")
        console.wait_for("unread")
        console.send("z")  # at its full size the pane tells the tokens
        console.wait_for("esc back")
        console.reads.clear()
        began_s, spent_s = time.monotonic(), cpu_s(console.process.pid)
        answers, slowest_s = 0, 0.0
        while time.monotonic() - began_s < STALL_S:
            answers += 1
            reality.add_answer(desk, 2, answers)
            console.send("2341" * 2)
            asked_s = time.monotonic()
            assert desk.run("pause-nothing")[0] == 2
            floor_s = time.monotonic() - asked_s
            asked_s = time.monotonic()
            assert desk.run("undo")[0] == 1, "there is nothing to undo: the engine says so"
            slowest_s = max(slowest_s, time.monotonic() - asked_s - floor_s)
            time.sleep(STEP_S)
        spun = (cpu_s(console.process.pid) - spent_s) / (time.monotonic() - began_s)
        since, resumed_s = len(console.bytes), time.monotonic()
        console.reads.set()
        console.wait_for(tokens(answers * 1_000_000 + 12))
        current_s = time.monotonic() - resumed_s
        print(f"\nstalled {STALL_S:g} s: the engine answered at most {slowest_s * 1000:.0f} ms late, the console took")
        print(f"{spun:.1%} of a core, and was current {current_s:.2f} s after, by {len(console.bytes) - since:,} bytes")
    finally:
        console.close()
    stock_loop(desk)


def stock_loop(desk):
    stock = Pty([sys.executable, "-c", STOCK], desk.env, str(desk.workspace), (160, 40))  # wide enough for the tokens
    try:
        stock.wait_for("worst 0.")
        stock.reads.clear()
        time.sleep(min(STALL_S, 20))
        stock.reads.set()
        stock.wait_for("worst 1")
        said = stock.text.rpartition("worst ")[2].split()[0]
        print(f"stock Textual app, {min(STALL_S, 20):g} s: its loop stood still for {said} s")
    finally:
        stock.close()
