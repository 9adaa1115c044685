"""What the tests of crashes and full disks share: engines with one step replaced, and what is seen from outside."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from state.home import Home

FOREVER = "while :; do sleep 0.05; done"
HOLD = "while [ ! -e go ]; do sleep 0.05; done"


def engine_with(desk, patch=""):
    """An engine in the foreground, with something in it replaced."""
    program = f"import asyncio, os, sys\nfrom pathlib import Path\n{patch}\n"
    program += "from tui.cli.main import main\nsys.exit(main(['engine']))"
    return subprocess.Popen(
        [sys.executable, "-c", program], env=desk.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def engine(desk, wait_until):
    """Starts engines; every one of them has ended after the test."""
    started = []

    def start(patch=""):
        started.append(engine_with(desk, patch))
        wait_until(lambda: desk.holder_pid() == started[-1].pid, "the engine is up")
        return started[-1]

    yield start
    for one in started:
        one.terminate()
        one.communicate(timeout=40)


@pytest.fixture
def settled(desk):
    return lambda number=1: desk.ended(number)


def number_in(path):
    return path.exists() and path.read_text().strip() and int(path.read_text())


def lives(pid):
    """Whether there is such a process, and not only its zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def detached(desk, script, *words):
    """A run that does what no sandbox would let it: it says who it is in the workspace, or removes its folder."""
    words = ("--timeout", "60s", "--sandbox", "off", "--detach", *words)
    return desk.json("run", *words, "--", "sh", "-c", script)


def begun(desk, number=1):
    """Whether its program has been started."""
    told = desk.state / "runs" / str(number) / "keeper.json"
    return told.exists() and json.loads(told.read_text() or "{}").get("child_pid")


def fall(engine):
    engine.kill()
    engine.wait()


def kinds(desk, wanted):
    from state import database, events

    reader = database.open_reader(Home(config=desk.config_file.parent, state=desk.state))
    with contextlib.closing(reader):
        return [event.text for event in events.latest(reader, 200) if event.kind == wanted]


def runs_of(desk):
    return sorted(run["run"] for run in desk.json("run", "list")["runs"])
