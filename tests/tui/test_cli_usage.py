"""What does `qd usage` make of booked numbers: sums, money, unknowns, and a table that fits?"""

import io
import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from state import logs, prices, runs, sessions
from state.responses import BookedResponse
from state.rollups import SUMMED, Sums
from state.spend import EVER, GROUPS, Group, Span
from tui.cli.dispatch import capture
from tui.cli.raw import MOST_RUNS, raw_runs
from tui.cli.sums import booked_view, cost_cell, known_cost
from tui.cli.usage_text import coverage_words, usage_text
from tui.cli.verb import Page, page

SUMS = Sums(7, 13_448, 61_352, 11_019, 11_019, 0, 38, 5, 60_958, 0, 0, 0)
TERMINAL = Page(80, True)
PIPE = Page(None, False)
COVERAGE = {
    "files": 1,
    "files_gone": 0,
    "files_unreadable": 0,
    "bytes": 9,
    "lines": 1234,
    "lines_refused": {},
    "duplicates_dropped": {},
    "responses_by_confidence": {"final": 7, "partial": 0, "inferred": 0},
    "models_unpriced": {},
}


def response(**fields):
    values = dict.fromkeys(BookedResponse.__struct_fields__) | {
        "source": "codex",
        "input_tokens": 1,
        "cache_read_tokens": 2,
        "cache_write_tokens": 3,
        "output_tokens": 4,
        "basis": "per_run",
        "confidence": "final",
    }
    return BookedResponse(**(values | fields))


@pytest.mark.parametrize(
    ("cost", "responses", "unpriced", "known"),
    [(0, 0, 0, 0), (0, 3, 0, 0), (0, 3, 3, None), (5, 3, 2, 5), (0, 3, 2, 0)],
)
def test_money_is_unknown_only_when_no_response_has_a_price(cost, responses, unpriced, known):
    assert known_cost(cost, responses, unpriced) == known


@pytest.mark.parametrize(
    ("cost", "unpriced", "cell"),
    [
        (None, 4, "-"),
        (0, 0, "$0.00"),
        (4_100, 0, "$0.0041"),
        (830_000, 0, "$0.83"),
        (834_999, 1, "$0.83+"),
        (1_234_565_000, 0, "$1,234.57"),
        (123_456_789_012_345_678, 0, "$123,456,789,012.35"),
    ],
)
def test_money_in_a_cell(cost, unpriced, cell):
    assert cost_cell({"cost_microusd": cost, "responses_unpriced": unpriced}) == cell


def test_a_runs_usage_is_the_sum_over_its_responses_with_the_weakest_of_their_bases():
    view = booked_view(
        [
            response(cost_microusd=5, price_origin="config", reasoning_tokens=2, cache_write_5m_tokens=3),
            response(basis="session_delta", confidence="partial", reasoning_tokens=1),
            response(basis="streamed", confidence="inferred", cost_microusd=7, price_origin="config"),
        ]
    )
    assert view == {
        "input_tokens": 3,
        "cache_read_tokens": 6,
        "cache_write_tokens": 9,
        "output_tokens": 12,
        "cache_write_5m_tokens": 3,
        "cache_write_1h_tokens": None,
        "reasoning_tokens": 3,
        "tokens": 30,
        "responses": 3,
        "cost_microusd": 12,
        "responses_unpriced": 1,
        "price_origin": "config",
        "basis": "streamed",
        "confidence": "inferred",
    }
    assert booked_view([]) is None
    assert booked_view([response()])["cost_microusd"] is None


def widest(text):
    return max(len(line) for line in text.partition("\n\n")[0].splitlines())


@pytest.mark.parametrize("digits", range(1, 13))
def test_days_fit_into_80_columns_whatever_the_numbers(digits):
    number = 10**digits - 1
    sums = Sums(*[number] * len(SUMMED))._replace(cost_microusd=number * 10, unpriced=1)
    text = usage_text("day", [Group("2026-11-21", sums)], sums, COVERAGE, TERMINAL)
    assert widest(text) <= 80
    assert "2026-11-21" in text
    assert (f"{number:,}" in text) == (digits < 8), "exact as long as it fits"
    piped = usage_text("day", [Group("2026-11-21", sums)], sums, COVERAGE, PIPE)
    assert piped.count(f"{number:,}  ") >= 6, "a program gets every figure, exact, whatever the width"
    narrow = usage_text("day", [Group("2026-11-21", sums)], sums, COVERAGE, Page(80, False))
    assert f"{number:,}" in narrow
    assert ("tokens" in narrow) == (widest(piped) <= 80)


@pytest.mark.parametrize(("columns", "width"), [(None, None), ("", None), ("x", None), ("0", None), ("132", 132)])
def test_off_a_terminal_only_columns_tells_a_width(monkeypatch, columns, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert page() == Page(width, False)


def test_groups_without_a_name_are_a_dash_and_the_total_comes_last():
    lines = usage_text("model", [Group(None, SUMS), Group("m1", SUMS)], SUMS, COVERAGE, TERMINAL).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["model", "-", "m1", "total"]
    assert len({len(line) for line in lines[:4]}) == 1, "right-aligned"
    (alone,) = [
        line for line in usage_text(None, [], SUMS, COVERAGE, TERMINAL).splitlines() if line.startswith("total")
    ]
    assert alone.split() == ["total", "7", "13,448", "61,352", "11,019", "38", "85,857", "$0.06"]


def test_sessions_come_by_number(house):
    for number in range(12):
        _, generation = house.session(f"s{number}")
        if number in (1, 3, 10, 11):
            house.book(generation, (1, 0, 0, 0), f"k{number}")
    found = [row["session"] for row in asked(house, "--by", "session")["rows"]]
    assert len(found) == 4
    assert found == sorted(found)
    assert found != sorted(found, key=str), "or this proves nothing"


def test_what_the_numbers_rest_on_is_said_when_there_is_something_to_say():
    assert coverage_words(COVERAGE) == "from 1 log, 1,234 lines; 0 refused"
    said = coverage_words(
        COVERAGE
        | {
            "files": 2300,
            "files_gone": 2,
            "files_unreadable": 1,
            "lines_refused": {"bad_json": 2, "too_long": 1},
            "duplicates_dropped": {"copy": 4, "stream": 1000},
            "responses_by_confidence": {"final": 7, "partial": 3, "inferred": 1},
            "models_unpriced": {"glm-9": 12, "unknown": 1},
        }
    )
    assert said.splitlines() == [
        "no price for: glm-9 (12 responses), unknown (1 response); give one under [prices]",
        "from 2,300 logs, 1,234 lines; 3 refused (bad_json 2, too_long 1);"
        " 1,004 repeats dropped (copy 4, stream 1,000); 2 logs gone, what they told is kept; 1 log unreadable",
        "3 responses partial: the client never wrote the finished figure, so its output may be too low",
        "1 response inferred: a rule had to decide, and may be wrong",
    ]


def test_models_without_a_price_are_named_safely_and_not_without_end():
    models = {f"m{number}": number for number in range(1, 13)} | {"\x1b[31mred": 99}
    (said, *_) = coverage_words(COVERAGE | {"models_unpriced": models}).splitlines()
    assert "\x1b" not in said
    assert said.startswith("no price for: \ufffd[31mred (99 responses), m12 (12 responses), m11 ")
    assert said.endswith("m6 (6 responses), and 5 more models; give one under [prices]")


@pytest.fixture
def house(world, tmp_path, monkeypatch):
    """A world whose HOME holds no logs."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return world


def model_id(world, name):
    if name is None:
        return None
    with world.open().transaction() as tx:
        return prices.model_id(tx, name, "nobody")


def run_of(world, generation, **columns):
    values = {"session_id": sessions.generation(world.open().connection, generation).session_id} | {
        "generation_id": generation,
        "agent": "coder",
        "adapter": "command",
        "lane": "main",
        "trigger": "operator",
        "task_type": "chat",
        "task": "",
        "workspace": "/w",
        "can_read": "[]",
        "can_write": "[]",
        "inject": "[]",
        "state": "settled",
        "estimate_tokens": 0,
        "verdict": '{"ok": true, "checks": []}',
        "requested_ms": world.now_ms,
    }
    with world.open().transaction() as tx:
        return runs.add(tx, values | columns)


def asked(world, *words):
    """The answer of `qd usage WORDS --json`, in this process."""
    world.close()
    code, out, err = capture(["usage", *words, "--json"], world.home)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_every_question_sums_to_the_totals(house):
    _, ours = house.session("fix", agent="coder")
    _, seen = house.session("seen")
    run = run_of(house, ours, trigger="timer", task_type="cron", job="nightly")
    hours = [house.now_ms - number * 3_600_000 for number in (0, 7, 40, 800)]
    for number, (at_ms, generation) in enumerate(product(hours, (ours, seen))):
        house.book(
            generation,
            (number, 10, 100, 1000),
            f"k{number}",
            at_ms,
            model_id=model_id(house, ["m1", "m2", None][number % 3]),
            run_id=run if generation == ours else None,
            cost_microusd=None if number % 3 == 2 else number,
            confidence=number % 3,
        )

    whole = asked(house)
    assert whole["totals"]["responses"] == 8
    assert whole["totals"]["responses_unpriced"] == 2
    assert whole["totals"]["cost_microusd"] == 0 + 1 + 3 + 4 + 6 + 7
    assert whole["coverage"]["responses_by_confidence"] == {"final": 3, "partial": 3, "inferred": 2}
    assert whole["coverage"]["models_unpriced"] == {"unknown": 2}
    assert whole["rows"] == []
    for by in GROUPS:
        answer = asked(house, "--by", by)
        assert answer["totals"] == whole["totals"], by
        assert len(answer["rows"]) == len({row[by] for row in answer["rows"]}) > 0
        for key, value in whole["totals"].items():
            assert sum(row[key] or 0 for row in answer["rows"]) == value, (by, key)
    unpriced = next(row for row in asked(house, "--by", "model")["rows"] if row["model"] is None)
    assert unpriced["cost_microusd"] is None
    assert [row["trigger"] for row in asked(house, "--by", "trigger")["rows"]] == [None, "timer"]


def test_nothing_at_all_is_zero_and_not_unknown(house):
    answer = asked(house)
    assert set(answer["totals"].values()) == {0}
    assert capture(["usage"], house.home)[1].endswith("from 0 logs, 0 lines; 0 refused")


def test_raw_lists_the_newest_runs_that_were_not_refused(house):
    _, ours = house.session("fix", agent="coder")
    last = 3 * MOST_RUNS + 60
    for number in range(last + 1):
        state = "refused" if number % 3 else "settled"
        run_of(house, ours, requested_ms=house.now_ms + number, state=state, raw_usage='{"input_tokens": 3}')

    rows = asked(house, "--raw")["rows"]

    assert [row["run"] for row in rows] == [last + 1 - 3 * number for number in range(MOST_RUNS)]
    assert rows[0]["raw"] == {"input_tokens": 3}
    assert (rows[0]["booked"], rows[0]["basis"], rows[0]["confidence"]) == (None, None, None)


def test_raw_honours_span_and_source(house):
    _, ours = house.session("fix", agent="coder")
    _, theirs = house.session("seen")
    old, new = (run_of(house, ours, requested_ms=house.now_ms + at) for at in (-90_000_000, 0))
    attached = run_of(house, theirs)
    house.book(ours, (5, 0, 0, 7), "run", run_id=new, cost_microusd=9, source="quarterdeck")
    connection = house.open().connection

    def listed(*span):
        return [row["run"] for row in raw_runs(connection, Span(*span))]

    assert listed() == [attached, new, old]
    assert listed(house.now_ms - 1) == [attached, new]
    assert listed(0, house.now_ms) == [old]
    assert listed(0, EVER, "quarterdeck") == [new, old]
    assert listed(0, EVER, "claude_code") == [attached]
    row = raw_runs(connection, Span(0, EVER, "quarterdeck"))[0]
    assert (row["booked"]["input_tokens"], row["booked"]["output_tokens"], row["booked"]["cost_microusd"]) == (5, 7, 9)
    assert (row["raw"], row["basis"], row["confidence"]) == (None, "per_run", "final")
    assert (row["session_reused"], row["has_instructions_file"], row["context_fetch_mode"]) == (None, None, None)


def test_looking_loads_nothing_heavy(house):
    """`qd usage --json` answers in a few tenths of a second because of what it does not import."""
    house.close()
    heavy = {"genai_prices", "textual", "rich", "tiktoken", "sqlite_utils", "watchfiles", "tomlkit"}
    code = (
        "import sys; from tui.cli.main import main; main(sys.argv[1:]);"
        f"print(*sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    asked(house)  # makes the state, which needs the migrations
    words = ("--home", str(house.home.state), "usage", "--by", "day", "--json")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["totals"]["responses"] == 0
    assert done.stderr.split() == []


def test_every_key_of_an_answer_is_in_the_documents(house):
    session, generation = house.session("fix", agent="coder")
    run = run_of(house, generation, raw_usage="{}")
    house.book(generation, (1, 2, 3, 4), run_id=run, cost_microusd=1)
    with house.open().transaction() as tx:
        logs.note_totals(tx, generation, logs.ClientTotals("cost-state", house.now_ms, 2, 20, 200, 2001, 77))
    raw = asked(house, "--raw")
    answers = [asked(house, "--by", "day"), raw, raw["rows"][0]["booked"]]
    for words in (["sessions"], ["session", "show", str(session)], ["run", "show", str(run)]):
        code, out, err = capture([*words, "--json"], house.home)
        assert (code, err) == (0, "")
        answers.append(json.loads(out))

    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    named = set(re.findall(r"`(\w+)`|\"(\w+)\"", page))
    documented = {name for pair in named for name in pair if name}
    assert {key for answer in answers for key in keys_of(answer)} - documented == set()


def keys_of(value):
    """Every key in it, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)
