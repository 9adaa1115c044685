"""Every check is always evaluated, and each says what would make it pass."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.admission.admit import ClashFacts, Facts, Place, admit, waits_for
from engine.admission.budgets import BudgetFacts
from engine.admission.parent import Above
from engine.contract.route import Route
from engine.contract.verdict import CHECKS, Estimate, Verdict

change = msgspec.structs.replace

COST = Estimate(
    injected_tokens=312,
    overhead_tokens=6_900,
    low_tokens=7_400,
    likely_tokens=9_100,
    high_tokens=14_200,
    likely_microusd=41_000,
    high_microusd=64_000,
    basis="history",
    runs=12,
    error_median=0.08,
    error_p90=0.21,
)
PLACE = Place(
    live_runs=1,
    max_runs=4,
    agent_runs=1,
    max_agent_runs=None,
    depth=0,
    max_depth=2,
    children=0,
    max_children=4,
    busy_run_id=None,
)
GOOD = Facts(
    agent="coder",
    agent_problem="",
    agent_fix="",
    task_type="research",
    scope_paths=("/w/notes/api.md",),
    scope_problems=(),
    sandbox="landlock(7)",
    sandbox_loose=(),
    sandbox_problem=("", ""),
    inject_names=("README.md", "docs/api.md"),
    inject_problems=(),
    prompt_warnings=(),
    everything_tokens=4_198,
    skill_set="review",
    skills=3,
    skill_problems=(),
    estimate=COST,
    needs={"tokens": 14_200, "microusd": 64_000},
    target_tokens=400,
    injected_limit=500,
    run_limit=20_000,
    run_microusd=100_000,
    allow_unpriced=False,
    budgets=(),
    clashes=(),
    timeout_s=600.0,
    timeout_max_s=1_800.0,
    grace_s=10.0,
    place=PLACE,
)
DAY = BudgetFacts(
    "day", "tokens", "day", 0, 86_400_000, 60_000, taken=41_200, need=14_200, action="refuse", warn_at=0.8
)
CLASH = ClashFacts(8, "ops", "notes/api.md", "notes/**", "notes/api.md", writes=True)


def check(facts: Facts, name: str):
    return next(check for check in admit(facts).checks if check.name == name)


def budgets(*facts: BudgetFacts) -> Facts:
    return change(GOOD, budgets=facts)


def test_when_all_is_well_every_check_passes_and_is_listed():
    verdict = admit(budgets(DAY))
    assert verdict.ok
    assert verdict.failed == ()
    assert tuple(check.name for check in verdict.checks) == CHECKS
    assert verdict.estimate_tokens == 14_200
    assert waits_for(verdict, may_wait=True) is None


HELD = Route(
    **dict.fromkeys(Route.__struct_fields__)
    | {"tools": None, "permissions": "ask", "sandbox": "prefer", "read": "open", "adapter": "claude_code"}
    | {"decided": {"tools": "agent", "permissions": "agent", "sandbox": "spawn", "read": "spawn"}}
)


def above(own, child):
    return change(GOOD, above=Above(7, change(HELD, **own), change(HELD, **child)))


LOOSER = above({"tools": ("Read",)}, {"tools": ("Bash",)})
FAILING = [
    (
        "agent",
        {"agent_problem": "it has no program to run", "agent_fix": "give one after --"},
        "no program",
        "after --",
    ),
    (
        "scope",
        {"scope_problems": ("'../x' leads to /x, outside the workspace",)},
        "'../x' leads to /x",
        "inside the workspace",
    ),
    (
        "scope",
        {"sandbox_problem": ("it must be held, and this kernel has nothing", "install bubblewrap")},
        "it must be held",
        "bubblewrap",
    ),
    ("inject", {"inject_problems": (("A.md: it does not exist", "check the name"),)}, "A.md", "check the name"),
    ("inject", {"injected_limit": 311}, "the prompt has 312 tokens, the limit of research is 311", "inject less"),
    ("skills", {"skill_problems": (("skill x is held: changed", "qd skills allow x"),)}, "x is held", "allow x"),
    ("cost", {"run_limit": 14_199}, "the limit of a run is 14,199", "inject less"),
    ("cost", {"run_microusd": 63_999}, "the limit of a run is $0.0640", "cheaper model"),
    ("cost", {"estimate": change(COST, high_microusd=None)}, "its price is not known", "[prices]"),
    ("budget", {"budgets": (change(DAY, taken=45_801),)}, "only 14,199 free", "raise budget day"),
    ("conflict", {"clashes": (CLASH,)}, "notes/api.md is held by run 8 (ops)", "wait for run 8"),
    ("timeout", {"timeout_s": 1_801.0}, "over the maximum of 30 min for research", "shorter"),
    ("timeout", {"timeout_s": 0.0}, "no time at all", "at most 30 min"),
    ("timeout", {"grace_s": 301.0}, "a grace of 5 min 1 s is over the maximum of 5 min", "shorter grace"),
    ("parent", {"above": LOOSER.above}, "the tool Bash (by agent)", "--tools Read"),
    ("depth", {"place": change(PLACE, depth=3)}, "3 of 2", "limits.depth"),
    ("children", {"place": change(PLACE, max_depth=9, depth=3, children=4)}, "4 of 4", "limits.children"),
    ("concurrency", {"place": change(PLACE, live_runs=4)}, "4 of 4 runs are live", "engine.max_runs"),
    ("concurrency", {"place": change(PLACE, max_agent_runs=1)}, "1 of 1 runs of coder", "agent.coder.max_runs"),
    ("concurrency", {"place": change(PLACE, busy_run_id=7)}, "run 7 is live in this session", "wait for run 7"),
]


@pytest.mark.parametrize(("name", "changes", "why", "fix"), FAILING)
def test_a_check_that_fails_says_why_and_what_would_make_it_pass(name, changes, why, fix):
    verdict = admit(change(GOOD, **changes))
    assert [failed.name for failed in verdict.failed] == [name]
    assert why in verdict.failed[0].why
    assert fix in verdict.failed[0].fix


def test_of_a_program_without_a_model_nothing_is_expected_and_that_is_said():
    nothing = Estimate(312, 0, 0, 0, 0, 0, 0, basis="none")
    found = check(change(GOOD, estimate=nothing, needs={"tokens": 0, "microusd": 0}), "cost")
    assert (found.ok, found.why) == (
        True,
        "no tokens expected: no model is named for its program; what it tells that it uses is booked",
    )


def test_what_reading_is_limited_to_is_said_with_the_scope():
    assert check(change(GOOD, reads="notes/ and no more"), "scope").why.endswith(
        "landlock(7); reads notes/ and no more"
    )
    assert "reads" not in check(GOOD, "scope").why


@pytest.mark.parametrize(
    ("own", "child", "words"),
    [
        ({}, {}, ""),
        ({}, {"tools": ("Bash",)}, ""),
        ({"tools": ("Read", "Bash")}, {"tools": ("read", "Bash(git:*)")}, ""),
        ({"tools": ("Read", "Bash")}, {"tools": ()}, ""),
        ({"tools": ("Read",)}, {"tools": None}, "all tools of claude_code (by agent), and that one has Read"),
        ({"tools": ("Bash(git:*)",)}, {"tools": ("Bash", "Read")}, "the tools Bash, Read (by agent)"),
        ({"tools": ()}, {"tools": ("Read",)}, "the tool Read (by agent)"),
        ({}, {"permissions": "deny", "sandbox": "require", "read": "strict"}, ""),
        ({}, {"permissions": "allow"}, "permissions = allow (by agent), and that one has ask"),
        ({"permissions": "deny"}, {}, "permissions = ask (by agent), and that one has deny"),
        ({}, {"sandbox": "off"}, "sandbox = off (by spawn), and that one has prefer"),
        ({"sandbox": "require"}, {}, "sandbox = prefer"),
        ({"read": "strict"}, {}, "read = open (by spawn), and that one has strict"),
    ],
    ids=str,
)
def test_a_run_is_held_no_looser_than_the_one_that_asks_for_it(own, child, words):
    found = check(above(own, child), "parent")
    assert (found.ok, found.waits_for) == (not words, None)
    assert words in found.why
    assert "run 7" in found.why
    assert bool(found.fix) is bool(words)


def test_all_that_is_looser_is_named_at_once():
    why = check(above({"tools": ()}, {"tools": ("Read",), "read": "open", "sandbox": "off"}), "parent").why
    assert "the tool Read" in why
    assert "sandbox = off" in why


def test_every_check_can_fail():
    assert {name for name, *_ in FAILING} == set(CHECKS)


@given(st.sets(st.sampled_from([name for name, changes, *_ in FAILING if "place" not in changes])))
def test_failures_do_not_hide_each_other(names):
    facts = GOOD
    for name in names:
        facts = change(facts, **next(changes for failing, changes, *_ in FAILING if failing == name))
    assert {failed.name for failed in admit(facts).failed} == names


@pytest.mark.parametrize(
    ("action", "ok", "wanted"),
    [("warn", True, None), ("refuse", False, None), ("ask", False, "approval"), ("pause", False, "budget")],
)
def test_what_does_not_fit_is_treated_as_the_budget_says(action, ok, wanted):
    found = check(budgets(change(DAY, taken=50_000, action=action)), "budget")
    assert (found.ok, found.waits_for) == (ok, wanted)
    if action == "warn":
        assert "day is over its limit" in found.warning


def test_a_refusal_outweighs_a_question_and_a_question_outweighs_waiting():
    full = {action: change(DAY, name=action, taken=60_000, action=action) for action in ("refuse", "ask", "pause")}
    assert check(budgets(full["pause"], full["ask"], full["refuse"]), "budget").waits_for is None
    found = check(budgets(full["pause"], full["ask"]), "budget")
    assert found.waits_for == "approval"
    assert "approve it" in check(budgets(full["ask"]), "budget").fix


def test_the_way_out_is_that_of_the_budget_that_refuses():
    ask = change(DAY, name="asks", taken=60_000, action="ask")
    refuse = change(DAY, name="refuses", taken=60_000)
    assert "raise budget refuses" in check(budgets(ask, refuse), "budget").fix
    assert (
        "approve it, or raise budgets waits, asks"
        in check(budgets(change(ask, action="pause", name="waits"), ask), "budget").fix
    )


def test_what_a_run_spawned_does_not_wait_for_a_place_that_its_parent_may_hold():
    full = change(GOOD, place=change(PLACE, live_runs=4, depth=1))
    assert waits_for(admit(full), may_wait=True) is None


def test_a_budget_that_just_fits_passes_and_one_token_less_does_not():
    assert check(budgets(change(DAY, limit=55_400)), "budget").ok
    assert not check(budgets(change(DAY, limit=55_399)), "budget").ok


def test_a_budget_near_its_limit_warns():
    assert check(budgets(DAY), "budget").warning == "day reaches 92%"
    assert check(budgets(change(DAY, taken=1_000)), "budget").warning == ""


def test_money_is_refused_while_its_price_is_not_known_unless_that_is_allowed():
    money = BudgetFacts("month", "microusd", "month", 0, 1, 40_000_000, 11_000_000, None, "ask", 0.8)
    found = check(budgets(money), "budget")
    assert (found.ok, found.waits_for) == (False, None)
    assert "the price of this run is not known" in found.why
    assert "allow_unpriced" in found.fix
    assert check(change(budgets(money), allow_unpriced=True), "budget").ok
    assert "$11.00 + $0.0640 of $40.00 this month" in check(budgets(change(money, need=64_000)), "budget").why


def test_a_run_that_was_stopped_goes_on_only_when_what_stopped_it_was_raised():
    stopped = change(DAY, taken=0, stopped=True)
    found = check(budgets(stopped), "budget")
    assert (found.ok, found.waits_for) == (False, "budget")
    assert "not raised since" in found.why
    assert check(budgets(change(stopped, action="ask")), "budget").waits_for == "approval"
    assert stopped.lacks == 1
    assert change(DAY, taken=50_000).lacks == 4_200


def test_claims_and_places_are_waited_for_only_when_the_request_says_so():
    held = admit(change(GOOD, clashes=(CLASH,), place=change(PLACE, live_runs=4)))
    assert waits_for(held, may_wait=False) is None
    assert waits_for(held, may_wait=True) == "claim"
    assert waits_for(admit(change(GOOD, place=change(PLACE, live_runs=4))), may_wait=True) == "slot"
    hopeless = admit(change(GOOD, clashes=(CLASH,), timeout_s=0.0))
    assert waits_for(hopeless, may_wait=True) is None


def test_the_operators_word_is_waited_for_whoever_asks():
    asked = admit(budgets(change(DAY, taken=60_000, action="ask")))
    assert waits_for(asked, may_wait=False) == "approval"
    both = admit(change(budgets(change(DAY, taken=60_000, action="ask")), clashes=(CLASH,)))
    assert waits_for(both, may_wait=False) is None
    assert waits_for(both, may_wait=True) == "approval"


def test_a_reader_beside_a_writer_is_only_warned_about():
    found = check(change(GOOD, clashes=(change(CLASH, writes=False),)), "conflict")
    assert found.ok
    assert "notes/api.md is shared with run 8 (ops)" in found.warning


def test_a_prompt_above_its_target_is_only_warned_about():
    found = check(change(GOOD, target_tokens=311), "inject")
    assert found.ok
    assert found.warning == "above the target of 311 for research"
    assert "4,198 with everything" in found.why


@pytest.mark.parametrize("limit", ["run_microusd", "stop_microusd"])
def test_a_limit_in_dollars_needs_a_price(limit):
    unknown = change(COST, likely_microusd=None, high_microusd=None)
    facts = change(GOOD, **{"estimate": unknown, "run_microusd": None, "stop_microusd": None, limit: 100_000})
    assert not check(facts, "cost").ok
    assert "its price is not known" in check(facts, "cost").why
    assert check(change(facts, allow_unpriced=True), "cost").ok
    assert check(change(facts, **{limit: None}), "cost").ok


def test_where_a_run_is_ended_says_nothing_of_what_is_expected_of_it():
    assert check(change(GOOD, stop_microusd=1), "cost").ok


def test_the_cost_says_what_the_number_is_worth():
    said = check(GOOD, "cost").why
    assert said == (
        "9,100 likely (7,400 - 14,200), $0.0410: 312 injected, 6,900 fixed overhead, 1,888 work;"
        " from 12 runs, past error 8%, 21% at worst in nine of ten"
    )
    declared = change(COST, basis="declared", runs=3, low_tokens=100, likely_tokens=100, high_tokens=100)
    assert "declared, 3 of 5 runs known" in check(change(GOOD, estimate=declared), "cost").why


def test_a_verdict_survives_being_stored():
    verdict = admit(change(budgets(change(DAY, taken=60_000, action="ask")), clashes=(CLASH,)))
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "1 path to write, inside the workspace, enforced by landlock(7)"),
        ({"scope_paths": ()}, "writes nothing in the workspace, enforced by landlock(7)"),
        ({"sandbox": "bwrap"}, "1 path to write, inside the workspace, enforced by bwrap"),
        (
            {"sandbox": "advisory"},
            "1 path to write, inside the workspace, advisory: this kernel has no Landlock",
        ),
        ({"sandbox": "off"}, "1 path to write, inside the workspace, checked afterwards: its sandbox is off"),
        (
            {"sandbox_loose": ("notes/*.md: notes/ is enforced, the rest is checked afterwards",)},
            "1 path to write, inside the workspace, enforced by landlock(7); notes/*.md: notes/ is enforced, the rest"
            " is checked afterwards",
        ),
    ],
)
def test_the_scope_says_what_holds_the_run_to_it(changes, why):
    assert check(change(GOOD, **changes), "scope").why == why


def test_a_grace_of_five_minutes_is_the_longest():
    assert check(change(GOOD, grace_s=300.0), "timeout").ok
