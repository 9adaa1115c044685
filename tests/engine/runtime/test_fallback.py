"""A run whose model cannot be reached is done again with the next that was declared, and with no other."""

import asyncio

import msgspec
import pytest

from engine.adapters.registry import ADAPTERS
from engine.contract.launch import AdapterResult
from engine.runtime.elsewhere import goes_elsewhere
from engine.scopes.violations import Changes
from state import fallbacks, runs, sessions, slots

CHAIN = ("claude_code/second", "ollama/third")


def go(coroutine):
    asyncio.run(coroutine)


async def last(house, run_id):
    """The run at the end of the chain, once nothing more is done again."""
    await house.until(lambda: house.live.count == 0, "everybody has been told of its end")
    while (again := fallbacks.successor(house.connection, run_id)) is not None:
        run_id = again
    return await house.ended(run_id)


def test_the_chain_is_gone_along_until_one_can_be_reached(living):
    async def test():
        async with living.awake():
            first = await living.talk("use 5", "unavailable overloaded", model="first", fallback=CHAIN)
            end = await last(living, first)
            assert [run.model for run in reversed(runs.latest(living.connection, 9))] == ["first", "second", "third"]
            assert (end.adapter, end.outcome, end.falls_back_from) == ("ollama", "failed", first + 1)
            one = living.run(first)
            assert (one.outcome, one.used_tokens) == ("failed", 5)
            assert one.why == f"overloaded; goes on as run {first + 1}"
            assert living.said("fell_back")[0] == "claude_code falls back from first to claude_code/second: overloaded"
            assert len(living.said("unavailable")) == 2, "there is nothing after the third"

    go(test())


def test_the_same_adapter_goes_on_in_the_same_conversation_and_another_one_apart(living):
    async def test():
        async with living.awake():
            before = await living.talk("say hello", model="first", task_type="chat")
            await living.ended(before)
            first = await living.talk("unavailable no", model="first", fallback=CHAIN, task_type="chat")
            await last(living, first)
            one, two, three = (living.run(first + n) for n in range(3))
            assert one.generation_id == two.generation_id == living.run(before).generation_id
            assert (two.reused, three.reused) == (1, 0)
            assert three.session_id != one.session_id
            after = living.run(await living.talk("say hello", model="first", task_type="chat"))
            assert (after.generation_id, after.reused) == (one.generation_id, 1)
            assert sessions.get(living.connection, three.session_id).lane == "isolated"
            await living.ended(after.id)

    go(test())


def test_one_that_its_agent_alone_keeps_from_starting_is_done_by_the_next(living):
    async def test():
        ADAPTERS["claude_code"].lacking = ("there is no program", "install it")
        async with living.awake():
            request = {"model": "first", "fallback": ("ollama/x",)}
            with pytest.raises(AssertionError):
                await living.talk("say hello", **request)
            await living.fallback.look()
            end = await last(living, 1)
            assert (living.run(1).outcome, end.id, end.outcome) == ("refused", 2, "succeeded")
            assert living.run(1).why == "agent: there is no program; goes on as run 2"
            with pytest.raises(AssertionError):
                await living.talk("say hello", **request, run_tokens=1)
            await living.fallback.look()
            assert fallbacks.successor(living.connection, 3) is None, "more than its agent was wrong"

    go(test())


def test_what_a_dead_engine_has_not_asked_for_the_next_one_does_once(living):
    async def test():
        async with living.awake():
            living.live._on_end.clear()
            first = await living.talk("unavailable no", model="first", fallback=("ollama/x",))
            await living.ended(first)
        for _ in range(2):
            living.next_engine()
            async with living.awake():
                await living.fallback.look()
                assert (await last(living, first)).id == first + 1
        living.next_engine()
        async with living.awake():
            living.clock.now_ms = lambda: living.run(first).ended_ms + 11 * 60_000
            with living.database.transaction() as tx:
                tx.execute("UPDATE runs SET falls_back_from = NULL")
            await living.fallback.look()
            assert fallbacks.successor(living.connection, first) is None, "that is long ago"

    go(test())


def test_the_slot_of_a_job_follows_to_the_last_run(living):
    async def test():
        waiting = []
        async with living.awake():
            with living.database.transaction() as tx:
                slots.note(tx, slots.Slot("j", 7, "started", None, None, 1))
            living.configure(
                f"""
                [job.j]
                every = "1h"
                agent = "claude_code"
                model = "first"
                fallback = ["ollama/x"]
                workspace = "{living.workspace}"
                task = "unavailable no"
                """
            )
            first = await living.talk(job="j", slot_due_ms=7, trigger="timer", agent=None, task="")
            launch, living.live.launch, living.live.adopt = living.live.launch, waiting.append, lambda: 0
            await living.until(lambda: waiting, "the next one is asked for")
            (slot,) = slots.latest(living.connection, "j", 5)
            assert (slot.run_id, slot.state, slot.reason) == (first + 1, "started", "with ollama/x")
            launch(waiting[0])
            end = await last(living, first)
            (slot,) = slots.latest(living.connection, "j", 5)
            assert (slot.run_id, slot.state) == (end.id, "failed") == (first + 1, "failed")

    go(test())


RESULT = AdapterResult("", False, "down", unavailable=True)
CHANGED, UNCHANGED = Changes(True, changed=2), Changes(True)


@pytest.mark.parametrize(
    ("outcome", "changes", "facts", "elsewhere"),
    [
        ("failed", UNCHANGED, {}, True),
        ("failed", None, {}, True),
        ("timed_out", UNCHANGED, {}, True),
        ("silent", UNCHANGED, {}, True),
        ("failed", CHANGED, {}, False),
        ("failed", Changes(True, changed=2, unattributed_total=2), {}, True),
        ("failed", Changes(False), {"can_write": '["a"]'}, False),
        ("failed", Changes(False), {}, True),
        ("cancelled", UNCHANGED, {}, False),
        ("budget_reached", UNCHANGED, {}, False),
        ("succeeded", UNCHANGED, {}, False),
        ("failed", UNCHANGED, {"stop_reason": "{}"}, False),
        ("failed", UNCHANGED, {"route": None}, False),
    ],
)
def test_a_run_that_was_stopped_or_has_changed_anything_is_not_done_again(living, outcome, changes, facts, elsewhere):
    async def test():
        async with living.awake():
            run = living.run(await living.talk("say no", fallback=("ollama/x",)))
            told = msgspec.structs.replace(run, **facts)
            assert goes_elsewhere(told, outcome, RESULT, changes) == elsewhere
            assert not goes_elsewhere(told, outcome, msgspec.structs.replace(RESULT, unavailable=False), changes)
            await living.ended(run.id)

    go(test())


def test_what_an_engine_asked_for_and_could_not_note_the_next_one_does(living):
    async def test():
        async with living.awake():

            def dies(*words, **named):
                raise asyncio.CancelledError

            living.fallback._note = dies
            first = await living.talk("unavailable no", model="first", fallback=CHAIN[:1])
            again = await living.until(lambda: fallbacks.successor(living.connection, first), "it is asked for")
        living.next_engine()
        living.live.adopt()
        async with living.awake():
            await living.fallback.look()
            assert living.run(first).why == f"no; goes on as run {again}"
            await living.fallback.look()
            living.next_engine()
            await living.fallback.look()
            assert len(living.said("fell_back")) == 1
            await living.ended(again)

    go(test())
