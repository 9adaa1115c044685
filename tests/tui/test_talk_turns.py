"""What a talk tells of each turn, of a line before it is sent, and of what waits for an answer."""

import msgspec
import pytest

from engine.contract.verdict import Check, Estimate, Verdict
from state import approvals, runs
from tests.tui.test_inbox import asked, permission
from tests.tui.test_talk import live_run, orders_of, talking
from tui.messages import VerdictCame
from tui.screens.confirm import Confirm
from tui.screens.talk_lines import preview_words
from tui.widgets import flash

ESTIMATE = Estimate(
    injected_tokens=100,
    overhead_tokens=0,
    low_tokens=800,
    likely_tokens=1_200,
    high_tokens=2_100,
    likely_microusd=10_000,
    high_microusd=20_000,
    basis="declared",
)


def encoded(value):
    return msgspec.json.encode(value).decode()


PASSED = (Check("agent", True, "fine"), Check("budget", True, "day has room"))
FAILED = Check("budget", False, "day has no room", "raise it")


def ended(world, **fields):
    """A run of the session that is over; returns its id."""
    values = {
        "session_id": 1, "state": "settled", "outcome": "succeeded", "task": "what is open?",
        "verdict": encoded(Verdict(True, PASSED, ESTIMATE)), "estimate": encoded(ESTIMATE),
        "started_ms": world.now_ms, "ended_ms": world.now_ms + 3_100,
    }  # fmt: skip
    return world.run(**values | fields)


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_a_turn_says_its_verdict_and_at_its_end_what_it_took(filled, drive, size):
    run_id = ended(filled)
    filled.book(1, (50, 11_000, 1_150, 31), key="t1", run_id=run_id, cost_microusd=61_200)

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees("admitted: 2 checks pass, 1.2k tokens likely, at most")
        await pilot.sees("succeeded in 3.1 s   12.2k tokens in (11.0k cached)", "31 out, $0.06")
        assert "final" not in pilot.shown()
        assert "per_run" not in pilot.shown()

    drive(filled.home, scenario, size)


@pytest.mark.parametrize(
    ("run", "booked", "line"),
    [
        ({}, None, "succeeded in 3.1 s   nothing booked"),
        (
            {},
            {"basis": 3, "confidence": 2, "cost_microusd": 10_000},
            "100 tokens in, 5 out, $0.01, estimated, inferred",
        ),
        (
            {"estimate": encoded(msgspec.structs.replace(ESTIMATE, basis="none"))},
            None,
            "no tokens expected, as no model is named",
        ),
        ({"estimate": encoded(msgspec.structs.replace(ESTIMATE, basis="none"))}, None, "its use is unknown"),
        ({}, {"basis": 2, "cost_microusd": 10_000}, "100 tokens in, 5 out, $0.01, streamed"),
        ({}, {"basis": 4, "confidence": 1}, "100 tokens in, 5 out, no price, partial"),
        (
            {"outcome": "failed", "why": "exit code 2"},
            {},
            "failed in 3.1 s: exit code 2   100 tokens in, 5 out, no price",
        ),
        (
            {"verdict": "{}", "state": "refused", "outcome": "refused", "why": "it was withdrawn"},
            None,
            "refused: it was",
        ),
    ],
)
def test_what_is_not_exact_and_what_went_wrong_is_told_at_the_end(filled, drive, run, booked, line):
    run_id = ended(filled, **run)
    if booked is not None:
        filled.book(1, (100, 0, 0, 5), key="t1", run_id=run_id, **booked)

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees(line)

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_while_it_answers_elapsed_time_and_tokens_are_told_and_then_no_more(filled, drive, size):
    run_id, folder = live_run(filled, "I look")
    used = {"input_tokens": 1_000, "output_tokens": 200}

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees("running ", " s, no tokens told yet")
        (folder / "usage.jsonl").write_text(encoded(used) + "\n")
        await pilot.sees(" s, 1.2k tokens so far")
        with filled.open().transaction() as tx:
            runs.update(tx, run_id, {"state": "settled", "outcome": "succeeded"})
        await pilot.until(lambda: "so far" not in pilot.shown(), "it is over")

    drive(filled.home, scenario, size)


def test_what_the_line_would_come_to_is_asked_as_it_is_typed_and_never_of_another_line(filled, drive):
    async def scenario(pilot):
        asked_for = []
        pilot.app.link.preview = asked_for.append
        orders_of(pilot)
        await talking(pilot)
        await pilot.press(*"mend it")
        await pilot.until(lambda: asked_for, "it is asked")
        request = asked_for[-1]
        assert (request.task, request.session_id, request.agent) == ("mend it", 1, "coder")
        pilot.app.post_message(VerdictCame(request, Verdict(True, PASSED, ESTIMATE), None))
        await pilot.sees("this turn: 1.2k tokens likely, at most 2.1k, $0.02; every check passes")
        await pilot.press("x")
        await pilot.until(lambda: "this turn" not in pilot.shown(), "it is another line")
        await pilot.until(lambda: asked_for[-1].task == "mend itx", "which is asked about too")
        pilot.app.post_message(VerdictCame(request, Verdict(True, PASSED, ESTIMATE), None))
        await pilot.pause()
        assert "this turn" not in pilot.shown()
        pilot.app.post_message(VerdictCame(asked_for[-1], Verdict(False, (FAILED,), ESTIMATE), None))
        await pilot.sees("NO  budget: day has no room   raise it")
        pilot.app.post_message(VerdictCame(asked_for[-1], None, None, "no such model"))
        await pilot.sees("no such model")
        await pilot.press("enter")
        await pilot.until(lambda: "no such model" not in pilot.shown(), "the line is sent")

    drive(filled.home, scenario)


def test_while_it_answers_no_verdict_is_asked_for(filled, drive):
    live_run(filled)

    async def scenario(pilot):
        asked_for = []
        pilot.app.link.preview = asked_for.append
        await talking(pilot)
        await pilot.press(*"mend")
        pilot.app.screen.bar._ask_preview()
        assert asked_for == []

    drive(filled.home, scenario)


@pytest.mark.parametrize(
    ("checks", "line"),
    [
        ((FAILED, FAILED), "NO  budget: day has no room (and 1 check more)   raise it"),
        ((Check("budget", True, "fine", "", "nearly full"),), "at most 2.1k, $0.02; every check passes; nearly full"),
    ],
)
def test_a_verdict_is_one_line_with_what_fails_first_or_warns(checks, line):
    said = "".join(text for text, _ in preview_words(Verdict(all(check.ok for check in checks), checks, ESTIMATE)))
    assert said.endswith(line)


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_a_question_is_in_sight_whatever_was_said_before_and_all_of_it_can_be_read(filled, drive, monkeypatch, size):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    for number in range(3):
        ended(filled, task=f"turn {number} " + "and so on " * 30)
    run_id, _ = live_run(filled, "".join(f"line {number}\n" for number in range(50)))
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await talking(pilot)
        await pilot.sees("line 49")
        permission(filled, run_id, what="".join(f"step {number}\n" for number in range(40)))
        permission(filled, run_id, request_id="r2", what="make clean")
        await pilot.sees("it asks: tab, then y allows, n denies (1 of 2)", "use Bash", "step 0", "pgdn: rest")
        await pilot.sees("line 49")
        for _ in range(12):
            await pilot.press("pagedown")
        await pilot.sees("step 39", "sha256")
        await pilot.press("tab", "n")
        await pilot.sees(f"Deny run {run_id} to use Bash?")
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "it is answered")
        found.extend((kind, body.approval_id, body.approve) for kind, body, _, _ in ordered)
        with filled.open().transaction() as tx:
            approvals.decide(tx, 1, False, filled.now_ms)
        await pilot.sees("it asks: y allows, n denies", "make clean")
        assert "1 of" not in pilot.shown()
        with filled.open().transaction() as tx:
            approvals.decide(tx, 2, False, filled.now_ms)
        await pilot.until(lambda: "it asks" not in pilot.shown(), "nothing is asked any more")
        assert pilot.app.screen.bar.line.has_focus
        await pilot.sees("line 49")

    drive(filled.home, scenario, size)
    assert found == [("decide", 1, False)]


def test_a_run_that_waits_for_the_operators_word_is_answered_here_too(filled, drive):
    run_id = filled.run(session_id=1, waits_for="approval", task="mend it")
    filled.question(run_id, asked(run_id))

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees("it asks: tab, then y", "approving raises it by 100 tokens")
        await pilot.press("tab", "y")
        await pilot.sees(f"Approve run {run_id}?")

    drive(filled.home, scenario)


def test_what_became_of_a_key_leaves_by_itself_or_when_something_is_typed(filled, drive, monkeypatch):
    monkeypatch.setattr(flash, "FLASH_S", 0.5)

    async def scenario(pilot):
        await talking(pilot)
        pilot.app.screen.flash("run 1 may do that")
        assert "run 1 may do that" in said_of(pilot)
        await pilot.until(lambda: not said_of(pilot), "it has left")
        assert pilot.app.screen.bar._said._timer is None
        monkeypatch.setattr(flash, "FLASH_S", 3600)
        pilot.app.screen.flash("run 1 may do that")
        pilot.app.screen.flash("run 2 may do that")
        assert said_of(pilot) == "run 2 may do that"
        await pilot.press("a")
        await pilot.until(lambda: not said_of(pilot), "it has left")

    drive(filled.home, scenario)


def said_of(pilot):
    return "".join(text for line in pilot.app.screen.bar._said.lines for text, _ in line)
