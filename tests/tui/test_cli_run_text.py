"""In which words is a run told: what it used, changed and waits for, and who goes on with it?"""

import json
from argparse import Namespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.orders import RunRequest
from engine.scopes.violations import Changes, words
from state import approvals, runs
from tests.tui.test_cli_runs import ESTIMATE, encoded, run_of, shown
from tui.cli import run_text
from tui.cli.run_view import run_view, violated
from tui.cli.runs import awaited
from tui.cli.verb import Context


@pytest.mark.parametrize(
    ("used", "expected", "said"),
    [
        (54, 437, "54 of 437 expected (an eighth)"),
        (3, 437, "3 of 437 expected (<1%)"),
        (30, 437, "30 of 437 expected (6%)"),
        (220, 437, "220 of 437 expected (half)"),
        (400, 437, "400 of 437 expected (nine tenths)"),
        (430, 437, "430 of 437 expected"),
        (450, 437, "450 of 437 expected"),
        (500, 437, "500 in all, 14% more than was expected"),
        (874, 437, "874 in all, twice what was expected"),
        (1311, 437, "1,311 in all, three times what was expected"),
        (1100, 437, "1,100 in all, 2.5 times what was expected"),
        (43_700, 437, "43,700 in all, 100 times what was expected"),
        (9, 0, "9 in all, where none were expected"),
    ],
)
def test_what_was_used_is_compared_in_plain_words(used, expected, said):
    assert run_text._against(used, expected) == said


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_no_comparison_turns_round(used, expected):
    said = run_text._against(used, expected)
    less, more = "expected (" in said, "in all" in said
    assert not (less and used >= expected)
    assert not (more and used <= expected)
    assert less or more or abs(used / expected - 1) <= 0.05


def test_what_is_free_has_no_price(world):
    free = encoded(msgspec.structs.replace(ESTIMATE, likely_microusd=0, likely_tokens=1))
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation, estimate=free)
    world.book(generation, (1, 0, 0, 0), run_id=number, cost_microusd=0)
    _, text = shown(world, number)
    assert "expected 1 token (400" in text
    assert "used 1 in, 0 out (per_run, final)" in text
    assert "$" not in text


def test_small_money_keeps_its_digits(world):
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation, estimate=encoded(msgspec.structs.replace(ESTIMATE, likely_microusd=49_900)))
    world.book(generation, (100, 0, 0, 900), run_id=number, cost_microusd=951)
    _, text = shown(world, number)
    assert "500 tokens (400 to 900), $0.0499;" in text
    assert "900 out, $0.000951 (" in text


def test_a_change_outside_its_scope_is_called_a_violation_once(world):
    others = tuple(f"run {number}, ops" for number in range(5, 10))
    changes = Changes(True, "", 1, 0, ("stray.md",), 1, beside=others)
    view, text = shown(world, run_of(world, changes=encoded(changes), why=f"violation: {words(changes)}"))
    assert view["changes"]["beside"] == list(others)
    assert text.count("1 outside its scope") == 1
    assert "run 5, ops or run 6, ops or run 7, ops or 2 more, live beside it" in text
    assert f"any of which may have made these changes: {', '.join(others)}" in text
    _, text = shown(world, run_of(world, changes=encoded(changes), outcome="failed", why="exit code 3"))
    assert "exit code 3" in text
    assert "violation: 1 file changed, 1 outside its scope" in text


def test_changes_from_before_anybody_was_beside_it_are_still_shown(world):
    old = {"checked": True, "changed": 1, "violations": ["a"], "violations_total": 1}
    view, text = shown(world, run_of(world, changes=json.dumps(old)))
    assert view["changes"]["beside"] == []
    assert "violation: 1 file changed, 1 outside its scope: a" in text


@pytest.mark.parametrize(
    ("columns", "well"),
    [
        ({}, True),
        ({"changes": encoded(Changes(True, "", 1, 1))}, True),
        ({"changes": encoded(Changes(True, "", 1, 0, ("a",), 1))}, False),
        ({"why": "violation: it no longer held its claim when it ended"}, False),
        ({"why": "it says so"}, True),
    ],
)
def test_a_run_that_left_its_scope_is_not_well(world, columns, well):
    run = runs.get(world.open().connection, run_of(world, **columns))
    assert violated(run_view(world.open().connection, run)) is not well


def test_who_goes_on_and_what_that_waits_for_is_told(world):
    first = run_of(world, outcome="budget_reached")
    view, text = shown(world, first)
    assert (view["resumed_by"], view["successor"]) == (None, None)
    why = "budget: day: 5 + 900 of 100 today"
    again = run_of(
        world, state="waiting", outcome=None, waits_for="approval", resumes_run_id=first, why=why, expires_ms=1
    )
    with world.open().transaction() as tx:
        asked = approvals.ask(tx, again, "{}", world.now_ms, world.now_ms)
    view, text = shown(world, first)
    assert (view["successor"]["run"], view["successor"]["waiting"]["approval"]) == (again, asked)
    assert f"run {again} goes on with it: waits for your word: qd approve {asked} (" in text
    with world.open().transaction() as tx:
        approvals.withdraw(tx, again, world.now_ms)
        runs.update(tx, again, {"waits_for": "budget"})
    assert f"run {again} goes on with it: waits for room in budget day: 5 + 900 of 100 today" in shown(world, first)[1]
    with world.open().transaction() as tx:
        runs.update(tx, again, {"state": "refused", "outcome": "refused", "why": "denied by the operator"})
    assert f"run {again} was to go on with it, and is refused: denied by the operator" in shown(world, first)[1]
    with world.open().transaction() as tx:
        runs.update(tx, again, {"state": "running", "outcome": None})
    assert f"run {again} goes on with it: running" in shown(world, first)[1]


@pytest.mark.parametrize(
    ("waits_for", "why", "said"),
    [
        ("budget", "budget: b2: 5 + 9 of 10 today", "waits for room in budget b2: 5 + 9 of 10 today"),
        (
            "claim",
            "conflict: a.md is held by run 3 (ops)",
            "waits for another run's claim: a.md is held by run 3 (ops)",
        ),
        ("slot", "concurrency: 1 of 1 runs are live", "waits for a free place: 1 of 1 runs are live"),
        ("slot", "full: of them", "waits for a free place: full: of them"),
    ],
)
def test_what_a_run_waits_for_is_said_once(waits_for, why, said):
    assert run_text.waiting_words(4, waits_for, None, why) == f"run 4 {said}"


def test_the_program_that_a_spawn_named_is_told_and_no_other(world):
    request = RunRequest("/w", argv=("sh", "-c", "echo \x1b[31m hi"))
    view, text = shown(world, run_of(world, request=encoded(request)))
    assert view["argv"] == ["sh", "-c", "echo \x1b[31m hi"]
    assert "  program  sh -c 'echo " in text
    assert "\x1b" not in text
    view, text = shown(world, run_of(world, request=encoded(RunRequest("/w", agent="coder"))))
    assert view["argv"] is None
    assert "program" not in text


def test_who_goes_on_is_waited_for_where_it_is_not_there_yet(world, monkeypatch):
    first = run_of(world, outcome="budget_reached")

    def comes(_seconds):
        run_of(world, state="waiting", outcome=None, waits_for="budget", resumes_run_id=first)

    monkeypatch.setattr("tui.cli.runs.time.sleep", comes)
    output = awaited(Context(world.home, Namespace(detach=False)), first)
    assert not output.ok
    assert output.data["successor"]["waiting"]["for"] == "budget"
    assert f"run {output.data['resumed_by']} goes on with it: waits for room in a budget" in output.text
