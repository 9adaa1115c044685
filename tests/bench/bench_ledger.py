"""What does it cost to reserve, with a month of history behind it, and does the ledger stand a crowd?

`QD_BENCH_RUNS` sets how many runs of ours there were in that month (4,500), beside 3,000 observed sessions.
"""

import os
import random
import statistics
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.admission.windows import window_of
from state import entries, ledger, run_totals, sessions, usage
from state.database import open_writer
from state.home import Home
from tests.state.crowd import crowd, race

RUNS = int(os.environ.get("QD_BENCH_RUNS", "4500"))
SESSIONS, RESPONSES = 3_000, 40
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = int(datetime(2026, 11, 29, 15, 30, tzinfo=UTC).timestamp() * 1000)
SINCE_MS = NOW_MS - 28 * DAY_MS
ZONE = ZoneInfo("Asia/Kathmandu")
SCOPES = {
    "hour": ledger.Filter(),
    "5h": ledger.Filter(source="claude_code"),
    "day": ledger.Filter(lane="main"),
    "week": ledger.Filter(agent="digest", model="m1"),
    "month": ledger.Filter(),
}
UNITS = ("tokens", "microusd")
RUN_COLUMNS = (
    "INSERT INTO runs (agent, adapter, model, lane, trigger, task_type, task, workspace, can_read, can_write, inject,"
    " state, estimate_tokens, verdict, requested_ms, generation_id) VALUES ('digest', 'digest', 'm1', 'main', 'timer',"
    " 'cron', '', '/w', '[]', '[]', '[]', ?, 0, '{}', ?, ?)"
)


def lines(connection, at_ms):
    """Five budgets in both units, as the gate would ask for them."""
    found = []
    for kind, scope in SCOPES.items():
        busy = ledger.busy_hours(connection, kind, scope, at_ms - 3 * DAY_MS) if kind == "5h" else ()
        window = window_of(kind, ZONE, at_ms, busy)
        found += [ledger.Line(kind, unit, 10**15, *window, scope=scope) for unit in UNITS]
    return found


def response(key, generation, at_ms, chance, run_id=None):
    tokens = (chance.randrange(50), chance.randrange(90_000), chance.randrange(5_000), None, None)
    last = (chance.randrange(3_000), None, 0, 0, None, None, None, None, None, chance.randrange(60_000))
    return usage.UsageRow(1 if run_id else 2, key, generation, run_id, at_ms, 1 + chance.randrange(3), *tokens, *last)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    folder = tmp_path_factory.mktemp("month")
    home, chance = Home(config=folder, state=folder), random.Random(5)
    database, started = open_writer(home), time.perf_counter()
    with database.transaction(durable=False) as tx:
        for name in ("m1", "m2", "m3"):
            tx.execute("INSERT INTO models (name, provider) VALUES (?, '')", (name,))
        for number in range(SESSIONS):
            observe(tx, number, SINCE_MS + number * (NOW_MS - SINCE_MS) // SESSIONS, chance)
        generation = ours(tx)
        for number in range(RUNS):
            past_run(tx, generation, SINCE_MS + number * (NOW_MS - SINCE_MS) // RUNS, chance)
    database.checkpoint()
    print(f"\n{RUNS:,} runs in 5 budgets x 2 units, {SESSIONS * RESPONSES:,} observed responses, built in", end="")
    print(f" {time.perf_counter() - started:.0f} s")
    yield database, generation
    assert ledger.replay(database.connection) == []
    database.close()


def observe(tx, number, start_ms, chance, responses=RESPONSES):
    generation = sessions.observe(
        tx,
        source="claude_code",
        provider_home="/h",
        provider_id=f"p{number}",
        last_active_ms=start_ms,
        started_ms=start_ms,
        workspace="/w",
        title="t",
        model="m1",
    )
    rows = [response(f"{number}.{place}", generation, start_ms + place * 60_000, chance) for place in range(responses)]
    usage.book(tx, rows)


def ours(tx):
    session = sessions.open_session(
        tx, agent="digest", lane="main", job=None, title=None, workspace="/w", at_ms=SINCE_MS
    )
    facts = {"provider_home": "/h", "provider_id": None, "model": None, "workspace": "/w", "note": None}
    return sessions.start_generation(tx, session, source="quarterdeck", reason="first_run", at_ms=SINCE_MS, **facts)


def new_run(tx, generation, at_ms, state="reserved"):
    return tx.execute(RUN_COLUMNS, (state, at_ms, generation)).lastrowid


def past_run(tx, generation, at_ms, chance):
    run = new_run(tx, generation, at_ms, "settled")
    for budget in SCOPES:
        for unit in UNITS:
            entries.open_one(tx, run, budget, unit, 10**15, 40_000, at_ms)
    usage.book(tx, [response(f"r{run}", generation, at_ms, chance, run)])
    ledger.settle(tx, run, run_totals.of(tx, run), (), at_ms)


def reserve(database, generation, drawn, at_ms=NOW_MS):
    """Seconds of the whole transaction, commit included. The run is settled at once: few are live at a time."""
    started = clocks()
    with database.transaction() as tx:
        run = new_run(tx, generation, at_ms)
        ledger.reserve(tx, run, drawn, {"tokens": 40_000, "microusd": 50_000}, at_ms)
    took = since(started)
    with database.transaction(durable=False) as tx:
        ledger.settle(tx, run, ledger.Used(30_000, 20_000), (), at_ms)
    return took


def judge(database):
    """Seconds of what a verdict asks: windows and books of every line."""
    started = clocks()
    ledger.books(database.connection, lines(database.connection, NOW_MS))
    return since(started)


def clocks():
    return time.perf_counter(), time.process_time()


def since(started):
    """(wall, CPU) seconds."""
    return tuple(now - then for now, then in zip(clocks(), started, strict=True))


def say(name, times):
    wall, cpu = (sorted(column) for column in zip(*times, strict=True))
    place = int(len(times) * 0.99)
    print(f"  {name:<52} {statistics.median(wall) * 1e3:6.1f} ms median {wall[place] * 1e3:6.1f} p99", end="")
    print(f"   of CPU {statistics.median(cpu) * 1e3:6.1f} median {cpu[place] * 1e3:6.1f} p99")


def test_reservation(month):
    database, generation = month
    drawn = lines(database.connection, NOW_MS)
    say("a transaction of one row", [one_row(database, number) for number in range(300)])
    say("windows and books for a verdict", [judge(database) for _ in range(300)])
    say("reserve in 5 budgets x 2 units (p99 20 allowed)", [reserve(database, generation, drawn) for _ in range(1000)])
    chance, times, booking = random.Random(6), [], []
    for number in range(300):
        started = clocks()
        with database.transaction(durable=False) as tx:
            observe(tx, 100_000 + number, NOW_MS - number * 2 * HOUR_MS, chance, 250)
        database.checkpoint()
        booking.append(since(started))
        times.append(reserve(database, generation, drawn))
    say("the same, each after booking 250 observed responses", times)
    say("booking 250 observed responses, with its checkpoint", booking)


def one_row(database, number):
    started = clocks()
    with database.transaction() as tx:
        tx.execute("UPDATE sessions SET last_active_ms = ? WHERE id = 1", (number,))
    return since(started)


def test_thirty_two_spenders(tmp_path):
    home = Home(config=tmp_path / "s", state=tmp_path / "s")
    open_writer(home).close()
    attempts, amount, limit = 320, 7, 40_000
    started = time.perf_counter()
    admitted, refused, looks = crowd(home, 32, attempts, limit, amount)
    took = time.perf_counter() - started
    print(
        f"\n32 spenders asked {32 * attempts:,} times in {took:.0f} s: {admitted:,} admitted, {refused:,} refused;",
        end="",
    )
    print(f" looked {looks:,} times, never above the limit")
    assert admitted == limit // amount
    assert admitted + refused == 32 * attempts


def test_two_that_want_one_file(tmp_path):
    home = Home(config=tmp_path / "s", state=tmp_path / "s")
    open_writer(home).close()
    outcomes = race(home, 1_000)
    print(f"\n1,000 races for a file: {outcomes.count(b'+-')} won by one, {outcomes.count(b'-+')} by the other")
    assert set(outcomes) <= {b"+-", b"-+"}
