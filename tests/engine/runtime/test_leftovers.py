"""A program is kept only after a turn that has left no process behind; one in doubt works to its end."""

import asyncio

import msgspec
import pytest

from engine.adapters.registry import ADAPTERS
from engine.contract.outcome import EndRecord
from engine.execution.follow import is_alive, read_alive
from state import claims, clients, run_usage


def go(coroutine):
    asyncio.run(coroutine)


def kept(house, client_id):
    return clients.get(house.connection, client_id).ended_ms is None


@pytest.mark.parametrize("turn", [1, 2])
def test_a_turn_that_leaves_a_process_ends_with_its_program(living, turn):
    async def test():
        async with living.awake():
            for number in range(turn - 1):
                await living.ended(await living.talk(f"say {number}", can_write=("notes/",)))
            run_id = await living.talk("use 3", f"bg {living.workspace / 'never'}", "say two", can_write=("notes/",))
            run = await living.ended(run_id)
            end = msgspec.json.decode(run.end_record, type=EndRecord)
            assert (run.outcome, run.used_tokens, end.leaked > 0) == ("succeeded", 3, True)
            assert living.text(run.id).endswith("two")
            client_id = run.client_id or run.id
            assert not is_alive(read_alive(living.home.run_folder(client_id)))
            assert claims.live(living.connection) == []
            again = await living.ended(await living.talk("say three", can_write=("notes/",)))
            assert (again.outcome, again.client_id) == ("succeeded", None)

    go(test())


def test_its_claims_are_held_until_what_it_left_is_gone(living, monkeypatch):
    async def test():
        held = asyncio.Event()
        async with living.awake():
            run_id = await living.talk(f"bg {living.workspace / 'never'}", "say one", can_write=("notes/",))
            ending = await living.until(lambda: living.holding._endings.get(run_id), "its program is there")
            ending.add_done_callback(lambda _: held.set() if claims.live(living.connection) else None)
            await living.ended(run_id)
            assert held.is_set()

    go(test())


def test_what_is_gone_in_a_moment_or_was_there_before_is_left_by_no_turn(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            ADAPTERS["claude_code"].helper = ("sleep", "60")
            first = await living.talk(f"wait {release}", f"bg {living.workspace / 'soon'}", "say one")
            await living.until(lambda: first in living.live._leftovers._own, "it has begun")
            (living.workspace / "soon").touch()
            release.touch()
            assert (await living.ended(first)).outcome == "succeeded"
            assert kept(living, first)
            second = await living.ended(await living.talk("say two"))
            assert second.client_id == first
            assert kept(living, first)

    go(test())


def test_a_turn_in_doubt_works_to_its_end_before_it_is_settled(living):
    """The engine died after it was told, before that was written."""

    async def test():
        release = living.workspace / "go"
        async with living.awake():
            one = await living.ended(await living.talk("say one", can_write=("notes/",)))
            said = living.holding._say

            async def dies(run, request, client):
                await said(run, request, client)
                await asyncio.Event().wait()

            living.holding._say = dies
            run_id = await living.talk("use 7", f"deaf {release}", "say two", can_write=("notes/",))
            log = living.home.run_folder(one.id) / "stdout.log"
            await living.until(lambda: b'"used": 7' in log.read_bytes(), "it works")
        living.next_engine()
        living.holding.adopt()
        living.live.adopt()
        async with living.awake():
            run = await living.until(lambda: (run := living.run(run_id)).started_ms and run, "it is taken up")
            now_ms = living.clock.now_ms()
            assert (run.state, [claim.run_id for claim in claims.live(living.connection)]) == ("running", [run_id])
            assert run_usage.run_at(living.connection, run.generation_id, now_ms) == run_id
            release.touch()
            run = await living.ended(run_id)
            assert (run.outcome, run.used_tokens) == ("succeeded", 7)
            assert living.text(run_id).endswith("two")
            assert not kept(living, one.id)

    go(test())


def test_a_turn_in_doubt_that_was_never_told_is_interrupted(living):
    async def test():
        async with living.awake():
            one = await living.ended(await living.talk("say one"))

            def dies(folder, timeout_s):
                raise asyncio.CancelledError

            from engine.runtime import holding

            starts, holding.start_turn = holding.start_turn, dies
            run_id = await living.talk("say two")
            await living.until(lambda: living.run(run_id).client_id, "it is about to be told")
            holding.start_turn = starts
        living.next_engine()
        living.holding.adopt()
        living.live.adopt()
        async with living.awake():
            run = await living.ended(run_id)
            assert (run.outcome, "was being told" in run.why) == ("interrupted", True)
            await living.until(lambda: not kept(living, one.id), "its program is gone")

    go(test())
