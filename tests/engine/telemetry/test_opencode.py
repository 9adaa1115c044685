"""Each response in opencode's databases and files is counted once, while opencode goes on writing."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.usage import LogRoot
from engine.telemetry import foreign
from engine.telemetry.catalog import SOURCES, survey, survey_path
from engine.telemetry.source import best_of
from tests.traps import opencode as traps
from tests.traps.counting import read_all
from tests.traps.opencode import NO_TOKENS, answer, answer_v2, at, prompt, put, put_v2, tokens


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


def lines(batches):
    return sum(batch.lines for batch in batches)


@pytest.mark.parametrize("reverse", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("trap", traps.TRAPS, ids=lambda trap: trap.name)
def test_trap(tmp_path, trap, reverse):
    expected = trap.build(tmp_path)
    merged, owners, refused = {}, {}, {}
    for batch in read_all(tmp_path, reverse):
        refused.update(batch.refused)
        for part in batch.parts:
            for response in part.responses:
                known = merged.get(response.key)
                merged[response.key] = best_of(known, response) if known else response
                owners.setdefault(response.key, part.session.provider_id)
    fields = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    sums = (sum(getattr(response, field) for response in merged.values()) for field in fields)
    assert (len(merged), *sums) == expected[:5]
    assert refused == expected.refused
    for session, output in expected.sessions.items():
        assert sum(merged[key].output_tokens for key, owner in owners.items() if owner == session) == output


def test_only_new_rows_are_read(home, database):
    for number in range(3):
        put(database, "ses_1", f"msg_{number}", answer(number, tokens(100 + number)))
    assert lines(home.read()) == 3
    (batch,) = home.read()
    assert (batch.lines, batch.parts, batch.restarted) == (0, (), False)
    put(database, "ses_1", "msg_9", answer(9, tokens(900)))
    (batch,) = home.read()
    assert (batch.lines, batch.restarted) == (1, False)
    assert [response.output_tokens for response in batch.parts[0].responses] == [900]
    assert outputs(home) == [100, 101, 102, 900]


def test_the_cursor_stands_where_the_walk_sees_the_database(home, database):
    put(database, "ses_1", "msg_1", answer(1))
    (batch,) = home.read()
    (file,) = survey([home.root]).files
    wal = home.folder / "opencode.db-wal"
    assert (batch.cursor.size, batch.cursor.mtime_ns) == (file.size, file.mtime_ns)
    assert file.size == (home.folder / "opencode.db").stat().st_size + wal.stat().st_size
    assert wal.stat().st_size


def test_a_change_of_the_write_ahead_log_is_one_of_the_database(home, database):
    put(database, "ses_1", "msg_1", answer(1))
    found = survey_path([home.root], str(home.folder / "opencode.db-wal"))
    assert [file.parts for file in found.files] == [("opencode.db",)]


def test_a_message_updated_in_place_is_followed_under_one_identity(home, database):
    put(database, "ses_1", "msg_1", answer(1, NO_TOKENS, done=False))
    put(database, "ses_1", "msg_2", prompt(2))
    home.read()
    assert home.responses == {}
    put(database, "ses_1", "msg_1", answer(1, tokens(50), done=False))
    home.read()
    assert [response.confidence for response in home.responses.values()] == ["partial"]
    put(database, "ses_1", "msg_1", answer(1, tokens(50), done=False, agent="plan"))
    assert home.read()[0].parts[0].responses == ()  # nothing new about its tokens
    put(database, "ses_1", "msg_1", answer(1, tokens(210)))
    home.read()
    assert outputs(home) == [210]
    assert [response.confidence for response in home.responses.values()] == ["final"]
    assert home.read()[0].parts == ()  # it is finished: nobody looks again


def test_what_is_open_stays_bounded_to_the_last_message_of_a_session(home, database):
    for number in range(5):
        put(database, "ses_1", f"msg_{number}", answer(number, NO_TOKENS, done=False))
    traps.add_session(database, "ses_2")
    put(database, "ses_2", "msg_9", answer(9, NO_TOKENS, done=False))
    (batch,) = home.read()
    assert [entry[1] for entry in json.loads(batch.cursor.carry)["tables"]["message"]["open"]] == ["msg_4", "msg_9"]


def test_a_number_that_is_used_again_is_another_row(home, database):
    for number in range(5):
        put(database, "ses_1", f"msg_{number}", answer(number, tokens(100 + number)))
        home.read()
    database.execute("DELETE FROM message WHERE id IN ('msg_3', 'msg_4')")  # the operator took two prompts back
    put(database, "ses_1", "msg_5", answer(5, tokens(105)))
    put(database, "ses_1", "msg_6", answer(6, tokens(106)))
    batches = home.read()
    assert [batch.restarted for batch in batches] == [False]
    assert lines(batches) == 2
    assert outputs(home) == [100, 101, 102, 103, 104, 105, 106]  # what was taken back was paid for


def test_a_database_that_was_emptied_is_read_from_its_start(home, database):
    put(database, "ses_1", "msg_1", answer(1, tokens(1)))
    home.read()
    database.execute("DELETE FROM message")
    put(database, "ses_1", "msg_2", answer(2, tokens(2)))
    assert [batch.restarted for batch in home.read()] == [True]
    assert outputs(home) == [1, 2]


@pytest.mark.parametrize("change", ["VACUUM", "ALTER TABLE message ADD COLUMN more text"])
def test_a_rebuilt_database_is_read_from_its_start(home, database, change):
    for number in range(4):
        put(database, "ses_1", f"msg_{number}", answer(number, tokens(100 + number)))
    home.read()
    database.execute("DELETE FROM message WHERE id = 'msg_0'")
    database.execute(change)
    database.execute("INSERT INTO message (id, session_id, time_created, time_updated, data) VALUES (?, ?, 0, 0, ?)",
                     ("msg_4", "ses_1", json.dumps(answer(4, tokens(104)))))  # fmt: skip
    assert [batch.restarted for batch in home.read()] == [True]
    assert outputs(home) == [100, 101, 102, 103, 104]


def test_another_file_in_its_place_is_read_from_its_start(home, tmp_path):
    for name, output in (("opencode.db", 1), ("other", 2)):
        with closing(traps.create(tmp_path, *traps.V1_SCHEMA, name=name)) as connection:
            put(connection, "ses_1", "msg_1", answer(1, tokens(output)))
    home.read()
    (home.folder / "other").rename(home.folder / "opencode.db")
    assert [batch.restarted for batch in home.read()] == [True]
    assert outputs(home) == [1, 2]


def test_a_big_database_comes_in_batches_and_can_be_left_after_each(home, database):
    database.execute("BEGIN")
    for number in range(2 * foreign.BATCH_ROWS + 1):
        put(database, "ses_1", f"msg_{number}", answer(number, tokens(number + 1)))
    database.execute("COMMIT")
    (file,) = survey([home.root]).files
    read = SOURCES["opencode"].read
    first, second, third = read(file, None, archive=survey([home.root]))
    assert [batch.lines for batch in (first, second, third)] == [foreign.BATCH_ROWS, foreign.BATCH_ROWS, 1]
    assert file.size not in (first.cursor.size, second.cursor.size)
    assert third.cursor.size == file.size
    rest = list(read(file, first.cursor, archive=survey([home.root])))
    assert [batch.lines for batch in rest] == [foreign.BATCH_ROWS, 1]
    assert not rest[0].restarted


def test_the_move_to_2x_between_two_reads_counts_nothing_twice(home, database):
    put(database, "ses_1", "msg_1", answer(1, tokens(100)))
    home.read()
    for statement in traps.V2_SCHEMA:
        database.execute(statement)
    traps.add_session_v2(database, "ses_1")
    put_v2(database, "ses_1", "msg_1", 1, answer_v2(1, tokens(100)))
    put_v2(database, "ses_1", "msg_2", 2, answer_v2(2, NO_TOKENS, done=False))
    home.read()
    put_v2(database, "ses_1", "msg_2", 2, answer_v2(2, tokens(200)))
    home.read()
    assert outputs(home) == [100, 200]
    assert {(response.model, response.provider) for response in home.responses.values()} == {
        ("claude-sonnet-4-5", "anthropic")
    }


def test_a_fork_made_after_its_parent_was_read_is_known_as_one(home, database):
    put(database, "ses_1", "msg_1", answer(1, tokens(100)))
    home.read()
    traps.add_session(database, "ses_2", 60)
    put(database, "ses_2", "msg_2", answer(1, tokens(100)))
    put(database, "ses_2", "msg_3", answer(61, tokens(30)))
    home.read()
    assert home.dropped == {"fork": 1}
    assert outputs(home) == [30, 100]
    assert home.sessions["ses_2"].forked_from == "ses_1"


def test_forks_of_a_session_that_is_gone_count_its_responses_once_and_say_that_it_was_inferred(home, database):
    for session in ("ses_2", "ses_3"):
        traps.add_session(database, session, 60)
        put(database, session, f"msg_{session}", answer(1, tokens(100)))
    home.read()
    assert outputs(home) == [100]
    assert [response.confidence for response in home.responses.values()] == ["inferred"]


def test_two_subagents_that_begin_in_one_millisecond_are_two(home, database):
    for session, output in (("ses_2", 100), ("ses_3", 101)):
        traps.add_session(database, session, 1)
        put(database, session, f"msg_{session}", answer(1, tokens(output)))
    home.read()
    assert outputs(home) == [100, 101]


def test_what_is_known_about_a_session(home, tmp_path):
    with closing(traps.create(tmp_path, *traps.V2_SCHEMA)) as connection:
        traps.add_session_v2(connection, "ses_2", 60, "ses_1", "{}")
        put_v2(connection, "ses_2", "msg_1", 1, answer_v2(61, tokens(200, reasoning=40)))
    home.read()
    seen = home.sessions["ses_2"]
    assert (seen.title, seen.workspace, seen.forked_from) == ("Count the beans", "/home/op/beans", "ses_1")
    assert (seen.started_ms, seen.last_active_ms, seen.model) == (at(60), at(61) + 900, "claude-sonnet-4-5")
    assert seen.context_tokens == 10 + 1000 + 50 + 200 + 40
    (response,) = home.responses.values()
    assert (response.output_tokens, response.reasoning_tokens, response.at_ms) == (240, 40, at(61))


@pytest.mark.parametrize(
    ("used", "kept"),
    [
        (tokens(5), False),
        ({**tokens(5), "total": None}, False),
        ({**tokens(5), "total": 7}, True),
        ({**tokens(5), "audio": 9}, True),
    ],
)
def test_tokens_are_kept_as_told_where_they_are_odd(home, database, used, kept):
    put(database, "ses_1", "msg_1", answer(1, used))
    home.read()
    (response,) = home.responses.values()
    assert (response.raw is not None) == kept
    assert response.raw is None or json.loads(response.raw) == used


def test_rows_that_cannot_be_used_are_counted_and_cost_no_other(home, database):
    rows = [b"\xff{", b"{}", json.dumps(answer(3, {"output": "many"})).encode(), json.dumps(answer(4, {"output": -1}))]
    for number, data in enumerate(rows):
        database.execute("INSERT INTO message VALUES (?, 'ses_1', 0, 0, ?)", (f"msg_bad{number}", data))
    put(database, "ses_1", "msg_1", answer(9, tokens(100)))
    home.read()
    assert home.refused == {"bad_json": 1, "bad_row": 1, "bad_count": 1}
    assert outputs(home) == [100]


@pytest.mark.parametrize(
    ("name", "is_log"),
    [
        ("opencode.db", True),
        ("opencode-next.db", True),
        ("opencode-golden.db", True),
        ("opencode-old.db", False),
        ("opencode-20261110.db", False),
        ("opencode.backup.db", False),
        ("opencode.db-wal", False),
        ("auth.json", False),
    ],
)
def test_which_files_are_databases(name, is_log):
    assert SOURCES["opencode"].is_log((name,)) == is_log


def test_nothing_below_the_data_folder_is_walked_for_databases(home, database):
    home.write("ses_1/msg_1.json", {"role": "assistant"})
    assert [file.parts for file in survey([home.root]).files] == [("opencode.db",)]


def test_a_message_file_is_followed_through_its_changes(tmp_path, recorded_home):
    home = recorded_home(tmp_path / traps.DATA, "opencode", "storage/message")
    about = home.root.provider_home + "/storage/session/p1/ses_1.json"
    Path(about).parent.mkdir(parents=True)
    Path(about).write_text(json.dumps({"title": "Beans", "directory": "/work", "time": {"created": at(0)}}))
    for used, done in ((NO_TOKENS, False), (tokens(50), False), (tokens(210), True)):
        traps.write_file(tmp_path, "ses_1", "msg_1", answer(1, used, done))
        home.read()
    assert outputs(home) == [210]
    seen = home.sessions["ses_1"]
    assert (seen.title, seen.workspace, seen.started_ms) == ("Beans", "/work", at(0))
    traps.write_file(tmp_path, "ses_1", "msg_0", answer(-5, tokens(3)))  # older than its session: copied by a fork
    home.read()
    assert sorted(response.confidence for response in home.responses.values()) == ["final", "inferred"]


STEPS = st.lists(
    st.tuples(st.sampled_from(["new", "tokens", "end", "read", "checkpoint"]), st.integers(0, 3), st.integers(1, 90)),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_reading_in_any_steps_gives_what_one_read_gives(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("steps")
    root = LogRoot("opencode", str(folder / traps.DATA), "")
    merged, cursor, latest = {}, None, {}
    with closing(traps.create(folder, "PRAGMA journal_mode = wal", *traps.V1_SCHEMA)) as database:
        for session in range(4):
            traps.add_session(database, f"ses_{session}")
        for number, (kind, session, output) in enumerate([*steps, ("read", 0, 0)]):
            second, done = latest.get(session, (number, True))
            if kind == "new":
                latest[session] = number, False
                put(database, f"ses_{session}", f"msg_{number}", answer(number, NO_TOKENS, done=False))
            elif kind in ("tokens", "end") and not done:
                latest[session] = second, kind == "end"
                put(database, f"ses_{session}", f"msg_{second}", answer(second, tokens(output), done=kind == "end"))
            elif kind == "checkpoint":
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            elif kind == "read":
                cursor = _read(root, cursor, merged)
        once = {}
        _read(root, None, once)
        stored = [json.loads(row[0])["tokens"]["output"] for row in database.execute("SELECT data FROM message")]
    expected = sorted(output for output in stored if output)
    assert sorted(response.output_tokens for response in once.values()) == expected
    assert sorted(response.at_ms for response in merged.values()) == sorted(one.at_ms for one in once.values())


def _read(root, cursor, merged):
    found = survey([root])
    for batch in SOURCES["opencode"].read(found.files[0], cursor, found):
        assert not batch.restarted
        cursor = batch.cursor
        for part in batch.parts:
            for response in part.responses:
                known = merged.get(response.key)
                merged[response.key] = best_of(known, response) if known else response
    return cursor
