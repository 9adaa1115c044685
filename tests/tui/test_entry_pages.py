"""The pages of a job and of a budget."""

import json

import pytest

from state import ledger, receipts, slots
from tui.panes.messages import BudgetOpened, JobOpened
from tui.reading.job_page import Fired, JobPage
from tui.screens.budget import BudgetScreen, spread
from tui.screens.job import JobScreen, fires_within_minutes, strip
from tui.screens.run import RunScreen

TEN_MIN = 600_000
SIZES = [(120, 34), (80, 24), (60, 20)]


@pytest.fixture
def fired(filled):
    """A job with thirty due times: run, failed, missed by turns."""
    outcomes = ["succeeded", "failed", None]
    for number in range(30):
        due_ms = filled.now_ms - TEN_MIN * (30 - number)
        run_id = None
        if outcome := outcomes[number % 3]:
            run_id = filled.run(
                session_id=1, generation_id=1, job="health-check", state="settled", outcome=outcome,
                why="exit code 2" if outcome == "failed" else None, requested_ms=due_ms, started_ms=due_ms + 90_000,
                ended_ms=due_ms + 131_000, used_tokens=12_000 + number,
            )  # fmt: skip
        state = {"succeeded": "finished", "failed": "failed", None: "missed"}[outcome]
        with filled.open().transaction() as tx:
            reason = None if run_id else "no engine ran"
            slots.note(tx, slots.Slot("health-check", due_ms, state, run_id, reason, due_ms))
    return filled


async def open_job(pilot):
    await pilot.sees("health-check")
    await pilot.app.carry_out(JobOpened("health-check"))
    await pilot.until(lambda: isinstance(pilot.app.screen, JobScreen), "the job is open")
    await pilot.until(lambda: pilot.app.screen.shown is not None, "and read")


@pytest.mark.parametrize("size", SIZES)
def test_a_job_tells_its_past_and_its_future(fired, drive, size):
    parts = [{"kind": "file", "source": "README.md", "chars": 9, "tokens": 300, "sha256": "x", "stable": True}]
    with fired.open().transaction() as tx:
        receipts.store(tx, receipts.Receipt(run_id=20, parts=json.dumps(parts), tokens=300, chars=9))

    async def scenario(pilot):
        await open_job(pilot)
        await pilot.sees("cron jobs > health-check", "digest   scheduled")
        await pilot.sees("every 10 min", "next fires in ", " min, in ", "vfmvfm")
        await pilot.sees("exit code 2", "no engine ran", "12.0k")
        if size[0] >= 80:
            await pilot.sees("its last prompt: 300 tokens:", "not known yet   for each fire")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(fired.home, scenario, size)


def test_its_cursor_begins_at_the_newest_enter_opens_the_run_and_comes_back_to_the_row(fired, drive):
    async def scenario(pilot):
        await open_job(pilot)
        table = pilot.app.screen.table
        assert table.cursor == len(table.rows) - 1
        await pilot.press("up", "up", "up")
        row = table.selected
        assert row.slot.due_ms == fired.now_ms - 3 * TEN_MIN
        await pilot.sees(f"[{ {'finished': 'v', 'failed': 'f', 'missed': 'm'}[row.slot.state] }]")
        await pilot.press("enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, RunScreen), "its run is open")
        assert pilot.app.screen.run_id == row.run.id
        fired.slot("health-check", "missed", fired.now_ms + TEN_MIN)
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, JobScreen), "the job is there again")
        await pilot.until(lambda: len(table.rows) == 32, "with the newest due time")
        assert table.selected.slot.due_ms == row.slot.due_ms

    drive(fired.home, scenario)


def test_a_due_time_without_a_run_opens_nothing(fired, drive):
    async def scenario(pilot):
        await open_job(pilot)
        await pilot.press("up")
        await pilot.until(lambda: pilot.app.screen.table.selected.run is None, "it was missed")
        assert "enter open" not in pilot.shown()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, JobScreen)

    drive(fired.home, scenario)


def test_a_job_is_fired_paused_and_edited_from_its_page(fired, drive):
    async def scenario(pilot):
        ordered, written = [], []
        pilot.app.link.order = lambda kind, body, *_: ordered.append((kind, body.job))
        pilot.app.link.put_entry = lambda section, name, values, *_: written.append((section, name, values))
        await open_job(pilot)
        await pilot.press("f")
        await pilot.until(lambda: ordered == [("fire", "health-check")], "it is fired")
        await pilot.press("p")
        await pilot.until(lambda: written == [("job", "health-check", {"enabled": False})], "it is paused")
        await pilot.press("E")
        await pilot.sees("written to [job.health-check]")

    drive(fired.home, scenario)


def test_a_paused_job_is_not_due_and_one_that_is_gone_says_so(filled, drive):
    async def scenario(pilot):
        await pilot.sees("weekly")
        await pilot.app.carry_out(JobOpened("weekly"))
        await pilot.sees("cron jobs > weekly", "paused", "none while it is paused", "none was due yet", "not known yet")
        await pilot.press("escape")
        await pilot.app.carry_out(JobOpened("nightly"))
        await pilot.sees("there is no job nightly in the configuration")

    drive(filled.home, scenario)


@pytest.mark.parametrize(("at", "place"), [(0, 0), (5, 3), (29, 6)])
def test_of_many_due_times_those_around_the_cursor_are_shown(at, place):
    fired = [Fired(slots.Slot("j", number, "missed", None, None, number), None) for number in range(30)]
    text = "".join(part for part, _ in strip(fired, at, 11)).strip()
    assert len(text) <= 9
    assert text.index("[m]") == place


async def open_budget(pilot, name="day"):
    await pilot.sees("fix flaky test")
    await pilot.app.carry_out(BudgetOpened(name))
    await pilot.until(lambda: isinstance(pilot.app.screen, BudgetScreen), "the budget is open")


@pytest.mark.parametrize("size", SIZES)
def test_a_budget_tells_its_books_its_course_and_its_users(filled, drive, size):
    run_id = filled.run(session_id=1, agent="coder", state="settled", outcome="succeeded", task="mend the pump")
    filled.book(1, (0, 9_000, 0, 800), key="t", run_id=run_id)
    filled.book(1, (0, 0, 0, 5_000), key="old", at_ms=filled.now_ms - 3 * 86_400_000)

    async def scenario(pilot):
        await open_budget(pilot)
        await pilot.sees(
            "budgets > day",
            "tokens 18%",
            "60,000 tokens",
            "observed   11,000 tokens",
            "held         0 tokens",
        )
        assert "committed" not in pilot.shown(), "what is nothing needs no line"
        await pilot.sees(
            "spent        11,000 tokens   18% of the limit", "free         49,000 tokens   81% of the limit"
        )
        await pilot.sees("resets ", "day, since 00:00", "now          ##")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())
        await pilot.press("end")
        await pilot.sees("by agent", "by session", "fix flaky test", "largest runs", f"{run_id} mend the pump")
        await pilot.sees("9.8k   89%", "11.0k  100%")
        filled.book(1, (0, 0, 0, 1_000), key="more")
        await pilot.sees("9.8k   81%")

    drive(filled.home, scenario, (size[0], max(size[1], 30)))


def test_a_projection_is_a_band_on_the_same_scale_as_what_is_taken(filled, drive):
    for hour in range(1, 30):
        filled.book(1, (0, 0, 0, 1_000), key=f"h{hour}", at_ms=filled.now_ms - hour * 3_600_000)

    async def scenario(pilot):
        await open_budget(pilot)
        await pilot.sees("at the end", "|", "limit  ", "^", "likely, low-high: ")

    drive(filled.home, scenario)


def test_without_any_usage_no_end_is_told_and_with_the_first_one_is(filled, drive):
    filled.sql("DELETE FROM usage")
    for table in ("usage_minutes", "usage_hours", "usage_days"):
        filled.sql(f"DELETE FROM {table}")

    async def scenario(pilot):
        await open_budget(pilot)
        await pilot.sees("at the end   -   nothing was ever used that it counts", "spent        0 tokens   0% of")
        filled.book(1, (0, 0, 0, 1_200), key="first")
        await pilot.sees("likely, low-high: ", "spent        1,200 tokens   2% of")
        await pilot.press("E")
        await pilot.sees("budgets > day", "1,200 of 60,000")

    drive(filled.home, scenario)


def test_what_is_held_is_told_apart_and_may_fill_a_budget(filled, drive):
    run_id = filled.run(state="running", agent="coder", admitted_ms=filled.now_ms, told_tokens=800)
    start_ms = filled.now_ms - filled.now_ms % 900_000
    with filled.open().transaction() as tx:
        line = ledger.Line("day", "tokens", 60_000, start_ms, start_ms + 900_000, enforced=False)
        ledger.reserve(tx, run_id, [line], {"tokens": 58_800}, filled.now_ms)

    async def scenario(pilot):
        await open_budget(pilot)
        await pilot.sees("tokens 3% spent, full", "spent        2,000 tokens", "live       800 tokens")
        await pilot.sees("held         58,000 tokens", "free         0 tokens   full: what is held is let go when")

    drive(filled.home, scenario)


@pytest.mark.parametrize(("gap_s", "said"), [(15, True), (59, True), (60, False), (600, False)])
def test_due_times_have_seconds_where_a_minute_can_have_several(gap_s, said):
    fired = tuple(Fired(slots.Slot("j", at * gap_s * 1000, "finished", None, None, 0), None) for at in range(3))
    assert fires_within_minutes(JobPage(None, "", (), None, (), fired)) is said


def test_a_limit_for_each_run_adds_nothing_up(filled, drive):
    filled.configure(
        '[budget.each]\nwindow = "run"\ntokens = 5000\n[agent.coder]\nadapter = "command"\nargv = ["true"]\n'
    )

    async def scenario(pilot):
        await open_budget(pilot, "each")
        await pilot.sees("limit        5,000 tokens   each run has it for itself")
        assert "by agent" not in pilot.shown()

    drive(filled.home, scenario)


@pytest.mark.parametrize(
    ("low", "likely", "high", "line"),
    [
        (0, 50, 100, "(----|---)"),
        (20, 50, 80, "  (--|--)"),
        (50, 50, 50, "     |"),
        (0, 0, 9, "|"),
        (100, 100, 100, "         |"),
    ],
)
def test_a_band_stands_where_its_numbers_are(low, likely, high, line):
    assert "".join(text for text, _ in spread(low, likely, high, 100, 10)) == line
