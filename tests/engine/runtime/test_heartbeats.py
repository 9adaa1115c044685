"""A keeper that is stopped is said, and said to be over when it is heard again."""

import asyncio
import os
import signal
import time

from engine.execution.follow import read_alive
from engine.runtime.heartbeats import SILENT_S, Heartbeats
from state import events, runs


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
        Heartbeats(living.home, living.database, living.clock).look(live)
        assert events.notices(living.connection) == []
        os.utime(beat, (heard, time.time() - SILENT_S - 2))
        Heartbeats(living.home, living.database, living.clock).look(live)
        (notice,) = events.notices(living.connection)
        assert f"keeper of run {run_id} has not been heard for 17 s" in notice.text
        assert f"kill -CONT {alive.pid}" in notice.text
        os.kill(alive.pid, signal.SIGCONT)
        await living.until(lambda: beat.stat().st_mtime >= heard, "it is heard again")
        Heartbeats(living.home, living.database, living.clock).look(live)
        assert events.notices(living.connection) == []

    asyncio.run(test())


def test_a_notice_does_not_outlive_its_run(living):
    with living.database.transaction() as tx:
        events.raise_notice(tx, events.Notice("keeper:7", "error", "old", 1))
    Heartbeats(living.home, living.database, living.clock).look(runs.live(living.connection))
    assert events.notices(living.connection) == []
