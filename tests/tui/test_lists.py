"""What can be done with a list: narrow it, order it, mark rows, copy from it, open what it lists in an editor?"""

import pytest

from tests.tui.conftest import CONFIG, NOW_MS
from tui.messages import OrderAnswered, OrderFailed
from tui.reading import found
from tui.screens.confirm import Confirm
from tui.terminal import clipboard

MIN = 60_000
MORE = '[job.nightly]\nevery = "1h"\n[job.tidy]\nevery = "2h"\n[budget.week]\nwindow = "week"\ntokens = 9\n'


@pytest.fixture
def deck(world):
    """Sessions with different figures, jobs, and runs of which some can be stopped."""
    world.configure(CONFIG + MORE)
    for number, (title, tokens) in enumerate([("alpha notes", 500), ("beta", 90_000), ("gamma notes", 0)]):
        _, generation = world.session(title, agent="coder", at_ms=NOW_MS - number * MIN)
        if tokens:
            world.spend(generation, tokens, at_ms=NOW_MS - MIN)
    for number in range(6):
        state = "running" if number < 4 else "settled"
        world.run(task=f"task {number}", session_id=None, state=state, outcome=None if number < 4 else "failed")
    return world


def titles(pane):
    return [pane.title_of(row) for row in pane.table.rows]


def title(pane):
    return "".join(text for text, _ in pane.title_line.lines[0])


def of(pilot, name):
    return pilot.app.overview.panes[name]


async def seen(pilot, name="sessions", rows=3):
    await pilot.until(lambda: len(of(pilot, name).table.rows) == rows, f"{rows} rows in {name}")
    return of(pilot, name)


@pytest.mark.parametrize(
    ("typed", "left", "said"),
    [
        ("notes", ["alpha notes", "gamma notes"], "/notes"),
        ("!notes", ["beta"], "/!notes (without)"),
        ("~anot", ["alpha notes", "gamma notes"], "/~anot (fuzzy)"),
        ("notes !gam", ["alpha notes"], "/notes !gam (without)"),
        ("[/", [], "/[/"),
    ],
)
def test_a_filter_narrows_and_its_kind_is_said(deck, drive, typed, left, said):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("slash", *typed, "enter")
        await pilot.until(lambda: titles(pane) == left, f"{left} are left")
        assert said in title(pane)

    drive(deck.home, scenario)


def test_a_filter_is_there_after_going_away_and_escape_drops_it(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("slash", *"beta", "enter", "2", "1")
        assert titles(pane) == ["beta"]
        await pilot.press("slash")
        await pilot.press("backspace", "backspace", "backspace", "backspace")
        await pilot.until(lambda: len(titles(pane)) == 3, "everything is there")
        await pilot.press(*"gam", "escape")
        await pilot.until(lambda: len(titles(pane)) == 3, "dropped")
        assert "/" not in title(pane)

    drive(deck.home, scenario)


def test_what_a_fuzzy_filter_found_stands_out(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("slash", *"~anot", "enter")
        await pilot.until(lambda: len(pane.table.rows) == 2, "narrowed")
        cell = pane._drawn(pane.table.rows[0])[3]
        assert "".join(text for text, tone in cell if tone == "bold") == "anot"
        assert "".join(text for text, _ in cell) == "alpha notes"

    drive(deck.home, scenario)


def test_a_letter_orders_and_the_cursor_goes_to_the_top(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("down", "down")
        assert pane.title_of(pane.table.selected) == "gamma notes"
        await pilot.press("K")
        assert titles(pane) == ["beta", "alpha notes", "gamma notes"]
        assert pane.table.cursor == 0
        assert "by tok/h v" in title(pane)
        assert "tok/hv" in pane.table.render_line(0).text
        await pilot.press("down", "O")
        assert titles(pane) == ["alpha notes", "beta", "gamma notes"]
        assert pane.table.cursor == 0
        await pilot.press("O")
        assert titles(pane) == ["gamma notes", "beta", "alpha notes"]
        assert pane.table.cursor == 0

    drive(deck.home, scenario)


def test_o_goes_through_the_columns_and_back_to_how_it_was(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        letters = [column.title for column in pane.COLUMNS if column.letter]
        for one in letters:
            await pilot.press("o")
            assert pane.table.order.by == one
        await pilot.press("o")
        assert pane.table.order is None
        assert titles(pane) == ["alpha notes", "beta", "gamma notes"]

    drive(deck.home, scenario)


def test_letters_show_in_the_head_where_the_keyboard_is(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        assert any(tone == "text" and text == "a" for text, tone in pane.table._cells_at(0)[1])
        await pilot.press("2")
        assert {tone for cell in pane.table._cells_at(0) for text, tone in cell if text.strip()} == {"dim"}

    drive(deck.home, scenario)


@pytest.fixture
def ordered(monkeypatch):
    """Every order that goes out, and the answer to it."""
    orders = []

    def answer(app):
        def order(kind, body, done=None, failed=None):
            orders.append((kind, body))
            done({})

        app.link.order = order
        app.link.put_entry = lambda section, name, values, done=None, failed=None: (
            orders.append((section, name, dict(values))),
            done({}),
        )
        return orders

    return answer


async def confirmed(pilot):
    await pilot.until(lambda: isinstance(pilot.app.screen, Confirm), "it is asked")
    said = pilot.shown()
    pilot.app.screen.clock = lambda: pilot.app.screen._shown_at + 1
    await pilot.until(lambda: pilot.app.screen._shown_at is not None, "it is shown")
    await pilot.press("enter")
    return said


def test_marked_runs_are_stopped_together(deck, drive, ordered):
    async def scenario(pilot):
        orders = ordered(pilot.app)
        await pilot.press("5")
        pane = await seen(pilot, "runs", 6)
        await pilot.press("V")
        assert "6 marked" in title(pane)
        await pilot.press("space")
        assert "5 marked" in title(pane)
        await pilot.press("x")
        said = await confirmed(pilot)
        assert "Stop or withdraw 4 runs?" in said
        assert all(f"run {number}" in said for number in (1, 2, 3, 4))
        assert "Of 1 more" in said
        await pilot.sees("all 4 asked to end")
        assert [(kind, body.run_id) for kind, body in orders] == [("stop", 4), ("stop", 3), ("stop", 2), ("stop", 1)]
        assert "marked" not in title(pane)

    drive(deck.home, scenario)


def test_what_the_filter_hides_is_not_acted_on(deck, drive, ordered):
    async def scenario(pilot):
        orders = ordered(pilot.app)
        await pilot.press("5")
        pane = await seen(pilot, "runs", 6)
        await pilot.press("ctrl+a")
        await pilot.press("slash", *"running ~tak0", "enter")
        await pilot.until(lambda: len(pane.table.rows) == 1, "narrowed")
        assert "1 marked" in title(pane)
        await pilot.press("x")
        await confirmed(pilot)
        await pilot.sees("all 1 asked to end")
        assert [body.run_id for _, body in orders] == [1]

    drive(deck.home, scenario)


def test_escape_takes_the_marks_away_first_then_the_filter(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        await pilot.press("slash", *"notes", "enter", "space")
        assert len(pane.marked) == 1
        assert "*" in pane.table.render_line(1).text
        await pilot.press("escape")
        assert not pane.marked
        assert len(pane.table.rows) == 2
        await pilot.press("escape")
        await pilot.until(lambda: len(pane.table.rows) == 3, "the filter is gone")
        await pilot.press("space", "space", "ctrl+@")
        assert not pane.marked

    drive(deck.home, scenario)


def test_a_mark_moves_no_column(deck, drive):
    async def scenario(pilot):
        pane = await seen(pilot)
        before = pane.table.render_line(1).text
        await pilot.press("space")
        after = pane.table.render_line(1).text
        assert after == before[:1] + "*" + before[2:]

    drive(deck.home, scenario)


def test_jobs_are_paused_together_and_go_on_together(deck, drive, ordered):
    async def scenario(pilot):
        orders = ordered(pilot.app)
        await pilot.press("2")
        await seen(pilot, "jobs", 4)
        await pilot.press("V", "p")
        said = await confirmed(pilot)
        assert "Pause 3 jobs?" in said
        await pilot.sees("all 3 paused")
        assert {name for _, name, values in orders if values == {"enabled": False}} == {
            "health-check",
            "nightly",
            "tidy",
        }

    drive(deck.home, scenario)


def test_what_cannot_be_deleted_is_counted_and_the_rest_goes(deck, drive):
    async def scenario(pilot):
        app = pilot.app

        def drop(section, name, done=None, failed=None):
            told = (
                OrderFailed("delete", "the file changed", failed)
                if name == "tidy"
                else OrderAnswered("delete", {}, done)
            )
            app.post_message(told)

        app.link.drop_entry = drop
        await pilot.press("2")
        await seen(pilot, "jobs", 4)
        await pilot.press("V", "d")
        assert "Delete 4 entries?" in await confirmed(pilot)
        await pilot.sees("3 of 4 deleted; tidy: the file changed")

    drive(deck.home, scenario)


def test_a_reset_of_many_names_the_generation_that_was_seen(deck, drive, ordered):
    async def scenario(pilot):
        orders = ordered(pilot.app)
        pane = await seen(pilot)
        pilot.app.feed.start()
        await pilot.press("space", "space", "r")
        await confirmed(pilot)
        await pilot.sees("all 2 fresh at the next run")
        assert [body.session_id for _, body in orders] == [row.id for row in pane.table.rows[:2]]
        assert all(body.seen_generation_id for _, body in orders)

    drive(deck.home, scenario)


def test_many_more_than_a_dialog_can_name_are_refused(world, drive):
    world.configure(CONFIG)
    for number in range(41):
        world.run(task=f"task {number}", state="running")

    async def scenario(pilot):
        await pilot.press("5")
        await seen(pilot, "runs", 41)
        await pilot.press("V", "x")
        await pilot.sees("41 are marked: at most 40 at once")

    drive(world.home, scenario)


@pytest.fixture
def copied(monkeypatch):
    texts = []
    real = clipboard.sent

    def noted(text, environ):
        texts.append(text)
        return real(text, {"TERM": "xterm"})

    monkeypatch.setattr(clipboard, "sent", noted)
    return texts


def test_y_copies_the_useful_text_and_again_the_next(deck, drive, copied):
    async def scenario(pilot):
        await seen(pilot)
        await pilot.press("y")
        await pilot.sees("copied session id: 1 (again: title)")
        await pilot.press("y", "y", "y")
        await pilot.press("down", "y")
        await pilot.sees("copied session id: 2")
        assert copied == ["1", "alpha notes", "/home/op/work", "1", "2"]

    drive(deck.home, scenario)


def test_y_copies_of_every_marked_row(deck, drive, copied):
    async def scenario(pilot):
        await seen(pilot)
        await pilot.press("space", "space", "y")
        await pilot.sees("copied 2 rows: 2 lines")
        assert copied == ["1\n2"]

    drive(deck.home, scenario)


def test_without_an_editor_it_is_said_what_to_set(deck, drive, monkeypatch):
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)

    async def scenario(pilot):
        await seen(pilot)
        await pilot.press("e")
        await pilot.sees("no editor is set: export EDITOR=vi")

    drive(deck.home, scenario)


def test_a_filter_of_runs_finds_what_is_not_listed(world, drive, monkeypatch):
    monkeypatch.setattr("tui.reading.views.RUNS_SHOWN", 20)
    monkeypatch.setattr("tui.panes.runs.RUNS_SHOWN", 20)
    world.configure(CONFIG)
    world.run(task="the first of all", state="settled", outcome="failed")
    for number in range(40):
        world.run(task=f"later {number}", state="settled", outcome="succeeded")

    async def scenario(pilot):
        await pilot.press("5")
        pane = await seen(pilot, "runs", 20)
        await pilot.press("slash", *"of all", "enter")
        await pilot.until(lambda: [row.id for row in pane.table.rows] == [1], "it is found")
        await pilot.press("escape")
        await pilot.until(lambda: len(pane.table.rows) == 20, "the newest again")

    drive(world.home, scenario)


def test_of_many_matches_the_newest_are_shown(world):
    for number in range(9):
        world.run(task=f"task {number}")
    reading = type("Reading", (), {"connection": world.open().connection})
    told = found.found_runs("task !4", most=3)(reading)
    assert [run.id for run in told.runs] == [9, 8, 7]
    assert told.more
    assert not found.found_runs("task !4", most=8)(reading).more
