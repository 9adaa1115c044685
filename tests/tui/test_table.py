import asyncio

import pytest
from textual.app import App

from tui.lists.order import Order
from tui.theme import DARK, PALETTES
from tui.widgets.cells import Column, line_width, place, span, wrap
from tui.widgets.table import Table

COLUMNS = (
    Column("S", 1),
    Column("name", 10, grows=True),
    Column("model", 12, drop=3),
    Column("spent", 6, "right", drop=1),
    Column("gen", 3, "right", drop=2),
)


class Stage(App[None]):
    """A table alone on the screen, which counts the rows that it draws."""

    def __init__(self, rows):
        super().__init__()
        self.drawn = []
        self.table = Table(COLUMNS, lambda row: row[0], self.cells, PALETTES[DARK])
        self.first = rows

    def compose(self):
        yield self.table

    def on_mount(self):
        self.table.show(self.first)
        self.table.focus()

    def cells(self, row):
        self.drawn.append(row[0])
        return (span("."), span(f"row {row[0]}"), span("m"), span(str(row[1])), span("1"))


def on_stage(rows, scenario, size=(60, 12)):
    async def main():
        app = Stage(rows)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await scenario(app, pilot)

    asyncio.run(main())


def lines(table):
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (60, ["S", "name", "model", "spent", "gen"]),
        (36, ["S", "name", "model", "spent", "gen"]),
        (35, ["S", "name", "spent", "gen"]),
        (22, ["S", "name", "spent"]),
        (13, ["S", "name"]),
        (5, ["S", "name"]),
    ],
)
def test_columns_are_dropped_whole_by_their_rank(width, titles):
    placed = place(COLUMNS, width)
    assert [COLUMNS[p.index].title for p in placed] == titles
    assert all(p.x + p.width <= width for p in placed)


def test_what_is_left_goes_to_the_column_that_grows():
    assert [p.width for p in place(COLUMNS, 60)] == [1, 34, 12, 6, 3]


def test_only_visible_lines_are_drawn_of_a_hundred_thousand():
    async def scenario(app, pilot):
        assert set(app.drawn) == set(range(11))
        await pilot.press("end")
        assert app.table.selected == (99_999, 0)
        assert lines(app.table)[-1].split()[1:3] == ["row", "99999"]
        assert len(set(app.drawn)) < 60

    on_stage([(n, 0) for n in range(100_000)], scenario)


def test_the_head_stays_and_lines_are_never_wider_than_the_table():
    async def scenario(app, pilot):
        await pilot.press("pagedown", "pagedown")
        assert lines(app.table)[0].split() == ["S", "name", "model", "spent", "gen"]
        assert {app.table.render_line(y).cell_length for y in range(12)} == {60}

    on_stage([(n, 0) for n in range(50)], scenario)


def test_the_cursor_stays_on_its_row_wherever_that_moves():
    async def scenario(app, pilot):
        await pilot.press("down", "down")
        assert app.table.selected == (2, 0)
        app.table.show([(9, 0), (2, 5), (0, 0)])
        assert app.table.selected == (2, 5)
        app.table.show([(9, 0), (0, 0)])
        assert app.table.selected == (0, 0)
        app.table.show([])
        assert app.table.selected is None
        await pilot.press("down", "up", "end", "pagedown")

    on_stage([(n, 0) for n in range(5)], scenario)


def test_a_cursor_that_nobody_has_moved_stays_at_the_top_and_one_that_was_moved_back_too():
    async def scenario(app, pilot):
        app.table.show([(9, 0), (0, 0)])
        assert app.table.selected == (9, 0)
        await pilot.press("down", "up")
        app.table.show([(8, 0), (9, 0), (0, 0)])
        assert app.table.selected == (8, 0)
        await pilot.press("down")
        app.table.show([(9, 0), (8, 0)])
        assert app.table.selected == (9, 0), "it was moved, and its row is the first one now"
        app.table.show([(7, 0), (9, 0), (8, 0)])
        assert app.table.selected == (9, 0)
        app.table.show([(7, 0), (9, 0), (8, 0)], from_top=True)
        assert app.table.selected == (7, 0)
        await pilot.press("end")
        app.table.show([])
        app.table.show([(7, 0), (9, 0)])
        app.table.show([(5, 0), (7, 0), (9, 0)])
        assert app.table.selected == (5, 0), "a list that was empty is a new one"

    on_stage([(n, 0) for n in range(5)], scenario)


def test_what_is_out_of_sight_is_known_and_told():
    async def scenario(app, pilot):
        told = []
        app.table.on_table_scrolled = lambda: told.append((app.table.above, app.table.below))
        assert (app.table.above, app.table.below) == (0, 9)
        await pilot.press("end")
        assert (app.table.above, app.table.below) == (9, 0)
        app.table.show([(n, 0) for n in range(3)])
        assert (app.table.above, app.table.below) == (0, 0)

    on_stage([(n, 0) for n in range(20)], scenario)


@pytest.mark.parametrize(
    ("by", "width", "head"),
    [
        ("spent", 60, "spentv gen"),
        ("gen", 60, "spentvgen"),
        ("name", 60, "S name v"),
        ("model", 60, "model v"),
        ("S", 60, "Svname"),
    ],
)
def test_the_mark_of_the_order_eats_no_letter(by, width, head):
    async def scenario(app, pilot):
        app.table.order = Order(by, down=True)
        app.table.refresh_changed()
        assert head in app.table.render_line(0).text
        assert app.table.render_line(0).cell_length == width
        regions = []
        app.table.refresh = lambda *given, **_: regions.extend(given)
        app.table.order = app.table.order.reversed
        app.table.refresh_changed()
        assert [region.y for region in regions] == [0]

    on_stage([(n, 0) for n in range(3)], scenario, (width, 12))


def test_a_mark_stands_before_a_number_and_moves_nothing():
    async def scenario(app, pilot):
        app.table.columns = (Column("run", 5, "right"), Column("name", 10))
        app.table._draw = lambda row: (span(str(row[0])), span(f"row {row[0]}"))
        app.table._placed_in = -1
        app.table.marked = frozenset({37, 12345})
        app.table.refresh()
        assert [line[:11] for line in lines(app.table)[1:3]] == ["*  37 row 3", "12345*row 1"]

    on_stage([(37, 0), (12345, 0)], scenario)


def test_only_the_cell_that_changed_is_painted_again(monkeypatch):
    async def scenario(app, pilot):
        regions = []
        monkeypatch.setattr(app.table, "refresh", lambda *given, **_: regions.extend(given))
        app.table.show([(n, 7 if n == 3 else 0) for n in range(5)])
        assert [(r.y, r.width, r.height) for r in regions] == [(4, 6, 1)]
        regions.clear()
        app.table.show([(n, 7 if n == 3 else 0) for n in range(5)])
        assert regions == []

    on_stage([(n, 0) for n in range(5)], scenario)


def test_a_long_line_is_broken_at_blanks_and_keeps_its_tones():
    broken = wrap((("check ", "dim"), ("one two three four five", "bad")), 14, indent=4)
    assert ["".join(text for text, _ in line) for line in broken] == ["check one two", "    three four", "    five"]
    assert all(line_width(line) <= 14 for line in broken)
    assert broken[1][-1][1] == "bad"
