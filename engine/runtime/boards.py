"""What do the panes and the commands list? Declared things joined with what happened to them, and what comes of it.

The arithmetic of projections and subscription windows is `engine.telemetry.metrics`; here is what it is fed with.
"""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.admission.windows import window_of
from engine.config.model import Budget, Config
from engine.contract.usage import RateLimit
from engine.runtime.gate import budget_filter
from engine.runtime.settings import job_trigger, load_in_force, zone_of
from engine.schedule.calendar import next_due_ms
from engine.telemetry import metrics
from state import ledger, logs, runs, sessions, skills, slots, spend
from state.database import Connection

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SLOTS_SHOWN = 12
SAMPLE_HOURS, SAMPLE_DAYS = 24, 7
PROJECTION_STEPS = 144
"""A projection moves with time at most so often in a window: what nobody spends in looks the same for a while."""
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
    projection: metrics.Projection
    """What is taken at the window's end, as things go."""

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
                lane=job.session,
                slots=tuple(strips.get(name, ())),
                tokens_per_fire=runs.mean_tokens(connection, name) if connection else None,
                live_run_id=live.get(name),
            )
        )
    return found


def budget_board(connection: Connection | None, config: Config, now_ms: int) -> list[BudgetRow]:
    """Every declared budget with its books and its projection."""
    found: list[BudgetRow] = []
    past = _Past(connection, now_ms) if connection else None
    for name, budget in config.budget.items():
        window = window_of(budget.window, zone_of(config), now_ms)
        scope = budget_filter(budget)
        book = ledger.book(connection, name, *window, scope) if connection else ledger.Book(0, 0, 0)
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
                projection=past.projection(budget, scope, book.taken, window) if past else metrics.Projection(0, 0, 0),
            )
        )
    return found


class _Past:
    """What was spent before now, by scope: what a projection rests on. Asked of the roll-ups once per span."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._spans: dict[spend.Span, dict[int, int]] = {}
        self._owners: dict[int, sessions.Session] = {}

    def projection(
        self, budget: Budget, scope: ledger.Filter, taken: int, window: tuple[int, int]
    ) -> metrics.Projection:
        """The pace of the last hour goes on for one hour; after that it is the mean of the last day, or for a week or
        a month of the last seven. The band is that of the day's hours, or of the seven days."""
        start_ms, end_ms = window
        minute_ms = self._now_ms - self._now_ms % MINUTE_MS
        pace = self._spent(scope, minute_ms + MINUTE_MS - HOUR_MS, minute_ms + MINUTE_MS) / 60
        hourly = self._hourly(scope, long=budget.window in ("week", "month"))
        mean = sum(hourly) / len(hourly) / 60 if hourly else 0.0
        step_ms = max(MINUTE_MS, (end_ms - start_ms) // PROJECTION_STEPS)
        from_ms = self._now_ms - (self._now_ms - start_ms) % step_ms
        left_min = (end_ms - from_ms) / MINUTE_MS
        near_min = min(60.0, left_min)
        rate = (pace * near_min + mean * (left_min - near_min)) / left_min
        near_ms = min(end_ms, minute_ms + HOUR_MS)
        out_ms = metrics.runs_out_at(budget.tokens, taken, minute_ms, near_ms, pace)
        if out_ms is None and near_ms < end_ms:
            out_ms = metrics.runs_out_at(budget.tokens, taken + round(pace * near_min), near_ms, end_ms, mean)
        projected = metrics.project(taken, start_ms, end_ms, from_ms, rate, hourly)
        return replace(projected, runs_out_ms=out_ms)

    def _hourly(self, scope: ledger.Filter, long: bool) -> list[int]:
        """Tokens of each of the last 24 whole hours, or the hourly mean of each of the last seven days; what lies
        before the first usage is left out, since then nothing was counted."""
        end_ms = self._now_ms - self._now_ms % HOUR_MS
        hours, number = (24, SAMPLE_DAYS) if long else (1, SAMPLE_HOURS)
        starts = [end_ms - back * hours * HOUR_MS for back in range(number, 0, -1)]
        sample = [self._spent(scope, start, start + hours * HOUR_MS) // hours for start in starts]
        first = next((index for index, tokens in enumerate(sample) if tokens), len(sample))
        return sample[first:]

    def _spent(self, scope: ledger.Filter, since_ms: int, until_ms: int) -> int:
        span = spend.Span(since_ms, until_ms, scope.source)
        if span not in self._spans:
            groups = spend.by(self._connection, "session", span)
            self._spans[span] = {int(group.label or 0): group.sums.tokens for group in groups}
        return sum(tokens for session, tokens in self._spans[span].items() if self._counts(scope, session))

    def _counts(self, scope: ledger.Filter, session_id: int) -> bool:
        if scope.lane is None and scope.agent is None and scope.job is None:
            return True
        if session_id not in self._owners:
            self._owners[session_id] = sessions.get(self._connection, session_id)
        owner = self._owners[session_id]
        wanted = ((scope.lane, owner.lane), (scope.agent, owner.agent), (scope.job, owner.job))
        return all(asked is None or asked == known for asked, known in wanted)


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
