"""Many at once on the real ledger and the real claims: spenders, two that want one file, one that is killed."""

import os
import random
import select
from contextlib import ExitStack, closing

from state import claims, ledger, usage
from state.database import open_reader, open_writer
from state.errors import OverBudget
from tests.state.children import child, read_exactly
from tests.state.ledger_model import DAY_MS, START_MS

RUN = (
    "INSERT INTO runs (agent, adapter, lane, trigger, task_type, task, workspace, can_read, can_write, inject, state,"
    " estimate_tokens, verdict, requested_ms) VALUES ('a', 'digest', 'main', 'timer', 'cron', '', '/w', '[]', '[]',"
    " '[]', 'reserved', 0, '{}', ?)"
)
BUDGETS = ("one", "two")
PATIENCE_MS = 60_000


def patient_writer(home):
    """A write connection among many. Only a test has more than one, so none of them may checkpoint."""
    database = open_writer(home)
    database.connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    database.connection.execute("PRAGMA wal_autocheckpoint = 0")
    return database


def lines(limit):
    window = (START_MS, START_MS + DAY_MS)
    return [ledger.Line(name, unit, limit, *window) for name in BUDGETS for unit in ("tokens", "microusd")]


def spend(home, limit, amount, attempts, outbox):
    """Ask for so many runs and settle each before the next one; a byte for each that was admitted or not."""
    with closing(patient_writer(home)) as database:
        for number in range(attempts):
            admitted = _reserve(database, limit, amount, START_MS + number)
            if admitted is not None:
                with database.transaction(durable=False) as tx:
                    ledger.settle(tx, admitted, ledger.Used(amount, amount), lines(limit), START_MS + number)
            os.write(outbox, b"-" if admitted is None else b"+")


def _reserve(database, limit, amount, at_ms):
    try:
        with database.transaction(durable=False) as tx:
            run = tx.execute(RUN, (at_ms,)).lastrowid
            ledger.reserve(tx, run, lines(limit), {"tokens": amount, "microusd": amount}, at_ms)
            return run
    except OverBudget:
        return None


def crowd(home, spenders, attempts, limit, amount):
    """(admitted, refused, times looked): all spenders at once, and an observer that looks a thousand times a second."""
    said, looks = b"", 0
    with ExitStack() as stack:
        inboxes = [
            stack.enter_context(child(lambda _, outbox: spend(home, limit, amount, attempts, outbox)))[2]
            for _ in range(spenders)
        ]
        reader = stack.enter_context(closing(open_reader(home)))
        while inboxes:
            for inbox in select.select(inboxes, [], [], 0.001)[0]:
                told = os.read(inbox, 4096)
                said += told
                if not told:
                    inboxes.remove(inbox)
            looks += 1
            _look(reader, limit)
    return said.count(b"+"), said.count(b"-"), looks


def _look(reader, limit):
    for line in lines(limit):
        now = ledger.book(reader, line)
        assert now.held + now.committed <= now.taken <= limit


def churn(home, seed, outbox):
    """Reserve, use, extend, settle and use late, for ever; a byte for every statement that begins."""
    chance = random.Random(seed)
    with closing(patient_writer(home)) as database:
        database.connection.set_trace_callback(lambda _: os.write(outbox, b"."))
        while True:
            _live(database, chance)


def _live(database, chance):
    limit, at_ms = 10**9, START_MS + chance.randrange(DAY_MS)
    drawn = lines(limit)
    with database.transaction() as tx:
        run = tx.execute(RUN, (at_ms,)).lastrowid
        ledger.reserve(tx, run, drawn, {"tokens": chance.randrange(100), "microusd": chance.randrange(100)}, at_ms)
    _use(database, run, at_ms, chance)
    with database.transaction() as tx:
        ledger.extend(tx, run, drawn, {"tokens": chance.randrange(100)}, at_ms)
    with database.transaction() as tx:
        used = tx.execute("SELECT used_tokens, used_microusd, unpriced FROM runs WHERE id = ?", (run,)).fetchone()
        ledger.settle(tx, run, ledger.Used(*used), drawn, at_ms)
    _use(database, run, at_ms, chance)


def _use(database, run, at_ms, chance):
    figures = (
        0,
        0,
        0,
        None,
        None,
        chance.randrange(200),
        None,
        0,
        0,
        None,
        None,
        None,
        None,
        None,
        chance.randrange(99),
    )
    row = usage.UsageRow(2, f"{run}.{chance.random()}", 1, run, at_ms, None, *figures)
    with database.transaction() as tx:
        usage.book(tx, [row])


def killed(home, seed):
    """Let it churn until a statement by lot, and kill it there. Returns how many had begun."""
    statements = random.Random(seed).randrange(1, 400)
    with child(lambda _, outbox: churn(home, seed, outbox)) as (_, _, inbox):
        return len(read_exactly(inbox, statements))


def unsettled_difference(connection):
    """Settled reservations whose figure is not what their run used."""
    return connection.execute(
        "SELECT count(*) FROM reservations r JOIN runs n ON n.id = r.run_id WHERE r.state = 'settled'"
        " AND r.committed + r.overrun != iif(r.unit = 'tokens', n.used_tokens, n.used_microusd)"
    ).fetchone()[0]


def race(home, trials):
    """How often each of two processes got a file that both wanted at once: trial by trial."""
    outcomes = []
    with ExitStack() as stack:
        both = [stack.enter_context(child(lambda inbox, outbox: _want(home, inbox, outbox)))[1:] for _ in range(2)]
        for _ in range(trials):
            for outbox, _ in both:
                os.write(outbox, b"g")
            outcomes.append(b"".join(read_exactly(inbox, 1) for _, inbox in both))
    return outcomes


def _want(home, inbox, outbox):
    with closing(patient_writer(home)) as database:
        with database.transaction() as tx:
            run = tx.execute(RUN, (START_MS,)).lastrowid
        trial = 0
        while os.read(inbox, 1):
            trial += 1
            os.write(outbox, b"+" if _claim(database, run, f'["file{trial}"]') else b"-")


def _claim(database, run, patterns):
    with database.transaction(durable=False) as tx:
        claims.release(tx, run, START_MS)
        taken = any(claim.patterns == patterns for claim in claims.live(tx))
        if not taken:
            claims.claim(tx, run, "w", "/w", patterns, None, START_MS)
        return not taken
