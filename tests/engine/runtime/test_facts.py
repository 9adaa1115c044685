"""What a verdict depends on, as it stands in real books: who is live in a conversation, and what that holds."""

import asyncio

import pytest

from engine.contract.orders import RunRequest
from state import runs, sessions

SERVER = "http://127.0.0.1:9"
CONFIG = f"""
[agent.plain]
adapter = "command"
argv = ["true"]
[agent.talks]
adapter = "command"
argv = ["true"]
argv_resume = ["true"]
[agent.model]
adapter = "anthropic"
base_url = "{SERVER}"
model = "m"
instructions = "AGENTS.md"
"""


def go(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture
def room(house):
    (house.workspace / "AGENTS.md").write_text("Be good. " * 100)
    house.configure(CONFIG)
    return house


async def ask(room, agent, **changes):
    values = {"agent": agent, "task": "t", "trigger": "operator", "task_type": "chat"} | changes
    return await room.gate.ask(RunRequest(workspace=str(room.workspace), **values))


@pytest.mark.parametrize(("agent", "refused"), [("plain", []), ("talks", ["concurrency"])])
def test_only_what_resumes_a_conversation_is_alone_in_it(room, agent, refused):
    first, second = go(ask(room, agent)), go(ask(room, agent))
    assert first.verdict.ok
    assert first.session_id == second.session_id
    assert [check.name for check in second.verdict.failed] == refused


def test_a_command_of_its_own_resumes_nothing(room):
    assert go(ask(room, "talks")).verdict.ok
    assert go(ask(room, "talks", argv=("true",))).verdict.ok


@pytest.mark.parametrize(
    ("more", "said", "basis"),
    [
        ("", {}, "none"),
        ("", {"agent": "digest", "inject": ("a.md",)}, "declared"),
        ("", {"model": "m"}, "declared"),
        ("", {"agent": "model"}, "declared"),
        ("[adapter.command]\noutput_tokens = 9\n", {}, "declared"),
        ("[adapter.command]\noverhead_tokens = 9\n", {}, "declared"),
        ("[adapter.command]\nturns = 2\n", {}, "declared"),
        ('[adapter.command]\nskills = "none"\n', {}, "none"),
    ],
)
def test_a_command_without_a_model_is_expected_to_use_nothing_and_holds_nothing(room, more, said, basis):
    room.configure(f'{CONFIG}{more}[budget.b]\nwindow = "day"\ntokens = 10000000\n')
    admitted = go(ask(room, said.pop("agent", "plain"), **said))
    assert admitted.verdict.estimate.basis == basis
    assert admitted.verdict.ok
    assert (room.held() == 0) is (basis == "none")


def test_who_asks_and_how_that_is_held_is_a_fact_of_its_child(room):
    parent = go(ask(room, "plain", tools=("Read",), permissions="ask"))
    within = go(ask(room, "plain", parent_run_id=parent.run_id, tools=("Read",), permissions="ask"))
    beyond = go(ask(room, "plain", parent_run_id=parent.run_id, tools=("Bash",), permissions="allow"))
    unsaid = go(ask(room, "plain", parent_run_id=parent.run_id))
    assert within.verdict.ok
    (why,) = (check.why for check in beyond.verdict.failed)
    assert "the tool Bash (by spawn)" in why
    assert "permissions = allow (by spawn)" in why
    assert [check.name for check in unsaid.verdict.failed] == ["parent"], "whoever leaves it elsewhere says all of it"
    bare = go(ask(room, "model", parent_run_id=parent.run_id, permissions="deny", argv=()))
    assert [check.name for check in bare.verdict.failed] == [], "a model over HTTP has no tools by itself"
    with room.database.transaction() as tx:
        runs.update(tx, parent.run_id, {"route": None})
    assert go(ask(room, "plain", parent_run_id=parent.run_id)).verdict.ok, "what an older engine admitted says nothing"


def converse(room, history):
    """A run of the model that has ended, and left this much in its conversation."""
    first = go(ask(room, "model"))
    run = runs.get(room.connection, first.run_id)
    generation = sessions.generation(room.connection, run.generation_id)
    folder = room.home.agents / "anthropic"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{generation.provider_id}.jsonl").write_text("x" * history)
    with room.database.transaction() as tx:
        runs.update(tx, run.id, {"state": "settled", "outcome": "succeeded", "started_ms": 1, "ended_ms": 2})
    return first


def test_what_a_conversation_holds_is_expected_of_whoever_goes_on_with_it_over_http(room):
    first = converse(room, 40_000)
    opening = first.verdict.estimate.injected_tokens - go(ask(room, "model")).verdict.estimate.injected_tokens
    assert opening > 100

    second = go(ask(room, "model", trigger="operator"))

    cost = second.verdict.estimate
    assert cost.overhead_tokens - first.verdict.estimate.overhead_tokens == 10_000 + opening
    assert cost.likely_tokens > 10_000


def test_a_copy_holds_what_it_is_copied_from_and_a_new_conversation_nothing(room):
    first = converse(room, 40_000)
    fork = go(ask(room, "model", session_id=first.session_id, fork=True))
    fresh = go(ask(room, "model", trigger="spawn"))
    assert fork.verdict.estimate.overhead_tokens > 10_000
    assert fresh.verdict.estimate.overhead_tokens == first.verdict.estimate.overhead_tokens
