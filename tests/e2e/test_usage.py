"""Sessions of other tools: found, counted once, followed live."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.traps import opencode

CLAUDE = "11111111-2222-4333-8444-0000000000"
STATED = {
    f"{CLAUDE}01": (0, 9683, 2355, 1),
    f"{CLAUDE}02": (0, 19821, 4375, 21),
    f"{CLAUDE}10": (0, 19805, 4289, 2),
    f"{CLAUDE}24": (0, 12043, 0, 13),
    "01a1fb94-9990-7dc2-aaa2-018b37779d51": (13448, 0, 0, 1),
}
"""Input, cache read, cache write, output: what the recordings state of themselves in their last line of totals."""


TWO_TURNS = "turn one [[say:1]]"
"""The title of a recording that ends in 10."""
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


@pytest.fixture
def recorded(desk):
    desk.install_recordings()
    return desk


def spent(desk):
    """Tokens by provider id, from what `qd sessions` and `qd session show` answer."""
    found = {}
    for row in desk.json("sessions")["sessions"]:
        generation = desk.json("session", "show", str(row["id"]))["generations"][0]
        found[generation["provider_id"]] = tuple(generation[key] for key in TOKENS)
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
    first = recorded.json("usage")
    whole, coverage = first["totals"], first["coverage"]
    assert whole["responses"] == 7
    assert coverage["responses_by_confidence"] == {"final": 7, "partial": 0, "inferred": 0}
    assert coverage["files"] == len(logs(recorded))
    assert coverage["bytes"] == sum(path.stat().st_size for path in logs(recorded))
    assert coverage["lines"] == sum(path.read_bytes().count(b"\n") for path in logs(recorded))
    for by in ("day", "session", "model", "source"):
        answer = recorded.json("usage", "--by", by)
        for key in whole:
            assert sum(row[key] for row in answer["rows"]) == whole[key], by
        assert answer["totals"] == whole
        assert answer["coverage"] == coverage


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


def test_several_at_once_all_answer_the_same(recorded):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: recorded.json("usage"), range(4)))
    assert answers == [answers[0]] * 4
    assert answers[0]["totals"]["responses"] == 7


def logs(desk):
    return [path for client in (".claude", ".codex") for path in (desk.home / client).rglob("*.jsonl")]


@pytest.mark.parametrize(
    ("folder", "moved", "variable", "value", "responses"),
    [
        (".claude", "elsewhere", "CLAUDE_CONFIG_DIR", "elsewhere", 6),
        (".codex", "cx", "CODEX_HOME", "cx", 1),
        (".claude", "conf/claude", "XDG_CONFIG_HOME", "conf", 6),
    ],
)
def test_variables_that_move_a_clients_home_are_honoured(recorded, folder, moved, variable, value, responses):
    target = recorded.home / moved
    target.parent.mkdir(exist_ok=True)
    (recorded.home / folder).rename(target)
    assert recorded.json("usage")["totals"]["responses"] == 7 - responses
    recorded.env[variable] = str(recorded.home / value)
    assert recorded.json("usage")["totals"]["responses"] == 7


def test_a_data_folder_that_was_moved_is_honoured(desk):
    trap = next(trap for trap in opencode.TRAPS if trap.name == "db")
    expected = trap.build(desk.home)
    (desk.home / ".local" / "share").rename(desk.home / "data")
    assert desk.json("usage")["totals"]["tokens"] == 0
    desk.env["XDG_DATA_HOME"] = str(desk.home / "data")
    assert desk.json("usage", "--source", "opencode")["totals"]["tokens"] == expected.total > 0


def test_only_one_source(recorded):
    whole = recorded.json("usage")["totals"]
    found = {}
    for source in ("claude_code", "codex", "opencode"):
        answer = recorded.json("usage", "--by", "source", "--source", source)
        found[source] = answer["totals"]
        assert [row["source"] for row in answer["rows"]] == [source] * bool(answer["totals"]["responses"])
    assert [totals["responses"] for totals in found.values()] == [6, 1, 0]
    assert {key: sum(totals[key] for totals in found.values()) for key in whole} == whole


def test_days_are_those_of_the_zone_that_is_asked_for(recorded):
    def days(*words):
        return {row["day"]: row["responses"] for row in recorded.json("usage", "--by", "day", *words)["rows"]}

    assert days("--tz", "UTC") == {"2026-11-21": 7}
    assert days("--tz", "America/New_York") == {"2026-11-20": 7}
    assert days("--tz", "America/New_York", "--since", "2026-11-21") == {}
    assert days("--tz", "America/New_York", "--since", "2026-11-20", "--until", "2026-11-21") == {"2026-11-20": 7}
    recorded.configure('timezone = "America/New_York"\n')
    assert days() == {"2026-11-20": 7}


def test_a_deleted_log_keeps_its_numbers_and_is_said_to_be_gone(recorded):
    before = recorded.json("usage", "--by", "session")
    log = recorded.home / ".claude" / "projects" / "-home-op-work" / f"{CLAUDE}10.jsonl"
    log.unlink()

    after = recorded.json("usage", "--by", "session")

    assert (after["totals"], after["rows"]) == (before["totals"], before["rows"])
    assert (after["coverage"]["files"], after["coverage"]["files_gone"]) == (before["coverage"]["files"], 1)
    assert "1 log gone, what they told is kept" in recorded.run("usage")[1]
    shown = session_of(recorded, TWO_TURNS)
    (told,) = shown["generations"][0]["logs"]
    assert told["path"] == str(log)
    assert told["gone_at"]
    assert f"log gone, kept by us: {log}" in recorded.run("session", "show", str(shown["id"]))[1]


def session_of(desk, title):
    """The session with this title, as `qd session show` has it."""
    found = next(row["id"] for row in desk.json("sessions")["sessions"] if row["title"] == title)
    return desk.json("session", "show", str(found))


def rename_model(desk, model):
    """Let the recordings be of another model."""
    for path in logs(desk):
        path.write_text(path.read_text().replace("claude-sonnet-5-5", model))


def test_a_model_without_a_price_is_named_and_a_price_given_later_counts_for_what_was_booked(recorded):
    rename_model(recorded, "house-model-9")

    before = recorded.json("usage", "--by", "model")

    rows = {row["model"]: row for row in before["rows"]}
    assert rows["house-model-9"]["cost_microusd"] is None
    assert rows["house-model-9"]["responses_unpriced"] == rows["house-model-9"]["responses"] == 6
    assert rows["gpt-6.1-sol"]["responses_unpriced"] == 0
    assert before["coverage"]["models_unpriced"] == {"house-model-9": 6}
    assert before["totals"]["cost_microusd"] == rows["gpt-6.1-sol"]["cost_microusd"]
    text = recorded.run("usage")[1]
    assert "no price for: house-model-9 (6 responses); give one under [prices]" in text
    assert "+\n" in text, "the sum says that it is not all"

    recorded.configure('[prices."house-model-9"]\ninput = 2.0\noutput = 10.0\ncache_read = 0.5\ncache_write = 4.0\n')
    after = recorded.json("usage", "--by", "model")

    priced = next(row for row in after["rows"] if row["model"] == "house-model-9")
    assert priced["responses_unpriced"] == 0
    exact = priced["input_tokens"] * 2 + priced["output_tokens"] * 10 + priced["cache_write_tokens"] * 4
    exact += priced["cache_read_tokens"] * 0.5
    assert abs(priced["cost_microusd"] - exact) <= 6 / 2, "each response is rounded once"
    assert after["coverage"]["models_unpriced"] == {}
    assert "no price for" not in recorded.run("usage")[1]


def test_a_session_is_reconciled_with_what_its_client_says(recorded):
    recorded.run("usage")
    shown = session_of(recorded, TWO_TURNS)
    (generation,) = shown["generations"]
    client = generation["client"]
    assert client["kind"] == "cost-state"
    assert client["output_tokens"] == STATED[f"{CLAUDE}10"][3]
    assert client["difference"] == dict.fromkeys(TOKENS, 0)
    assert abs(client["cost_microusd"] - generation["cost_microusd"]) < generation["responses"], "but for rounding"
    assert (generation["responses_unpriced"], generation["window_from"]) == (0, "prices")
    assert generation["context_tokens"] > 0
    assert "client says the same (cost-state)" in recorded.run("session", "show", str(shown["id"]))[1]

    log = recorded.home / ".claude" / "projects" / "-home-op-work" / f"{CLAUDE}10.jsonl"
    first = next(line for line in log.read_text().splitlines() if '"assistant"' in line)
    more = json.loads(first)
    more["uuid"], more["message"]["id"] = "new", "msg_new"
    more["message"]["usage"] |= {"output_tokens": 1000, "input_tokens": 0}
    more["message"]["usage"] |= {"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "cache_creation": None}
    with log.open("a") as file:
        file.write(json.dumps(more) + "\n")
    recorded.run("usage")

    assert session_of(recorded, TWO_TURNS)["generations"][0]["client"]["difference"]["output_tokens"] == -1000
    assert "client says output -1,000 (cost-state)" in recorded.run("session", "show", str(shown["id"]))[1]


def test_sessions_tell_their_cost_context_and_cache_hits(recorded):
    recorded.run("usage")
    rows = {row["title"]: row for row in recorded.json("sessions")["sessions"]}
    row = rows["hello [[say:json]]"]
    assert row["cache_hit_ratio"] == round(9683 / (9683 + 2355), 4)
    assert row["context_tokens"] == 9683 + 2355 + 1
    assert row["cost_microusd"] > 0
    assert row["responses_unpriced"] == 0
    codex = next(row for row in rows.values() if row["source"] == "codex")
    assert codex["window_from"] == "log"


def test_runs_show_what_was_reported_beside_what_was_booked(recorded):
    recorded.write("README.md", "- [ ] mend the pump\n")
    run = recorded.json("spawn", "--inject", "README.md")
    refused = recorded.json("spawn", "--inject", "nothing.md", code=1)

    answer = recorded.json("usage", "--raw")

    (row,) = answer["rows"]
    assert (row["run"], row["session"], row["agent"]) == (run["run"], run["session"], "digest")
    assert row["raw"]["input_tokens"] == row["booked"]["input_tokens"] == run["usage"]["input_tokens"]
    assert row["booked"]["cost_microusd"] == 0
    assert (row["basis"], row["confidence"]) == ("per_run", "final")
    for key in ("prompt_chars", "instructions_chars", "has_instructions_file", "skill_count", "session_reused"):
        assert row[key] == run[key], key
    assert row["prompt_chars"] == run["receipt"]["chars"]
    assert (row["has_instructions_file"], row["skill_set_hash"], row["context_fetch_mode"]) == (False, None, None)
    assert run["raw"] == row["raw"]
    assert refused["run"] != run["run"]
    assert recorded.json("usage", "--raw", "--source", "codex")["rows"] == []
    assert recorded.json("usage", "--raw", "--until", "2026-01-01")["rows"] == []
    assert "raw in" in recorded.run("usage", "--raw")[1]
    by_trigger = {row["trigger"]: row["responses"] for row in recorded.json("usage", "--by", "trigger")["rows"]}
    assert by_trigger == {None: 7, "spawn": 1}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "2026-13-01"), "'2026-13-01' is no date"),
        (("--until", "soon"), "'soon' is no date"),
        (("--tz", "Nowhere"), "no time zone 'Nowhere'"),
        (("--source", "cursor"), "invalid choice"),
        (("--by", "mood"), "invalid choice"),
        (("--raw", "--by", "day"), "leave out --raw or --by"),
        (("--since", ""), "'' is no date"),
        (("--until", ""), "'' is no date"),
        (("--tz", ""), "no time zone ''"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "--since 2026-11-02 is after --until 2026-11-01"),
    ],
)
def test_a_question_that_makes_no_sense_is_one_line(desk, words, said):
    code, out, err = desk.run("usage", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
