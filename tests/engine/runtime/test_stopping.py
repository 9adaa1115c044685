"""A run is ended at the operator's word whatever it is doing, as long as it is live."""

import asyncio
import os
import signal
import threading

import pytest

from engine.execution.follow import read_alive
from engine.runtime import live_runs
from state import claims
from state.errors import Refused


def go(coroutine):
    asyncio.run(coroutine)


@pytest.fixture
def slow_start(monkeypatch):
    """Holds every start back, before or after it, until it is told to go on."""
    begin, at, release = live_runs.start, threading.Event(), threading.Event()

    def hold(when):
        def start(*words):
            if when == "after":
                word = begin(*words)
            at.set()
            assert release.wait(20)
            return word if when == "after" else begin(*words)

        monkeypatch.setattr(live_runs, "start", start)
        return at, release

    yield hold
    release.set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_is_being_started_can_be_stopped(living, slow_start, when):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        at, release = slow_start(when)
        living.live.meter = asyncio.Event().wait
        async with living.awake():
            run_id = await living.talk(f"wait {living.workspace / 'never'}", can_write=("notes/",))
            await living.until(at.is_set, "it is being started")
            answered = []
            await living.live.stop(run_id, lambda tx: answered.append(run_id))
            assert answered == [run_id], "the order is answered at once"
            release.set()
            assert (await living.ended(run_id)).outcome == "cancelled"
            assert claims.live(living.connection) == []

    go(test())


def test_a_run_that_is_stopped_while_its_secret_is_looked_up_never_starts(living):
    """However long the command takes that is asked for it."""

    async def test():
        asked, answer = living.workspace.parent / "asked", living.workspace.parent / "answer"
        command = f"touch {asked}; until [ -e {answer} ]; do sleep 0.02; done; echo a-long-value"
        living.configure(f'[agent.claude_code]\nadapter = "claude_code"\nsecrets = {{ONE = "cmd:{command}"}}\n')
        async with living.awake():
            run_id = await living.talk(f"wait {living.workspace / 'never'}", can_write=("notes/",))
            await living.until(asked.exists, "its secret is looked up")
            await living.live.stop(run_id)
            assert living.run(run_id).live, "whoever starts it sees to it"
            answer.touch()
            run = await living.ended(run_id)
            assert (run.outcome, run.why) == ("cancelled", "stopped by the operator before it was started")
            assert run.started_ms is None
            assert not living.home.run_folder(run_id).exists()
            assert claims.live(living.connection) == []

    go(test())


def test_a_run_that_is_stopped_before_it_is_started_never_is_and_costs_nothing(living, monkeypatch):
    async def test():
        started = []
        monkeypatch.setattr(live_runs, "start", lambda *words: started.append(words))
        async with living.awake():
            run_id = await living.talk("use 9")
            await living.live.stop(run_id)
            run = await living.ended(run_id)
            assert (run.outcome, run.why) == ("cancelled", "stopped by the operator before it was started")
            assert (started, run.used_tokens, run.started_ms) == ([], 0, None)
            found = living.connection.execute("SELECT count(*) FROM usage WHERE run_id = ?", (run_id,)).fetchone()
            assert found[0] == 0

    go(test())


def test_a_turn_that_is_stopped_before_it_is_told_never_is(living):
    async def test():
        async with living.awake():
            one = await living.ended(await living.talk("say one"))
            run_id = await living.talk("say two")
            await living.live.stop(run_id)
            assert (await living.ended(run_id)).outcome == "cancelled"
            assert "two" not in (living.home.run_folder(one.id) / "stdout.log").read_text()
            assert (await living.ended(await living.talk("say three"))).client_id == one.id

    go(test())


def test_a_stop_outlives_the_engine_that_was_starting_the_run(living):
    async def test():
        living.live.launch = lambda admitted: None
        run_id = await living.talk("say one")
        await living.live.stop(run_id)
        living.next_engine()
        living.live.adopt()
        async with living.awake():
            assert (await living.ended(run_id)).outcome == "cancelled"

    go(test())


def test_a_run_that_has_ended_is_not_stopped(living):
    async def test():
        async with living.awake():
            run = await living.ended(await living.talk("say one"))
            with pytest.raises(Refused, match="has ended already"):
                await living.live.stop(run.id)

    go(test())


@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"x", 0, 1, "damaged"), KeyError("name")])
def test_whatever_keeps_a_run_from_being_started_is_why_it_was_not(living, monkeypatch, error):
    def fails(*words):
        raise error

    async def test():
        monkeypatch.setattr(live_runs, "start", fails)
        async with living.awake():
            run = await living.ended(await living.talk("say one"))
            assert (run.outcome, run.why) == ("could_not_start", f"{type(error).__name__}: {error}")

    go(test())


@pytest.mark.parametrize("content", [b"", b"{"])
def test_a_run_whose_keeper_record_is_damaged_is_measured_and_stopped(living, content):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            never = living.workspace / "never"
            capped = await living.talk(f"slow {never}", "use 7", stop_tokens=5, lane="isolated")
            stopped = await living.talk(f"wait {never}", agent="codex", can_write=("notes/",))
            for number in (capped, stopped):
                folder = living.home.run_folder(number)
                await living.until(
                    lambda folder=folder: (alive := read_alive(folder)) and alive.child_pid, "its keeper is there"
                )
                await living.until(lambda number=number: living.run(number).state == "running", "it runs")
                (folder / "keeper.json").write_bytes(content)
            with living.database.transaction() as tx:
                tx.execute("UPDATE runs SET used_tokens = 9 WHERE id = ?", (capped,))
            await living.live.stop(stopped)
            assert (await living.ended(stopped)).outcome == "cancelled"
            assert (await living.ended(capped)).outcome in ("budget_reached", "cancelled")
            assert claims.live(living.connection) == []

    go(test())


def test_a_run_is_settled_though_its_dead_keeper_left_an_empty_record(living):
    """As a loss of power may leave it."""

    async def test():
        async with living.awake():
            run_id = await living.talk(f"wait {living.workspace / 'never'}", can_write=("notes/",))
            folder = living.home.run_folder(run_id)
            alive = await living.until(lambda: read_alive(folder), "its keeper is there")
            await living.until(lambda: living.run(run_id).state == "running", "it runs")
        os.kill(alive.pid, signal.SIGKILL)
        (folder / "keeper.json").write_bytes(b"")
        living.next_engine()
        living.live.adopt()
        async with living.awake():
            run = await living.ended(run_id)
            assert run.outcome == "interrupted"
            assert claims.live(living.connection) == []

    go(test())


def test_one_run_that_cannot_be_measured_keeps_nobody_from_the_others(living, monkeypatch):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        within = live_runs.keep_within

        def fails(database, run, *words):
            if run.id == 1:
                raise ValueError("cannot be measured")
            return within(database, run, *words)

        monkeypatch.setattr(live_runs, "keep_within", fails)
        async with living.awake():
            task = f"wait {living.workspace / 'never'}"
            first, second = [await living.talk(task, agent="codex", lane="isolated") for _ in range(2)]
            await living.until(lambda: living.said("trouble"), "it is said")
            assert "cannot be measured" in living.said("trouble")[0]
            await living.live.stop(second)
            assert (await living.ended(second)).outcome == "cancelled"
            assert living.run(first).live

    go(test())
