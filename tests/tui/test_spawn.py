"""The spawn sheet: what its fields ask for, what holds where they are empty, and what the verdict says of it."""

import pytest

from engine.config.load import parse
from engine.contract.orders import RunRequest
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart, ReceiptView, Verdict
from engine.runtime.settings import CHECKS
from state.errors import Refused
from tui.messages import VerdictCame
from tui.screens.overview import Overview
from tui.screens.sheet import check_line
from tui.screens.spawn import SpawnSheet, standing
from tui.screens.spawn_prompt import prompt_lines
from tui.screens.spawn_request import blamed, holds, params_hint, request_of

EMPTY = dict.fromkeys(
    (
        *("task", "inject", "agent", "model", "template", "params", "task type", "skills", "can read", "can write"),
        *(
            "tools",
            "timeout",
            "limits",
            "workspace",
            "program",
            "permissions",
            "sandbox",
            "read",
            "silence",
            "fallback",
        ),
        *("keep", "grace", "stop turns", "stop tokens", "stop usd"),
    ),
    "",
)
TEMPLATE = """
[agent.coder]
adapter = "command"
argv = ["true"]
model = "haiku"
[template.review]
agent = "coder"
task = "Review {file}, {n} times"
inject = ["{file}"]
timeout = "2m"
[template.review.params.file]
type = "path"
[template.review.params.n]
type = "number"
default = "3"
"""
COST = Estimate(49, 0, 49, 449, 449, None, None, "declared")


@pytest.fixture
def config(tmp_path):
    return parse(TEMPLATE, tmp_path / "quarterdeck.toml", CHECKS)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, {"agent": None, "inject": None, "tools": None, "timeout_s": None, "template": None, "skills": None}),
        ({"inject": "a.md b.md"}, {"inject": ("a.md", "b.md")}),
        ({"inject": "none", "tools": "none"}, {"inject": (), "tools": ()}),
        ({"tools": "read, search write"}, {"tools": ("read", "search", "write")}),
        ({"params": "file=a.md note='two words' x="}, {"params": {"file": "a.md", "note": "two words", "x": ""}}),
        ({"limits": "500 20k $0.10"}, {"injected_tokens": 500, "run_tokens": 20_000, "run_usd": 0.1}),
        ({"limits": "- 20k"}, {"injected_tokens": None, "run_tokens": 20_000, "run_usd": None}),
        ({"limits": "$0"}, {"injected_tokens": None, "run_tokens": None, "run_usd": 0}),
        ({"timeout": "1h30m"}, {"timeout_s": 5400}),
        ({"program": "sh -c 'a b'"}, {"argv": ("sh", "-c", "a b")}),
        ({"can read": "src/** docs", "can write": "notes"}, {"can_read": ("src/**", "docs"), "can_write": ("notes",)}),
        ({"workspace": "/w"}, {"workspace": "/w", "trigger": "spawn", "lane": "isolated", "wait": False}),
    ],
)
def test_fields_ask_for_what_they_say_and_empty_ones_for_nothing(fields, asked):
    found = request_of(EMPTY | fields)
    assert {key: getattr(found, key) for key in asked} == asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"timeout": "soon"}, "timeout: 'soon' is no duration"),
        ({"params": "file"}, "params: 'file' gives nothing a value"),
        ({"params": "a='b"}, "params: "),
        ({"limits": "1 2 3"}, "limits: too many numbers"),
        ({"limits": "$many"}, "limits: '$many' is no amount of dollars"),
        ({"limits": "few"}, "limits: 'few' is no number of tokens"),
        ({"program": "sh 'a"}, "program: "),
        ({"workspace": "~nobody-of-that-name/x"}, "workspace: "),
    ],
)
def test_a_field_that_makes_no_sense_is_named(fields, said):
    with pytest.raises(Refused) as caught:
        request_of(EMPTY | fields)
    assert str(caught.value).startswith(said)


def test_what_holds_is_said_with_the_level_that_decided_it(config):
    decided = {"model": "agent", "timeout_s": "template", "agent": "template", "injected_tokens": "shipped"}
    found = holds(request_of(EMPTY | {"template": "review", "params": "file=a.md"}), config, decided)
    assert found["model"] == "haiku (agent)"
    assert found["timeout"] == "2 min (template)"
    assert found["agent"] == "coder (template)"
    assert found["limits"].startswith("500 injected (shipped), ")
    assert holds(request_of(EMPTY | {"agent": "nobody"}), config, {}) == {}


def test_a_template_says_which_parameters_it_takes(config):
    assert params_hint("review", config) == "file=(path), n=(number, else 3)"
    assert params_hint(None, config) == params_hint("nope", config) == ""


def verdict(*failed, warning=""):
    checks = [Check("agent", True, "it can be started"), Check("inject", True, "1 file", warning=warning)]
    return Verdict(not failed, (*checks, *failed), COST)


BUDGET = Check("budget", False, "day: 1 + 449 of 100 today", "approve it", waits_for="approval")
ROOM = Check("budget", False, "day: 1 + 449 of 100 today", "raise it", waits_for="budget")
CLAIM = Check("conflict", False, "notes is held by run 3", "wait for run 3", waits_for="claim")
SCOPE = Check("scope", False, "/etc is outside", "name paths inside")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (verdict(), "every check passes: ctrl+s spawns"),
        (verdict(BUDGET), "1 check must pass first: budget   ctrl+s asks: it waits for your word, i answers it"),
        (verdict(ROOM), "1 check must pass first: budget   ctrl+s lets it wait for room in a budget"),
        (verdict(CLAIM), "1 check must pass first: conflict   ctrl+t waits for another run's claim"),
        (verdict(CLAIM, BUDGET), "2 checks must pass first: conflict, budget   ctrl+t waits for your word"),
        (verdict(SCOPE, BUDGET), "2 checks must pass first: scope, budget"),
    ],
)
def test_one_line_says_what_can_be_done_about_it(found, said):
    assert "".join(text for text, _ in standing(found)) == said


def test_a_check_that_passes_with_a_warning_is_marked():
    line = check_line(Check("inject", True, "1 file", warning="above the target of 60"))
    assert [text for text, _ in line] == ["inject      ", "!   ", "1 file; ", "above the target of 60"]
    failed = check_line(Check("budget", False, "full", "raise it", warning="week reaches 90%"))
    assert "".join(text for text, _ in failed) == "budget      NO  full; week reaches 90%   raise it"


PARTS = (
    ReceiptPart("instructions", "AGENTS.md", 5000, 1204, "a", True, sent=False),
    ReceiptPart("file", "README.md", 90, 30, "b", True),
    ReceiptPart("task", "task", 40, 11, "c", False),
)


def test_the_prompt_is_listed_as_it_is_sent_with_what_is_held_and_where_the_cache_breaks():
    found = ReceiptView(PARTS, 41, 130, 4198, CacheBreak("file README.md", "changed", 1204, 30), {})
    lines = ["".join(text for text, _ in line) for line in prompt_lines(found)]
    assert lines[0] == "prompt      41 tokens, as it is sent:   was 4,198 with everything"
    assert " ".join(lines[1].split()) == "instructions AGENTS.md - (held: 1,204 are in the conversation already)"
    assert lines[2].split() == ["file", "README.md", "30", "stable"]
    assert lines[3].split() == ["task", "task", "11", "changes"]
    assert lines[4].endswith("breaks at file README.md: changed, 30 tokens read anew; 1,204 before it still stand")


class Engine:
    """Keeps what the sheet asks, and answers when it is told to."""

    def __init__(self, pilot):
        self.pilot, self.asked, self.ordered = pilot, [], []
        pilot.app.link.preview = self.asked.append
        pilot.app.link.order = lambda *given: self.ordered.append(given)

    async def sheet(self):
        await self.pilot.sees("fix flaky test")
        await self.pilot.press("s")
        await self.pilot.until(lambda: isinstance(self.pilot.app.screen, SpawnSheet), "the sheet is open")
        await self.pilot.until(lambda: self.asked, "the empty sheet was asked about")
        return self.pilot.app.screen

    async def says(self, found, receipt=None):
        """The verdict on what stands there now."""
        sheet = self.pilot.app.screen
        await self.pilot.until(lambda: self.asked[-1] == sheet._request(), "the sheet has asked")
        receipt = receipt or ReceiptView(PARTS, 41, 130, None, None, {"model": "agent"})
        self.pilot.app.post_message(VerdictCame(self.asked[-1], found, receipt))
        await self.pilot.pause()


def test_nothing_is_ordered_before_the_verdict_on_exactly_this_and_then_once(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        sheet = await engine.sheet()
        await pilot.press("x", "ctrl+s")
        await pilot.sees("the verdict on this is not there yet")
        await engine.says(verdict())
        await pilot.press("y", "ctrl+s")
        assert engine.ordered == [], "that verdict was on another task"
        await engine.says(verdict())
        await pilot.sees("every check passes")
        await pilot.press("ctrl+s", "ctrl+s")
        ((kind, body, _, failed),) = engine.ordered
        assert (kind, body.task, body.wait) == ("run", "xy", False)
        failed("no")
        await pilot.press("ctrl+s")
        assert len(engine.ordered) == 2, "after a failure it can be asked for again"
        assert sheet.is_current

    drive(filled.home, scenario)


def test_an_answer_to_an_older_question_is_not_shown(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        before = engine.asked[-1]
        await pilot.press("x")
        await engine.says(verdict(warning="about what stands there"))
        await pilot.sees("about what stands there")
        stale = VerdictCame(before, verdict(warning="about the empty sheet"), ReceiptView((), 0, 0))
        pilot.app.post_message(stale)
        await pilot.pause()
        assert "about what stands there" in pilot.shown()

    drive(filled.home, scenario)


def test_a_run_that_only_lacks_a_claim_waits_on_another_key(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await engine.says(verdict(CLAIM))
        await pilot.sees("NO  notes is held by run 3", "ctrl+t wait")
        await pilot.press("ctrl+s")
        await pilot.sees("refused: notes is held by run 3")
        await pilot.press("ctrl+t")
        ((_, body, done, _),) = engine.ordered
        assert body.wait is True
        opened = []
        pilot.app.on_run_opened = opened.append
        done({"run": 7, "session": None, "verdict": {"ok": False, "checks": []}, "waits_for": "claim"})
        await pilot.sees("run 7 waits for another run's claim")

    drive(filled.home, scenario)


def test_a_question_is_put_with_the_usual_key_and_the_way_to_it_is_said(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await engine.says(verdict(BUDGET))
        await pilot.sees("ctrl+s asks: it waits for your word")
        assert "ctrl+t wait" not in pilot.shown()
        await pilot.press("ctrl+s")
        ((_, _, done, _),) = engine.ordered
        done({"run": 7, "session": None, "verdict": {"ok": False, "checks": []}, "waits_for": "approval"})
        await pilot.until(lambda: isinstance(pilot.app.screen, Overview), "back at the overview")
        await pilot.sees("run 7 waits for your word: i answers")

    drive(filled.home, scenario)


def test_what_cannot_wait_is_not_offered_to(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await engine.says(verdict(SCOPE, CLAIM))
        await pilot.sees("2 checks must pass first")
        assert "ctrl+t wait" not in pilot.shown()
        await pilot.press("ctrl+t")
        assert engine.ordered == []

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_every_field_and_what_fails_is_in_sight_and_the_rest_below(filled, drive, size):
    many = [Check("cost", True, f"line {number} " + "of many words " * 9) for number in range(9)]
    found = Verdict(False, (*many, SCOPE), COST)

    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await engine.says(found)
        await pilot.sees("template", "params", "limits", "workspace", "program", "can read", "task type")
        await pilot.sees("1 check must pass first: scope", "/etc is outside")
        await pilot.sees("pgdn more below")
        for _ in range(20):
            await pilot.press("pagedown")
        await pilot.sees("README.md")
        await pilot.press("z")
        assert pilot.app.screen.form.values["task"] == "z", "letters still go to the field"
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(filled.home, scenario, size)


def test_two_hundred_keys_all_arrive_while_verdicts_come_down(filled, drive):
    typed = "".join(chr(ord("a") + number % 26) for number in range(200))

    async def scenario(pilot):
        from textual import events

        sheet = await Engine(pilot).sheet()
        answer = VerdictCame(RunRequest(workspace="/w"), verdict(CLAIM), ReceiptView(PARTS, 41, 130, None, None, {}))
        for letter in typed:
            pilot.app.post_message(events.Key(letter, letter))
            pilot.app.post_message(answer)
            request = sheet._request()
            pilot.app.post_message(VerdictCame(request, verdict(warning=letter), answer.receipt))
        await pilot.until(lambda: len(sheet.form.values["task"]) >= 200, "all keys are there")
        assert sheet.form.values["task"] == typed

    drive(filled.home, scenario)


def test_hints_show_what_holds_once_the_verdict_is_there(filled, drive):
    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await pilot.press("tab", "tab", *"coder")
        await engine.says(verdict(), ReceiptView((), 0, 0, None, None, {"skills": "agent", "timeout_s": "shipped"}))
        await pilot.sees("review (agent)", "5 min (shipped)", "nothing is sent")

    drive(filled.home, scenario)


def test_tab_takes_a_completion_that_is_shown_and_then_moves_on_and_the_footer_says_which(filled, drive):
    filled.configure(TEMPLATE)

    async def scenario(pilot):
        engine = Engine(pilot)
        sheet = await engine.sheet()
        await pilot.press("tab", "tab", "tab", "tab")
        await pilot.sees("enter next field")
        await pilot.press("r")
        await pilot.sees("review", "tab complete", "enter next field")
        await pilot.press("tab")
        assert sheet.form.values["template"] == "review"
        await pilot.sees("enter next field")
        await pilot.press("tab", "x")
        assert sheet.form.values["params"] == "x"

    drive(filled.home, scenario)


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_a_wrong_field_is_named_and_the_last_verdict_stays_dim_below(filled, drive, size):
    async def scenario(pilot):
        engine = Engine(pilot)
        sheet = await engine.sheet()
        await engine.says(verdict(SCOPE))
        await pilot.sees("1 check must pass first")
        for _ in range(3):
            await pilot.press("pagedown")
        await pilot.press(*["tab"] * 11, *"soon")
        await pilot.sees("timeout     NO  'soon' is no duration")
        words = [(text, tone) for line in sheet.judgement.lines for text, tone in line]
        assert any("/etc is outside" in text for text, _ in words)
        assert {tone for text, tone in words if "/etc" in text or "must pass" in text} == {"dim"}
        await pilot.press("ctrl+s")
        assert engine.ordered == []

    drive(filled.home, scenario, size)


@pytest.mark.parametrize(
    ("line", "fields", "said"),
    [
        ("timeout: 'soon' is no duration", {}, ("timeout", "'soon' is no duration")),
        ("there is no agent 'x'", {"agent": "x"}, ("agent", "there is no agent 'x'")),
        ("template review needs the parameter 'file'", {}, ("params", "template review needs the parameter 'file'")),
        ("the engine does not answer", {"agent": "x"}, ("request", "the engine does not answer")),
    ],
)
def test_a_complaint_is_put_at_the_field_that_it_is_about(line, fields, said):
    assert blamed(line, EMPTY | fields) == said


def test_an_engine_that_is_back_is_asked_again(filled, drive):
    from tui.messages import EngineCame, EngineFailed, EngineGone

    async def scenario(pilot):
        engine = Engine(pilot)
        await engine.sheet()
        await engine.says(verdict())
        pilot.app.post_message(EngineGone())
        pilot.app.post_message(EngineFailed("no room"))
        await pilot.until(lambda: not pilot.app.can_order, "nothing can be ordered")
        await pilot.press("ctrl+s")
        assert engine.ordered == []
        asked = len(engine.asked)
        pilot.app.post_message(EngineCame())
        await pilot.until(lambda: len(engine.asked) > asked, "it asks again")
        await engine.says(verdict())
        await pilot.press("ctrl+s")
        assert len(engine.ordered) == 1

    drive(filled.home, scenario)
