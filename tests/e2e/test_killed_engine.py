"""The engine is killed with ten live runs, at any moment: none is lost, none is started twice.

Each run leaves a line whenever it is started, and ends when it is told to."""

import contextlib
import json
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.contract.orders import RunRequest
from engine.runtime.client import Client
from state import ledger, runs
from state.database import open_reader
from state.home import Home
from tests.e2e.conftest import until

ROUNDS = int(os.environ.get("QD_KILLS", "3"))
LIVE = 10
ADOPTED_S = 15.0
"""Within so long every run is followed again, or closed."""
SCRIPT = 'echo started >> "$0/starts"; while [ ! -e "$0/../go" ]; do sleep 0.05; done; echo done'


class House:
    """A home whose engines are killed, with one folder per round."""

    def __init__(self, desk):
        desk.configure(f'[engine]\nmax_runs = {2 * LIVE}\n[budget.day]\nwindow = "day"\ntokens = 100000000\n')
        self.desk = desk
        self.home = Home(config=desk.config_file.parent, state=desk.state)
        self.client = Client(self.home)

    def order(self, folder):
        """One more run, which may write this folder; its number."""
        folder.mkdir(parents=True)
        request = RunRequest(
            workspace=str(self.desk.workspace),
            agent="command",
            argv=("sh", "-c", SCRIPT, str(folder)),
            can_write=(str(folder.relative_to(self.desk.workspace)),),
            timeout_s=120,
            task_type="subagent",
        )
        self.client.ensure()
        return int(json.loads(self.client.order("run", request))["run"])

    def runs(self, numbers):
        with contextlib.closing(open_reader(self.home)) as reader:
            return [runs.get(reader, number) for number in numbers]


@pytest.fixture
def house(desk):
    return House(desk)


@pytest.mark.timeout(3600)
def test_a_killed_engine_loses_no_run_and_starts_none_twice(house):
    seen = random.Random(7)
    slowest_s = 0.0
    for number in range(ROUNDS):
        folder = house.desk.workspace / str(number)
        house.client.ensure()
        with ThreadPoolExecutor(1) as console:
            asking = console.submit(lambda folder=folder: [house.order(folder / str(place)) for place in range(LIVE)])
            time.sleep(seen.uniform(0, 1.2))  # not to wait for anything: the moment of the kill is what differs
            killed = until(house.desk.holder_pid, "an engine is up")
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: house.desk.holder_pid() != killed, "it is dead")
            since = time.monotonic()
            asked = asking.result()
        house.client.ensure()
        until(lambda asked=asked: all(run.state in ("running", "settled") for run in house.runs(asked)), "all found")
        slowest_s = max(slowest_s, time.monotonic() - since)

        (folder / "go").touch()
        until(lambda asked=asked: not any(run.open for run in house.runs(asked)), "all settled")
        for place, run in enumerate(house.runs(asked)):
            told = folder / str(place) / "starts"
            starts = told.read_text().count("started") if told.exists() else 0
            assert (run.outcome, starts) in [("succeeded", 1), ("could_not_start", 0)], run.why
    assert slowest_s < ADOPTED_S
    with contextlib.closing(open_reader(house.home)) as reader:
        assert ledger.replay(reader) == []
