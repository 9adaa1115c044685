"""What does `qd run show` make of a run on record: the same as JSON and, in lines that fit, as text?"""

import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.command import MOST_BYTES
from engine.contract.outcome import Stop, StoppedAt
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart, Verdict
from engine.scopes.violations import Changes, Unattributed
from state import approvals, receipts, runs, sessions
from tui.cli import run_text
from tui.cli.dispatch import capture
from tui.cli.run_text import hung
from tui.cli.verb import Page

ESTIMATE = Estimate(60, 40, 400, 500, 900, 2_000_000, None, "history", 12, 1.08, 0.1, 0.4)
CHECKS = (
    Check("agent", True, "coder can be started"),
    Check("inject", True, "1 file", warning="above the target of 60 for heartbeat"),
    Check("budget", False, "day: 5 + 900 of 100 today", "approve it", "week reaches 90%", "approval"),
)


def encoded(value):
    return msgspec.json.encode(value).decode()


def run_of(world, generation=None, **columns):
    """A run on record; by default one that succeeded."""
    values = {
        "session_id": sessions.generation(world.open().connection, generation).session_id if generation else None,
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
        "outcome": "succeeded",
        "estimate_tokens": 900,
        "estimate": encoded(ESTIMATE),
        "verdict": encoded(Verdict(True, CHECKS, ESTIMATE)),
        "requested_ms": world.now_ms,
    }
    with world.open().transaction() as tx:
        return runs.add(tx, values | columns)


def shown(world, number):
    """`qd run show N`, as JSON and as text."""
    world.close()
    code, out, err = capture(["run", "show", str(number), "--json"], world.home)
    assert (code, err) == (0, "")
    _, text, _ = capture(["run", "show", str(number)], world.home)
    return json.loads(out), text


def test_a_verdict_tells_warnings_and_what_would_help(world):
    view, text = shown(world, run_of(world))
    assert view["verdict"]["estimate_tokens"] == 900
    assert view["verdict"]["checks"][2] == {
        "name": "budget",
        "ok": False,
        "why": "day: 5 + 900 of 100 today",
        "fix": "approve it",
        "warning": "week reaches 90%",
        "waits_for": "approval",
    }
    assert "NO   day: 5 + 900 of 100 today; approve it" in text
    assert "!    above the target" in text


def test_a_run_from_before_there_were_estimates_is_still_shown(world):
    old = {"ok": True, "checks": [{"name": "agent", "ok": True, "why": "can", "fix": ""}], "estimate_tokens": 7}
    number = run_of(world, verdict=json.dumps(old), estimate=None, estimate_tokens=7)
    with world.open().transaction() as tx:
        part = {"kind": "task", "source": "task", "chars": 1, "tokens": 1, "sha256": "", "stable": False}
        receipts.store(tx, receipts.Receipt(number, json.dumps([part]), 1, 1))
    view, text = shown(world, number)
    assert view["estimate"] is None
    assert view["verdict"]["checks"][0]["warning"] == ""
    assert view["receipt"]["parts"][0]["sent"] is True
    assert "expected" not in text


@pytest.mark.parametrize(("state", "basis", "error"), [("settled", 0, 0.5), ("running", 0, None), ("settled", 3, None)])
def test_an_estimate_is_compared_with_what_was_reported(world, state, basis, error):
    """What is still running is not all there, and what is estimated itself proves nothing."""
    _, generation = world.session("fix", agent="coder")
    number = run_of(world, generation, state=state, outcome="succeeded" if state == "settled" else None)
    world.book(generation, (100, 0, 0, 900), run_id=number, cost_microusd=3, basis=basis)
    view, text = shown(world, number)
    assert (view["estimate"]["used_tokens"], view["estimate"]["used_microusd"]) == (1000, 3)
    assert view["estimate"]["error"] == error
    assert "expected 500 tokens (400 to 900), $2.00; from 12 runs like it" in text
    assert "half of such estimates were 10% off or less; nine of ten 40%" in text
    assert ("; 1,000 in all, twice what was expected" in text) == (error is not None)


def test_nothing_booked_is_unknown_and_not_zero(world):
    view, _ = shown(world, run_of(world))
    assert (view["usage"], view["estimate"]["used_tokens"], view["estimate"]["error"]) == (None, None, None)


def test_a_receipt_tells_what_was_sent_and_where_the_cache_breaks(world):
    number = run_of(world)
    parts = (
        ReceiptPart("instructions", "AGENTS.md", 20, 5, "a", True, sent=False),
        ReceiptPart("task", "task", 9, 3, "b", False),
    )
    broken = encoded(CacheBreak("skills deploy", "changed", 812, 431))
    decided = '{"model": "agent", "timeout_s": "agent", "task": "spawn"}'
    kept = receipts.Receipt(number, encoded(parts), 3, 9, decided, broken, 4200)
    with world.open().transaction() as tx:
        receipts.store(tx, kept)
    view, text = shown(world, number)
    assert [part["sent"] for part in view["receipt"]["parts"]] == [False, True]
    assert view["receipt"]["cache_break"]["lost_tokens"] == 431
    assert (view["receipt"]["everything_tokens"], view["receipt"]["decided"]["model"]) == (4200, "agent")
    assert "not sent again" in text
    assert "the cache breaks at skills deploy, which was changed: 812 tokens can" in text
    assert "by agent: model, timeout\n" in text


def test_what_it_changed_is_told(world):
    changes = Changes(True, "", 3, 1, ("stray.md",), 1, (Unattributed("b", "run 3"),), 1)
    view, text = shown(world, run_of(world, changes=encoded(changes)))
    assert (view["changes"]["violations"], view["changes"]["unattributed"]) == (
        ["stray.md"],
        [{"path": "b", "who": "run 3"}],
    )
    assert "3 files changed, 1 outside its scope: stray.md" in text


def test_a_run_that_met_its_budget_says_where_and_who_goes_on(world):
    stop = Stop("budget_reached", (StoppedAt("day", "microusd", 2_500_000, world.now_ms),))
    first = run_of(world, outcome="budget_reached", stop_reason=encoded(stop), why="its budget had no more room")
    again = run_of(world, state="waiting", outcome=None, waits_for="budget", resumes_run_id=first)
    view, text = shown(world, first)
    assert view["stopped_at"][0]["limit"] == 2_500_000
    assert view["stopped_at"][0]["window_start_at"].endswith("Z")
    assert view["resumed_by"] == again
    assert "stopped at budget day, $2.50 in its window" in text
    assert f"run {again} goes on with it: waits for room in a budget:" in text
    assert shown(world, again)[0]["resumes"] == first


def test_a_waiting_run_says_what_for_until_when_and_how_to_answer(world):
    number = run_of(
        world, state="waiting", outcome=None, waits_for="approval", expires_ms=world.now_ms, why="budget: no"
    )
    with world.open().transaction() as tx:
        asked = approvals.ask(tx, number, "{}", world.now_ms, world.now_ms)
    view, text = shown(world, number)
    assert (view["waiting"]["for"], view["waiting"]["approval"]) == ("approval", asked)
    assert view["waiting"]["until_at"].endswith("Z")
    assert f"waits for your word: qd approve {asked}" in text
    with world.open().transaction() as tx:
        approvals.withdraw(tx, number, world.now_ms)
        runs.update(tx, number, {"waits_for": "claim"})
    view, text = shown(world, number)
    assert view["waiting"]["approval"] is None
    assert "waits for another run's claim: no" in text


@pytest.mark.parametrize(("size", "unread"), [(None, 0), (10, 0), (MOST_BYTES, 0), (MOST_BYTES + 1234, 1234)])
def test_what_was_not_read_of_its_usage_file_is_told(world, size, unread):
    number = run_of(world)
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    if size is not None:
        (folder / "usage.jsonl").touch()
        os.truncate(folder / "usage.jsonl", size)
    view, text = shown(world, number)
    assert view["usage_unread_bytes"] == unread
    assert ("bytes at the end of its usage file are not read" in text) == (unread > 0)
    assert ("1,234 bytes at the end" in text) == (unread > 0)


def test_of_a_usage_file_that_is_not_kept_nothing_is_known(world):
    assert shown(world, run_of(world))[0]["usage_unread_bytes"] is None


def test_whose_child_it_is_is_told(world):
    parent = run_of(world)
    child = run_of(world, parent_run_id=parent, depth=1, template="fix")
    run_of(world, parent_run_id=parent, depth=1, state="refused", outcome="refused")
    assert shown(world, parent)[0]["children"] == 1
    view, text = shown(world, child)
    assert (view["parent"], view["depth"], view["template"]) == (parent, 1, "fix")
    assert f"asked for by run {parent}, at depth 1" in text


def test_nothing_that_a_terminal_would_obey_comes_through(world, monkeypatch):
    monkeypatch.setattr(run_text, "page", lambda: Page(80, True))
    evil = "\x1b]0;owned\x07\u202e"
    number = run_of(
        world,
        why=evil,
        outcome="failed",
        agent=f"co{evil}der",
        verdict=encoded(Verdict(False, (Check("inject", False, evil * 30, evil, evil),), ESTIMATE)),
    )
    part = ReceiptPart("file", evil * 40, 1, 1, "a", True)
    with world.open().transaction() as tx:
        receipts.store(tx, receipts.Receipt(number, encoded((part,)), 1, 1))
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "result.txt").write_text(f"answer {evil}\n\tindented " + "x" * 900)
    _, text = shown(world, number)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "x" * 900 in text, "an answer is not cut"
    assert "    indented" in text


def test_in_a_pipe_an_answer_is_as_it_is(world):
    number = run_of(world)
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "result.txt").write_text("a\tb \x1b[1mbold\n")
    assert shown(world, number)[1].endswith("\n\na\tb \x1b[1mbold")


@given(st.text(), st.integers(20, 100))
def test_a_text_is_wrapped_without_losing_a_word(text, width):
    from tui.clean import clean

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_text, "page", lambda: Page(width, False))
        said = hung("  head  ", text)
    lines = said.split("\n")
    assert all(len(line) <= max(width, 28) for line in lines)
    whole = "".join(line[8:] for line in lines)
    assert "".join(whole.split()) == "".join(clean(text, len(text) + 1).split())
    assert all(line[:8].strip() in ("head", "") for line in lines)


def test_a_run_list_says_what_waits_and_fits(world, monkeypatch):
    run_of(world, state="waiting", outcome=None, waits_for="slot")
    run_of(world, summary="a long answer " * 20)
    world.close()
    _, piped, _ = capture(["run", "list"], world.home)
    monkeypatch.setattr("tui.cli.run_list.page", lambda: Page(80, True))
    _, seen, _ = capture(["run", "list"], world.home)
    assert "waits: slot" in seen
    assert max(map(len, seen.splitlines())) <= 80
    assert "a long answer " * 10 in piped


def test_a_run_says_who_asked_for_what(world):
    _, text = shown(world, run_of(world, job="nightly", model="haiku", template="fix"))
    assert "chat, main lane, asked for by operator, template fix, job nightly, model haiku" in text


def test_a_run_from_an_old_state_says_so_before_its_answer(world):
    number = run_of(world)
    folder = world.home.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "result.txt").write_text("the answer")
    *_, note, answer = shown(world, number)[1].split("\n\n")
    assert note.startswith("No engine follows: this was seen just now.")
    assert answer == "the answer"
