"""What is the operator asked when a budget says `ask`? One stored value: what is shown is what is approved."""

from typing import Literal

import msgspec
from msgspec import Struct

from engine.admission.admit import Facts
from engine.contract.orders import RunRequest
from engine.contract.route import Route


class Raise(Struct, frozen=True):
    """By how much a limit would be raised, in its present window. Tokens or micro-dollars."""

    budget: str
    unit: Literal["tokens", "microusd"]
    window: str
    window_start_ms: int
    limit: int
    """What was granted before included."""
    taken: int
    need: int
    amount: int
    """What approving grants: exactly what this run lacks."""


class Question(Struct, frozen=True):
    """A run that would go over a budget."""

    run_id: int
    agent: str
    task_type: str
    task: str
    can_write: tuple[str, ...]
    trigger: str
    job: str | None
    likely_tokens: int
    high_tokens: int
    high_microusd: int | None
    raises: tuple[Raise, ...]


def question(run_id: int, route: Route, request: RunRequest, facts: Facts) -> str:
    """The question as it is stored, JSON."""
    asked = Question(
        run_id=run_id,
        agent=route.agent,
        task_type=route.task_type,
        task=route.task,
        can_write=route.can_write,
        trigger=request.trigger,
        job=request.job,
        likely_tokens=facts.estimate.likely_tokens,
        high_tokens=facts.estimate.high_tokens,
        high_microusd=facts.estimate.high_microusd,
        raises=tuple(
            Raise(one.name, one.unit, one.window, one.window_start_ms, one.limit, one.taken, one.need, one.lacks)
            for one in facts.budgets
            if one.action == "ask" and one.need is not None and not one.fits
        ),
    )
    return msgspec.json.encode(asked).decode()


def read_question(text: str) -> Question:
    return msgspec.json.decode(text, type=Question)
