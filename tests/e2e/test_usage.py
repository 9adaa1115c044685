"""Sessions of other tools: found, counted once, followed live."""

import json

import pytest

CLAUDE = "11111111-2222-4333-8444-0000000000"
STATED = {
    f"{CLAUDE}01": (0, 9683, 2355, 1),
    f"{CLAUDE}02": (0, 19821, 4375, 21),
    f"{CLAUDE}10": (0, 19805, 4289, 2),
    f"{CLAUDE}24": (0, 12043, 0, 13),
    "01a1fb94-9990-7dc2-aaa2-018b37779d51": (13448, 0, 0, 1),
}
"""Input, cache read, cache write, output: what the recordings state of themselves in their last line of totals."""


@pytest.fixture
def recorded(desk):
    desk.install_recordings()
    return desk


def spent(desk):
    """Tokens by provider id, from what `qd sessions` and `qd session show` answer."""
    found = {}
    for row in desk.json("sessions")["sessions"]:
        generation = desk.json("session", "show", str(row["id"]))["generations"][0]
        keys = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        found[generation["provider_id"]] = tuple(generation[key] for key in keys)
    return found


def test_both_tools_appear_with_the_tokens_that_their_recordings_state(recorded):
    recorded.run("usage")
    found = spent(recorded)
    assert {key: found[key] for key in STATED} == STATED
    rows = recorded.json("sessions")["sessions"]
    assert {row["source"] for row in rows} == {"claude_code", "codex"}
    assert {row["workspace"] for row in rows} == {"/home/op/work"}
    assert [row["last_active_at"] for row in rows] == sorted((row["last_active_at"] for row in rows), reverse=True)
    assert all(row["last_active_at"].startswith("2026-11-21T00:4") for row in rows), "from the rows, not the copies"


def test_every_view_agrees_and_a_second_look_counts_nothing_twice(recorded):
    whole = recorded.json("usage")["totals"]
    assert whole["responses"] == 7
    for by in ("day", "hour", "session", "model", "source", "lane"):
        answer = recorded.json("usage", "--by", by)
        for key in whole:
            assert sum(row[key] for row in answer["rows"]) == whole[key], by
        assert answer["totals"] == whole


def test_a_copied_log_counts_once(recorded):
    whole = recorded.json("usage")["totals"]
    folder = recorded.home / ".claude" / "projects" / "-home-op-work"
    copy = folder.parent / "-home-op-elsewhere"
    copy.mkdir()
    for path in folder.glob("*.jsonl"):
        (copy / path.name).write_bytes(path.read_bytes())
    assert recorded.json("usage")["totals"] == whole


def test_a_live_log_is_followed_by_the_engine(recorded, wait_until):
    recorded.write("README.md", "text\n")
    recorded.json("spawn", "--inject", "README.md")  # starts an engine
    before = recorded.json("usage", "--source", "claude_code")["totals"]["output_tokens"]
    log = recorded.home / ".claude" / "projects" / "-home-op-work" / f"{CLAUDE}01.jsonl"
    row = next(json.loads(line) for line in log.read_text().splitlines() if '"assistant"' in line)
    row["uuid"] = "new"
    row["message"]["id"] = "msg_new"
    row["message"]["usage"]["output_tokens"] = 777
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")

    def followed():
        shown = next(row for row in recorded.json("sessions")["sessions"] if row["title"] == "hello [[say:json]]")
        return shown["output_tokens"] == before_of_session + 777

    before_of_session = STATED[f"{CLAUDE}01"][3]
    wait_until(followed, "the new response is in the state, without anyone asking")
    assert recorded.json("usage", "--source", "claude_code")["totals"]["output_tokens"] == before + 777


def test_usage_needs_no_engine_and_leaves_none(recorded):
    recorded.json("usage")
    assert recorded.holder_pid() is None


def test_claude_config_dir_and_codex_home_are_honoured(recorded):
    (recorded.home / ".claude").rename(recorded.home / "elsewhere")
    (recorded.home / ".codex").rename(recorded.home / "cx")
    assert recorded.json("usage")["totals"]["responses"] == 0
    recorded.env["CLAUDE_CONFIG_DIR"] = str(recorded.home / "elsewhere")
    recorded.env["CODEX_HOME"] = str(recorded.home / "cx")
    assert recorded.json("usage")["totals"]["responses"] == 7
