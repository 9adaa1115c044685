"""A year of history: five million responses. What does each pane's query cost, and how big is the database?

`QD_BENCH_RESPONSES` sets how many (5,000,000: about two minutes to book them).
"""

import os
import random
import statistics
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.config.model import Budget, Config
from engine.runtime import boards
from state import board, ledger, responses, sessions, spend, usage
from state.database import open_writer
from state.home import Home
from state.spend import Span

RESPONSES = int(os.environ.get("QD_BENCH_RESPONSES", "5000000"))
EACH = 1_000
"""Responses of one session, some four a minute."""
DAY_MS = 86_400_000
NOW_MS = int(datetime(2026, 11, 20, 15, 30, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    folder = tmp_path_factory.mktemp("year")
    home = Home(config=folder, state=folder)
    database = open_writer(home)
    chance = random.Random(3)
    started = time.perf_counter()
    with database.transaction() as tx:
        for name in ("claude-sonnet-4-5", "claude-haiku-4-5", "gpt-6.1-sol"):
            tx.execute("INSERT INTO models (name, provider, context_window) VALUES (?, '', 200000)", (name,))
    count = RESPONSES // EACH
    for number in range(count):
        end_ms = NOW_MS - (count - 1 - number) * 365 * DAY_MS // count
        with database.transaction(durable=False) as tx:
            _session(tx, number, end_ms, chance)
    took = time.perf_counter() - started
    database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"\n{RESPONSES:,} responses of {count:,} sessions booked in {took:.0f} s", end="")
    size = home.database.stat().st_size / RESPONSES
    print(f" ({took / RESPONSES * 1e6:.1f} us each), {size:.0f} bytes each (250 allowed)")
    yield database
    database.close()


def _session(tx, number, end_ms, chance):
    generation = sessions.observe(
        tx,
        source="codex" if number % 3 == 0 else "claude_code",
        provider_home="/home/op/.claude",
        provider_id=f"5d000000-0000-4000-8000-{number:012}",
        last_active_ms=end_ms,
        started_ms=end_ms - EACH * 15_000,
        workspace=f"/home/op/src/p{number % 40}",
        title=f"session {number}",
        model="claude-sonnet-4-5",
    )
    usage.book(
        tx,
        [
            usage.UsageRow(
                3 if number % 3 == 0 else 2,
                f"msg_01{chance.getrandbits(100):024x}",
                generation,
                None,
                end_ms - (EACH - place) * 15_000,
                1 + (number % 3 if place % 9 else 1),
                chance.randrange(50),
                chance.randrange(90_000),
                chance.randrange(5_000),
                0,
                2_000,
                chance.randrange(3_000),
                None,
                0,
                0,
                number + 1,
                place * 5_000,
                None,
                None,
                1,
                chance.randrange(60_000),
            )
            for place in range(EACH)
        ],
    )


def test_panes(year):
    connection = year.connection
    midnight = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    week, month = midnight - 4 * DAY_MS, midnight - 19 * DAY_MS
    odd = 5 * 3_600_000 + 45 * 60_000
    config = Config(
        timezone="Asia/Kathmandu",
        budget={name: Budget(window=name, tokens=10**9) for name in ("hour", "day", "week", "month")},
    )
    any_one = connection.execute("SELECT generation_id FROM sessions ORDER BY id DESC LIMIT 1").fetchone()[0]
    queries = {
        "sessions pane, newest 5,000": lambda: board.board(connection, NOW_MS - 3_600_000, 5_000),
        "header: today": lambda: spend.totals(connection, Span(midnight)),
        "header: today, from an odd instant": lambda: spend.totals(connection, Span(midnight + 12_345)),
        "tok/min, last hour": lambda: spend.per_minute(connection, NOW_MS - 3_600_000, NOW_MS),
        "budgets pane: 4 windows": lambda: boards.budget_board(connection, config, NOW_MS),
        "a budget of a month": lambda: ledger.book(connection, "b", month, NOW_MS, ledger.Filter(source="codex")),
        "session page: responses": lambda: responses.of_generation(connection, any_one, 200),
        "usage --by day, this week": lambda: spend.by(connection, "day", Span(week)),
        "usage --by model, this month": lambda: spend.by(connection, "model", Span(month)),
        "usage, ever": lambda: spend.totals(connection),
        "usage --by day, ever": lambda: spend.by(connection, "day"),
        "usage --by day, ever, Kathmandu": lambda: spend.by(connection, "day", zone=ZoneInfo("Asia/Kathmandu")),
        "usage --by session, ever": lambda: spend.by(connection, "session"),
        "usage --by block, this week": lambda: spend.by(connection, "block", Span(week - odd)),
    }
    for name, ask in queries.items():
        times = []
        for _ in range(5):
            started = time.perf_counter()
            ask()
            times.append(time.perf_counter() - started)
        print(f"  {name:<36} {statistics.median(times) * 1e3:8.1f} ms")
    whole = spend.totals(connection)
    assert whole.responses == RESPONSES // EACH * EACH
    assert whole == connection_sums(connection)


def connection_sums(connection):
    return spend.Sums(*connection.execute(f"SELECT {spend.OF_USAGE} FROM usage").fetchone())
