"""Does a budget hold in each of its windows and units, from the very instant at which that window begins?

A million tokens are logged a millisecond before it begins, and must not count; most of the limit at the instant at
which it begins, and must.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args, get_type_hints

from engine.admission.words import amount
from engine.config.model import Budget, Unit, Window
from engine.contract.orders import Nothing
from engine.proof.desk import Site, need
from engine.proof.logs import write_log
from engine.proof.trip import REFUSED, Drill, Found, refused, succeeds
from state import ledger

LIMIT, USED, BEFORE = 1_000, 800, 1_000_000
"""Tokens or micro-dollars: here a token costs one micro-dollar."""
_TOLD = 150
_TURNING_S = 20
"""What counts on its window is not begun in the last seconds of an hour: every window ends with one."""
_LONG_MS = 40 * 86_400_000
UNITS: tuple[Unit, ...] = get_args(Unit)
WINDOWS: tuple[Window, ...] = get_args(get_type_hints(Budget)["window"])


def begin_of(window: Window, now: datetime) -> datetime:
    """When the window of this instant begins, UTC: found otherwise than the engine does. That of five hours begins with
    the first usage after the one before it, which the drill puts four hours back."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    begins = {
        "5h": hour - timedelta(hours=4),
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
    }
    return begins.get(window, hour)


def steady_now(site: Site) -> datetime:
    """The present instant, as soon as no window is about to end while a drill counts on it."""
    site.until(lambda: time.time() % 3600 < 3600 - _TURNING_S, "the hour has turned")
    return datetime.now(UTC)


def told(tokens: int) -> str:
    """A script that tells of its usage, as a run's program may."""
    return f"""echo '{{"input_tokens": {tokens}, "cost_microusd": {tokens}}}' >> "$QUARTERDECK_USAGE\""""


def _fill(name: str, unit: Unit, window: Window) -> Callable[[Site], Found]:
    def trip(site: Site) -> Found:
        begin = begin_of(window, steady_now(site))
        logged = {begin: USED, begin - timedelta(milliseconds=1): BEFORE}
        if window == "5h":
            logged[begin - timedelta(hours=5)] = 1
        for at, tokens in logged.items():
            write_log(site.desk.user, name, at, tokens)
        site.desk.order("catch_up", Nothing())
        passed = succeeds(site, site.request(told(_TOLD), model=name))
        _is_taken(site, name, unit, begin)
        found = refused(site, "budget", f"{name}: ", site.request(model=name))
        _is_taken(site, name, unit, begin)
        evidence = (
            f"{BEFORE:,} used one millisecond before {begin:%F %R} UTC do not count: {passed}",
            f"{amount(unit, USED)} logged at {begin:%F %R} UTC do, beside {amount(unit, _TOLD)} of that run",
            f"{amount(unit, USED + _TOLD)} of {amount(unit, LIMIT)} are taken, and no more after the refusal",
        )
        return Found(found.stopped_by, (*found.evidence, *evidence))

    return trip


def _is_taken(site: Site, name: str, unit: Unit, begin: datetime) -> None:
    taken = _taken(site, name, unit, begin)
    need(taken == USED + _TOLD, f"since {begin:%F %R} UTC {taken:,} are taken, not {USED + _TOLD:,}")


def _taken(site: Site, name: str, unit: Unit, begin: datetime) -> int:
    start_ms = round(begin.timestamp() * 1000)
    line = ledger.Line(name, unit, LIMIT, start_ms, start_ms + _LONG_MS, scope=ledger.Filter(model=name))
    return ledger.book(site.books, line).taken


def _each_run(name: str, unit: Unit) -> Callable[[Site], Found]:
    """The window `run`: what other runs used does not count, what this one needs does."""

    def trip(site: Site) -> Found:
        site.write("long.md", "- [ ] mend the pump\n" * 300)
        both = [succeeds(site, site.request(told(USED), model=name)) for _ in range(2)]
        large = site.request(model=name, inject=("long.md",), injected_tokens=8_000)
        found = refused(site, "budget", f"{name}: ", large)
        used = f"two runs of {amount(unit, USED)} each: {' and '.join(both)}"
        return Found(found.stopped_by, (*found.evidence, used))

    return trip


def _config(name: str, unit: Unit, window: Window) -> str:
    limit = f"tokens = {LIMIT}" if unit == "tokens" else f"usd = {LIMIT / 1_000_000}"
    return (
        f'[prices."{name}"]\ninput = 1.0\noutput = 1.0\n'
        f'[budget.{name}]\nwindow = "{window}"\n{limit}\nmodel = "{name}"\n'
    )


def _drill(window: Window, unit: Unit) -> Drill:
    said = "tokens" if unit == "tokens" else "dollars"
    name = f"window_{window}_{said}"
    if window == "run":
        tried = f"a run that needs more {said} than each run may use, after two that used almost as much each"
        trip = _each_run(name, unit)
    else:
        tried = f"a run under a budget in {said} that is used up {_SPAN[window]}"
        trip = _fill(name, unit, window)
    return Drill(f"window.{window}.{said}", (window, "budget", unit), tried, REFUSED, trip, _config(name, unit, window))


_SPAN = {"hour": "this hour", "5h": "in these five hours", "day": "today", "week": "this week", "month": "this month"}

DRILLS = tuple(_drill(window, unit) for window in WINDOWS for unit in UNITS)
