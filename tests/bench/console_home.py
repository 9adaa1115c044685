"""Which state do the consoles of the benchmarks show? A desk with something in every pane, and what happens on it."""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from engine.runtime.lease import holder
from state import runs, slots
from tests.tui.conftest import RUN, World

ROOT = Path(__file__).resolve().parents[2]

SESSIONS = 30
CHANGING = 4
"""Sessions that something happens to in each beat."""
JOBS = 12
BUDGETS = 6
SKILLS = 16
WITHOUT_ENGINE = """
import sys
from tui.link import Link
from tui.cli.main import main
Link.attach = lambda link: None
sys.exit(main(sys.argv[1:]))
"""


def alone(home, *flags):
    """A console that starts no engine: nothing happens on its desk but what the benchmark does."""
    return [sys.executable, "-c", WITHOUT_ENGINE, "--home", str(home.config), *flags]


def real(home, *flags):
    """The console as it is, with its engine."""
    return [sys.executable, "-m", "tui", "--home", str(home.config), *flags]


def environment(folder):
    """What a user of a modern terminal has."""
    return {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "PYTHONPATH": str(ROOT),
    }


def end_engine(home, patience_s=30.0):
    """Ask the engine of this home to end, and wait for it."""
    deadline = time.monotonic() + patience_s
    while (found := holder(home)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise AssertionError("the engine does not end")
        time.sleep(0.05)


def now_ms():
    return time.time_ns() // 1_000_000


class Busy(World):
    """A desk on which something in every pane changes with each beat."""

    def __init__(self, folder):
        super().__init__(folder)
        self._chance = random.Random(6)
        self._beats = 0
        self.configure(_configuration())
        begin = now_ms()
        made = [self.session(f"flaky test {n}", at_ms=begin - n * 60_000) for n in range(SESSIONS)]
        self._generations = [generation for _, generation in made]
        for number, generation in enumerate(self._generations):
            self._respond(generation, f"first{number}", begin - number * 60_000)
        for number in range(JOBS):
            self.mark(f"job-{number}")
            self.slot(f"job-{number}", "finished", begin - 3_600_000 * (number + 1))
        for number in range(SKILLS):
            self.skill(f"skill-{number}")
        for number in range(8):
            self.event(f"run {number} was admitted")

    def beat(self):
        """One change in each pane, and with them the header, the strip of events and the burn."""
        self._beats += 1
        for generation in self._generations[:CHANGING]:
            self._respond(generation, f"beat{self._beats}", now_ms())
        state = ("finished", "failed")[self._beats % 2]
        with self.open().transaction() as tx:
            slots.note(tx, slots.Slot("job-1", self.now_ms - 7_200_000, state, None, None, now_ms()))
            tx.execute("UPDATE skills SET body_tokens = ? WHERE name = 'skill-3'", (70 + self._beats,))
        self.event(f"run {self._beats} was admitted")

    def _respond(self, generation, key, at_ms):
        chance = self._chance
        parts = (chance.randrange(50), chance.randrange(90_000), chance.randrange(5_000), chance.randrange(3_000))
        self.book(generation, parts, key=f"{key}-{generation}", at_ms=at_ms, cost_microusd=chance.randrange(90_000))
        with self.open().transaction() as tx:
            tx.execute(
                "UPDATE sessions SET last_active_ms = ? WHERE generation_id = ?", (at_ms - generation, generation)
            )


def _configuration():
    agent = '[agent.coder]\nadapter = "command"\nargv = ["true"]\n'
    jobs = "".join(f'[job.job-{number}]\nevery = "{number + 6}h"\n' for number in range(JOBS))
    windows = ("day", "week", "month", "hour")
    budgets = "".join(
        f'[budget.limit-{number}]\nwindow = "{windows[number % 4]}"\ntokens = {3_000_000 * (number + 1)}\n'
        for number in range(BUDGETS)
    )
    return f'timezone = "UTC"\n{agent}{jobs}{budgets}'


def record_runs(world, count):
    """So many runs that ended, of a few hundred sessions."""
    made = [world.session(f"session {number}") for number in range(300)]
    begin = now_ms() - count * 60_000
    with world.open().transaction(durable=False) as tx:
        for number in range(count):
            session, generation = made[number % len(made)]
            at_ms = begin + number * 60_000
            ended = {"started_ms": at_ms, "ended_ms": at_ms + 30_000, "state": "ended", "outcome": "succeeded"}
            runs.add(tx, RUN | ended | {"session_id": session, "generation_id": generation, "requested_ms": at_ms})
    world.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
