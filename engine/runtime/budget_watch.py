"""Which budgets has anybody's usage brought near their limit? Said once when it happens, and on screen while it lasts.

Observed sessions cannot be refused anything: this is where what they use is noticed. What is only held is told apart
from what is spent, and what is no longer true is taken back with the next beat of the engine.
"""

from engine.admission.words import amount
from engine.config.model import Config
from engine.contract.clock import Clock
from engine.runtime.boards import BudgetRow, budget_levels, worst
from engine.runtime.settings import Settings
from state import events
from state.database import Connection, Database

_KEY = "budget "
_NEVER_MS = 2**63


class BudgetWatch:
    """Compares the books of every budget with the share from which it warns."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._seen: tuple[int, Config] | None = None
        self._turns_ms = 0
        """When the first of the windows that were looked at is over."""
        self._told: dict[str, tuple[int, int, str]] = {}
        """By key, of what the last event told: its window, its limit and its level."""

    def look(self) -> None:
        """Raise and drop the notices. Costs nothing while nobody has written and no window has turned."""
        connection, config, now_ms = self._database.connection, self._settings.config, self._clock.now_ms()
        if self._is_seen(connection, config) and now_ms < self._turns_ms:
            return
        rows = budget_levels(connection, config, now_ms)
        self._turns_ms = min((row.window_end_ms for row in rows if row.window != "run"), default=_NEVER_MS)
        reached = {_KEY + row.name: row for row in worst(rows) if row.window != "run" and row.level != "ok"}
        known = _warned(connection)
        if known != {key: _words(row) for key, row in reached.items()}:
            self._say(reached, known, now_ms)
        self._seen = connection.total_changes, config

    def _is_seen(self, connection: Connection, config: Config) -> bool:
        return self._seen is not None and self._seen[0] == connection.total_changes and self._seen[1] is config

    def _say(self, reached: dict[str, BudgetRow], known: dict[str, str], now_ms: int) -> None:
        with self._database.transaction() as tx:
            for key in known.keys() - reached.keys():
                events.drop_notice(tx, key)
            for key, row in reached.items():
                text = _words(row)
                if self._is_news(key, row, known):
                    events.add(tx, now_ms, "budget", text)
                if known.get(key) != text:
                    events.raise_notice(tx, events.Notice(key, "warning", text, now_ms))

    def _is_news(self, key: str, row: BudgetRow, known: dict[str, str]) -> bool:
        """Each level is told once of a limit in a window: it comes and goes with what is held."""
        told, now = self._told.get(key), (row.window_start_ms, row.most, row.word)
        if told is None and key in known:  # by the engine before
            self._told[key] = now
            return False
        if told is not None and told[:2] == now[:2] and _ORDER[told[2]] >= _ORDER[now[2]]:
            return False
        self._told[key] = now
        return True


_ORDER = {"warn": 0, "full": 1, "over": 2}


def _warned(connection: Connection) -> dict[str, str]:
    return {one.key: one.text for one in events.notices(connection) if one.key.startswith(_KEY)}


def _words(row: BudgetRow) -> str:
    """`budget day is full: spent 510, held 1,192 of 1,702 today (29%)`."""
    state = "" if row.level == "warn" else f" is {row.word}"
    held = f", held {amount(row.unit, row.held)}" if row.held else ""
    part = int(row.share * 100 + 1e-9) if row.share < 1 else round(row.share * 100)
    share = f" ({part}%)" if row.most else ""
    said = f"spent {amount(row.unit, row.spent)}{held} of {amount(row.unit, row.most)}"
    return f"budget {row.name}{state}: {said} {_WINDOWS.get(row.window, 'in this window')}{share}"


_WINDOWS = {"hour": "this hour", "5h": "in five hours", "day": "today", "week": "this week", "month": "this month"}
