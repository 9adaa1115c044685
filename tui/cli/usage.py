"""`qd usage`: what was used, by whatever you ask, after bringing the books up to date."""

import argparse
import os
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from engine import __version__
from engine.contract.clock import SystemClock
from engine.contract.orders import Nothing
from engine.runtime.client import Client
from engine.runtime.lease import Lease
from engine.runtime.logs import ingest_once
from engine.runtime.settings import load_in_force, zone_name
from engine.schedule.calendar import zone_named
from state import usage
from state.database import open_writer
from state.errors import UsageError
from state.home import prepare
from tui.cli.verb import Context, Output, Verb, table

INGEST_PATIENCE_S = 3600.0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", choices=tuple(usage.GROUPS), help="one row for each of these")
    parser.add_argument("--since", help="a day or an instant: 2026-11-01 or 2026-11-01T07:00")
    parser.add_argument("--until", help="the same, exclusive")
    parser.add_argument("--tz", help="IANA zone of days and instants (the configuration's, else this machine's)")
    parser.add_argument("--source", choices=("claude_code", "codex", "quarterdeck"), help="only this source")


def _usage(context: Context) -> Output:
    options = context.options
    zone = _zone(options.tz or zone_name(load_in_force(context.home)))
    since_ms = _instant(options.since, zone) if options.since else 0
    until_ms = _instant(options.until, zone) if options.until else 1 << 62
    _catch_up(context)
    connection = context.reader()
    assert connection is not None, "catching up has made it"
    shift_ms = round((datetime.now(zone).utcoffset() or timedelta()).total_seconds() * 1000)
    select = partial(
        usage.totals, connection, source=options.source, since_ms=since_ms, until_ms=until_ms, shift_ms=shift_ms
    )
    groups = select(by=options.by) if options.by else []
    total = select()[0]
    coverage = usage.coverage(connection)
    rows = [{options.by: group.label} | _view(group) for group in groups]
    data = {"totals": _view(total), "rows": rows, "coverage": _coverage(coverage)}
    return Output(data, _text(options.by, groups, total, coverage))


def _catch_up(context: Context) -> None:
    """A running engine is asked; else we hold the lease for one ingest."""
    client = Client(context.home)
    if client.holder() is not None:
        client.order("catch_up", Nothing(), patience_s=INGEST_PATIENCE_S)
        return
    prepare(context.home)
    clock = SystemClock()
    lease = Lease(context.home, clock.now_ms())
    try:
        database = open_writer(context.home)
        try:
            database.take_lease(os.getpid(), __version__, clock.now_ms())
            ingest_once(database, clock, os.environ)
        finally:
            database.close()
    finally:
        lease.release()


def _view(group: usage.Totals) -> dict[str, Any]:
    return {
        "input_tokens": group.input_tokens,
        "cache_read_tokens": group.cache_read_tokens,
        "cache_write_tokens": group.cache_write_tokens,
        "output_tokens": group.output_tokens,
        "reasoning_tokens": group.reasoning_tokens,
        "tokens": group.tokens,
        "responses": group.responses,
    }


def _coverage(coverage: usage.Coverage) -> dict[str, Any]:
    return {
        "files": coverage.files,
        "bytes": coverage.bytes,
        "lines": coverage.lines,
        "lines_refused": coverage.refused,
        "files_unreadable": coverage.unreadable,
    }


def _text(by: str | None, groups: list[usage.Totals], total: usage.Totals, coverage: usage.Coverage) -> str:
    rows = [_cells(group.label or "-", group) for group in groups] + [_cells("total", total)]
    header = (by or "", "responses", "input", "cache read", "cache write", "output", "tokens")
    refused = sum(coverage.refused.values())
    basis = f"from {coverage.files:,} logs, {coverage.lines:,} lines, {refused:,} refused"
    unreadable = f", {coverage.unreadable} logs unreadable" if coverage.unreadable else ""
    return f"{table(header, rows, right=range(1, 7))}\n\n{basis}{unreadable}"


def _cells(label: str, group: usage.Totals) -> tuple[str, ...]:
    numbers = (group.responses, group.input_tokens, group.cache_read_tokens, group.cache_write_tokens)
    return (label, *(f"{number:,}" for number in (*numbers, group.output_tokens, group.tokens)))


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_named(name)
    except ValueError as error:
        raise UsageError(f"qd usage: {error}") from None


def _instant(text: str, zone: ZoneInfo) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"qd usage: '{text}' is no date", "write it like 2026-11-01 or 2026-11-01T07:00") from None
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


USAGE = Verb(_arguments, _usage)
