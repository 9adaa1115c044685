"""Does a house of the second version keep what it knew of budgets, claims and usage when it becomes a third?"""

from contextlib import closing

import pytest

from state import approvals, claims, database, ledger, run_totals, runs, schema
from state.database import open_reader, open_writer
from state.home import Home

DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 5_000
TODAY = (20_000 * DAY_MS, 20_001 * DAY_MS)
RUN = (
    "INSERT INTO runs (id, agent, adapter, lane, trigger, task_type, task, workspace, can_read, can_write, inject,"
    " state, estimate_tokens, verdict, requested_ms) VALUES (?, 'digest', 'digest', 'main', 'operator', 'chat', '',"
    " '/w', '[]', '[]', '[]', ?, 40, '{}', ?)"
)
USAGE = (
    "INSERT INTO usage (key_hash, source_id, key, generation_id, run_id, at_ms, input_tokens, cache_read_tokens,"
    " cache_write_tokens, output_tokens, basis, confidence, cost_microusd)"
    " VALUES (?1, 2, ?1, 1, ?2, ?3, ?4, 0, 0, 5, 0, 0, ?5)"
)
RESERVATIONS = [
    # run, budget, held, committed, overrun, state
    (1, "b", 0, 30, 0, "settled"),
    (2, "b", 0, 40, 15, "settled"),
    (3, "b", 20, 0, 0, "open"),
    (3, "c", 20, 0, 0, "open"),
]
RESPONSES = [(1, 1, 25, 7), (2, 2, 50, None), (3, 2, 2, 11)]
"""Key, run, input tokens (each has five of output), micro-dollars. Run 2 used seven more after it was settled."""


@pytest.fixture
def home(tmp_path, monkeypatch):
    found = Home(config=tmp_path / "state", state=tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        patch.setattr(database, "SCHEMA_VERSION", 2)
        with closing(open_writer(found)) as old, old.transaction() as tx:
            for run, state in ((1, "settled"), (2, "settled"), (3, "running"), (4, "refused")):
                tx.execute(RUN, (run, state, NOW_MS + run))
            for key, run, tokens, cost in RESPONSES:
                tx.execute(USAGE, (key, run, NOW_MS, tokens, cost))
            for run, budget, held, committed, overrun, state in RESERVATIONS:
                amounts = (held, committed, overrun, state)
                tx.execute(
                    "INSERT INTO reservations VALUES (?, ?, ?, ?, 100, ?, ?, ?, ?)", (run, budget, *TODAY, *amounts)
                )
            tx.executemany("INSERT INTO claims VALUES (3, ?, ?)", [("/w/a", NOW_MS), ("/w/b", NOW_MS + 1)])
            tx.execute("INSERT INTO receipts VALUES (1, '[]', 5, 20)")
    return found


def test_a_reader_waits_for_it(home):
    assert open_reader(home) is None


def test_books_are_what_they_were_and_late_usage_is_in_them(home):
    with closing(open_writer(home)) as opened:
        lines = [ledger.Line(budget, "tokens", 100, *TODAY) for budget in "bc"]
        found = [ledger.book(opened.connection, line) for line in lines]
        assert [(now.held, now.committed, now.overrun) for now in found] == [(20, 70, 22), (20, 0, 0)]
        assert ledger.replay(opened.connection) == []
        kinds = opened.connection.execute("SELECT DISTINCT kind FROM ledger_entries").fetchall()
        assert kinds == [("carried",)]


def test_totals_of_runs_are_those_of_their_responses(home):
    with closing(open_writer(home)) as opened:
        totals = {run: run_totals.of(opened.connection, run) for run in (1, 2, 3, 4)}
    assert totals == {
        1: ledger.Used(30, 7, 0),
        2: ledger.Used(62, 11, 1),
        3: ledger.Used(),
        4: ledger.Used(),
    }


def test_what_was_open_goes_on(home):
    with closing(open_writer(home)) as opened:
        lines = [ledger.Line(budget, "tokens", 100, *TODAY) for budget in "bc"]
        with opened.transaction() as tx:
            assert ledger.held_by(tx, 3, "tokens") == 20
            assert ledger.extend(tx, 3, lines, {"tokens": 5}, NOW_MS) == [lines[0]]
            ledger.settle(tx, 3, ledger.Used(30), lines, NOW_MS)
        assert ledger.replay(opened.connection) == []
        assert ledger.book(opened.connection, lines[1]).committed == 30


def test_claims_are_kept_as_one_of_their_run(home):
    with closing(open_writer(home)) as opened:
        (kept,) = claims.live(opened.connection)
        assert (kept.run_id, kept.mode, kept.workspace, kept.patterns) == (3, "w", "/w", '["/w/a","/w/b"]')
        assert (kept.resolved, kept.claimed_ms, kept.released_ms) == (None, NOW_MS, None)
        assert claims.newest_token(opened.connection) == kept.token


def test_every_run_is_still_read_and_new_rooms_are_empty(home):
    with closing(open_writer(home)) as opened:
        assert [runs.get(opened.connection, run).state for run in (1, 2, 3, 4)] == [
            "settled",
            "settled",
            "running",
            "refused",
        ]
        assert approvals.pending(opened.connection) == []
        assert opened.connection.execute("SELECT count(*) FROM grants").fetchone() == (0,)
        assert opened.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert opened.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_house_of_the_first_version_gets_there_too(tmp_path, monkeypatch):
    home = Home(config=tmp_path / "state", state=tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        patch.setattr(database, "SCHEMA_VERSION", 1)
        with closing(open_writer(home)) as old, old.transaction() as tx:
            tx.execute(RUN, (1, "settled", NOW_MS))
            tx.execute(
                "INSERT INTO usage (source, key, generation_id, run_id, at_ms, input_tokens, cache_read_tokens,"
                " cache_write_tokens, output_tokens, basis, confidence)"
                " VALUES ('codex', 'k', 1, 1, ?, 30, 0, 0, 5, 'per_run', 'final')",
                (NOW_MS,),
            )
            tx.execute("INSERT INTO reservations VALUES (1, 'b', ?, ?, 100, 0, 30, 0, 'settled')", TODAY)
    with closing(open_writer(home)) as opened:
        now = ledger.book(opened.connection, ledger.Line("b", "tokens", 100, *TODAY))
        assert (now.held, now.committed, now.overrun) == (0, 30, 5)
        assert run_totals.of(opened.connection, 1) == ledger.Used(35, 0, 1)
