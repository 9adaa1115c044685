import asyncio

import pytest
from textual.app import App

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
