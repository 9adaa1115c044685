"""Runs that wait hold nothing, start when they may, and are never started twice."""

import asyncio

import msgspec
import pytest

from engine.contract.launch import AdapterResult, RunUsage
from engine.contract.orders import Decide, RunRequest
from engine.contract.outcome import EndRecord
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.meter import keep_within
from engine.runtime.questions import read_question
from engine.runtime.settling import settle
from state import approvals, claims, ledger, runs
from state.errors import Refused


def asking(tokens=100, action="ask", window="day"):
    return f'[budget.b]\nwindow = "{window}"\ntokens = {tokens}\naction = "{action}"\n'


def test_what_is_asked_holds_nothing_and_starts_when_it_is_approved(house):
    async def go():
        house.configure(asking())
        admitted = await house.ask(can_write=("out.md",))
        assert (admitted.launch, admitted.waits_for) == (None, "approval")
        assert (house.held(), claims.live(house.connection)) == (0, [])
        question = read_question(approvals.pending(house.connection)[0].what)
        raised = question.raises[0]
        assert (raised.budget, raised.limit, raised.taken, raised.amount) == ("b", 100, 0, raised.need - 100)
        await house.later()
        assert house.started == []
        assert len(approvals.pending(house.connection)) == 1
        house.decide(True)
        await house.room.look()
        assert house.started == [admitted.run_id]
        assert house.held() == raised.need
        assert [claim.run_id for claim in claims.live(house.connection)] == [admitted.run_id]

    asyncio.run(go())


def test_what_is_denied_is_refused_and_is_not_asked_again(house):
    async def go():
        house.configure(asking())
        admitted = await house.ask()
        house.decide(False)
        await house.later()
        run = runs.get(house.connection, admitted.run_id)
        assert (run.state, run.why, run.waits_for) == ("refused", "denied by the operator", None)
        assert (house.started, approvals.pending(house.connection)) == ([], [])

    asyncio.run(go())


def test_a_question_that_nobody_answers_expires(house):
    async def go():
        house.configure(asking() + '[waiting]\napproval = "2m"\n')
        admitted = await house.ask()
        asked = approvals.pending(house.connection)[0]
        await house.later(120_000)
        assert approvals.get(house.connection, asked.id).state == "expired"
        assert runs.get(house.connection, admitted.run_id).why == "nobody answered in time"
        with house.database.transaction() as tx, pytest.raises(Refused, match="expired"):
            house.room.decide(tx, Decide(asked.id, True, asked.sha256), house.clock.now_ms())

    asyncio.run(go())


def test_an_answer_to_another_question_is_no_answer(house):
    async def go():
        house.configure(asking())
        await house.ask()
        with pytest.raises(Refused, match="not the one that was shown"):
            house.decide(True, sha256="0" * 64)
        assert len(approvals.pending(house.connection)) == 1

    asyncio.run(go())


def test_an_approved_grant_is_for_that_window_only(house):
    async def go():
        house.configure(asking(window="hour"))
        first = await house.ask()
        house.decide(True)
        await house.room.look()
        assert house.started == [first.run_id]
        house.clock.at_ms += 3_600_000
        second = await house.ask("again")
        assert second.waits_for == "approval"

    asyncio.run(go())


def test_pause_waits_for_room_and_goes_on_when_the_budget_is_raised(house):
    async def go():
        house.configure(asking(action="pause"))
        admitted = await house.ask()
        assert admitted.waits_for == "budget"
        await house.later()
        assert house.started == []
        house.configure(asking(100_000, "pause"))
        await house.room.look()
        assert house.started == [admitted.run_id]
        assert runs.get(house.connection, admitted.run_id).state == "reserved"

    asyncio.run(go())


def test_pause_goes_on_in_the_next_window(house):
    async def go():
        house.configure(asking(500, "pause", "hour"))
        first, second = await house.ask("one"), await house.ask("two")
        assert (first.waits_for, second.waits_for) == (None, "budget")
        await house.later(3_600_000)
        assert house.started == [first.run_id, second.run_id]

    asyncio.run(go())


def test_room_that_never_comes_is_given_up(house):
    async def go():
        house.configure(asking(action="pause") + '[waiting]\nroom = "1h"\n')
        admitted = await house.ask()
        await house.later(3_599_000)
        assert runs.get(house.connection, admitted.run_id).state == "waiting"
        await house.later(16_000)
        assert runs.get(house.connection, admitted.run_id).why == "it waited too long"

    asyncio.run(go())


def test_a_claim_is_waited_for_by_those_who_say_so(house):
    async def go():
        house.configure("")
        first = await house.ask(can_write=("notes/**",))
        assert (await house.ask("no", can_write=("notes/a.md",))).waits_for is None
        second = await house.ask("yes", can_write=("notes/a.md",), wait=True)
        assert second.waits_for == "claim"
        await house.later()
        assert house.started == [first.run_id]
        with house.database.transaction() as tx:
            claims.release(tx, first.run_id, house.clock.now_ms())
        await house.later()
        assert house.started == [first.run_id, second.run_id]

    asyncio.run(go())


def test_looking_twice_at_once_starts_nothing_twice(house):
    async def go():
        house.configure(asking(action="pause"))
        admitted = await house.ask()
        house.configure(asking(100_000, "pause"))
        request = msgspec.json.decode(runs.get(house.connection, admitted.run_id).request, type=RunRequest)
        both = await asyncio.gather(*(house.gate.ask(request, run_id=admitted.run_id) for _ in range(3)))
        assert sum(one.launch is not None for one in both) == 1
        assert house.connection.execute("SELECT count(*) FROM reservations").fetchone()[0] == 1
        assert ledger.replay(house.connection) == []

    asyncio.run(go())


def test_what_the_operator_withdraws_is_gone(house):
    async def go():
        house.configure(asking())
        admitted = await house.ask()
        house.room.cancel(runs.get(house.connection, admitted.run_id))
        await house.later()
        assert runs.get(house.connection, admitted.run_id).state == "refused"
        assert approvals.pending(house.connection) == []

    asyncio.run(go())


def test_what_waits_for_room_keeps_the_engine_and_what_waits_for_the_operator_does_not(house):
    async def go():
        house.configure(asking())
        await house.ask()
        assert not house.room.needs_engine
        house.configure(asking(action="pause"))
        await house.later()
        assert house.room.needs_engine

    asyncio.run(go())


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
