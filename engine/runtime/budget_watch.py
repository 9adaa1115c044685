"""Which budgets has anybody's usage brought near their limit? Said once when it happens, and on screen while it lasts.

Observed sessions cannot be refused anything: this is where what they use is noticed.
"""

from engine.admission.words import amount
from engine.config.model import Budget, Config
from engine.contract.clock import Clock
from engine.runtime.budget_lines import budget_lines
from engine.runtime.settings import Settings
from state import events, ledger
from state.database import Connection, Database

_KEY = "budget "


class BudgetWatch:
    """Compares the books of every budget with the share from which it warns."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._seen = -1

    def look(self) -> None:
        """Raise and drop the notices. Costs nothing while nobody has written."""
        connection, config = self._database.connection, self._settings.config
        if connection.total_changes == self._seen and not _warned(connection):
            return
        reached = _reached(connection, config, self._clock.now_ms())
        known = _warned(connection)
        if reached != known:
            self._say(reached, known)
        self._seen = connection.total_changes

    def _say(self, reached: dict[str, str], known: dict[str, str]) -> None:
        now_ms = self._clock.now_ms()
        with self._database.transaction() as tx:
            for key in known.keys() - reached.keys():
                events.drop_notice(tx, key)
            for key, text in reached.items():
                if key not in known:
                    events.add(tx, now_ms, "budget", text)
                if known.get(key) != text:
                    events.raise_notice(tx, events.Notice(key, "warning", text, now_ms))


def _warned(connection: Connection) -> dict[str, str]:
    return {one.key: one.text for one in events.notices(connection) if one.key.startswith(_KEY)}


def _reached(connection: Connection, config: Config, now_ms: int) -> dict[str, str]:
    """What is said of each limit that has reached its share, by the key of its notice."""
    found: dict[str, str] = {}
    for name, budget in config.budget.items():
        lines = [line for line in budget_lines(connection, name, budget, config, now_ms) if not line.per_run]
        for line, book in zip(lines, ledger.books(connection, lines), strict=True):
            most = line.limit + book.granted
            if book.taken >= budget.warn_at * most:
                found[f"{_KEY}{name} {line.unit}"] = _words(budget, line, book.taken, most)
    return found


def _words(budget: Budget, line: ledger.Line, taken: int, most: int) -> str:
    share = f" ({taken / most:.0%})" if most else ""
    of = f"{amount(line.unit, taken)} of {amount(line.unit, most)}"
    return f"budget {line.budget}: {of} taken {_WINDOWS.get(budget.window, 'in this window')}{share}"


_WINDOWS = {"hour": "this hour", "5h": "in five hours", "day": "today", "week": "this week", "month": "this month"}
