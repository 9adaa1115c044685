"""Is the database opened safely, written as a whole or not at all, and only by who holds the lease?"""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from state import database, events, schema, usage
from state.database import SCHEMA_VERSION, data_version, open_reader, open_writer
from state.errors import LeaseLost, NotWritten, StateError, StateNewer
from state.files import write_private
from state.home import Home


@pytest.fixture
def home(tmp_path):
    return Home(config=tmp_path / "here", state=tmp_path / "here")


def tables(connection):
    return sorted(connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=str)


def say(opened, text="x"):
    with opened.transaction() as tx:
        events.add(tx, 1, "kind", text)


def say_and(opened, then):
    with opened.transaction() as tx:
        events.add(tx, 1, "kind", "lost")
        then(tx)


def raises(error):
    def then(tx):
        raise error

    return then


def texts(connection):
    return [event.text for event in reversed(events.latest(connection, 100))]


def test_the_number_that_readers_know_is_that_of_the_newest_migration():
    assert len(schema.MIGRATIONS) == SCHEMA_VERSION


def test_migrations_run_once(home):
    with closing(open_writer(home)) as first:
        say(first)
        before = tables(first.connection)
        assert first.connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    with closing(open_writer(home)) as second:
        assert tables(second.connection) == before
        assert texts(second.connection) == ["x"]


def test_an_older_file_gets_only_what_is_missing(home, monkeypatch):
    open_writer(home).close()
    added = (*schema.MIGRATIONS, lambda tables: tables.execute("CREATE TABLE later (id INTEGER)"))
    monkeypatch.setattr(schema, "MIGRATIONS", added)
    monkeypatch.setattr(database, "SCHEMA_VERSION", len(added))
    assert open_reader(home) is None, "a reader waits for the engine to migrate"
    with closing(open_writer(home)) as writer:
        assert writer.connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    with closing(open_reader(home)) as reader:
        assert reader.execute("PRAGMA user_version").fetchone() == (len(added),)


@pytest.mark.parametrize("error", [sqlite3.OperationalError("no"), RuntimeError("no")])
def test_a_failing_migration_leaves_nothing_behind(home, monkeypatch, error):
    open_writer(home).close()

    def half(tables):
        tables.execute("CREATE TABLE half (id INTEGER)")
        tables.execute("INSERT INTO half VALUES (1)")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, half))
        patch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(StateError if isinstance(error, sqlite3.Error) else RuntimeError):
            open_writer(home)
    with closing(open_writer(home)) as again:
        assert "half" not in str(tables(again.connection))
        assert again.connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_newer_file_is_refused_and_left_alone(home):
    with closing(open_writer(home)) as opened:
        opened.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = home.database.read_bytes()
    for attempt in (open_writer, open_reader):
        with pytest.raises(StateNewer) as raised:
            attempt(home)
        assert raised.value.fix
    assert home.database.read_bytes() == before


def test_no_database_is_no_error_for_a_reader_and_it_makes_none(home):
    assert open_reader(home) is None
    assert not home.state.exists()
    home.state.mkdir()
    home.database.touch()
    assert open_reader(home) is None, "an engine is just making it"


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database(home, content):
    home.state.mkdir(mode=0o700)
    home.database.write_bytes(content)
    for attempt in (open_writer, open_reader):
        with pytest.raises(StateError) as raised:
            attempt(home)
        assert str(home.database) in str(raised.value)
        assert raised.value.fix
    assert home.database.read_bytes() == content, "the evidence is kept"


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "a#b", "ünï", "'quoted'"])
def test_a_reader_finds_the_file_whatever_its_folder_is_called(tmp_path, name):
    home = Home(config=tmp_path / name, state=tmp_path / name)
    with closing(open_writer(home)) as opened:
        say(opened)
        with closing(open_reader(home)) as reader:
            assert texts(reader) == ["x"]
            with pytest.raises(sqlite3.OperationalError):
                reader.execute("DELETE FROM events")


def test_a_transaction_happens_as_a_whole(home):
    with closing(open_writer(home)) as opened:
        say(opened, "kept")
        for error in (RuntimeError, KeyboardInterrupt):
            with pytest.raises(error):
                say_and(opened, raises(error))
        with pytest.raises(sqlite3.IntegrityError):
            say_and(opened, lambda tx: tx.execute("INSERT INTO lease VALUES (2, 1, 1, '', 1)"))
        say(opened, "after")
        assert texts(opened.connection) == ["kept", "after"]


def test_a_commit_that_fails_does_not_leave_the_transaction_open(home):
    with closing(open_writer(home)) as opened:

        def claim_for_no_run(tx):
            tx.execute("PRAGMA defer_foreign_keys = ON")
            tx.execute(
                "INSERT INTO claims (run_id, mode, workspace, patterns, claimed_ms) VALUES (99, 'w', '/w', '[]', 1)"
            )

        with pytest.raises(sqlite3.IntegrityError):
            say_and(opened, claim_for_no_run)
        say(opened, "after")
        assert texts(opened.connection) == ["after"]


def test_a_full_disk_is_one_error_and_then_it_goes_on(home):
    with closing(open_writer(home)) as opened:
        opened.connection.execute(
            f"PRAGMA max_page_count = {opened.connection.execute('PRAGMA page_count').fetchone()[0]}"
        )
        with pytest.raises(NotWritten, match="the disk is full") as raised:
            say(opened, "x" * 1_000_000)
        assert raised.value.fix
        opened.connection.execute("PRAGMA max_page_count = 1000000")
        say(opened, "after")
        assert texts(opened.connection) == ["after"]


def test_who_lost_the_lease_changes_nothing(home):
    with closing(open_writer(home)) as paused, closing(open_writer(home)) as newer:
        assert paused.take_lease(1, "1.0", 1) == 1
        say(paused, "ours")
        assert newer.take_lease(2, "1.0", 2) == 2
        with pytest.raises(LeaseLost):
            say(paused, "too late")
        with pytest.raises(LeaseLost):
            paused.take_lease(1, "1.0", 3)
        say(newer, "theirs")
        assert texts(newer.connection) == ["ours", "theirs"]
        assert newer.connection.execute("SELECT epoch, pid FROM lease").fetchall() == [(2, 2)]
        newer.connection.execute("DELETE FROM lease")
        with pytest.raises(LeaseLost):
            say(newer, "no lease at all")


def test_a_transaction_has_the_write_lock_from_its_first_moment(home):
    with closing(open_writer(home)) as one, closing(open_writer(home)) as other:
        other.connection.execute("PRAGMA busy_timeout = 0")
        with one.transaction(), pytest.raises(NotWritten, match="locked"):
            say(other)


def test_a_statement_that_makes_no_sense_is_not_to_be_tried_again(home):
    with closing(open_writer(home)) as opened:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            say_and(opened, lambda tx: tx.execute("DELETE FROM nowhere"))
        say(opened, "after")
        assert texts(opened.connection) == ["after"]


def test_a_reader_sees_that_something_was_committed(home):
    with closing(open_writer(home)) as opened, closing(open_reader(home)) as reader:
        before = data_version(reader)
        assert data_version(reader) == before
        say(opened)
        assert data_version(reader) != before


def test_everything_is_private_whatever_the_umask(tmp_path):
    home = Home(config=tmp_path / "a" / "b" / "state", state=tmp_path / "a" / "b" / "state")
    old = os.umask(0)
    try:
        with closing(open_writer(home)) as opened:
            say(opened)
            write_private(home.config_in_force, b"x")
            found = {path: stat.S_IMODE(path.lstat().st_mode) for path in tmp_path.rglob("*")}
    finally:
        os.umask(old)
    assert {path.name for path in found} >= {"quarterdeck.db", "quarterdeck.db-wal", "quarterdeck.db-shm", "orders"}
    for path, mode in found.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_private_file_is_replaced_whole_and_through_no_link(tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"foreign")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_private(link, b"new")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"foreign", b"new", False)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "folder", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "target"], "nothing left aside"


def test_a_house_of_the_first_version_keeps_all_that_it_counted(tmp_path):
    from sqlite_utils import Database as Tables

    from state import schema, spend

    home = Home(config=tmp_path, state=tmp_path)
    connection = sqlite3.connect(home.database, isolation_level=None)
    schema.first_house(Tables(connection))
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO sessions VALUES (1, 'codex', NULL, 'main', NULL, 't', '/w', 1, 5, 9)")
    connection.execute(
        "INSERT INTO generations (id, session_id, number, source, provider_home, provider_id, reason, started_ms,"
        " responses, output_tokens) VALUES (1, 1, 1, 'codex', '/h', 'p1', 'observed', 5, 2, 99)"
    )
    for number, (source, model) in enumerate([("codex", "gpt-6"), ("quarterdeck", "digest"), ("codex", None)]):
        connection.execute(
            "INSERT INTO usage (source, key, generation_id, at_ms, model, input_tokens, cache_read_tokens,"
            " cache_write_tokens, output_tokens, basis, confidence) VALUES (?, ?, 1, 7, ?, 1, 2, 3, 4, 'per_run',"
            " 'inferred')",
            (source, f"k{number}", model),
        )
    connection.close()
    database = open_writer(home)
    whole = spend.totals(database.connection)
    assert (whole.responses, whole.tokens, whole.unpriced, whole.inferred) == (3, 30, 2, 3)
    generation = database.connection.execute("SELECT responses, output_tokens FROM generations").fetchone()
    assert generation == (3, 12)
    report = usage.UsageRow(3, "k0", 1, None, 7, None, 1, 2, 3, None, None, 4, None, 0, 2, 5, 9)
    with database.transaction() as tx:
        assert (usage.book(tx, [report]).new, usage.book(tx, [report]).repeated) == (0, {})
    assert database.connection.execute("SELECT log_id, offset FROM usage WHERE key = 'k0'").fetchone() == (5, 9)
    database.close()
