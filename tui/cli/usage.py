"""`qd usage`: what was used, by whatever you ask, after bringing the books up to date."""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine import __version__
from engine.config.model import Config
from engine.contract.clock import SystemClock
from engine.contract.orders import Nothing
from engine.runtime.client import Client
from engine.runtime.lease import Holder, Lease
from engine.runtime.settings import load_strict, zone_name
from engine.schedule.calendar import zone_named
from state import logs, spend
from state.database import Connection, open_writer
from state.errors import EngineUnavailable, NotFound, UsageError
from state.home import Home, prepare
from state.rollups import Sums
from state.spend import GROUPS, Group, Span
from state.usage import SOURCES
from tui.cli.raw import raw_runs, raw_table
from tui.cli.read_only import is_read_only
from tui.cli.scan_line import scan_said, scan_shown
from tui.cli.sums import sums_view
from tui.cli.usage_text import coverage_words, usage_text
from tui.cli.verb import Context, Output, Verb, page

INGEST_PATIENCE_S = 3600.0
WORDLESS_S = 3.0
"""How long an engine may take before we say what we wait for."""
_STEP_S = 0.05


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", choices=GROUPS, help="one row for each of these")
    parser.add_argument("--raw", action="store_true", help="one row for each of our runs: as reported, and as booked")
    parser.add_argument("--since", help="a day or an instant: 2026-11-01 or 2026-11-01T07:00")
    parser.add_argument("--until", help="the same, exclusive")
    parser.add_argument("--tz", help="IANA zone of days and instants (the configuration's, else this machine's)")
    parser.add_argument("--source", choices=SOURCES, help="only this source")


def _usage(context: Context) -> Output:
    options = context.options
    if options.raw and options.by:
        raise UsageError("qd usage: --raw lists runs and has no groups", "leave out --raw or --by")
    config = load_strict(context.home)
    zone = _zone(zone_name(config) if options.tz is None else options.tz)
    span = _span(options, zone)
    if not is_read_only(os.environ):  # else it is as old as it is
        with scan_shown(context.home):
            _catch_up(context, config)
    connection = context.reader()
    if connection is None and is_read_only(os.environ):
        raise NotFound("there is no state yet, and here is read-only", "open a console that is not, or: qd usage")
    if connection is None:
        raise EngineUnavailable("the running engine is older than this qd", "end it with: qd engine stop")
    data, text = _raw(connection, span) if options.raw else _spent(connection, options.by, span, zone)
    return Output(data, "" if options.json else text())


def _span(options: argparse.Namespace, zone: ZoneInfo) -> Span:
    """An empty word is a mistake, an unset variable of the shell for instance, and not all there is."""
    since = 0 if options.since is None else _instant(options.since, zone)
    until = spend.EVER if options.until is None else _instant(options.until, zone)
    if since > until:
        raise UsageError(f"qd usage: --since {options.since} is after --until {options.until}", "swap them")
    return Span(since, until, options.source)


Answer = tuple[dict[str, Any], Callable[[], str]]
"""The data, and how to say it: making a table loads what JSON does not need."""


def _spent(connection: Connection, by: str | None, span: Span, zone: ZoneInfo) -> Answer:
    total = spend.totals(connection, span)
    groups = _in_order(by, spend.by(connection, by, span, zone)) if by else []
    coverage = _coverage(connection, total, span)
    rows = [{by or "": _label(by, group.label), **sums_view(group.sums)} for group in groups]
    data = {"totals": sums_view(total), "rows": rows, "coverage": coverage}
    return data, lambda: usage_text(by, groups, total, coverage, page())


def _in_order(by: str, groups: list[Group]) -> list[Group]:
    """Sessions by their number, those without first; the rest comes in order."""
    return sorted(groups, key=lambda group: int(group.label or -1)) if by == "session" else groups


def _label(by: str | None, label: str | None) -> str | int | None:
    """Sessions are numbers everywhere else, too."""
    return int(label) if by == "session" and label is not None else label


def _raw(connection: Connection, span: Span) -> Answer:
    total = spend.totals(connection, span)
    coverage = _coverage(connection, total, span)
    rows = raw_runs(connection, span)
    data = {"totals": sums_view(total), "rows": rows, "coverage": coverage}
    return data, lambda: f"{raw_table(rows)}\n\n{coverage_words(coverage)}"


def _catch_up(context: Context, config: Config) -> None:
    """A running engine is asked; else we hold the lease for one ingest, after whoever holds it for the same."""
    client = Client(context.home)
    deadline = time.monotonic() + INGEST_PATIENCE_S
    while time.monotonic() < deadline:
        holder = client.holder()
        if holder is not None and holder.ready:
            with _said_when_slow(holder, context.home):
                client.order("catch_up", Nothing(), patience_s=INGEST_PATIENCE_S)
            return
        if holder is None and _ingest(context, config):
            return
        time.sleep(_STEP_S)
    raise EngineUnavailable("the state is held by a process that never gets ready", "see: qd engine status")


@contextmanager
def _said_when_slow(holder: Holder, home: Home) -> Iterator[None]:
    """A first scan takes long, and a stopped engine never answers: say once what we wait for."""
    timer = threading.Timer(WORDLESS_S, _say_waiting, (holder.pid, home))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say_waiting(pid: int, home: Home) -> None:
    if sys.stderr.isatty() and scan_said(home):
        return  # which shows that it is alive
    text = (
        f"qd: waiting for the engine (pid {pid}) to catch up with the logs; qd engine status tells whether it is alive"
    )
    print(text, file=sys.stderr, flush=True)


def _ingest(context: Context, config: Config) -> bool:
    """Bring the books up to date ourselves; False when somebody else was quicker to take the lease."""
    from engine.runtime.ingest import ingest_once
    from engine.runtime.pricing import PriceBook

    prepare(context.home)
    clock = SystemClock()
    try:
        lease = Lease(context.home, clock.now_ms())
    except EngineUnavailable:
        return False
    try:
        database = open_writer(context.home)
        try:
            database.take_lease(os.getpid(), __version__, clock.now_ms())
            prices = PriceBook(database, clock, config.prices, os.environ)
            ingest_once(database, clock, os.environ, prices, config.homes)
        finally:
            database.close()
    finally:
        lease.release()
    return True


def _coverage(connection: Connection, total: Sums, span: Span) -> dict[str, Any]:
    """What the numbers rest on: every log that was ever read, and the responses of this span."""
    read = logs.coverage(connection)
    return {
        "files": read.files,
        "files_gone": read.files_gone,
        "files_unreadable": read.unreadable,
        "bytes": read.bytes,
        "lines": read.lines,
        "lines_refused": read.refused,
        "duplicates_dropped": read.dropped,
        "responses_by_confidence": {
            "final": total.responses - total.partial - total.inferred,
            "partial": total.partial,
            "inferred": total.inferred,
        },
        "models_unpriced": _unpriced(connection, span) if total.unpriced else {},
    }


def _unpriced(connection: Connection, span: Span) -> dict[str, int]:
    """Models of which some usage has no price. A response without a token needs none."""
    used = {one.label or "unknown" for one in spend.by(connection, "model", span) if one.sums.tokens}
    return {name: number for name, number in spend.unpriced(connection, span).items() if name in used}


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name)
    except ValueError as error:
        raise UsageError(f"qd usage: {error}") from None


def _instant(text: str, zone: ZoneInfo) -> int:
    """Milliseconds since the epoch; what names no zone of its own is in the operator's."""
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise UsageError(f"qd usage: '{text}' is no date", "write it like 2026-11-01 or 2026-11-01T07:00") from None


USAGE = Verb(_arguments, _usage)
