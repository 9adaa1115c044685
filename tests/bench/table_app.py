"""A table under the keyboard: 1 fills it, 2 changes a cell that is to be seen, 3 does nothing.

python table_app.py ours|stock ROWS
"""

import sys

from textual.app import App
from textual.widgets import DataTable

from tui.theme import DARK, PALETTES
from tui.widgets.cells import Column, span
from tui.widgets.table import Table

TITLES = ("number", "agent", "session", "tokens", "cost", "last")


def row(number, changes=0):
    return (str(number), "coder", f"session {number}", f"{number * 7 + changes}", f"${number}.00", "3 min")


class Ours(App[None]):
    def __init__(self, count):
        super().__init__()
        self._rows, self._changes = [row(number) for number in range(count)], 0

    def compose(self):
        columns = tuple(Column(title, 12) for title in TITLES)
        yield Table(columns, lambda row: row[0], lambda row: [span(word) for word in row], PALETTES[DARK])

    def key_1(self):
        self.query_one(Table).show(self._rows)

    def key_2(self):
        self._changes += 1
        self._rows[5] = row(5, self._changes)
        self.query_one(Table).show(self._rows)


class Stock(Ours):
    def compose(self):
        yield DataTable(cursor_type="row")

    def on_mount(self):
        self.query_one(DataTable).add_columns(*TITLES)

    def key_1(self):
        self.query_one(DataTable).add_rows(self._rows)

    def key_2(self):
        self._changes += 1
        self.query_one(DataTable).update_cell_at((5, 3), row(5, self._changes)[3])


if __name__ == "__main__":
    {"ours": Ours, "stock": Stock}[sys.argv[1]](int(sys.argv[2])).run()
