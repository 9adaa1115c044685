"""What is the operator asked, when a budget says `ask` or an agent's program does? One stored value: what is shown is
what is approved."""

from typing import Literal

import msgspec
from msgspec import Struct

from engine.admission.admit import Facts
from engine.runtime.composing import Composed


class Raise(Struct, frozen=True):
    """By how much a limit would be raised, in its present window. Tokens or micro-dollars."""

    budget: str
    unit: Literal["tokens", "microusd"]
    window: str
    window_start_ms: int
    window_end_ms: int
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
    workspace: str
    argv: tuple[str, ...]
    model: str | None
    tools: tuple[str, ...] | None
    inject: tuple[str, ...]
    skills: str
    can_write: tuple[str, ...]
    trigger: str
    job: str | None
    resumes_run_id: int | None
    """The stopped run that it goes on with."""
    likely_tokens: int
    high_tokens: int
    high_microusd: int | None
    raises: tuple[Raise, ...]


class Permission(Struct, frozen=True):
    """What a live run's program wants to do and may not do unasked."""

    run_id: int
    agent: str
    session_id: int | None
    task: str
    workspace: str
    tool: str
    what: str
    """All of it, as text."""
    path: str | None
    """The one file that it wants to write, where it is that."""


def read_permission(text: str) -> Permission:
    return msgspec.json.decode(text, type=Permission)


_FIGURES = ("likely_tokens", "high_tokens", "high_microusd", "raises")


def question(run_id: int, composed: Composed, facts: Facts, *, resumes: bool) -> str:
    """The question as it is stored, JSON. `resumes`: whether it goes on with its conversation."""
    route, request = composed.route, composed.request
    asked = Question(
        run_id=run_id,
        agent=route.agent,
        task_type=route.task_type,
        task=route.task,
        workspace=str(composed.workspace),
        argv=composed.argv_resume if resumes and composed.argv_resume else composed.argv,
        model=route.model,
        tools=route.tools,
        inject=route.inject,
        skills=route.skills,
        can_write=route.can_write,
        trigger=request.trigger,
        job=request.job,
        resumes_run_id=request.resumes_run_id,
        likely_tokens=facts.estimate.likely_tokens,
        high_tokens=facts.estimate.high_tokens,
        high_microusd=facts.estimate.high_microusd,
        raises=tuple(
            Raise(
                budget=one.name,
                unit=one.unit,
                window=one.window,
                window_start_ms=one.window_start_ms,
                window_end_ms=one.window_end_ms,
                limit=one.limit,
                taken=one.taken,
                need=one.need,
                amount=one.lacks,
            )
            for one in facts.budgets
            if one.action == "ask" and one.need is not None and not one.fits
        ),
    )
    return msgspec.json.encode(asked).decode()


def read_question(text: str) -> Question:
    return msgspec.json.decode(text, type=Question)


def lacks_more(one: Question, other: Question) -> bool:
    """Whether the run lacks more than the first of these would grant: what was free then is taken by now."""
    granted = {(raised.budget, raised.unit): raised.amount for raised in one.raises}
    return any(raised.amount > granted.get((raised.budget, raised.unit), 0) for raised in other.raises)


def same(one: Question, other: Question) -> bool:
    """Whether both ask for the same run, whatever it is expected to use by now."""
    names = [name for name in Question.__struct_fields__ if name not in _FIGURES]
    return all(getattr(one, name) == getattr(other, name) for name in names)
