"""What of one budget is spent, by whom, and where will it end? Its books in the present window."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from state import shares
from state.spend import Span
from tui.clean import as_declared, clean, clean_record
from tui.reading.snapshot import Gone, Reading

if TYPE_CHECKING:
    from engine.runtime.boards import BudgetRow

LARGEST = 5
"""Of each kind of user."""


class BudgetUse(Struct, frozen=True):
    """A budget in one of its units, and who used what it counts."""

    row: "BudgetRow"
    users: tuple[tuple[str, tuple[shares.Share, ...]], ...]
    """By what (`agent`, `session`, `job`, `run`), the largest first. Of observed sessions too."""


class BudgetPage(Struct, frozen=True):
    """All units of a budget."""

    name: str
    uses: tuple[BudgetUse, ...]


def budget_page(name: str) -> Callable[[Reading], BudgetPage | Gone]:
    """Belongs in the feed's thread."""

    def read(reading: Reading) -> BudgetPage | Gone:
        rows = reading.boards.budget_board(reading.connection, reading.config, reading.now_ms)
        declared = as_declared(name, reading.config.budget)
        mine = [row for row in rows if row.name == declared]
        if not mine:
            return Gone(clean(f"there is no budget {name} in the configuration (any more)"))
        return BudgetPage(clean_record(mine[0]).name, tuple(_use(reading, row) for row in mine))

    return read


def _use(reading: Reading, row: "BudgetRow") -> BudgetUse:
    """A limit that each run has for itself counts no window: then nobody is listed."""
    from engine.runtime.budget_lines import budget_filter

    if row.window == "run":
        return BudgetUse(clean_record(row), ())
    scope, span = budget_filter(reading.config.budget[row.name]), Span(row.window_start_ms, row.window_end_ms)
    found = {
        group: tuple(
            clean_record(share) for share in shares.largest(reading.connection, group, row.unit, scope, span, LARGEST)
        )
        for group in shares.GROUPS
    }
    return BudgetUse(clean_record(row), tuple(found.items()))
