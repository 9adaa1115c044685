"""Another program's database is read while that program writes it, and damage is a problem of one line."""

import json
import subprocess
import sys
from contextlib import closing

import pytest

from engine.telemetry import foreign
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.foreign import Place
from tests.traps import opencode as traps
from tests.traps.opencode import answer, put, tokens


@pytest.fixture
def home(tmp_path, recorded_home):
    """Reads the databases of a data folder, keeping cursors."""
    return recorded_home(tmp_path / traps.DATA, "opencode", "")


@pytest.fixture
def database(tmp_path):
    with closing(traps.create(tmp_path, "PRAGMA journal_mode = wal", *traps.V1_SCHEMA)) as connection:
        traps.add_session(connection, "ses_1")
        yield connection


def outputs(home):
    return sorted(response.output_tokens for response in home.responses.values())


WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(sys.argv[2])
for statement in sys.argv[3:]:
    database.execute(statement)
print("ready", flush=True)
sys.stdin.readline()
database.execute("COMMIT")
print("done", flush=True)
"""


class Writer:
    """Another process in the middle of a transaction."""

    def __init__(self, path, begin, *statements):
        command = (sys.executable, "-c", WRITER, str(path), begin, *statements)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def commit(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def __exit__(self, *_):
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0
        self.process.stdout.close()


def test_a_writer_in_mid_transaction_neither_waits_nor_is_read(home, database):
    put(database, "ses_1", "msg_1", answer(1, tokens(100)))
    update = f"INSERT INTO message VALUES ('msg_2', 'ses_1', 0, 0, '{json.dumps(answer(2, tokens(200)))}')"
    with Writer(home.folder / "opencode.db", "BEGIN IMMEDIATE", update) as writer:
        home.read()
        assert outputs(home) == [100]
        writer.commit()
    home.read()
    assert outputs(home) == [100, 200]


def test_nothing_is_held_between_batches(home, database):
    for number in range(foreign.BATCH_ROWS + 1):
        put(database, "ses_1", f"msg_{number}", answer(number, tokens(1)))
    (file,) = survey([home.root]).files
    batches = SOURCES["opencode"].read(file, None, archive=survey([home.root]))
    next(batches)
    put(database, "ses_1", "msg_late", answer(9_000, tokens(2)))
    # A checkpoint that truncates the log needs every reader to be off it.
    assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert [batch.lines for batch in batches] == [2]


def test_a_locked_database_is_a_problem_of_one_line_and_loses_nothing(home, tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "BUSY_S", 0.01)
    with closing(traps.create(tmp_path, *traps.V1_SCHEMA)) as connection:
        put(connection, "ses_1", "msg_1", answer(1, tokens(100)))
    home.read()
    with closing(traps.create(tmp_path)) as connection:
        put(connection, "ses_1", "msg_2", answer(2, tokens(200)))
    with Writer(home.folder / "opencode.db", "BEGIN EXCLUSIVE") as writer:
        with pytest.raises(OSError, match=r"^cannot read the database: database is locked$"):
            home.read()
        writer.commit()
    home.read()
    assert outputs(home) == [100, 200]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"this is no database " * 500, "file is not a database", id="garbage"),
        pytest.param(b"SQLite format 3\0" + b"\0" * 4096, "file is not a database", id="half a header"),
    ],
)
def test_what_is_no_database_is_a_problem(home, content, why):
    home.write("opencode.db")
    (home.folder / "opencode.db").write_bytes(content)
    with pytest.raises(OSError, match=f"^cannot read the database: {why}$"):
        home.read()


def test_a_database_cut_in_half_is_a_problem(home, tmp_path):
    with closing(traps.create(tmp_path, *traps.V1_SCHEMA)) as connection:
        for number in range(2_000):
            put(connection, "ses_1", f"msg_{number}", answer(number, tokens(1)))
    path = home.folder / "opencode.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(OSError, match=r"^cannot read the database: database disk image is malformed$"):
        home.read()


def test_another_schema_is_a_problem(home, tmp_path):
    with closing(traps.create(tmp_path, "CREATE TABLE message (id text, body text)")):
        pass
    with pytest.raises(OSError, match="neither table message nor session_message"):
        home.read()


def test_a_file_only_just_created_is_none(home):
    home.write("opencode.db")
    (batch,) = home.read()
    assert (batch.parts, batch.lines) == ((), 0)


def test_nothing_can_be_written(home, database):
    put(database, "ses_1", "msg_1", answer(1))
    with (
        pytest.raises(OSError, match=r"^cannot read the database: attempt to write a readonly database$"),
        foreign.opened(str(home.folder / "opencode.db")) as opened,
    ):
        list(opened.ask("DELETE FROM message"))
    assert database.execute("SELECT count(*) FROM message").fetchone() == (1,)


def test_a_database_that_is_gone_is_not_made_again(home, database):
    (file,) = survey([home.root]).files
    database.close()
    for path in home.folder.glob("opencode.db*"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        list(SOURCES["opencode"].read(file, None, archive=survey([home.root])))
    assert not list(home.folder.iterdir())


def test_a_place_keeps_few_anchors_and_the_nearest():
    place = Place()
    for rowid in range(1, 3_000):
        place = place.moved(rowid, f"row {rowid}")
    assert place.anchors[-2:] == ((2_998, "row 2998"), (2_999, "row 2999"))
    assert len(place.anchors) <= 13
    assert place.anchors[0][0] < 1_000
