"""A gate and a waiting room on a real database: with a clock that stands still until it is told, or with real runs."""

import asyncio
import contextlib
import os
import signal

import msgspec
import pytest

from engine.adapters.registry import ADAPTERS
from engine.contract.clock import SystemClock
from engine.contract.orders import Decide, RunRequest
from engine.execution.follow import find_alive
from engine.runtime.fallback import Fallback
from engine.runtime.gate import Gate
from engine.runtime.holding import Holding
from engine.runtime.listening import Listening
from engine.runtime.live_runs import LiveRuns
from engine.runtime.permissions import Permissions
from engine.runtime.settings import Settings
from engine.runtime.trouble import Trouble
from engine.runtime.waiting import WaitingRoom
from state import approvals, events, runs
from state.database import open_writer
from state.home import Home, prepare
from tests.engine.runtime.talker import Talker

PATIENCE_S = 20.0


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
        self.clock = self.make_clock()
        self.build()

    def build(self):
        self.database = open_writer(self.home)
        self.settings = Settings(self.home)
        self.gate = Gate(self.home, self.database, self.settings, self.clock)
        trouble = Trouble(self.home, self.database, self.clock)
        self.permissions = Permissions(self.home, self.database, self.clock)
        self.listening = Listening(self.home, self.database, self.settings, self.clock, trouble, self.permissions)
        self.holding = Holding(self.home, self.database, self.settings, self.clock, trouble)
        self.live = LiveRuns(self.home, self.database, self.settings, self.clock, trouble, self.listening, self.holding)
        self.room = WaitingRoom(self.database, self.settings, self.gate, self.live, self.clock)
        self.fallback = Fallback(self.database, self.gate, self.live, self.clock)
        self.started = []
        self.live.launch = lambda admitted: self.started.append(admitted.run_id) if admitted.launch else None

    def make_clock(self):
        return Clock()

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


class LivingHouse(House):
    """The same with real keepers and children, in real time; agents talk as `talker` does."""

    def build(self):
        super().build()
        del self.live.launch

    def make_clock(self):
        return SystemClock()

    @contextlib.asynccontextmanager
    async def awake(self):
        """While its workers are at work. Afterwards its runs are let go of, as when an engine ends."""
        work = [self.listening.run(), self.permissions.run(), self.live.meter()]
        workers = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
            await self.live.close()
            await self.holding.close()
            assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []

    def next_engine(self):
        """Another one on the same state, which knows only what is written."""
        self.build()

    async def talk(self, *lines, **changes):
        """Start a run whose agent does as these lines say."""
        request = {"agent": "claude_code", "task": "\n".join(lines), "trigger": "operator"} | changes
        admitted = await self.gate.ask(RunRequest(workspace=str(self.workspace), **request))
        assert admitted.launch is not None, [check for check in admitted.verdict.checks if not check.ok]
        self.live.launch(admitted)
        return admitted.run_id

    async def until(self, true, what):
        """Wait for a condition, not for a time; its value."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not (value := true()):
            assert asyncio.get_running_loop().time() < deadline, f"waited in vain until {what}: {self.said()}"
            await asyncio.sleep(0.01)
        return value

    async def ended(self, run_id):
        await self.until(lambda: not self.run(run_id).open, f"run {run_id} ends")
        return self.run(run_id)

    def run(self, run_id):
        return runs.get(self.connection, run_id)

    def text(self, run_id):
        return (self.home.run_folder(run_id) / "result.txt").read_text()

    def said(self, kind=None, run_id=None):
        found = reversed(events.latest(self.connection, 100, run_id=run_id))
        return [one.text for one in found if kind in (None, one.kind)]

    def kill_all(self):
        """Nothing of a test may outlive it."""
        for folder in self.home.runs.glob("[0-9]*"):
            alive = find_alive(folder)
            if alive is not None:
                os.kill(alive.pid, signal.SIGTERM)
                os.kill(alive.pid, signal.SIGCONT)


@pytest.fixture
def living(tmp_path, monkeypatch):
    """Its agent `claude_code` is one that talks; `codex` is one that only answers; `ollama` is another that talks."""
    for name, speaks in (("claude_code", True), ("codex", False), ("ollama", True)):
        monkeypatch.setitem(ADAPTERS, name, Talker(name, speaks))
    house = LivingHouse(tmp_path)
    yield house
    house.kill_all()
