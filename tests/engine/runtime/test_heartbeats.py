"""A keeper that is stopped is said, and said to be over when it is heard again."""

import asyncio
import os
import signal
import time

from engine.execution.follow import read_alive
from engine.runtime.heartbeats import SILENT_S, Heartbeats
from engine.runtime.trouble import Trouble
from state import events, runs


def heartbeats(living):
    trouble = Trouble(living.home, living.database, living.clock)
    return Heartbeats(living.home, living.database, living.clock, trouble)


def test_a_keeper_that_is_not_heard_is_a_notice_until_it_is_heard_again(living):
    async def test():
        async with living.awake():
            run_id = await living.talk(f"wait {living.workspace / 'go'}")
            alive = await living.until(lambda: read_alive(living.home.run_folder(run_id)), "its keeper is there")
            await living.until(lambda: living.run(run_id).state == "running", "it runs")
        os.kill(alive.pid, signal.SIGSTOP)
        beat = living.home.run_folder(run_id) / "keeper.json"
        heard = beat.stat().st_mtime
        live = [living.run(run_id)]
        heartbeats(living).look(live)
        assert events.notices(living.connection) == []
        os.utime(beat, (heard, time.time() - SILENT_S - 2))
        heartbeats(living).look(live)
        (notice,) = events.notices(living.connection)
        assert f"keeper of run {run_id} has not been heard for 17 s" in notice.text
        assert f"kill -CONT {alive.pid}" in notice.text
        os.kill(alive.pid, signal.SIGCONT)
        await living.until(lambda: beat.stat().st_mtime >= heard, "it is heard again")
        heartbeats(living).look(live)
        assert events.notices(living.connection) == []

    asyncio.run(test())


def test_a_notice_does_not_outlive_its_run(living):
    with living.database.transaction() as tx:
        events.raise_notice(tx, events.Notice("keeper:7", "error", "old", 1))
    heartbeats(living).look(runs.live(living.connection))
    assert events.notices(living.connection) == []


def test_one_run_that_cannot_be_looked_at_keeps_nobody_from_the_others(living, monkeypatch):
    async def test():
        async with living.awake():
            numbers = [await living.talk(f"wait {living.workspace / 'go'}", lane="isolated") for _ in range(2)]
            for number in numbers:
                await living.until(lambda number=number: living.run(number).state == "running", "it runs")
        looked = []

        def fails_once(folder):
            looked.append(int(folder.name))
            if len(looked) == 1:
                raise ValueError("cannot be looked at")

        monkeypatch.setattr("engine.runtime.heartbeats.last_heard_s", fails_once)
        heartbeats(living).look([living.run(number) for number in numbers])
        assert looked == numbers
        assert any("cannot be looked at" in text for text in living.said("trouble"))

    asyncio.run(test())
