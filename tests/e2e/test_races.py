"""Two spawns want one file at the same instant, through the spool of a running engine: exactly one is admitted."""

import os
import threading

import msgspec

from engine.contract.orders import RunRequest, StopRun
from engine.runtime.client import Client
from state import claims, runs
from state.database import open_reader
from state.home import Home
from tests.e2e.conftest import until

TRIALS = int(os.environ.get("QD_TRIALS", "25"))
PATTERNS = [
    ("notes/a.md", "notes/a.md"),
    ("notes/**", "notes/a.md"),
    ("**/*.md", "notes/a*"),
    ("notes", "notes/deep/b"),
]


class Racers:
    """Two consoles with their requests in hand."""

    def __init__(self, desk):
        self.home = Home(config=desk.config_file.parent, state=desk.state)
        self.client = Client(self.home)
        self.workspace = str(desk.workspace)

    def race(self, patterns):
        """The answers to both, asked as close to each other as threads can."""
        gate, answers = threading.Barrier(len(patterns)), {}

        def ask(place):
            request = RunRequest(
                workspace=self.workspace,
                agent="command",
                argv=("sleep", "60"),
                can_write=(patterns[place],),
                trigger="spawn",
            )
            gate.wait()
            answers[place] = msgspec.json.decode(self.client.order("run", request))

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(patterns))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [answers[place] for place in range(len(patterns))]

    def end(self, run_id):
        """End a run, and see its claim gone."""
        reader = open_reader(self.home)
        until(lambda: runs.get(reader, run_id).state == "running", "it runs")
        self.client.order("stop", StopRun(run_id=run_id))
        until(lambda: not runs.get(reader, run_id).open, "it is settled")
        assert claims.live(reader) == []
        reader.close()


def test_exactly_one_of_two_is_admitted(desk):
    desk.configure("")
    racers = Racers(desk)
    racers.client.ensure()
    for trial in range(TRIALS):
        answers = racers.race(PATTERNS[trial % len(PATTERNS)])
        admitted = [answer for answer in answers if answer["verdict"]["ok"]]
        refused = [answer for answer in answers if not answer["verdict"]["ok"]]
        assert (len(admitted), len(refused)) == (1, 1), f"trial {trial}: {answers}"
        failed = [check for check in refused[0]["verdict"]["checks"] if not check["ok"]]
        assert [check["name"] for check in failed] == ["conflict"]
        assert f"run {admitted[0]['run']}" in failed[0]["why"]
        racers.end(admitted[0]["run"])
