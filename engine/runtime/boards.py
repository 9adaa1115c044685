"""What do the panes and the commands list? Declared things joined with what happened to them."""

from msgspec import Struct

from engine.admission.windows import window_of
from engine.config.model import Budget, Config
from engine.runtime.gate import budget_filter
from engine.runtime.settings import job_trigger, load_in_force, zone_of
from engine.schedule.calendar import next_due_ms
from state import ledger, runs, skills, slots
from state.database import Connection

SLOTS_SHOWN = 12


class JobRow(Struct, frozen=True):
    """A job, when it is due next, and its last slots, oldest first."""

    name: str
    trigger: str
    zone: str
    next_due_ms: int | None
    """None while it is paused."""
    enabled: bool
    agent: str
    lane: str
    slots: tuple[slots.Slot, ...]
    tokens_per_fire: int | None
    """Mean over its last settled runs; None before the first."""
    live_run_id: int | None


class BudgetRow(Struct, frozen=True):
    """A budget and its books in the present window. Tokens."""

    name: str
    window: str
    scope: str
    """Whose usage counts, in words."""
    limit_tokens: int
    held: int
    committed: int
    overrun: int
    warn_at: float
    action: str
    window_start_ms: int
    window_end_ms: int

    @property
    def taken(self) -> int:
        return self.held + self.committed + self.overrun

    @property
    def free(self) -> int:
        return max(0, self.limit_tokens - self.taken)

    @property
    def share(self) -> float:
        """Taken part of the limit; a limit of zero is full."""
        return self.taken / self.limit_tokens if self.limit_tokens else 1.0

    @property
    def level(self) -> str:
        """`ok`, `warn` or `full`."""
        if self.free == 0:
            return "full"
        return "warn" if self.share >= self.warn_at else "ok"


class SkillSetRow(Struct, frozen=True):
    """A set, what it costs a prompt, and who has it."""

    name: str
    skills: tuple[str, ...]
    meta_tokens: int
    body_tokens: int
    used_by: tuple[str, ...]
    missing: tuple[str, ...]
    """Names on the list that no folder here has."""


def job_board(connection: Connection | None, config: Config, now_ms: int) -> list[JobRow]:
    """Every declared job. Without a database, none has a past."""
    strips = slots.strip(connection, SLOTS_SHOWN) if connection else {}
    marks = slots.marks(connection) if connection else {}
    live = {run.job: run.id for run in runs.live(connection) if run.job} if connection else {}
    found: list[JobRow] = []
    for name, job in config.job.items():
        due = job_trigger(config, job)
        anchor_ms = marks[name].anchor_ms if name in marks else now_ms
        found.append(
            JobRow(
                name=name,
                trigger=due.words,
                zone=due.zone,
                next_due_ms=next_due_ms(due, anchor_ms, now_ms) if job.enabled else None,
                enabled=job.enabled,
                agent=job.agent,
                lane=job.session,
                slots=tuple(strips.get(name, ())),
                tokens_per_fire=runs.mean_tokens(connection, name) if connection else None,
                live_run_id=live.get(name),
            )
        )
    return found


def budget_board(connection: Connection | None, config: Config, now_ms: int) -> list[BudgetRow]:
    """Every declared budget with its books."""
    found: list[BudgetRow] = []
    for name, budget in config.budget.items():
        window = window_of(budget.window, zone_of(config), now_ms)
        book = ledger.book(connection, name, *window, budget_filter(budget)) if connection else ledger.Book(0, 0, 0)
        found.append(
            BudgetRow(
                name=name,
                window=budget.window,
                scope=scope_words(budget),
                limit_tokens=budget.tokens,
                held=book.held,
                committed=book.committed,
                overrun=book.overrun,
                warn_at=budget.warn_at,
                action=budget.action,
                window_start_ms=window[0],
                window_end_ms=window[1],
            )
        )
    return found


def skill_board(connection: Connection | None, config: Config) -> list[SkillSetRow]:
    """The empty set first, then every declared one."""
    by_name: dict[str, skills.Skill] = {}
    for skill in skills.found(connection) if connection else []:
        by_name.setdefault(skill.name, skill)
    without = tuple(name for name, agent in config.agents.items() if agent.skills is None)
    rows = [SkillSetRow("none", (), 0, 0, without, ())]
    for name, declared in config.skill_set.items():
        known = [by_name[skill] for skill in declared.skills if skill in by_name]
        rows.append(
            SkillSetRow(
                name=name,
                skills=declared.skills,
                meta_tokens=sum(skill.meta_tokens for skill in known),
                body_tokens=sum(skill.body_tokens for skill in known),
                used_by=tuple(agent for agent, profile in config.agents.items() if profile.skills == name),
                missing=tuple(skill for skill in declared.skills if skill not in by_name),
            )
        )
    return rows


def scope_words(budget: Budget) -> str:
    """`all`, or whose usage it counts: `isolated lane`, `agent coder`, `job health-check`, `source codex`."""
    parts = [f"{budget.lane} lane"] if budget.lane else []
    for kind, name in (("agent", budget.agent), ("job", budget.job), ("source", budget.source)):
        if name:
            parts.append(f"{kind} {name}")
    return ", ".join(parts) or "all"


__all__ = ["BudgetRow", "JobRow", "SkillSetRow", "budget_board", "job_board", "load_in_force", "skill_board"]
