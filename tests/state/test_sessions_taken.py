"""Is a conversation whose id its provider chose ours alone, whether its log was read before we knew of it or after?"""

import pytest

from state import entries, ledger, logs, run_usage, runs, sessions, usage

CHOSEN = "01a1fb94-c365-76d0-b3a7-1a5903b2c8aa"
FACTS = {
    "started_ms": 2_000,
    "workspace": "/w/below",
    "title": "from the log",
    "model": "m2",
    "forked_from": "parent",
    "context_tokens": 77,
    "context_window": 900,
}
TABLES = (
    "sessions",
    "generations",
    "usage",
    "usage_minutes",
    "usage_hours",
    "usage_days",
    "copies",
    "client_totals",
    "reservations",
    "budget_sums",
    "events",
)


class Desk:
    """A run of ours, and the log of its conversation, of which two responses tell; a third one is a parent's."""

    def __init__(self, house):
        self.house = house
        self.parent = house.generation("parent", at_ms=500, started_ms=400)
        house.book(house.row(self.parent, "of the parent", (9, 9, 9, 9), at_ms=500, log_id=house.log("/parent")))
        self.session = house.session(at_ms=1_000)
        self.generation = house.next_generation(self.session, "ours, for the time being")
        self.run = house.run(
            session_id=self.session, generation_id=self.generation, started_ms=1_500, state="running", admitted_ms=1_400
        )
        with house.database.transaction() as tx:
            line = ledger.Line("b", "tokens", 1_000, 0, 900_000)
            ledger.reserve(tx, self.run, [line], {"tokens": 100}, 1_400)

    def take_over(self):
        with self.house.database.transaction() as tx:
            sessions.take_over(tx, self.generation, "codex", "/h", CHOSEN)

    def read_log(self):
        """As the book of logs does it."""
        house, log_id = self.house, self.house.log("/l")
        at = self.house.generation(CHOSEN, at_ms=3_000, **FACTS)
        with house.database.transaction() as tx:
            logs.note_totals(tx, at, logs.ClientTotals("thread_token_usage", 3_000, 5, 6, 7, 8, None))
            mine = run_usage.has_runs(tx, at)
            told = [("one", 2_100), ("two", 2_200), ("before it", 1_200)]
            rows = [
                house.row(
                    at,
                    key,
                    (1, 2, 3, 4),
                    at_ms=ms,
                    log_id=log_id,
                    run_id=run_usage.run_at(tx, at, ms) if mine else None,
                )
                for key, ms in told
            ]
            rows.append(house.row(at, "of the parent", (9, 9, 9, 9), at_ms=500, log_id=log_id))
            usage.book(tx, rows)
            for run_id in {row.run_id for row in rows if row.run_id is not None}:
                run_usage.drop_provisional(tx, run_id)

    def settle(self):
        """The run ends before its log is known to be its own: what it told itself is booked."""
        house = self.house
        with house.database.transaction() as tx:
            told = house.row(self.generation, run_usage.provisional_key(self.run), (50, 0, 0, 5), at_ms=2_500)
            run_usage.book_run(tx, told._replace(run_id=self.run))
            ledger.settle(tx, self.run, ledger.Used(55), [], 2_500)
            runs.update(tx, self.run, {"ended_ms": 2_500, "state": "settled"})

    def tables(self):
        found = {}
        for table in TABLES:
            cursor = self.house.connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            found[table] = sorted(repr(dict(zip(names, row, strict=True))) for row in cursor)
        return found | {"used": runs.get(self.house.connection, self.run).used_tokens}


@pytest.fixture
def desks(make_house):
    return Desk(make_house("one")), Desk(make_house("other"))


def test_which_is_known_first_makes_no_difference(desks):
    told_first, read_first = desks
    told_first.take_over()
    told_first.read_log()
    read_first.read_log()
    assert sessions.count(read_first.house.connection) == 3, "until its id is known it is a stranger's"
    read_first.take_over()
    assert read_first.tables() == told_first.tables()
    assert told_first.tables()["used"] == 20, "two of its responses came while the run was live"
    assert entries.replay(read_first.house.connection) == []
    assert sessions.count(read_first.house.connection) == 2


def test_taking_over_again_changes_nothing(desks):
    desk, _ = desks
    desk.read_log()
    desk.take_over()
    before = desk.tables()
    desk.take_over()
    assert desk.tables() == before
    desk.read_log()
    assert desk.tables() == before, "its log tells of our generation from now on"


def test_what_the_run_told_itself_gives_way(desks):
    """And the ledger, settled by then, is corrected, whichever comes first."""
    told_first, read_first = desks
    told_first.take_over()
    told_first.settle()
    told_first.read_log()
    read_first.settle()
    read_first.read_log()
    assert read_first.tables()["used"] == 55
    read_first.take_over()
    assert read_first.tables() == told_first.tables()
    assert read_first.tables()["used"] == 20
    (part,) = entries.of_run(read_first.house.connection, read_first.run)
    assert (part.booked, part.state) == (20, "settled")
    assert entries.replay(read_first.house.connection) == []


def test_a_log_known_by_its_name_alone_tells_nothing(desks):
    told_first, named_first = desks
    for desk in (told_first, named_first):
        if desk is told_first:
            desk.take_over()
        with desk.house.database.transaction() as tx:
            sessions.observe(
                tx,
                source="codex",
                provider_home="/h",
                provider_id=CHOSEN,
                last_active_ms=9_000,
                started_ms=None,
                workspace=None,
                title=None,
                model=None,
                by_name=True,
            )
    named_first.take_over()
    assert named_first.tables() == told_first.tables()


def test_another_home_is_another_conversation(desks):
    desk, _ = desks
    desk.read_log()
    with desk.house.database.transaction() as tx:
        sessions.take_over(tx, desk.generation, "codex", "/other", CHOSEN)
    assert sessions.generation(desk.house.connection, desk.generation).provider_id == CHOSEN
    assert sessions.generation(desk.house.connection, desk.generation + 1).provider_home == "/h"


def test_a_conversation_of_another_generation_of_ours_stays_there(desks):
    desk, _ = desks
    first = desk.house.next_generation(desk.session, CHOSEN)
    desk.take_over()
    assert sessions.generation(desk.house.connection, first).provider_id == CHOSEN
    assert sessions.generation(desk.house.connection, desk.generation).provider_id == "ours, for the time being"


def test_runs_that_took_place_in_it_and_what_was_told_of_it_go_along(desks):
    desk, _ = desks
    desk.read_log()
    observed = sessions.generation(desk.house.connection, desk.generation + 1)
    attached = desk.house.run(session_id=observed.session_id, generation_id=observed.id, started_ms=2_999)
    with desk.house.database.transaction() as tx:
        tx.execute("INSERT INTO events (at_ms, kind, text, session_id) VALUES (1, 'k', 't', ?)", (observed.session_id,))
    desk.take_over()
    moved = runs.get(desk.house.connection, attached)
    assert (moved.session_id, moved.generation_id) == (desk.session, desk.generation)
    told = desk.house.connection.execute("SELECT session_id FROM events WHERE kind = 'k'").fetchone()
    assert told == (desk.session,)
