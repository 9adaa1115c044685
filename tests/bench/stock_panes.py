"""The same screen of stock parts: four tables of Textual's own, a header, a burn line, and as much that changes.

python stock_panes.py [THEME] [still]
"""

import random
import sys

from textual.app import App
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Sparkline, Static

COLUMNS = {
    "sessions": (30, ["S", "agent", "session", "ctx", "cache", "tok/h", "cost", "why", "tokens", "last"]),
    "jobs": (12, ["S", "job", "next", "slots", "tok/fire", "trigger"]),
    "budgets": (7, ["budget", "taken", "of", "used", "projection"]),
    "skills": (16, ["set", "skills", "meta", "body", "used"]),
}
CHANGES = {"sessions": (4, 5), "jobs": (1, 1), "budgets": (7, 2), "skills": (1, 1)}
"""Rows and cells of each that change."""
BEAT_S = 0.5


class Stock(App[None]):
    CSS = "#left { width: 17fr; } #right { width: 13fr; } DataTable { height: 1fr; } Sparkline { height: 1; }"

    def __init__(self, still: bool) -> None:
        super().__init__()
        self._still = still
        self._chance = random.Random(6)

    def compose(self):
        yield Static("stock", id="header")
        with Horizontal():
            with Vertical(id="left"):
                yield DataTable(id="sessions", cursor_type="row")
                yield DataTable(id="jobs", cursor_type="row")
            with Vertical(id="right"):
                yield DataTable(id="budgets", cursor_type="row")
                yield DataTable(id="skills", cursor_type="row")
                yield Sparkline([self._chance.randrange(90) for _ in range(48)])
        yield Static("painted", id="strip")

    def on_mount(self) -> None:
        for name, (rows, columns) in COLUMNS.items():
            table = self.query_one(f"#{name}", DataTable)
            table.add_columns(*columns)
            table.add_rows([[self._word() for _ in columns] for _ in range(rows)])
        if not self._still:
            self.set_interval(BEAT_S, self._beat)

    def _beat(self) -> None:
        for name, (rows, cells) in CHANGES.items():
            table = self.query_one(f"#{name}", DataTable)
            for row in range(rows):
                for cell in range(cells):
                    table.update_cell_at((row, len(table.columns) - 1 - cell), self._word())
        for name in ("header", "strip"):
            self.query_one(f"#{name}", Static).update(f"{self._word()} of {self._word()}")
        self.query_one(Sparkline).data = [self._chance.randrange(90) for _ in range(48)]

    def _word(self) -> str:
        return f"{self._chance.randrange(1000) / 10:.1f}k"


if __name__ == "__main__":
    app = Stock("still" in sys.argv)
    if sys.argv[1:2] and sys.argv[1] != "still":
        app.theme = sys.argv[1]
    app.run()
