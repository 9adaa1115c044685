"""Does each check refuse by itself, say why and what would make it pass, beside all the others?"""

import itertools
from typing import get_args

import pytest
from msgspec.structs import replace

from engine.admission.admit import BudgetFacts, Facts, HeldPath, admit
from engine.admission.cost import estimate
from engine.contract.verdict import CheckName

GOOD = Facts(
    agent_problem="",
    agent_fix="",
    scope_paths=("/w/a",),
    scope_problems=(),
    inject_names=("x.md",),
    inject_problems=(),
    estimate=estimate(100, 50),
    injected_limit=100,
    run_limit=150,
    budgets=(BudgetFacts("day", "day", 1000, 850, True),),
    held=(HeldPath(3, "coder", "/w/b"),),
    timeout_s=60,
    timeout_max_s=60,
    live_runs=3,
    max_runs=4,
    busy_run_id=None,
)
"""Everything exactly at its limit."""

FAILURES = [
    ("agent", {"agent_problem": "it has no program", "agent_fix": "give one"}, "it has no program", "give one"),
    ("scope", {"scope_problems": ("'..' lies outside", "'' is no path")}, "'..' lies outside; '' is no path", "inside"),
    ("inject", {"inject_problems": (("x.md: gone", "check it"), ("y: big", "cut"))}, "x.md: gone; y: big", "check it"),
    ("inject", {"injected_limit": 99}, "100 tokens, the limit is 99", "inject less"),
    ("cost", {"run_limit": 149}, "150 tokens: 100 prompt, 50 answer (declared); the limit of a run is 149", "inject"),
    ("budget", {"budgets": (BudgetFacts("day", "day", 1000, 851, True),)}, "only 149 free", "raise budget day"),
    ("budget", {"budgets": (BudgetFacts("z", "week", 0, 0, True),)}, "0 + 150 of 0 this week", "its next week"),
    ("budget", {"budgets": (BudgetFacts("z", "hour", 100, 5000, True),)}, "only 0 free", "raise budget z"),
    ("conflict", {"scope_paths": ("/w/c", "/w/b/c")}, "/w/b/c overlaps /w/b, held by run 3 (coder)", "wait for run 3"),
    ("timeout", {"timeout_s": None}, "none is set", "at most 1 min"),
    ("timeout", {"timeout_s": 0}, "no time at all", "at most 1 min"),
    ("timeout", {"timeout_s": -5}, "no time at all", "at most 1 min"),
    ("timeout", {"timeout_s": 61}, "1 min 1 s is over the maximum of 1 min", "shorter"),
    ("concurrency", {"live_runs": 4}, "4 of 4 runs are live", "engine.max_runs"),
    ("concurrency", {"busy_run_id": 9}, "run 9 is live in this session", "wait for run 9"),
]


def test_at_every_limit_it_still_passes():
    verdict = admit(GOOD)
    assert verdict.ok
    assert verdict.failed == ()
    assert verdict.estimate_tokens == 150
    assert [check.name for check in verdict.checks] == list(get_args(CheckName))
    assert all(check.why and not check.fix for check in verdict.checks)


@pytest.mark.parametrize(("name", "facts", "why", "fix"), FAILURES)
def test_each_check_alone(name, facts, why, fix):
    verdict = admit(replace(GOOD, **facts))
    assert not verdict.ok
    assert [check.name for check in verdict.failed] == [name]
    assert why in verdict.failed[0].why
    assert fix in verdict.failed[0].fix
    assert [check.name for check in verdict.checks] == list(get_args(CheckName))


@pytest.mark.parametrize("number", [2, 3, 8])
def test_any_together(number):
    one_each = list({name: facts for name, facts, _, _ in FAILURES}.items())
    for chosen in itertools.combinations(one_each, number):
        facts = {key: value for _, changed in chosen for key, value in changed.items()}
        verdict = admit(replace(GOOD, **facts))
        assert not verdict.ok
        assert {check.name for check in verdict.failed} == {name for name, _ in chosen}
        assert all(check.fix for check in verdict.failed)


def test_every_budget_must_have_room():
    full = BudgetFacts("week", "week", 100, 0, True)
    verdict = admit(replace(GOOD, budgets=(*GOOD.budgets, full)))
    assert [check.name for check in verdict.failed] == ["budget"]
    assert "day" not in verdict.failed[0].why.split(":")[0]


def test_a_budget_that_only_warns_refuses_nothing_and_is_shown():
    check = admit(replace(GOOD, budgets=(BudgetFacts("soft", "day", 10, 500, False),))).checks[4]
    assert check.ok
    assert "soft: 500 + 150 of 10" in check.why
    assert "only 0 free" in check.why


@pytest.mark.parametrize(
    ("facts", "name", "why"),
    [
        ({"scope_paths": (), "held": GOOD.held}, "scope", "writes nothing"),
        ({"scope_paths": ("/w/x", "/w/y")}, "scope", "2 paths"),
        ({"budgets": ()}, "budget", "no budget applies"),
        ({"inject_names": ()}, "inject", "0 files"),
    ],
)
def test_what_is_said_when_it_passes(facts, name, why):
    verdict = admit(replace(GOOD, **facts))
    assert verdict.ok
    assert why in next(check.why for check in verdict.checks if check.name == name)
