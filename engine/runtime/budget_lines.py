"""On which budgets does a run draw, and in which window? The declared ones that count it, each in its units."""

from collections.abc import Iterator

from msgspec import Struct

from engine.admission.windows import window_of
from engine.config.model import Budget, Config
from engine.contract.route import Route
from engine.runtime.settings import zone_of
from state import ledger, runs, sessions
from state.database import Connection

BLOCKS_BACK_MS = 3 * 24 * 3_600_000
"""How far back the chain of five-hour windows is followed."""


def budget_filter(budget: Budget) -> ledger.Filter:
    """Whose usage this budget counts."""
    return ledger.Filter(
        lane=budget.lane,
        agent=budget.agent,
        job=budget.job,
        source=budget.source,
        task_type=budget.task_type,
        model=budget.model,
    )


def budget_window(
    connection: Connection | None, name: str, budget: Budget, config: Config, at_ms: int
) -> tuple[int, int]:
    """The window around an instant, in milliseconds."""
    busy: list[int] = []
    if budget.window == "5h" and connection is not None:
        busy = ledger.busy_hours(connection, name, budget_filter(budget), at_ms - BLOCKS_BACK_MS)
    return window_of(budget.window, zone_of(config), at_ms, busy)


def budget_lines(
    connection: Connection | None, name: str, budget: Budget, config: Config, at_ms: int
) -> list[ledger.Line]:
    """The limits of a budget in the window around an instant."""
    start_ms, end_ms = budget_window(connection, name, budget, config, at_ms)
    return [
        ledger.Line(
            budget=name,
            unit=unit,
            limit=limit,
            window_start_ms=start_ms,
            window_end_ms=end_ms,
            per_run=budget.window == "run",
            scope=budget_filter(budget),
            enforced=budget.action != "warn",
        )
        for unit, limit in budget.limits.items()
    ]


class Spender(Struct, frozen=True):
    """Whom budgets can tell apart."""

    lane: str
    agent: str
    job: str | None
    task_type: str
    model: str


def spender_of(route: Route, job: str | None) -> Spender:
    """A run that is asked for."""
    return Spender(route.lane, route.agent, job, route.task_type, model_name(route))


def spender_of_run(run: runs.Run) -> Spender:
    """A run on record."""
    return Spender(run.lane, run.agent, run.job, run.task_type, run.model or run.adapter)


def lines_of(
    connection: Connection, spender: Spender, config: Config, at_ms: int
) -> Iterator[tuple[Budget, ledger.Line]]:
    """Every limit that a run draws on when it is admitted at this instant."""
    for name, budget in config.budget.items():
        if _applies(budget, spender):
            for line in budget_lines(connection, name, budget, config, at_ms):
                yield budget, line


def lines_of_run(connection: Connection, run: runs.Run, config: Config) -> list[ledger.Line]:
    """The limits as they are now, in the windows in which the run was admitted."""
    if run.admitted_ms is None:
        return []
    return [line for _, line in lines_of(connection, spender_of_run(run), config, run.admitted_ms)]


def model_name(route: Route) -> str:
    """What a run's model is called where none is chosen: as its adapter."""
    return route.model or route.adapter


def _applies(budget: Budget, spender: Spender) -> bool:
    wanted = (budget.lane, budget.agent, budget.job, budget.task_type, budget.model, budget.source)
    given = (spender.lane, spender.agent, spender.job, spender.task_type, spender.model, sessions.OURS)
    return all(want is None or want == has for want, has in zip(wanted, given, strict=True))
