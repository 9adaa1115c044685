"""A program that is kept after its answer takes the next turns of its conversation, each of them a run of its own."""

import asyncio
import os
import signal

import pytest

from engine.execution.follow import is_alive, read_alive
from engine.runtime import ending
from engine.runtime.places import POINTER
from state import clients


def go(coroutine):
    asyncio.run(coroutine)


def pid_of(house, run_id):
    """Of the program that answered, as it says itself."""
    return int(house.text(run_id).split()[0].removeprefix("["))


def keeper_of(house, run_id):
    return read_alive(house.home.run_folder(run_id))


async def answered(house, *lines, **changes):
    return await house.ended(await house.talk(*lines, **changes))


async def gone(house, client_id):
    await house.until(lambda: clients.get(house.connection, client_id).ended_ms is not None, "its program is gone")


def test_the_next_turns_of_a_conversation_take_the_same_program(living):
    async def test():
        async with living.awake():
            one = await answered(living, "use 10", "say one")
            two = await answered(living, "use 20", "use 5", "say two")
            three = await answered(living, "use 3", "say three")
            assert [run.outcome for run in (one, two, three)] == ["succeeded"] * 3
            assert [run.used_tokens for run in (one, two, three)] == [10, 25, 3]
            assert [run.turns for run in (one, two, three)] == [1, 2, 1]
            assert [run.client_id for run in (one, two, three)] == [None, one.id, one.id]
            assert len({pid_of(living, run.id) for run in (one, two, three)}) == 1
            assert living.text(two.id).endswith("]two"), "just its own turn"
            assert (one.session_id, one.generation_id) == (three.session_id, three.generation_id)
            assert three.sandbox == one.sandbox
            folder, offset = (living.home.run_folder(two.id) / POINTER).read_text().split("\n")[:2]
            assert (folder, int(offset) > 0) == (str(living.home.run_folder(one.id)), True)
            assert not (living.home.run_folder(two.id) / "keeper.json").exists()

    go(test())


def test_a_question_in_a_later_turn_is_answered_where_its_program_listens(living):
    async def test():
        async with living.awake():
            await answered(living, "say one", can_write=("notes/",))
            inside = living.workspace / "notes" / "a"
            run = await answered(living, f"ask q1 Write {inside}", can_write=("notes/",))
            assert "(q1 allowed)" in living.text(run.id)
            assert run.client_id is not None

    go(test())


def test_a_turn_that_is_stopped_leaves_its_program_for_the_next(living):
    async def test():
        async with living.awake():
            one = await answered(living, "say one")
            run_id = await living.talk("use 7", f"wait {living.workspace / 'never'}")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.stop(run_id)
            two = await living.ended(run_id)
            assert (two.outcome, two.used_tokens) == ("cancelled", 7)
            three = await answered(living, "say three")
            assert pid_of(living, three.id) == pid_of(living, one.id)

    go(test())


def test_a_program_that_takes_its_time_to_leave_a_turn_is_given_the_grace(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            run_id = await living.talk("use 7", f"slow {release}")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.interrupt(run_id, lambda tx: None)
            living.live._measure(living.run(run_id))
            release.touch()
            assert (await living.ended(run_id)).outcome == "cancelled"
            two = await answered(living, "say two")
            assert two.client_id == run_id

    go(test())


@pytest.mark.parametrize(("asked", "leave_s"), [({}, 2.0), ({"grace_s": 3.0}, 1.5), ({"grace_s": 0.0}, 0.0)])
def test_leaving_a_turn_takes_half_of_the_grace_of_the_run(living, asked, leave_s):
    """When it has not left by then, its keeper still has to end it."""

    async def test():
        living.configure('[limits]\ngrace = "4s"\n')
        async with living.awake():
            run = await answered(living, "say one", **asked)
            assert ending.leave_s(run, living.settings.config) == leave_s

    go(test())


def test_a_turn_that_does_not_heed_the_stop_is_ended_with_its_program(living):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            one = await answered(living, "say one")
            run_id = await living.talk("use 7", f"deaf {living.workspace / 'never'}")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.stop(run_id)
            two = await living.ended(run_id)
            assert (two.outcome, two.used_tokens) == ("cancelled", 7)
            await gone(living, one.id)
            three = await answered(living, "say three")
            assert (three.outcome, three.client_id, three.generation_id) == ("succeeded", None, one.generation_id)

    go(test())


@pytest.mark.parametrize(
    ("line", "outcome"),
    [("die 11", "crashed"), ("exit 3", "failed"), ("fail no idea", "failed")],
)
def test_a_turn_that_fails_takes_its_program_along_and_the_next_has_one_of_its_own(living, line, outcome):
    async def test():
        async with living.awake():
            one = await answered(living, "say one")
            two = await answered(living, "use 4", line)
            assert (two.outcome, two.used_tokens, two.client_id) == (outcome, 4, one.id)
            await gone(living, one.id)
            three = await answered(living, "say three")
            assert (three.outcome, three.client_id, three.reused) == ("succeeded", None, 1)

    go(test())


def test_a_turn_has_a_deadline_of_its_own(living):
    async def test():
        async with living.awake():
            one = await answered(living, "say one")
            two = await answered(living, "use 4", f"deaf {living.workspace / 'never'}", timeout_s=1.5)
            assert (two.outcome, two.used_tokens, two.client_id) == ("timed_out", 4, one.id)
            assert two.ended_ms - two.started_ms > 1_400

    go(test())


def test_a_killed_keeper_interrupts_the_turn_in_flight(living):
    async def test():
        async with living.awake():
            one = await answered(living, "say one")
            run_id = await living.talk("use 7", f"wait {living.workspace / 'never'}")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            os.kill(keeper_of(living, one.id).pid, signal.SIGKILL)
            two = await living.ended(run_id)
            assert (two.outcome, two.used_tokens) == ("interrupted", 7)

    go(test())


CHANGES = [
    {"can_write": ("notes/",)},
    {"permissions": "allow"},
    {"tools": ("Read",)},
    {"sandbox": "off"},
    {"read": "strict"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
def test_one_that_would_be_started_otherwise_is_not_a_turn_of_it(living, changes):
    """The one before has left when another comes: two in one conversation would lose a turn."""

    async def test():
        async with living.awake():
            one = await answered(living, "say one")
            two = await living.talk("say two", **changes)
            await living.ended(two)
            assert clients.get(living.connection, one.id).ended_ms is not None
            two = living.run(two)
            assert (two.outcome, two.client_id, two.generation_id) == ("succeeded", None, one.generation_id)
            assert two.started_ms >= clients.get(living.connection, one.id).ended_ms

    go(test())


def test_a_turn_in_flight_is_taken_up_by_the_next_engine(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            one = await answered(living, "use 2", "say one")
            run_id = await living.talk("use 7", f"wait {release}", "use 1", "say two")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
        living.next_engine()
        living.holding.adopt()
        assert living.live.adopt() == 1
        async with living.awake():
            release.touch()
            two = await living.ended(run_id)
            assert (two.outcome, two.used_tokens, two.client_id) == ("succeeded", 8, one.id)
            three = await answered(living, "use 5", "say three")
            assert (pid_of(living, three.id), three.used_tokens) == (pid_of(living, one.id), 5)

    go(test())


def test_a_turn_that_was_over_while_no_engine_was_there_is_settled_by_the_next(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            run_id = await living.talk("use 7", f"wait {release}", "say one")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
        release.touch()
        log = living.home.run_folder(run_id) / "stdout.log"
        await living.until(lambda: b"turn_over" in log.read_bytes(), "it has answered")
        living.next_engine()
        living.holding.adopt()
        living.live.adopt()
        async with living.awake():
            one = await living.ended(run_id)
            assert (one.outcome, one.used_tokens) == ("succeeded", 7)
            two = await answered(living, "say two")
            assert pid_of(living, two.id) == pid_of(living, one.id)

    go(test())


def test_a_program_that_died_while_nobody_looked_is_forgotten(living):
    async def test():
        async with living.awake():
            one = await answered(living, "say one")
        os.kill(keeper_of(living, one.id).pid, signal.SIGTERM)
        living.next_engine()
        living.holding.adopt()
        async with living.awake():
            await gone(living, one.id)
            two = await answered(living, "say two")
            assert (two.outcome, two.client_id, two.reused) == ("succeeded", None, 1)

    go(test())


def test_no_more_than_four_wait_and_the_oldest_leaves_first(living):
    async def test():
        living.configure(
            "[engine]\nmax_runs = 9\n" + "".join(f'[agent.a{n}]\nadapter = "claude_code"\n' for n in range(5))
        )
        async with living.awake():
            made = [await answered(living, "say hello", agent=f"a{n}") for n in range(5)]
            await gone(living, made[0].id)
            assert [one.id for one in clients.live(living.connection)] == [run.id for run in made[1:]]
            assert all(is_alive(keeper_of(living, run.id)) for run in made[1:])

    go(test())


def test_the_isolated_lane_keeps_nothing(living):
    async def test():
        async with living.awake():
            run = await answered(living, "say one", lane="isolated")
            assert (run.outcome, clients.get(living.connection, run.id)) == ("succeeded", None)

    go(test())
