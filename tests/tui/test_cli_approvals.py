"""What is put before the operator: everything that is stored, and exactly that?"""

import hashlib
import json
import re

import msgspec
import pytest

from engine.runtime.lease import holder
from engine.runtime.questions import Permission, Question, Raise
from state import approvals
from tests.tui.test_cli_runs import run_of
from tui.cli.dispatch import capture
from tui.cli.verb import Page


def question(world, task="mend the pump", raises=None):
    if raises is None:
        raises = (
            Raise("day", "tokens", "day", world.now_ms, world.now_ms + 86_400_000, 1000, 900, 500, 400),
            Raise("each", "microusd", "run", 0, 1, 1_000_000, 0, 2_500_000, 1_500_000),
        )
    return Question(
        run_id=1,
        agent="coder",
        task_type="research",
        task=task,
        workspace="/home/op/work",
        argv=("mend", "--pump", "hall two"),
        model="haiku-4",
        tools=("read", "grep"),
        inject=("README.md",),
        skills="review",
        can_write=("out/",),
        trigger="timer",
        job="nightly",
        resumes_run_id=7,
        likely_tokens=300,
        high_tokens=500,
        high_microusd=2_500_000,
        raises=raises,
    )


@pytest.fixture
def put(world):
    def ask(**said):
        run = run_of(world, state="waiting", outcome=None, waits_for="approval")
        what = msgspec.json.encode(question(world, **said)).decode()
        with world.open().transaction() as tx:
            return approvals.ask(tx, run, what, world.now_ms, world.now_ms + 3_600_000), what

    return ask


def answer(world, *words):
    world.close()
    code, out, err = capture([*words, "--json"], world.home)
    assert (code, err) == (0, "")
    return json.loads(out), capture([*words], world.home)[1]


def test_without_state_nothing_waits(world):
    assert answer(world, "approvals") == ({"approvals": []}, "Nothing waits for your word.")
    code, _, err = capture(["approve", "1"], world.home)
    assert code == 1
    assert "there is no approval 1" in err


def test_a_list_says_what_approving_grants(world, put):
    number, _ = put()
    data, text = answer(world, "approvals")
    assert [one["approval"] for one in data["approvals"]] == [number]
    assert "day +400 tokens, each +$1.50" in text


def test_a_list_fits_into_eighty_columns(world, put, monkeypatch):
    put(task="mend the pump in hall two, and tell why it loses pressure every night", raises=())
    monkeypatch.setattr("tui.cli.approvals.page", lambda: Page(80, True))
    _, text = answer(world, "approvals")
    assert max(map(len, text.splitlines())) <= 80
    assert "mend the" in text


def test_a_question_is_shown_with_all_that_is_stored(world, put):
    number, what = put()
    view, text = answer(world, "approvals", "show", str(number))
    assert view["sha256"] == hashlib.sha256(what.encode()).hexdigest()
    assert view["chars"] == len(what)
    stored = json.loads(what)
    for key in stored.keys() - {"raises"}:
        assert view["question"][key] == stored[key]
    assert [one["amount"] for one in view["question"]["raises"]] == [400, 1_500_000]
    assert view["question"]["raises"][0]["window_start_at"].endswith("Z")
    for said in (
        "coder, research, asked for by timer of job nightly",
        "mend the pump",
        "with run 7",
        "/home/op/work",
        "mend --pump 'hall two'",
        "haiku-4",
        "read, grep",
        "review",
        "README.md",
        "out/",
        "300 tokens, at most 500, $2.50",
        "day: 900 tokens taken + 500 tokens needed of 1,000 tokens; approving grants 400 tokens more in this window",
        "each: $0.00 taken + $2.50 needed of $1.00; approving grants $1.50 more for this run",
        view["sha256"],
    ):
        assert said in text


def test_a_long_hostile_task_is_shown_whole_and_masked(world, put):
    task = "one\n" + "\x1b[2K\u202e" + "y" * 9000
    number, _ = put(task=task)
    view, text = answer(world, "approvals", "show", str(number))
    assert view["question"]["task"] == task
    assert "y" * 9000 in text
    assert not {"\x1b", "\u202e"} & set(text)
    assert re.search(r"task +one\n", text)


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_what_is_decided_is_not_decided_again(world, put, word):
    number, _ = put()
    with world.open().transaction() as tx:
        approvals.decide(tx, number, False, world.now_ms)
    world.close()
    code, _, err = capture([word, str(number)], world.home)
    assert code == 1
    assert f"approval {number} is denied already" in err
    assert holder(world.home) is None, "no engine is started for that"
    assert answer(world, "approvals")[0] == {"approvals": []}


@pytest.mark.parametrize("word", ["approve", "deny"])
def test_a_run_does_not_answer_its_own_question(world, put, word, monkeypatch):
    number, _ = put()
    world.close()
    monkeypatch.setenv("QUARTERDECK_RUN", "1")
    code, out, err = capture([word, str(number)], world.home)
    assert (code, out) == (1, "")
    assert err == "an agent does not answer its own questions; answer from your own shell"
    assert holder(world.home) is None, "no engine is started for that"
    assert [one["approval"] for one in answer(world, "approvals")[0]["approvals"]] == [number]


def permission(what="command: rm -r pump\n\x1b]0;owned\x07 \u202e end"):
    return Permission(3, "coder", 5, "mend the pump", "/home/op/work", "Bash", what, None)


@pytest.fixture
def asked_by_program(world):
    """What a live run's program asks, on record; the approval's number."""
    run = run_of(world, state="running", outcome=None)
    text = msgspec.json.encode(permission()).decode()
    with world.open().transaction() as tx:
        return approvals.ask(tx, run, text, world.now_ms, world.now_ms + 3_600_000, request_id="r1"), text


def test_what_a_program_asks_is_shown_whole_beside_what_budgets_ask(world, put, asked_by_program):
    number, text = asked_by_program
    put()
    data, told = answer(world, "approvals")
    assert [one["kind"] for one in data["approvals"]] == ["permission", "budget"]
    assert "Bash command: rm -r pump" in told
    data, told = answer(world, "approvals", "show", str(number))
    assert data["question"] == msgspec.to_builtins(permission())
    assert data["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert "coder asks: Bash" in told
    assert "command: rm -r pump" in told
    assert " end" in told, "nothing of it is left out"
    assert not {"\x1b", "\x07", "\u202e"} & set(told)


def test_a_run_shows_what_its_program_asked(world, asked_by_program):
    number, _ = asked_by_program
    view, told = answer(world, "run", "show", str(approvals.get(world.open().connection, number).run_id))
    assert [(one["approval"], one["state"], one["tool"]) for one in view["asked"]] == [(number, "open", "Bash")]
    assert f"question {number}, open: Bash command: rm -r pump" in told
