"""In which words is a run told: what it used, changed and waits for, and who goes on with it?"""

import json
from argparse import Namespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.orders import RunRequest
from engine.contract.outcome import EndRecord, Stop
from engine.scopes.violations import Changes, words
from state import approvals, events, fallbacks, runs
from tests.tui.test_cli_runs import ESTIMATE, encoded, run_of, shown
from tui.cli import run_text
from tui.cli.awaiting import awaited
from tui.cli.run_view import run_view, violated
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

    monkeypatch.setattr("tui.cli.awaiting.time.sleep", comes)
    output = awaited(Context(world.home, Namespace(detach=False)), first)
    assert not output.ok
    assert output.data["successor"]["waiting"]["for"] == "budget"
    assert f"run {output.data['resumed_by']} goes on with it: waits for room in a budget" in output.text


def end(**said):
    values = {"outcome": "timed_out", "exit_code": None, "signal": 9, "started_ms": 0, "ended_ms": 9, "duration_s": 2.5}
    return encoded(EndRecord(**(values | said)))


def test_how_a_run_was_held_and_how_hard_it_ended_is_told(world):
    number = run_of(world, sandbox="landlock(7)", turns=3, end_record=end(escalated=True, leaked=2, dropped_bytes=5))
    view, text = shown(world, number)
    assert (view["sandbox"], view["turns"], view["escalated"], view["leaked"]) == ("landlock(7)", 3, True, 2)
    assert view["duration_s"] == 2.5
    assert "held to its scope by landlock(7); 3 answers of its model; had to be killed after the grace" in text
    assert "2 processes that it left behind had to be ended" in text


def test_of_a_run_without_an_end_nothing_is_claimed(world):
    view, text = shown(world, run_of(world, state="refused", outcome="refused"))
    nothing = ("escalated", "leaked", "stdout", "truncated", "duration_s", "sandbox", "turns", "turn_of")
    assert {name: view[name] for name in nothing} == dict.fromkeys(nothing)
    assert "had to be" not in text


@pytest.mark.parametrize(("dropped", "truncated"), [(0, False), (7, True)])
def test_an_output_that_its_keeper_cut_is_truncated(world, dropped, truncated):
    number = run_of(world, end_record=end(dropped_bytes=dropped))
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text("hi\n")
    view, _ = shown(world, number)
    assert (view["stdout"], view["truncated"]) == ("hi\n", truncated)


def test_who_does_it_again_with_another_model_is_told_by_both(world):
    first = run_of(world, outcome="failed", why="its server is overloaded")
    second = run_of(world, falls_back_from=first)
    view, text = shown(world, first)
    assert (view["falls_back_from"], view["fell_back_to"]) == (None, second)
    assert f"run {second} does it again with another model" in text
    view, text = shown(world, second)
    assert (view["falls_back_from"], view["fell_back_to"]) == (first, None)
    assert f"does again what run {first} could not" in text


def test_a_run_that_goes_to_another_model_is_followed_to_the_last(world, monkeypatch):
    """What is marked to go is waited for; what is not is not."""
    first = run_of(world, outcome="failed")
    later = []

    def comes(_seconds):
        later.append(run_of(world, falls_back_from=first))

    monkeypatch.setattr("tui.cli.awaiting.time.sleep", comes)
    assert awaited(Context(world.home, Namespace(detach=False)), first).data["run"] == first
    assert later == []
    with world.open().transaction() as tx:
        events.add(tx, world.now_ms, fallbacks.KIND, "no model", run_id=first)
    output = awaited(Context(world.home, Namespace(detach=False)), first)
    assert (output.data["run"], output.data["outcome"], output.ok) == (later[0], "succeeded", True)


def test_a_run_that_met_a_cap_of_its_own_is_not_waited_for(world, monkeypatch):
    first = run_of(world, outcome="budget_reached", stop_reason=encoded(Stop("budget_reached")))
    monkeypatch.setattr("tui.cli.awaiting.time.sleep", lambda _: pytest.fail("nobody goes on with it"))
    output = awaited(Context(world.home, Namespace(detach=False)), first)
    assert (output.data["outcome"], output.data["successor"], output.ok) == ("budget_reached", None, False)
