"""The page of a run: what routed it, what it waits for, where its cache broke, what it changed, who is beside it."""

from datetime import UTC

import msgspec
import pytest

from engine.contract.outcome import EndRecord, Stop, StoppedAt
from engine.contract.verdict import CacheBreak, Check, Estimate, ReceiptPart, ReceiptView, Verdict
from engine.runtime.records import store_receipt
from engine.scopes.violations import Changes
from state import runs
from tests.tui.conftest import RUN
from tests.tui.test_inbox import permission
from tui.panes.runs import run_cells
from tui.reading.details import RunDetail, run_detail
from tui.reading.snapshot import Reading
from tui.screens.run import RunScreen
from tui.screens.run_gate import gate_lines
from tui.screens.run_text import sections, title_line
from tui.widgets.cells import line_width, wrap

MIN, HOUR = 60_000, 3_600_000
SETTLED = {"id": 7, "requested_ms": 0, "state": "settled", "outcome": "succeeded", "estimate_tokens": 420}
EMPTY = (
    dict.fromkeys(runs.Run.__struct_fields__) | RUN | {"used_tokens": 0, "used_microusd": 0, "unpriced": 0, "depth": 0}
)
NOTHING = {
    "verdict": None, "parts": (), "usage": (), "raw": None, "held": 0, "generation": None, "session_title": None,
    "tail": (), "errors": (),
}  # fmt: skip
HISTORY = Estimate(100, 50, 190, 210, 420, None, None, "history", runs=8, error_median=0.08)


def detail(run=(), **fields):
    return RunDetail(run=runs.Run(**EMPTY | SETTLED | dict(run)), **NOTHING | fields)


def said(found, now_ms=10 * MIN):
    return ["".join(text for text, _ in line).rstrip() for line in gate_lines(found, now_ms, UTC)]


def test_a_plain_run_has_none_of_these_lines():
    assert said(detail()) == []


@pytest.mark.parametrize(
    ("run", "fields", "line"),
    [
        (
            {"used_tokens": 202},
            {"estimate": HISTORY},
            "estimate   190 - 420, likely 210, was 202   from 8 runs, past error 8%",
        ),
        (
            {"state": "running", "outcome": None},
            {"estimate": Estimate(1, 0, 1, 2, 3, None, None, "declared")},
            "estimate   1 - 3, likely 2   declared: too few runs to go by",
        ),
        (
            {"model": "haiku", "inject": '["a","b"]', "timeout_s": 600.0, "template": "review"},
            {"decided": (("model", "agent"), ("inject", "job"), ("timeout_s", "template"), ("skills", "shipped"))},
            "routed     template review, model haiku (agent), inject 2 files (job), timeout 10 min (template)",
        ),
        ({"sandbox": "landlock(7)"}, {}, "held by    sandbox landlock(7)"),
        (
            {"turns": 3},
            {"asked": ("open",)},
            "turns      3 answers of its model, asked you 1 time: 1 open",
        ),
        ({"sandbox": "off", "state": "running", "outcome": None}, {}, "held by    sandbox off"),
        (
            {},
            {"end": EndRecord("cancelled", None, 9, 0, 1, 1.0, escalated=True, leaked=2, dropped_bytes=1500)},
            "ended      it had to be killed after the grace; 2 processes that it left were ended;"
            " 1,500 bytes of its output dropped",
        ),
        (
            {},
            {"end": EndRecord("succeeded", 0, None, 0, 1, 1.0, leaked=1)},
            "ended      1 process that it left was ended",
        ),
        (
            {"falls_back_from": 4, "client_id": 3},
            {"again": 9},
            "beside     does run 4 again, whose model could not be reached; run 9 does it again with another model;"
            " a turn of the program that run 3 started",
        ),
        (
            {"outcome": "budget_reached", "why": "it used 12 of 10 turns"},
            {"stop": Stop("budget_reached")},
            "limit      its own: it used 12 of 10 turns   no budget stopped it",
        ),
        ({}, {"decided": (("model", "shipped"), ("task", "spawn"))}, "routed     as shipped"),
        (
            {},
            {"decided": (("run_tokens", "spawn"), ("tools", "agent"))},
            "routed     limit of the run (spawn), tools (agent)",
        ),
        (
            {},
            {"cache_break": CacheBreak("instructions AGENTS.md", "changed", 12, 1204)},
            "cache      broke at instructions AGENTS.md: changed; 1,204 tokens read anew   12 before it still stood",
        ),
        ({}, {"changes": Changes(True, changed=2, inside=2)}, "changed    2 files changed, all inside its scope"),
        ({}, {"changes": Changes(False, "too many files")}, "changed    changes not checked: too many files"),
        (
            {"parent_run_id": 12, "depth": 1, "resumes_run_id": 9},
            {"children": (14, 15), "next_run": 16},
            "beside     spawned by run 12, depth 1; goes on with run 9; run 16 goes on with this one;"
            " spawned runs 14, 15",
        ),
        (
            {"state": "waiting", "outcome": None, "waits_for": "claim"},
            {},
            "waits      for another run's claim since 00:00   it comes by itself",
        ),
    ],
)
def test_each_line_says_what_is_known(run, fields, line):
    assert said(detail(run, **fields)) == [line]


def test_a_wait_for_my_word_says_until_when_and_where_to_give_it():
    (line,) = said(detail({"state": "waiting", "waits_for": "approval", "expires_ms": 10 * MIN + 30_000}))
    assert line == "waits      for your word since 00:00, until in 30 s   i on the overview answers, enter goes there"


def test_a_run_that_met_its_budget_says_which_and_what_goes_on():
    stop = Stop(
        "budget_reached", (StoppedAt("day", "tokens", 60_000, 0), StoppedAt("month", "microusd", 40_000_000, 0))
    )
    lines = said(detail({"outcome": "budget_reached"}, stop=stop, next_run=8))
    assert lines[0] == (
        "budget     it needed more than budget day (60,000 tokens) and budget month ($40.00) had left:"
        " ended so that it can go on   run 8 goes on with it"
    )


def test_what_it_changed_outside_its_scope_is_listed_by_path_and_is_bad():
    found = Changes(True, changed=3, inside=1, violations=("etc/a", "b"), violations_total=150)
    lines = gate_lines(detail(changes=found), 0, None)
    assert [(text, tone) for _, *rest in lines for text, tone in rest if text.strip()][1:] == [
        *(("outside  ", "bad"), ("etc/a", "bad"), ("outside  ", "bad"), ("b", "bad")),
        ("and 148 more", "bad"),
    ]
    assert lines[0][1][1] == "bad"


def test_a_part_that_the_conversation_held_was_not_sent():
    parts = (
        ReceiptPart("instructions", "AGENTS.md", 999, 300, "a", True, False),
        ReceiptPart("task", "task", 9, 3, "b", False),
    )
    page = [
        "".join(text for text, _ in line) for line in page_lines(detail(parts=parts, everything_tokens=4198), 0, 100)
    ]
    row = next(line for line in page if "AGENTS.md" in line)
    assert row.split() == ["AGENTS.md", "instructions", "-", "-", "(held)"]
    total = next(line for line in page if line.startswith("  total"))
    assert total.split() == ["total", "3", "9"]
    assert "prompt   as it was sent; 4,198 with everything" in page


def test_a_long_title_leaves_room_for_how_it_ended():
    line = title_line(detail(session_title="x" * 300), 0, 80)
    assert line_width(line) <= 80
    assert "".join(text for text, _ in line).startswith("coder   succeeded   xxx")


def test_what_the_way_to_the_page_says_is_not_said_again():
    line = title_line(detail(session_title="release notes"), 0, 80, ("sessions", "release notes", "run 7"))
    assert "".join(text for text, _ in line) == "coder   succeeded"


def test_the_page_reads_all_of_it_from_the_books(filled, drive):
    verdict = Verdict(True, (Check("inject", True, "2 files", warning="above the target of 60"),), HISTORY)
    run_id = filled.run(
        session_id=1, state="settled", outcome="succeeded", verdict=msgspec.json.encode(verdict).decode(),
        estimate=msgspec.json.encode(HISTORY).decode(), template="review", parent_run_id=None, depth=0,
        changes=msgspec.json.encode(Changes(True, changed=1, violations=("x\x1b[2J",), violations_total=1)).decode(),
    )  # fmt: skip
    filled.run(state="settled", outcome="succeeded", parent_run_id=run_id, depth=1)
    filled.run(state="settled", outcome="succeeded", resumes_run_id=run_id)
    view = ReceiptView((), 0, 0, 4198, CacheBreak("skills deploy", "added", 5, 6), {"timeout_s": "template"})
    with filled.open().transaction() as tx:
        store_receipt(tx, run_id, view)

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("5", "end", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        await pilot.sees("every check passed, 1 warning", "!   2 files; above the target of 60")
        await pilot.sees("190 - 420, likely 210", "template review, timeout none (template)", "broke at skills deploy")
        await pilot.sees("1 outside its scope", "outside  x", "run 3 goes on with this one; spawned run 2")
        assert "\x1b" not in pilot.shown()

    drive(filled.home, scenario)


def test_a_verdict_of_an_older_house_is_still_readable(filled, drive):
    filled.run(
        state="settled", outcome="succeeded", verdict='{"ok":true,"checks":[{"name":"scope","ok":true,"why":"in"}]}'
    )

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        await pilot.press("5", "enter")
        await pilot.sees("every check passed", "scope       ok  in")

    drive(filled.home, scenario)


PARTS = (
    ReceiptPart("instructions", "a/long/way/down/to/the/AGENTS.md", 5999, 1300, "a", True, False),
    ReceiptPart("file", "docs/of/the/whole/house/README.md", 98765, 43210, "b", True),
    ReceiptPart("task", "task", 9, 3, "c", False),
)


def page_lines(found, now_ms, width, zone=None, told=()):
    """All of the page, broken to its width."""
    return [
        part
        for section in sections(found, now_ms, width, zone, told)
        for line in section.lines
        for part in wrap(line, width, section.indent)
    ]


def page_text(found, width):
    return ["".join(text for text, _ in line) for line in page_lines(found, 10 * MIN, width, UTC)]


@pytest.mark.parametrize("width", [*range(40, 64), 80, 111, 112, 118, 160])
def test_no_line_is_longer_than_the_page_and_no_word_or_number_is_lost(width):
    found = detail(
        {"why": "because " * 30, "task": "mend " * 40, "workspace": "/home/op/work"},
        parts=PARTS, estimate=HISTORY, everything_tokens=123_456, tail=("said " * 40,), errors=("broke " * 40,),
    )  # fmt: skip
    page = page_text(found, width)
    assert max(map(len, page)) <= width
    whole = " ".join(page)
    for word in ("AGENTS.md", "README.md", "43,210", "43,213", "123,456", "190", "likely", "210", "(held)"):
        assert word in whole, word
    assert width >= 112 or "98,765" in whole, "beside the usage there is no room for characters"
    assert "…" not in whole
    assert [whole.count(word) for word in ("because", "mend", "said", "broke")] == [30, 40, 40, 40]


@pytest.mark.parametrize(
    ("state", "said", "never"),
    [
        ("waiting", "as it would be sent", ("usage", "output", "it said nothing", "none reported")),
        ("refused", "as it would have been sent", ("it said nothing", "as it was sent")),
        ("settled", "as it was sent", ("would",)),
        ("running", "as it was sent", ("would",)),
    ],
)
@pytest.mark.parametrize("width", [58, 118])
def test_a_run_that_has_not_begun_has_sent_used_and_said_nothing(state, said, never, width):
    outcome = "succeeded" if state == "settled" else None
    page = " ".join(page_text(detail({"state": state, "outcome": outcome, "waits_for": "claim"}, parts=PARTS), width))
    assert f"prompt   {said}" in page
    assert not [word for word in never if word in page]


def test_violations_name_the_runs_that_were_live_beside_it():
    found = Changes(True, changed=1, violations=("b",), violations_total=1, beside=("run 3 (coder)", "run 4 (ops)"))
    lines = said(detail(changes=found))
    assert lines[-1].strip().endswith("any of them may have made these: run 3 (coder), run 4 (ops)")
    calm = Changes(True, changed=1, inside=1, beside=("run 3 (coder)",))
    assert "any of them" not in " ".join(said(detail(changes=calm)))


def test_a_live_run_shows_what_it_tells_and_what_it_asks(filled, drive):
    run_id = filled.run(session_id=1, state="running", started_ms=filled.now_ms, sandbox="landlock(7)")
    folder = filled.home.run_folder(run_id)
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text("I look\x1b[2J")
    permission(filled, run_id)

    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("5", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "the run is open")
        await pilot.sees("asks       Bash rm -rf build", "i on the overview answers", "held by    sandbox landlock(7)")
        await pilot.sees("output   as it comes", "I look�[2J")
        with (folder / "stdout.log").open("a") as file:
            file.write(" at the pump")
        await pilot.sees("at the pump")
        with filled.open().transaction() as tx:
            runs.update(tx, run_id, {"state": "settled", "outcome": "succeeded", "turns": 2})
        await pilot.sees("held by    sandbox landlock(7)", "2 answers of its model, asked you 1 time: 1 open")

    drive(filled.home, scenario, (120, 50))


def test_what_a_live_run_tells_stands_in_place_of_its_raw_output():
    told = ((("  I look at the pump", "text"),),)
    found = detail({"state": "running", "outcome": None}, tail=('{"type":"assistant"}',))
    live = ["".join(text for text, _ in line) for line in page_lines(found, 0, 100, UTC, told)]
    assert "  I look at the pump" in live
    assert not any("assistant" in line for line in live)
    ended = page_lines(detail(tail=("the answer",)), 0, 100, UTC, told)
    assert "  the answer" in ["".join(text for text, _ in line) for line in ended]


STEPS = "\n".join(["step 1: looking", "step 2: mending", "done: migrated \x1b[2J", "", ""])


@pytest.mark.parametrize(
    ("adapter", "text", "said"),
    [
        ("command", STEPS, "done: migrated �[2J"),
        ("command", "", ""),
        ("claude_code", "\nIt is mended:\none valve was shut.\n\nMore below.", "It is mended: one valve was shut."),
        ("claude_code", None, ""),
    ],
)
def test_what_came_of_a_run_is_the_end_of_a_programs_output_and_the_beginning_of_an_answer(filled, adapter, text, said):
    run_id = filled.run(state="settled", outcome="succeeded", adapter=adapter)
    folder = filled.home.run_folder(run_id)
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "result.txt").write_text(text)
    found = run_detail(run_id)(Reading(filled.home, filled.open().connection, filled.now_ms, None, None, None))
    assert found.said == said


def test_the_outcome_is_told_by_that_unless_there_is_a_reason():
    def outcome(run, **fields):
        lines = page_text(detail(run, **fields), 118)
        return next(line for line in lines if line.startswith("outcome"))

    assert outcome({"summary": "step 1"}, said="done") == "outcome    done"
    assert outcome({"summary": "step 1"}) == "outcome    step 1"
    assert outcome({"why": "exit code 2", "outcome": "failed"}, said="done") == "outcome    exit code 2"


@pytest.mark.parametrize(
    ("why", "code", "times"), [("exited with code 1", 1, 0), ("exited with code 1: no host", 1, 0), ("it broke", 1, 1)]
)
def test_an_exit_code_is_told_once(why, code, times):
    lines = page_text(detail({"why": why, "outcome": "failed", "exit_code": code}), 118)
    assert sum(f"exit code {code}" in line for line in lines) == times


def test_a_program_without_a_model_that_told_of_nothing_has_unknown_use():
    found = detail(estimate=Estimate(1, 0, 0, 0, 0, 0, 0, "none"))
    page = page_text(found, 118)
    assert any(line.startswith("usage   unknown: its program names no model") for line in page)
    assert not any("0 tokens" in line for line in page)


@pytest.mark.parametrize(("agent", "said"), [("claude_code", "claude"), ("coder", "coder")])
def test_a_client_has_one_name_in_the_list_and_on_its_page(agent, said):
    found = detail({"agent": agent})
    assert title_line(found, 0, 80)[0][0] == said
    assert run_cells(found.run, 0)[3][0][0] == said
