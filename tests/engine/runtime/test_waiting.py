"""Runs that wait hold nothing, start when they may, and are never started twice."""

import asyncio

import msgspec
import pytest

from engine.contract.orders import Decide, RunRequest
from engine.runtime.budget_lines import lines_of_run
from engine.runtime.questions import read_question
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
        house.configure(asking(action="pause", window="hour") + '[waiting]\nroom = "1h"\n')
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


def test_what_waits_for_a_budget_is_kept_until_its_window_turns(house):
    async def go():
        house.configure(asking(500, "pause", "week") + '[waiting]\nroom = "1h"\n')
        first, second = await house.ask("one"), await house.ask("two")
        for _ in range(7):
            await house.later(86_400_000)
        assert house.started == [first.run_id, second.run_id]

    asyncio.run(go())


def test_what_was_granted_is_for_the_run_that_was_asked_about(house):
    async def go():
        house.configure(asking(500))
        await house.ask("fits")
        first, second = await house.ask("one"), await house.ask("two")
        asked = approvals.of_run(house.connection, second.run_id)
        with house.database.transaction() as tx:
            house.room.decide(tx, Decide(asked.id, True, asked.sha256), house.clock.now_ms())
        await house.room.look(first=second.run_id)
        assert house.started[1:] == [second.run_id]
        assert runs.get(house.connection, first.run_id).state == "waiting"

    asyncio.run(go())


def test_a_run_that_waits_goes_on_waiting_when_a_place_is_missing_too(house):
    async def go():
        house.configure(asking() + "[engine]\nmax_runs = 1\n")
        waits = await house.ask("asked about")
        house.configure(asking(100_000) + "[engine]\nmax_runs = 1\n")
        await house.ask("takes the place")
        await house.room.look()
        run = runs.get(house.connection, waits.run_id)
        assert (run.state, run.waits_for) == ("waiting", "slot")

    asyncio.run(go())


def test_what_has_changed_since_it_was_approved_is_asked_anew(house):
    template = '[template.t]\nagent = "digest"\ntask = "{}"\ninject = ["a.md"]\n'

    async def go():
        house.configure(asking() + template.format("tidy the docs"))
        request = RunRequest(workspace=str(house.workspace), template="t", trigger="spawn")
        admitted = await house.gate.ask(request)
        house.configure(asking() + template.format("drop it all"))
        house.decide(True)
        await house.room.look()
        run = runs.get(house.connection, admitted.run_id)
        assert (run.state, run.waits_for, house.started) == ("waiting", "approval", [])
        assert "has changed since" in run.why
        assert read_question(approvals.pending(house.connection)[0].what).task == "drop it all"
        house.decide(True)
        house.room.look_again()
        await house.room.look()
        assert house.started == [admitted.run_id]

    asyncio.run(go())


def test_a_grant_of_five_hours_holds_though_the_block_begins_with_the_run(house):
    async def go():
        house.configure(asking(window="5h"))
        admitted = await house.ask()
        house.clock.at_ms += 3_600_000
        house.decide(True)
        await house.room.look()
        assert house.started == [admitted.run_id]

    asyncio.run(go())


def test_a_question_that_would_not_do_any_more_is_put_anew(house):
    """What was free when it was asked has been taken since."""

    async def go():
        house.configure(asking(600))
        asked = await house.ask("first")
        waits = await house.ask("second")
        first = approvals.of_run(house.connection, waits.run_id)
        assert asked.launch is not None
        more = {"tokens": 600 - house.held()}
        with house.database.transaction() as tx:
            lines = lines_of_run(tx, runs.get(tx, asked.run_id), house.settings.config)
            assert ledger.extend(tx, asked.run_id, lines, more, house.clock.now_ms()) == []
        with house.database.transaction() as tx, pytest.raises(Refused, match="lacks more of budget b by now"):
            house.room.decide(tx, Decide(first.id, True, first.sha256), house.clock.now_ms())
        await house.later()
        second = approvals.of_run(house.connection, waits.run_id)
        assert (second.id > first.id, second.state) == (True, "open")
        assert read_question(second.what).raises[0].taken == 600

    asyncio.run(go())


def test_isolated_work_of_no_job_gets_a_session_of_its_own(house):
    async def go():
        house.configure("")
        spawned = await house.ask("spawned")
        request = RunRequest(workspace=str(house.workspace), task_type="heartbeat", inject=("a.md",))
        run = await house.gate.ask(request)
        assert run.launch is not None
        assert run.session_id != spawned.session_id

    asyncio.run(go())


def test_a_child_that_wants_what_its_parent_holds_is_told_so(house):
    async def go():
        house.configure("")
        parent = await house.ask("parent", can_write=("notes/**",))
        child = await house.ask("child", can_write=("notes/a.md",), parent_run_id=parent.run_id, wait=True)
        failed = child.verdict.failed[0]
        assert (child.waits_for, failed.name) == (None, "conflict")
        assert "by which it is asked for" in failed.why
        assert f"narrow the scope of run {parent.run_id}" in failed.fix

    asyncio.run(go())


def test_the_workspace_of_a_job_is_nearer_than_that_of_its_agent(house, tmp_path):
    async def go():
        other = tmp_path / "other"
        other.mkdir()
        (other / "a.md").write_text("# a\n")
        agent = f'[agent.reader]\nadapter = "digest"\nworkspace = "{house.workspace}"\ninject = ["a.md"]\n'
        house.configure(agent + f'[job.j]\nevery = "1h"\nagent = "reader"\nworkspace = "{other}"\n')
        admitted = await house.gate.ask(RunRequest(workspace="~", job="j", trigger="timer"))
        assert runs.get(house.connection, admitted.run_id).workspace == str(other)

    asyncio.run(go())


def test_what_waits_for_a_job_that_is_removed_is_withdrawn_and_does_not_become_another_run(house):
    """Without its job its agent, its task and its scope would be those that ship."""

    async def go():
        agent = f'[agent.reader]\nadapter = "digest"\nworkspace = "{house.workspace}"\ninject = ["a.md"]\n'
        house.configure(asking() + agent + '[job.j]\nevery = "1h"\nagent = "reader"\ntask = "mine"\n')
        admitted = await house.gate.ask(RunRequest(workspace="~", job="j", trigger="timer"))
        assert admitted.waits_for == "approval"
        house.configure(asking(1_000_000) + agent)
        await house.later()
        run = runs.get(house.connection, admitted.run_id)
        assert (run.state, run.why) == ("refused", "its job j has been removed")
        assert (run.agent, run.task, house.started) == ("reader", "mine", [])
        assert approvals.pending(house.connection) == []

    asyncio.run(go())
