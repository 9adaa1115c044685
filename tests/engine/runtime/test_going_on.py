"""A live run that needs more than it holds takes what is free, or comes to an end and goes on when there is room."""

import asyncio

import msgspec
import pytest

from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.outcome import EndRecord
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.conversation import next_generation
from engine.runtime.meter import keep_within
from engine.runtime.questions import read_question
from engine.runtime.settling import settle
from state import approvals, receipts, runs


def asking(tokens=100, action="ask", window="day"):
    return f'[budget.b]\nwindow = "{window}"\ntokens = {tokens}\naction = "{action}"\n'


def overspend(house, run_id, tokens):
    """A live run that tells of so many tokens; whether it may go on."""
    with house.database.transaction() as tx:
        runs.mark_started(tx, run_id, house.clock.now_ms())
    run = runs.get(house.connection, run_id)
    used = {"tokens": tokens, "microusd": 0}
    return keep_within(house.database, run, used, house.settings.config, house.clock.now_ms())


async def end(house, run_id, outcome="cancelled", tokens=0):
    """Settle it as its keeper and adapter would have it."""
    run = runs.get(house.connection, run_id)
    record = EndRecord(outcome, None, 15, house.clock.now_ms(), house.clock.now_ms(), 1.0)
    told = AdapterResult("half done", ok=False, usage=RunUsage(tokens, 0, cost_microusd=0))
    lines = lines_of_run(house.connection, run, house.settings.config)
    with house.database.transaction() as tx:
        settle(tx, run, record, told, None, lines, house.clock.now_ms())
    await house.room._ended(runs.get(house.connection, run_id))


def test_a_live_run_takes_more_while_there_is_room(house):
    async def go():
        house.configure(asking(1_000, "refuse"))
        admitted = await house.ask()
        held = house.held()
        assert overspend(house, admitted.run_id, held)
        assert house.held() == held
        assert overspend(house, admitted.run_id, held + 50)
        assert held + 50 <= house.held() <= 1_000

    asyncio.run(go())


@pytest.mark.parametrize("action", ["refuse", "pause", "ask"])
def test_a_run_that_meets_its_budget_ends_and_goes_on_when_that_is_raised(house, action):
    async def go():
        house.configure(asking(1_000, action))
        admitted = await house.ask()
        assert not overspend(house, admitted.run_id, 1_001)
        await end(house, admitted.run_id, tokens=1_001)
        run = runs.get(house.connection, admitted.run_id)
        assert (run.outcome, run.used_tokens) == ("budget_reached", 1_001)
        again = runs.resumption(house.connection, run.id)
        assert (again.state, again.waits_for) == ("waiting", "approval" if action == "ask" else "budget")
        await house.later()
        assert house.started == [admitted.run_id]
        house.configure(asking(5_000, action))
        await house.room.look()
        assert house.started == [admitted.run_id, again.id]
        again = runs.get(house.connection, again.id)
        assert (again.generation_id, again.reused, again.reuse_reason) == (run.generation_id, 1, "goes_on")

    asyncio.run(go())


def test_a_run_that_was_stopped_does_not_start_again_on_what_little_is_left(house):
    """The rest of the budget would do for its estimate: it would be started and stopped over and over."""

    async def go():
        house.configure(asking(1_000, "pause"))
        admitted = await house.ask()
        assert not overspend(house, admitted.run_id, 1_001)
        await end(house, admitted.run_id, tokens=1)
        again = runs.resumption(house.connection, admitted.run_id)
        assert "not raised since" in again.why
        await house.later()
        assert house.started == [admitted.run_id]

    asyncio.run(go())


def test_a_warning_budget_stops_nobody(house):
    async def go():
        house.configure(asking(10, "warn"))
        admitted = await house.ask()
        assert "b is over its limit" in next(c for c in admitted.verdict.checks if c.name == "budget").warning
        assert overspend(house, admitted.run_id, 1_000_000)

    asyncio.run(go())


def test_each_run_has_a_budget_of_its_own_in_the_window_run(house):
    async def go():
        house.configure(asking(1_000, "refuse", "run"))
        first, second = await house.ask("one"), await house.ask("two")
        assert None not in (first.launch, second.launch)
        assert not overspend(house, first.run_id, 1_001)
        assert overspend(house, second.run_id, 900)

    asyncio.run(go())


def test_what_a_live_run_told_takes_room_before_it_is_settled(house):
    async def go():
        house.configure(asking(1_000, "refuse"))
        admitted = await house.ask()
        assert not overspend(house, admitted.run_id, 5_000)
        assert (await house.ask("another")).launch is None

    asyncio.run(go())


def test_a_stopped_run_fits_an_empty_window_whatever_it_used(house):
    async def go():
        house.configure(asking(1_000, "pause", "hour"))
        admitted = await house.ask()
        assert not overspend(house, admitted.run_id, 1_200)
        await end(house, admitted.run_id, tokens=1_200)
        await house.later(3_600_000)
        again = runs.resumption(house.connection, admitted.run_id)
        assert house.started == [admitted.run_id, again.id]

    asyncio.run(go())


def test_going_on_is_no_further_child(house):
    async def go():
        house.configure(asking(1_000, "pause") + "[limits]\nchildren = 1\n")
        parent = await house.ask("parent", task_type="chat")
        child = await house.ask("child", parent_run_id=parent.run_id)
        assert child.launch is not None
        assert not overspend(house, child.run_id, 2_000)
        await end(house, child.run_id, tokens=2_000)
        again = runs.resumption(house.connection, child.run_id)
        assert (again.state, again.depth) == ("waiting", 1)
        assert runs.children(house.connection, parent.run_id) == 1

    asyncio.run(go())


COMMAND = """
[agent.maker]
adapter = "command"
argv = ["true"]
argv_resume = ["true", "{session}"]
[task_type.subagent]
injected_tokens = 5000
"""


def kinds_sent(house, run_id):
    parts = msgspec.json.decode(receipts.of_run(house.connection, run_id).parts)
    return [(part["kind"], part["source"]) for part in parts if part["sent"]]


@pytest.mark.parametrize("change", ["", "reset", "job"])
def test_it_is_told_only_to_go_on_where_its_conversation_holds_the_rest(house, change):
    async def go():
        job = f'[job.j]\nevery = "1h"\nagent = "maker"\ntask = "t"\nworkspace = "{house.workspace}"\n'
        house.configure(asking(1_000, "pause") + COMMAND + (job if change == "job" else ""))
        asked = {"job": "j"} if change == "job" else {"agent": "maker"}
        admitted = await house.ask(**asked)
        assert not overspend(house, admitted.run_id, 1_200)
        await end(house, admitted.run_id, tokens=1_200)
        run = runs.get(house.connection, admitted.run_id)
        if change == "reset":
            with house.database.transaction() as tx:
                next_generation(tx, house.home, run.session_id, "operator_reset", None, house.clock.now_ms())
        house.configure(asking(9_000, "pause") + COMMAND + (job if change == "job" else ""))
        await house.room.look()
        again = runs.get(house.connection, runs.resumption(house.connection, run.id).id)
        assert again.state == "reserved"
        if change == "reset":
            assert (again.reused, again.reuse_reason) == (0, "moved_on")
            assert kinds_sent(house, again.id) == [("file", "a.md"), ("task", "task")]
        else:
            assert (again.reused, again.reuse_reason) == (1, "goes_on")
            assert kinds_sent(house, again.id) == [("task", "go on")]

    asyncio.run(go())


def test_one_approval_lets_a_stopped_run_go_on(house):
    async def go():
        house.configure(asking(900))
        admitted = await house.ask()
        assert not overspend(house, admitted.run_id, 960)
        await end(house, admitted.run_id, tokens=960)
        again = runs.resumption(house.connection, admitted.run_id)
        house.decide(True)
        await house.room.look(first=again.id)
        assert house.started == [admitted.run_id, again.id]

    asyncio.run(go())


def test_what_is_asked_names_the_program_that_will_run(house):
    async def go():
        house.configure(asking(900) + COMMAND)
        admitted = await house.ask(agent="maker")
        assert not overspend(house, admitted.run_id, 960)
        await end(house, admitted.run_id, tokens=960)
        again = runs.resumption(house.connection, admitted.run_id)
        asked = read_question(approvals.of_run(house.connection, again.id).what)
        assert (asked.argv, asked.resumes_run_id) == (("true", "{session}"), admitted.run_id)

    asyncio.run(go())
