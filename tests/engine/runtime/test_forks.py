"""A fork begins as a copy of a conversation, and leaves that one as it is."""

import asyncio

import pytest

from engine.adapters.registry import ADAPTERS
from engine.contract.orders import RunRequest
from state import runs, sessions, usage
from state.errors import NotFound, Refused
from tests.engine.runtime.talker import Talker


def go(coroutine):
    asyncio.run(coroutine)


async def ask(house, **changes):
    values = {"agent": "claude_code", "task": "t", "trigger": "operator", "task_type": "chat"} | changes
    return await house.gate.ask(RunRequest(workspace=str(house.workspace), **values))


def generation_of(house, admitted):
    return sessions.generation(house.connection, runs.get(house.connection, admitted.run_id).generation_id)


def test_a_fork_is_a_session_of_its_own_that_is_told_where_it_comes_from(living):
    async def test():
        async with living.awake():
            first = await living.talk("say one", task_type="chat")
            await living.ended(first)
        parent = sessions.generation(living.connection, living.run(first).generation_id)
        forked = await ask(living, session_id=living.run(first).session_id, fork=True)
        own = generation_of(living, forked)
        assert forked.session_id != living.run(first).session_id
        assert (own.forked_from, own.provider_id == parent.provider_id) == (parent.provider_id, False)
        assert (forked.launch.fork_of, forked.launch.resume) == (parent.provider_id, False)
        assert forked.launch.provider_id == own.provider_id
        assert sessions.get(living.connection, living.run(first).session_id).generation_id == parent.id

    go(test())


def test_what_the_conversation_has_used_is_told_to_who_goes_on_with_it(living):
    async def test():
        async with living.awake():
            first = await living.talk("use 70", task_type="chat")
            await living.ended(first)
            assert (await ask(living)).launch.before.input_tokens == 70
            forked = await ask(living, session_id=living.run(first).session_id, fork=True)
            assert forked.launch.before.input_tokens == 70
            assert (await ask(living, lane="isolated")).launch.before is None

    go(test())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"session_id": None}, "none is named"),
        ({"agent": "digest", "inject": ("a.md",)}, "digest cannot fork"),
        ({"agent": "codex"}, "session 1 is of claude_code, which codex cannot continue"),
    ],
)
def test_what_cannot_be_forked_is_refused_in_clear_words(living, changes, why):
    async def test():
        async with living.awake():
            await living.ended(await living.talk("say one", task_type="chat"))
        with pytest.raises(Refused, match=why):
            await ask(living, **{"session_id": 1, "fork": True} | changes)
        with pytest.raises(NotFound):
            await ask(living, session_id=99, fork=True)

    go(test())


def observed(house, source):
    with house.database.transaction() as tx:
        generation_id = sessions.observe(
            tx,
            source=source,
            provider_home="/h",
            provider_id="seen",
            last_active_ms=1,
            started_ms=1,
            workspace=str(house.workspace),
            title=None,
            model=None,
        )
        return sessions.generation(tx, generation_id).session_id


def test_an_observed_conversation_is_forked_by_the_adapter_whose_log_it_is(living, monkeypatch):
    async def test():
        monkeypatch.setattr(ADAPTERS["codex"], "source", "codex", raising=False)
        mine, other = observed(living, "codex"), observed(living, "gemini")
        assert (await ask(living, agent="codex", session_id=mine, fork=True)).launch.fork_of == "seen"
        with pytest.raises(Refused, match="is of gemini"):
            await ask(living, agent="codex", session_id=other, fork=True)

    go(test())


def test_a_conversation_goes_on_whatever_its_log_calls_the_model(living):
    """`haiku` was asked for, and the client's log says what it made of that."""

    async def test():
        async with living.awake():
            first = await living.talk("say one", task_type="chat", model="haiku")
            await living.ended(first)
        with living.database.transaction() as tx:
            generation = sessions.generation(tx, living.run(first).generation_id)
            sessions.observe(
                tx,
                source="claude_code",
                provider_home="/h",
                provider_id=generation.provider_id,
                last_active_ms=1,
                started_ms=1,
                workspace=None,
                title=None,
                model="claude-haiku-5-5",
            )
        assert (await ask(living, model="haiku")).launch.resume

    go(test())


@pytest.mark.parametrize(("age_ms", "warned"), [(4_000, True), (10_000, True), (10_001, False)])
def test_who_else_writes_to_a_conversation_is_warned_about(house, monkeypatch, age_ms, warned):
    async def test():
        monkeypatch.setitem(ADAPTERS, "claude_code", Talker("claude_code"))
        first = await ask(house)
        run = runs.get(house.connection, first.run_id)
        with house.database.transaction() as tx:
            runs.update(tx, run.id, {"state": "settled", "outcome": "succeeded", "started_ms": 1, "ended_ms": 2})
            at_ms = house.clock.now_ms() - age_ms
            row = usage.UsageRow(1, "k", run.generation_id, None, at_ms, None, 1, 0, 0, None, None, 1, None, 0, 0)
            usage.book(tx, [row._replace(log_id=1)])
        check = next(one for one in (await ask(house)).verdict.checks if one.name == "concurrency")
        said = f"session {run.session_id} was written to {age_ms // 1000} s ago by another program"
        assert check.warning == (said if warned else "")

    go(test())
