"""Files that real clients wrote add up to the totals that the clients themselves state at their end."""

import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
PROJECT = DATA / "claude" / "projects" / "-home-op-work"
ROLLOUT = "rollout-2026-11-21T00-49-42-01a1fb94-9990-7dc2-aaa2-018b37779d51.jsonl"


def rows_of(path, kind):
    return [row for line in path.read_bytes().splitlines() if (row := json.loads(line))["type"] == kind]


def stated_by_claude(path):
    """The client's own running totals, the last of them: uncached input, cache read, cache write, output."""
    used = rows_of(path, "cost-state")[-1]["modelUsage"].values()
    fields = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens")
    return tuple(sum(model[field] for model in used) for field in fields)


@pytest.mark.parametrize(
    ("name", "pinned", "responses", "title"),
    [
        ("11111111-2222-4333-8444-000000000001", (0, 9683, 2355, 1), 1, "hello [[say:json]]"),
        ("11111111-2222-4333-8444-000000000002", (0, 19821, 4375, 21), 2, "go [[tool:write /home/op/work/made.txt"),
        ("11111111-2222-4333-8444-000000000010", (0, 19805, 4289, 2), 2, "turn one [[say:1]]"),
        ("11111111-2222-4333-8444-000000000021", (0, 0, 0, 0), 0, "x [[hang]]"),
        ("11111111-2222-4333-8444-000000000024", (0, 12043, 0, 13), 1, "x [[tool:bash tail"),
    ],
)
def test_claude_rows_equal_the_cost_state(recorded_home, name, pinned, responses, title):
    home = recorded_home(DATA / "claude", "claude_code", "projects")
    home.read()
    own = [batch for batch in home.batches if batch.parts[0].session.provider_id == name]
    found = [response for batch in own for response in batch.parts[0].responses]
    totals = tuple(
        sum(getattr(response, field) for response in found)
        for field in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    )
    assert totals == stated_by_claude(PROJECT / f"{name}.jsonl") == pinned
    assert len(found) == responses
    assert all(response.cache_write_5m_tokens == response.cache_write_tokens for response in found)
    session = home.sessions[name]
    assert session.workspace == "/home/op/work"
    assert session.title.startswith(title)
    assert session.model == ("claude-sonnet-5-5" if responses else None)
    assert home.refused == {}


def test_codex_rows_equal_the_thread_totals(recorded_home):
    home = recorded_home(DATA / "codex", "codex", "sessions")
    home.read()
    path = DATA / "codex" / "sessions" / "2026" / "11" / "21" / ROLLOUT
    stated = rows_of(path, "token_usage_record")[-1]["payload"]["thread_token_usage"]
    cached = stated["cached_input_tokens"] + stated["cache_write_input_tokens"]
    assert home.totals() == (stated["input_tokens"] - cached, 0, 0, stated["output_tokens"]) == (13448, 0, 0, 1)
    assert list(home.responses) == ["resp_mock000001"]
    session = home.sessions["01a1fb94-9990-7dc2-aaa2-018b37779d51"]
    assert (session.model, session.title, session.workspace) == ("gpt-6.1-sol", "hello [[say:one]]", "/home/op/work")
    assert session.started_ms == 1795222182292
    assert session.last_active_ms == 1795222182428
