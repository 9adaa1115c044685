"""A gate and a waiting room on a real database, with a clock that stands still until it is told."""

import msgspec
import pytest

from engine.contract.orders import Decide, RunRequest
from engine.runtime.gate import Gate
from engine.runtime.live_runs import LiveRuns
from engine.runtime.settings import Settings
from engine.runtime.trouble import Trouble
from engine.runtime.waiting import WaitingRoom
from state import approvals
from state.database import open_writer
from state.home import Home, prepare


class Clock:
    """Stands still until it is told."""

    def __init__(self):
        self.at_ms = 1_795_000_000_000

    def now_ms(self):
        return self.at_ms

    def monotonic(self):
        return self.at_ms / 1000


class House:
    """A gate and a waiting room on a real database; runs that are admitted are counted, not started."""

    def __init__(self, folder):
        self.home = Home(config=folder / "config", state=folder / "state")
        self.home.config.mkdir()
        prepare(self.home)
        self.workspace = folder / "work"
        self.workspace.mkdir()
        (self.workspace / "a.md").write_text("# a\n- [ ] one\n")
        self.clock = Clock()
        self.database = open_writer(self.home)
        self.settings = Settings(self.home)
        self.gate = Gate(self.home, self.database, self.settings, self.clock)
        trouble = Trouble(self.home, self.database, self.clock)
        self.live = LiveRuns(self.home, self.database, self.settings, self.clock, trouble)
        self.room = WaitingRoom(self.database, self.settings, self.gate, self.live, self.clock)
        self.started = []
        self.live.launch = lambda admitted: self.started.append(admitted.run_id) if admitted.launch else None

    @property
    def connection(self):
        return self.database.connection

    def configure(self, text):
        self.home.config_file.write_text(text)
        assert self.settings.poll()
        assert self.settings.problem is None, self.settings.problem.line
        self.room.look_again()

    async def ask(self, task="t", **changes):
        request = RunRequest(workspace=str(self.workspace), task=task, inject=("a.md",), trigger="spawn", **changes)
        admitted = await self.gate.ask(request)
        self.live.launch(admitted)
        return admitted

    async def later(self, ms=60_000):
        self.clock.at_ms += ms
        await self.room.look()

    def held(self):
        return self.connection.execute("SELECT coalesce(sum(held), 0) FROM reservations").fetchone()[0]

    def decide(self, approve, **changes):
        asked = approvals.pending(self.connection)[0]
        wanted = Decide(approval_id=asked.id, approve=approve, sha256=asked.sha256)
        with self.database.transaction() as tx:
            return self.room.decide(tx, msgspec.structs.replace(wanted, **changes), self.clock.now_ms())


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)
