"""What do the panes and the commands list? Declared things joined with what happened to them, and what comes of it.

The arithmetic of projections and subscription windows is `engine.telemetry.metrics`; here is what it is fed with.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from engine.config.model import NO_SKILLS, AdapterDefaults, Budget, Config, Job
from engine.config.routed import Routed
from engine.contract.usage import RateLimit
from engine.runtime.budget_lines import budget_lines
from engine.runtime.settings import job_trigger, load_in_force
from engine.schedule.calendar import next_due_ms
from engine.telemetry import metrics
from state import counted, ledger, logs, runs, skills, slots, spend
from state.database import Connection

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SLOTS_SHOWN = 12
HISTORY_MS = 14 * DAY_MS
"""How far back a projection takes its hours from."""
LEAST_HOURS = 24
"""So many hours count at least, idle ones before the first usage included: a burst is no pace of days."""
BLOCKS_BACK_MS = 3 * DAY_MS
LIMITS_KEPT_MS = 30 * DAY_MS
"""A subscription window that was logged longer ago is not listed: nobody seems to use it."""


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
    """A budget in one of its units, and its books in the present window. Tokens or micro-dollars."""

    name: str
    unit: ledger.Unit
    window: str
    scope: str
    """Whose usage counts, in words."""
    limit: int
    """As declared."""
    granted: int
    """What the operator granted beyond that in this window."""
    held: int
    """Reserved by live runs, and not used by them yet."""
    live: int
    """What live runs have used of what was reserved for them."""
    committed: int
    """What runs that are over used of what was reserved for them, or of what was free."""
    observed: int
    """What no reservation was made for: by observed sessions, and by runs that are older than the budget."""
    overrun: int
    """What our runs used beyond what was reserved for them, and beyond what was free."""
    unpriced: int
    """Responses that count here and whose price is not known."""
    warn_at: float
    action: str
    window_start_ms: int
    window_end_ms: int
    projection: metrics.Projection | None
    """What is spent at the window's end, as things go; None as long as nothing was ever used that it counts."""

    @property
    def most(self) -> int:
        """The limit with what was granted."""
        return self.limit + self.granted

    @property
    def spent(self) -> int:
        """By whomever, live runs included."""
        return self.live + self.committed + self.observed + self.overrun

    @property
    def taken(self) -> int:
        """What nothing else may have: spent and held."""
        return self.spent + self.held

    @property
    def free(self) -> int:
        return max(0, self.most - self.taken)

    @property
    def share(self) -> float:
        """Spent part of the limit; a limit of zero is spent."""
        return self.spent / self.most if self.most else 1.0

    @property
    def level(self) -> str:
        """`full`: nothing is free, be it spent or held. `warn`: so much is spent that it warns. Else `ok`."""
        if self.free == 0:
            return "full"
        return "warn" if self.share >= self.warn_at else "ok"

    @property
    def word(self) -> str:
        """The level in a word; `over` when more is spent than the limit."""
        return "over" if self.spent > self.most else self.level


class SubscriptionRow(Struct, frozen=True):
    """A provider's own window, which we can only look at."""

    source: str
    provider_home: str
    kind: Literal["limit", "block"]
    """`limit`: as the client logged it. `block`: five hours as Claude counts them, from our books; without a limit,
    since no log tells one."""
    name: str
    """`primary`, `secondary`, ... as logged; `block`."""
    window_minutes: int | None
    state: metrics.WindowState
    used_percent: float | None
    """None once the window has ended: nothing has been logged since."""
    used_tokens: int | None
    """Of a block."""
    started_ms: int | None
    resets_ms: int | None
    logged_ms: int
    plan: str | None


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
                lane=job_lane(job, config),
                slots=tuple(strips.get(name, ())),
                tokens_per_fire=runs.mean_tokens(connection, name) if connection else None,
                live_run_id=live.get(name),
            )
        )
    return found


def budget_board(connection: Connection | None, config: Config, now_ms: int) -> list[BudgetRow]:
    """Every declared budget with its books and its projection, a row for each of its units."""
    books = _books(connection, config, now_ms)
    if connection is None:
        return [_budget_row(*one) for one in books]
    return [_budget_row(*one, _projection(connection, *one[1:], now_ms)) for one in books]


def budget_levels(connection: Connection, config: Config, now_ms: int) -> list[BudgetRow]:
    """The same without projections, which cost most of it."""
    return [_budget_row(*one) for one in _books(connection, config, now_ms)]


def _books(
    connection: Connection | None, config: Config, now_ms: int
) -> Iterator[tuple[Budget, ledger.Line, ledger.Book]]:
    for name, budget in config.budget.items():
        lines = budget_lines(connection, name, budget, config, now_ms)
        books = ledger.books(connection, lines) if connection else [ledger.Book() for _ in lines]
        yield from ((budget, *one) for one in zip(lines, books, strict=True))


def _budget_row(
    budget: Budget, line: ledger.Line, book: ledger.Book, projection: metrics.Projection | None = None
) -> BudgetRow:
    return BudgetRow(
        name=line.budget,
        unit=line.unit,
        window=budget.window,
        scope=scope_words(budget),
        limit=line.limit,
        granted=book.granted,
        held=book.held - book.drawn,
        live=book.drawn,
        committed=book.committed,
        observed=book.observed,
        overrun=book.overrun - book.observed,
        unpriced=book.unpriced,
        warn_at=budget.warn_at,
        action=budget.action,
        window_start_ms=line.window_start_ms,
        window_end_ms=line.window_end_ms,
        projection=projection,
    )


def _projection(connection: Connection, line: ledger.Line, book: ledger.Book, now_ms: int) -> metrics.Projection | None:
    """None for a limit that each run has for itself, and as long as nothing was ever used that it counts."""
    if line.per_run:
        return None
    spent, elapsed = book.taken - book.held + book.drawn, now_ms % MINUTE_MS / MINUTE_MS
    minutes = counted.spent_by_minute(connection, line.scope, line.unit, now_ms, metrics.FADED_MIN)
    now_ms += MINUTE_MS - now_ms % MINUTE_MS  # usage is known by minutes, and this one's counts
    last_ms = (now_ms - 1) // HOUR_MS * HOUR_MS
    since_ms = last_ms - HISTORY_MS
    busy = counted.spent_by_hour(connection, line.scope, line.unit, since_ms, now_ms)
    if not busy and not spent:
        return None
    first_ms = min([last_ms - (LEAST_HOURS - 1) * HOUR_MS, *busy])
    hours = [
        metrics.Hour(busy.get(at_ms, 0), at_ms, min(HOUR_MS, now_ms - at_ms) / MINUTE_MS)
        for at_ms in range(first_ms, last_ms + 1, HOUR_MS)
    ]
    going = metrics.course(hours, now_ms, metrics.lasting_per_minute(minutes, elapsed))
    return metrics.project(spent, now_ms - MINUTE_MS, line.window_end_ms, going, line.limit + book.granted)


def worst(rows: Sequence[BudgetRow]) -> list[BudgetRow]:
    """One row for each budget: of its limits the one with least left, full ones first."""
    found: dict[str, BudgetRow] = {}
    for row in rows:
        known = found.setdefault(row.name, row)
        if _tightness(row) > _tightness(known):
            found[row.name] = row
    return list(found.values())


def _tightness(row: BudgetRow) -> tuple[bool, float]:
    """A limit that each run has for itself is never tight."""
    return (False, -1.0) if row.window == "run" else (row.free == 0, row.share)


def subscription_board(connection: Connection | None, now_ms: int) -> list[SubscriptionRow]:
    """What the clients logged of their own windows, short ones first; then Claude's block of five hours."""
    if connection is None:
        return []
    by_home: dict[tuple[str, str], list[RateLimit]] = {}
    for limit in logs.limits(connection):
        if limit.at_ms >= now_ms - LIMITS_KEPT_MS:
            told = (limit.name, limit.at_ms, limit.used_percent, limit.window_minutes, limit.resets_at_ms, limit.plan)
            by_home.setdefault((limit.source, limit.provider_home), []).append(RateLimit(*told))
    found = [
        SubscriptionRow(
            source=source,
            provider_home=home,
            kind="limit",
            name=window.name,
            window_minutes=window.window_minutes,
            state=window.state,
            used_percent=window.used_percent,
            used_tokens=None,
            started_ms=None,
            resets_ms=window.resets_at_ms,
            logged_ms=window.logged_ms,
            plan=window.plan,
        )
        for (source, home), limits in by_home.items()
        for window in sorted(metrics.subscription_windows(limits, now_ms), key=lambda w: w.window_minutes or 0)
    ]
    return [*found, *_claude_block(connection, now_ms)]


def _claude_block(connection: Connection, now_ms: int) -> list[SubscriptionRow]:
    """By whole hours: a block begins with the hour of its first response."""
    since_ms = (now_ms - BLOCKS_BACK_MS) // HOUR_MS * HOUR_MS
    groups = spend.by(connection, "hour", spend.Span(since_ms, now_ms + 1, "claude_code"), UTC)
    hours = {_hour_ms(group.label or ""): group.sums.tokens for group in groups}
    blocks = metrics.blocks(hours)
    if not blocks or not blocks[-1].start_ms <= now_ms < blocks[-1].end_ms:
        return []
    block = blocks[-1]
    return [
        SubscriptionRow(
            source="claude_code",
            provider_home="",
            kind="block",
            name="block",
            window_minutes=(block.end_ms - block.start_ms) // MINUTE_MS,
            state="current",
            used_percent=None,
            used_tokens=sum(tokens for at_ms, tokens in hours.items() if at_ms >= block.start_ms),
            started_ms=block.start_ms,
            resets_ms=block.end_ms,
            logged_ms=now_ms,
            plan=None,
        )
    ]


def _hour_ms(label: str) -> int:
    return round(datetime.fromisoformat(label).replace(tzinfo=UTC).timestamp() * 1000)


def skill_board(connection: Connection | None, config: Config) -> list[SkillSetRow]:
    """The empty set first, then every declared one."""
    by_name: dict[str, skills.Skill] = {}
    for skill in skills.found(connection) if connection else []:
        by_name.setdefault(skill.name, skill)
    users = _users(config)
    without = tuple(name for name, agent in config.agents.items() if agent.skills in (None, NO_SKILLS))
    rows = [SkillSetRow(NO_SKILLS, (), 0, 0, without, ())]
    for name, declared in config.skill_set.items():
        known = [by_name[skill] for skill in declared.skills if skill in by_name]
        rows.append(
            SkillSetRow(
                name=name,
                skills=declared.skills,
                meta_tokens=sum(skill.meta_tokens for skill in known),
                body_tokens=sum(skill.body_tokens for skill in known),
                used_by=tuple(user for user, skill_set in users if skill_set == name),
                missing=tuple(skill for skill in declared.skills if skill not in by_name),
            )
        )
    return rows


def _users(config: Config) -> list[tuple[str, str | None]]:
    """Whoever names a skill set, agents by their bare names."""
    others: dict[str, Mapping[str, Routed | AdapterDefaults]] = {
        "job": config.job,
        "template": config.template,
        "task type": config.task_type,
        "adapter": config.adapter,
    }
    users = [(name, agent.skills) for name, agent in config.agents.items()]
    return users + [(f"{kind} {name}", one.skills) for kind, named in others.items() for name, one in named.items()]


def job_lane(job: Job, config: Config) -> str:
    """In which lane its runs are."""
    kind = job.task_type or config.agents[job.agent].task_type or "cron"
    return job.session or config.task_types[kind].lane or "isolated"


def scope_words(budget: Budget) -> str:
    """`all`, or whose usage it counts: `isolated lane`, `agent coder`, `job health-check`, `source codex`."""
    parts = [f"{budget.lane} lane"] if budget.lane else []
    told = {"task type": budget.task_type, "model": budget.model}
    for kind, name in ({"agent": budget.agent, "job": budget.job} | told | {"source": budget.source}).items():
        if name:
            parts.append(f"{kind} {name}")
    return ", ".join(parts) or "all"


__all__ = [
    "BudgetRow",
    "JobRow",
    "SkillSetRow",
    "SubscriptionRow",
    "budget_board",
    "job_board",
    "load_in_force",
    "skill_board",
    "subscription_board",
]
