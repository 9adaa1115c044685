"""Do the budgets let it run? What does not fit is only warned about, kept for the operator or for room, or refused."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from engine.admission.words import amount
from engine.contract.verdict import Check, WaitsFor

Action = Literal["warn", "ask", "refuse", "pause"]


class BudgetFacts(Struct, frozen=True):
    """One limit of a budget that the run would draw on, in its present window. Tokens or micro-dollars."""

    name: str
    unit: Literal["tokens", "microusd"]
    window: str
    window_start_ms: int
    window_end_ms: int
    limit: int
    """What was granted for this window included."""
    taken: int
    """Held, committed and overrun."""
    need: int | None
    """What would be reserved; None when the price is not known."""
    action: Action
    warn_at: float
    stopped: bool = False
    """The run that this one goes on with was stopped here, and the limit is what it was then."""

    @property
    def fits(self) -> bool:
        return not self.stopped and self.need is not None and self.taken + self.need <= self.limit

    @property
    def lacks(self) -> int:
        """By how much the limit would have to be higher; at least one where the run before was stopped."""
        return max(1 if self.stopped else 0, self.taken + (self.need or 0) - self.limit)


def check_budgets(budgets: Sequence[BudgetFacts], allow_unpriced: bool) -> Check:
    """One line for all of them: all must pass."""
    if not budgets:
        return Check("budget", True, "no budget applies")
    over = [budget for budget in budgets if not _passes(budget, allow_unpriced)]
    binding = [budget for budget in over if budget.action != "warn"]
    warning = "; ".join(filter(None, (_warning(budget) for budget in budgets if budget not in binding)))
    if not binding:
        return Check("budget", True, "; ".join(_sum(budget) for budget in budgets), warning=warning)
    why = "; ".join(_sum(budget) for budget in binding)
    return Check("budget", False, why, _fix(binding), warning, _waits_for(binding))


def _passes(budget: BudgetFacts, allow_unpriced: bool) -> bool:
    return budget.fits or (budget.need is None and allow_unpriced and not budget.stopped)


def _refuses(budget: BudgetFacts) -> bool:
    """What no price is known for fits nowhere; a run that was stopped is not refused, whatever stopped it."""
    return budget.need is None or (budget.action == "refuse" and not budget.stopped)


def _waits_for(binding: Sequence[BudgetFacts]) -> WaitsFor | None:
    """A refusal outweighs a question, a question outweighs waiting."""
    if any(_refuses(budget) for budget in binding):
        return None
    return "approval" if any(budget.action == "ask" for budget in binding) else "budget"


def _fix(binding: Sequence[BudgetFacts]) -> str:
    """What would make all of them pass; a refusal first, since nothing else helps against that."""
    first = min(binding, key=lambda budget: (not _refuses(budget), budget.action != "ask"))
    if first.need is None:
        return "give its model a price in [prices], or say allow_unpriced in [limits]"
    names = list(dict.fromkeys(budget.name for budget in binding if _refuses(budget) == _refuses(first)))
    raised = f"raise {'budget' if len(names) == 1 else 'budgets'} {', '.join(names)}"
    if first.action == "ask" and not _refuses(first):
        return f"approve it, or {raised}"
    if first.window == "run" or first.need > first.limit:
        return f"make the run smaller, or {raised}"
    if len(names) > 1:
        return f"{raised}, or wait for their next windows"
    return f"{raised} or wait for its next {_WINDOWS.get(first.window, first.window)}"


_WINDOWS = {"5h": "five hours"}


def _sum(budget: BudgetFacts) -> str:
    said = {"day": "today", "run": "per run", "5h": "in five hours"}.get(budget.window, f"this {budget.window}")
    limit, taken = amount(budget.unit, budget.limit), amount(budget.unit, budget.taken)
    if budget.need is None:
        return f"{budget.name}: {taken} of {limit} {said}, and the price of this run is not known"
    text = f"{budget.name}: {taken} + {amount(budget.unit, budget.need)} of {limit} {said}"
    if budget.stopped:
        return f"{text}, not raised since it stopped the run before"
    return text if budget.fits else f"{text}, only {amount(budget.unit, max(0, budget.limit - budget.taken))} free"


def _warning(budget: BudgetFacts) -> str:
    if not budget.fits:
        return f"{budget.name} is over its limit" if budget.need is not None else f"{budget.name} cannot count this run"
    if budget.limit and budget.taken + (budget.need or 0) >= budget.warn_at * budget.limit:
        return f"{budget.name} reaches {(budget.taken + (budget.need or 0)) / budget.limit:.0%}"
    return ""
