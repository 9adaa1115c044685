"""Budgets in tokens and dollars, per run and per window: in the pane, in the header, and in their sheet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.load import parse
from engine.runtime.settings import CHECKS
from state import approvals, ledger
from tests.tui.test_live_figures import line_with
from tui.reading.views import EngineStatus
from tui.screens.header import DayLimits, header_line
from tui.text import amount, amount_in_full, purse
from tui.theme import DARK, PALETTES

DAY_MS = 86_400_000
MORE = """
[agent.coder]
adapter = "command"
argv = ["true"]
[budget.month]
window = "month"
tokens = 900000
usd = 40
action = "ask"
[budget.each]
window = "run"
tokens = 50000
action = "pause"
[budget.day]
window = "day"
tokens = 60000
[budget.small]
window = "day"
tokens = 90
usd = 900
agent = "coder"
"""


@pytest.mark.parametrize(
    ("microusd", "said"),
    [
        (0, "$0.00"), (1, "$.000001"), (9_999, "$.009999"), (10_000, "$0.0100"), (45_000, "$0.0450"),
        (100_000, "$0.10"), (11_200_000, "$11.20"), (99_999_000, "$100.00"), (412_370_000, "$412.37"),
        (1_234_560_000, "$1234.56"), (12_345_670_000, "$12k"),
    ],
)  # fmt: skip
def test_a_limit_of_money_keeps_its_digits_in_eight_cells(microusd, said):
    assert purse(microusd) == said
    assert len(said) <= 8
    assert amount("microusd", microusd) == said


@pytest.mark.parametrize(
    ("taken", "limit", "said"),
    [
        (45_000, 50_000, ("$0.0450", "$0.0500")),
        (11_996_000, 12_000_000, ("$11.9960", "$12.0000")),
        (11_999_999, 12_000_000, ("$11.999999", "$12.000000")),
        (12_000_000, 12_000_000, ("$12.00", "$12.00")),
        (99_999, 100_000, ("$0.099999", "$0.100000")),
        (950, 2_000_000, ("$0.000950", "$2.00")),
    ],
)
def test_two_amounts_that_differ_never_read_the_same(taken, limit, said):
    found = amount_in_full("microusd", taken, limit), amount_in_full("microusd", limit, taken)
    assert found == said


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_amounts_of_one_line_read_the_same_only_when_they_are(one, other):
    same = amount_in_full("microusd", one, other) == amount_in_full("microusd", other, one)
    assert same == (one == other)


def test_a_budget_at_nine_tenths_does_not_look_spent(filled, drive):
    filled.configure('[budget.small]\nwindow = "day"\nusd = 0.05\n')
    _, generation = filled.session("cheap", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="c", cost_microusd=43_800)

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        assert line_with(pilot, " small ").split("│")[-1].split()[:4] == ["small", "$0.0450", "######.", "$0.0500"]

    drive(filled.home, scenario)


def test_a_budget_has_a_row_for_each_of_its_units(filled, drive):
    filled.configure(MORE)
    _, generation = filled.session("dear", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="dear", cost_microusd=11_200_000)

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  4", "fix flaky")
        assert line_with(pilot, " 900k ").split("│")[-1].split()[:4] == ["month", "1.7k", "#......", "900k"]
        assert line_with(pilot, " $40.00 ").split("│")[-1].split()[:4] == ["month", "$11.20", "#......", "$40.00"]
        assert line_with(pilot, " 50.0k per run").split("│")[-1].split() == ["each", "-", "50.0k", "per", "run"]
        assert "of 60.0k tok" in pilot.shown().splitlines()[0], "the largest day budget in tokens"
        await pilot.press("3", "3")
        await pilot.sees(" ask ", " pause ", " refuse ", "each run by itself")
        pane = pilot.app.overview.panes["budgets"]
        assert len({pane.key(row) for row in pane.all_rows}) == len(pane.all_rows)

    drive(filled.home, scenario)


def test_where_there_is_little_room_a_budget_has_one_row_of_its_worst_limit(filled, drive):
    filled.configure(MORE)
    _, generation = filled.session("dear", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="dear", cost_microusd=11_200_000)

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  4")
        pane = pilot.app.overview.panes["budgets"]

        def units():
            return [(row.name, row.unit) for row in pane.table.rows if row.name in ("month", "small")]

        folded = [("month", "microusd"), ("small", "tokens")]
        await pilot.until(lambda: units() == folded, "each is there once")
        assert pane.number(pane.table.rows) == 4
        await pilot.press("3", "3")
        await pilot.until(lambda: len(units()) == 4, "with room each limit has its own row")
        await pilot.press("escape")
        await pilot.until(lambda: units() == folded, "and again")

    drive(filled.home, scenario, (80, 24))


def test_the_title_names_what_is_full_and_what_is_over_once(filled, drive):
    filled.configure(
        '[budget.both]\nwindow = "day"\ntokens = 1000\nusd = 0.001\n[budget.ok]\nwindow = "day"\ntokens = 9999\n'
    )

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  2  over: both")
        assert "full" not in pilot.shown().splitlines()[2]

    drive(filled.home, scenario)


def test_what_has_no_price_at_all_is_unknown_and_not_nothing(filled, drive):
    filled.configure('[budget.usd]\nwindow = "hour"\nusd = 40\nsource = "codex"\n')
    _, generation = filled.session("unpriced", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="u", cost_microusd=None, source="codex")
    filled.sql("UPDATE generations SET source = 'codex' WHERE id = ?", generation)

    async def scenario(pilot):
        await pilot.sees("3 Token budgets  1")
        await pilot.until(lambda: line_with(pilot, "$40.00").split("│")[-1].split()[:2] == ["usd", "-"], "unknown")

    drive(filled.home, scenario)


def test_what_was_granted_raises_the_limit_and_is_shown(filled, drive):
    filled.configure(MORE)
    run_id = filled.run(waits_for="approval")
    approval = filled.question(run_id, "{}")
    with filled.open().transaction() as tx:
        approvals.decide(tx, approval, True, filled.now_ms)
        start_ms = filled.now_ms // DAY_MS * DAY_MS
        line = ledger.Line("small", "tokens", 90, start_ms, start_ms + DAY_MS)
        approvals.grant(tx, approval, line, None, 1_000_000, filled.now_ms)

    async def scenario(pilot):
        await pilot.sees("fix flaky", "1.00M")
        await pilot.press("3", "3")
        await pilot.sees("granted", "+1.00M")
        row = line_with(pilot, "+1.00M").split()
        assert row[:2] == ["small", "1.2k"]
        assert row[3] == "1.00M", "the limit with what was granted"

    filled.configure('timezone = "UTC"\n' + MORE)
    drive(filled.home, scenario, (200, 40))


def test_responses_without_a_price_are_not_zero(filled, drive):
    filled.configure(MORE)
    _, generation = filled.session("unpriced", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="u", cost_microusd=None)

    async def scenario(pilot):
        await pilot.sees("fix flaky")
        assert "$.001200+" in line_with(pilot, "$40.00")

    drive(filled.home, scenario)


@pytest.mark.parametrize(("needs", "said"), [(0, ""), (1, "1 needs me"), (2, "2 need me")])
def test_the_header_counts_what_needs_me_and_keeps_that_longest(needs, said):
    for width in (120, 80, 40):
        cell = header_line("host", EngineStatus("up", 0, 1), None, DayLimits(), 3_600_000, width, needs)
        text = "".join(part for part, _ in cell)
        assert said in text
        assert len(text) <= width
        assert ("need" in text) == bool(needs)


@pytest.fixture
def sheet(tmp_path, filled, drive):
    """Types into the sheet of a budget and returns the entry that would be written, or what is wrong."""

    def typed(fields, name=""):
        from tui.screens.budget_sheet import BudgetSheet

        config = parse(MORE, tmp_path / "quarterdeck.toml", CHECKS)
        found = []

        async def scenario(pilot):
            screen = BudgetSheet(PALETTES[DARK], config, name, ())
            await pilot.app.push_screen(screen)
            for field, value in fields.items():
                screen.form._inputs[field].value = value
            await pilot.pause()
            try:
                found.append(screen.entry())
            except ValueError as error:
                found.append(str(error))

        drive(filled.home, scenario)
        return found[0]

    return typed


NOTHING = dict.fromkeys(
    ("tokens", "usd", "lane", "agent", "job", "task_type", "model", "source", "warn_at", "action"), None
)


@pytest.mark.parametrize(
    ("fields", "entry"),
    [
        ({"tokens": "60k"}, {"window": "day", "tokens": 60_000}),
        ({"usd": "$0.50", "window": "5h"}, {"window": "5h", "usd": 0.5}),
        (
            {"tokens": "1.5M", "usd": "40", "window": "run", "action": "ask", "warn at": "90%"},
            {"window": "run", "tokens": 1_500_000, "usd": 40, "action": "ask", "warn_at": 0.9},
        ),
        (
            {"tokens": "1", "agent": "coder", "task type": "heartbeat", "model": "haiku", "lane": "main"},
            {
                "window": "day",
                "tokens": 1,
                "agent": "coder",
                "task_type": "heartbeat",
                "model": "haiku",
                "lane": "main",
            },
        ),
    ],
)
def test_only_what_is_said_is_written(sheet, fields, entry):
    assert sheet({"name": "new"} | fields) == NOTHING | entry


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give it a limit: tokens, usd or both"),
        ({"tokens": "5", "window": "year"}, "'year' is no window; use run, hour, 5h, day, week or month"),
        ({"tokens": "5", "action": "stop"}, "the action is warn, ask, refuse or pause"),
        ({"tokens": "5", "agent": "nobody"}, "there is no agent 'nobody'"),
        ({"tokens": "5", "source": "me"}, "there is no source 'me'"),
        ({"usd": "much"}, "'much' is no amount of dollars"),
        ({"usd": "nan"}, "'nan' is no limit that makes sense"),
        ({"tokens": "5", "name": "month"}, "there is a budget month already"),
    ],
)
def test_what_is_wrong_is_said(sheet, fields, said):
    assert sheet({"name": "new"} | fields).startswith(said)


def test_an_entry_that_is_opened_and_written_again_is_the_same(sheet):
    assert sheet({}, "small") == NOTHING | {"window": "day", "tokens": 90, "usd": 900, "agent": "coder"}
    assert sheet({}, "each") == NOTHING | {"window": "run", "tokens": 50_000, "action": "pause"}


def test_the_sheet_shows_the_books_of_both_units(filled, drive):
    filled.configure(MORE)
    _, generation = filled.session("dear", at_ms=filled.now_ms)
    filled.spend(generation, 500, key="dear", cost_microusd=11_200_000)

    async def scenario(pilot):
        await pilot.sees("$11.20")
        await pilot.press("3", "E")
        await pilot.sees("Budget month", "1,700 of 900,000", "$11.20 of $40.00")
        await pilot.press("tab", "tab", "tab", "backspace", "backspace", *"50")
        await pilot.sees("$11.20 of $50.00")

    drive(filled.home, scenario)


def test_a_job_sheet_takes_empty_for_what_the_task_type_says(filled, drive):
    written = []

    async def scenario(pilot):
        pilot.app.link.put_entry = lambda *given: written.append(given[:3])
        await pilot.sees("health-check")
        await pilot.press("2", "E")
        await pilot.sees("Job health-check", "as the task type says", "every 10 min")
        form = pilot.app.screen.form
        form._inputs["zone"].value = "Mars/Base"
        await pilot.sees("there is no zone 'Mars/Base'")
        form._inputs["zone"].value = "Asia/Tokyo"
        form._inputs["task type"].value = "hartbeat"
        await pilot.sees("there is no task type 'hartbeat'")
        form._inputs["task type"].value = "heartbeat"
        form._inputs["inject"].value = "none"
        form._inputs["can write"].value = "notes out.md"
        await pilot.sees("in Asia/Tokyo")
        await pilot.press("ctrl+s")
        await pilot.until(lambda: written, "it is written")

    drive(filled.home, scenario)
    entry = written[0][2]
    assert (entry["session"], entry["task_type"], entry["zone"]) == (None, "heartbeat", "Asia/Tokyo")
    assert (entry["inject"], entry["can_write"], entry["timeout"]) == ((), ("notes", "out.md"), None)
