"""Each response in OpenClaw's transcripts counts once, in whatever file, archive or row it is told."""

import json
import subprocess
import sys
from contextlib import closing

import pytest
import zstandard

from engine.telemetry import foreign
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.source import best_of
from tests.traps import openclaw as traps
from tests.traps.counting import read_all
from tests.traps.openclaw import EVENTS, SESSION, answer, header, prompt, put, stamp, usage

FILE = f"main/sessions/{SESSION}.jsonl"
OTHER = "5c000000-0000-4000-8000-000000000002"
NAMELESS = {"provider": None, "model": None}


@pytest.fixture
def home(tmp_path, recorded_home):
    """Reads the agents of a home, keeping cursors."""
    return recorded_home(tmp_path / traps.HOME, "openclaw", "agents")


@pytest.fixture
def database(tmp_path):
    schema = ("PRAGMA journal_mode = wal", traps.SCHEMA, traps.ARCHIVE_SCHEMA)
    with closing(traps.create(tmp_path, *schema)) as connection:
        yield connection


def chosen(provider, model):
    return {"type": "model_change", "id": "m1", "timestamp": stamp(1), "provider": provider, "modelId": model}


def outputs(home):
    return sorted(response.output_tokens for response in home.responses.values())


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


MODELS = [header(), chosen("anthropic", "claude-opus-4"), answer(2, usage(1), **NAMELESS)]
SNAPSHOT = {"type": "custom", "customType": "model-snapshot", "id": "m2", "timestamp": stamp(3)}
SNAPSHOT["data"] = {"provider": "openai", "modelApi": "responses", "modelId": "gpt-5"}


def named(home):
    return [(one.provider, one.model) for one in sorted(home.responses.values(), key=lambda one: one.output_tokens)]


@pytest.mark.parametrize("at_once", [True, False], ids=["in one read", "in several"])
@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_message_without_a_model_has_the_one_chosen_last(home, database, kind, at_once):
    events = [*MODELS, SNAPSHOT, answer(4, usage(2), **NAMELESS), answer(5, usage(3))]
    for seq, event in enumerate(events):
        if kind == "file":
            home.append(FILE, event)
        else:
            put(database, seq, event, packed=seq % 2 == 1)
        if not at_once:
            home.read()
    home.read()
    assert named(home) == [("anthropic", "claude-opus-4"), ("openai", "gpt-5"), ("anthropic", "claude-sonnet-4-5")]


def test_a_message_without_a_model_anywhere_has_none(home, database):
    put(database, 0, answer(2, usage(1), **NAMELESS))
    home.read()
    assert named(home) == [("", None)]


def test_only_new_rows_are_read(home, database):
    for seq, event in enumerate(EVENTS):
        put(database, seq, event)
    (batch,) = home.read()
    assert batch.lines == len(EVENTS)
    (batch,) = home.read()
    assert (batch.lines, batch.parts, batch.restarted) == (0, (), False)
    put(database, 9, answer(9, usage(900)))
    (batch,) = home.read()
    assert (batch.lines, batch.restarted) == (1, False)
    assert [response.output_tokens for response in batch.parts[0].responses] == [900]
    assert outputs(home) == [100, 200, 300, 900]
    seen = home.sessions[SESSION]
    assert (seen.title, seen.workspace) == ("Count the beans", "/home/op/beans")  # whatever was read when


def test_a_transcript_that_was_rewound_is_read_on(home, database):
    for seq in range(5):
        put(database, seq, answer(seq, usage(100 + seq)))
        home.read()
    database.execute("DELETE FROM transcript_events WHERE seq >= 3")
    for seq in (3, 4):  # the same numbers in session and table
        event = json.dumps(answer(seq + 10, usage(200 + seq)))
        row = (SESSION, seq, event, 1794304900000 + seq, None, len(event))
        database.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?, ?, ?)", row)
    assert [(batch.lines, batch.restarted) for batch in home.read()] == [(2, False)]
    assert outputs(home) == [100, 101, 102, 103, 104, 203, 204]


def test_rows_packed_later_and_a_schema_that_grew_count_nothing_twice(home, tmp_path):
    plain = (
        "CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT,"
        " created_at INTEGER NOT NULL, PRIMARY KEY (session_id, seq))"
    )
    with closing(traps.create(tmp_path, plain)) as database:
        for seq, event in enumerate(EVENTS):
            database.execute("INSERT INTO transcript_events VALUES (?, ?, ?, 7)", (SESSION, seq, json.dumps(event)))
        home.read()
        assert outputs(home) == [100, 200, 300]
        database.execute("ALTER TABLE transcript_events ADD COLUMN event_zstd BLOB")
        packed = zstandard.compress(json.dumps(EVENTS[2]).encode())
        database.execute("UPDATE transcript_events SET event_json = NULL, event_zstd = ? WHERE seq = 2", (packed,))
        database.execute("INSERT INTO transcript_events VALUES (?, 9, ?, 8, NULL)", (SESSION, json.dumps(answer(9))))
    assert [batch.restarted for batch in home.read()] == [True]
    assert outputs(home) == [100, 200, 210, 300]


@pytest.mark.parametrize("encoding", ["identity", "zstd"])
def test_an_archived_transcript_is_read_from_the_database(home, database, encoding):
    lines = b"\n".join(json.dumps(event).encode() for event in [header(OTHER), prompt(1, "Old"), answer(2, usage(44))])
    blob = zstandard.compress(lines) if encoding == "zstd" else lines
    put(database, 0, answer(1, usage(5)))
    row = (OTHER, "g1", encoding, blob, 1)
    database.execute("INSERT INTO session_transcript_archives VALUES (?, ?, ?, ?, ?)", row)
    home.read()
    assert outputs(home) == [5, 44]
    assert home.sessions[OTHER].title == "Old"


def test_an_archive_cut_short_is_counted_as_refused_and_costs_no_other(home, database):
    packed = zstandard.compress(b"\n".join(json.dumps(event).encode() for event in EVENTS))
    for number, blob in enumerate((packed[:-9], packed[:9] + packed[20:], packed)):
        row = (f"s{number}", "g1", "zstd", blob, 1)
        database.execute("INSERT INTO session_transcript_archives VALUES (?, ?, ?, ?, ?)", row)
    event = json.dumps(answer(9)).encode()
    row = (SESSION, 1, None, 1, zstandard.compress(event)[:-5], len(event))
    database.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?, ?, ?)", row)
    home.read()
    assert home.refused == {"bad_zst": 3}
    assert outputs(home) == [100, 200, 300]


def test_rows_that_cannot_be_used_are_counted_and_cost_no_other(home, database):
    put(database, 0, answer(1, usage(100)))
    bad = [(None, b"\x28\xb5\x2f\xfdgarbage"), (None, None), ('{"type": "mess', None)]
    bad.append((json.dumps(answer(5, usage(-1))), None))
    for seq, (text, packed) in enumerate(bad, 1):
        database.execute("INSERT INTO transcript_events VALUES (?, ?, ?, 1, ?, 1)", (SESSION, seq, text, packed))
    put(database, 9, answer(9, usage(200)))
    home.read()
    assert home.refused == {"bad_zst": 1, "no_event": 1, "bad_json": 1, "bad_count": 1}
    assert outputs(home) == [100, 200]


def test_a_big_database_comes_in_batches_and_can_be_left_after_each(home, database):
    database.execute("BEGIN")
    for seq in range(foreign.BATCH_ROWS + 1):
        put(database, seq, answer(seq, usage(1)))
    database.execute("COMMIT")
    (file,) = survey([home.root]).files
    read = SOURCES["openclaw"].read
    first, second = read(file, None, archive=survey([home.root]))
    assert (first.lines, second.lines) == (foreign.BATCH_ROWS, 1)
    assert (first.cursor.size != file.size, second.cursor.size) == (True, file.size)
    assert [batch.lines for batch in read(file, first.cursor, archive=survey([home.root]))] == [1]


WRITER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("INSERT INTO transcript_events VALUES ('s', 1, ?, 1, NULL, 1)", (sys.argv[2],))
print("ready", flush=True)
sys.stdin.readline()
database.execute("COMMIT")
"""


def test_a_writer_in_mid_transaction_neither_waits_nor_is_read(home, database):
    put(database, 0, answer(1, usage(100)))
    path = home.folder / "main" / "agent" / "openclaw-agent.sqlite"
    command = (sys.executable, "-c", WRITER, str(path), json.dumps(answer(2, usage(200))))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "ready\n"
        home.read()
        assert outputs(home) == [100]
        writer.communicate("\n", timeout=20)
    assert writer.returncode == 0
    home.read()
    assert outputs(home) == [100, 200]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("CREATE TABLE transcript_events (session TEXT, event_json TEXT)", "as we know it"),
        ("CREATE TABLE transcript_events (session_id TEXT, event_cbor BLOB)", "as we know it"),
        ("CREATE TABLE other (id TEXT)", "as we know it"),
    ],
)
def test_another_schema_is_a_problem(home, tmp_path, schema, why):
    with closing(traps.create(tmp_path, schema)):
        pass
    with pytest.raises(OSError, match=why):
        home.read()


def test_what_is_no_database_is_a_problem(home):
    home.write("main/agent/openclaw-agent.sqlite", b"garbage " * 999)
    with pytest.raises(OSError, match=r"^cannot read the database: file is not a database$"):
        home.read()


def test_a_fork_tells_its_parents_events_under_their_ids(home):
    home.write(FILE, *EVENTS)
    fork = header(OTHER, parentSession=f"/home/x/.openclaw/agents/main/sessions/{SESSION}.jsonl")
    home.write(f"main/sessions/{OTHER}.jsonl", fork, *EVENTS[1:4], answer(50, usage(7)))
    home.read()
    assert outputs(home) == [7, 100, 200, 300]
    assert home.sessions[OTHER].forked_from == SESSION


def test_what_is_known_about_a_session_and_a_response(home):
    used = usage(210, reasoning=40, cacheWrite1h=600)
    home.write(FILE, header(), prompt(1, "Count\n the beans "), answer(5, used, stopReason="aborted"))
    home.read()
    seen = home.sessions[SESSION]
    assert (seen.title, seen.workspace, seen.model) == ("Count the beans", "/home/op/beans", "claude-sonnet-4-5")
    assert (seen.started_ms, seen.last_active_ms) == (1794304800250, 1794304805250)
    assert seen.context_tokens == 210 + 12 + 8100 + 640
    (response,) = home.responses.values()
    assert (response.output_tokens, response.reasoning_tokens, response.confidence) == (210, 40, "partial")
    assert (response.cache_write_tokens, response.cache_write_1h_tokens, response.cache_write_5m_tokens) == (
        640,
        600,
        40,
    )
    assert (response.provider, response.at_ms, response.raw) == ("anthropic", 1794304805250, None)


@pytest.mark.parametrize(
    "used", [{**usage(5), "totalTokens": 7}, usage(5, reasoning=6), usage(5, cacheWrite1h=641), usage(5, audio=1)]
)
def test_usage_is_kept_as_told_where_it_is_odd(home, used):
    home.write(FILE, answer(1, used), answer(2))
    home.read()
    odd = [json.loads(response.raw) for response in home.responses.values() if response.raw]
    assert odd == [used]


@pytest.mark.parametrize(
    ("events", "keys"),
    [
        pytest.param([answer(1), answer(1)], 1, id="one event twice"),
        pytest.param([{**answer(1), "id": None}, {**answer(2), "id": None}], 2, id="without ids"),
        pytest.param([{**answer(1), "timestamp": None}, {**answer(2), "timestamp": None}], 2, id="without times"),
        pytest.param([{"type": "message", "message": answer(1)["message"]}] * 2, 2, id="with neither"),
    ],
)
def test_identity(home, events, keys):
    home.write(FILE, header(), *events)
    home.read()
    assert len(home.responses) == keys


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("main/sessions/s1.jsonl", "s1"),
        ("main/sessions/s1-topic-42.jsonl", "s1"),
        ("main/sessions/s1.jsonl.reset.2026-11-10T11-00-00.000Z", "s1"),
        ("main/sessions/s1.jsonl.deleted.2026-11-10T11-00-00.000Z.zst", "s1"),
        ("main/sessions/s1.checkpoint.5c000000-0000-4000-8000-000000000001.jsonl", "s1"),
        ("main/session-sqlite-import-archive/s1.jsonl", "s1"),
    ],
)
def test_the_name_tells_the_session(path, session):
    parts = tuple(path.split("/"))
    assert SOURCES["openclaw"].is_log(parts)
    assert SOURCES["openclaw"].provider_id(parts) == session


@pytest.mark.parametrize(
    "path",
    [
        "main/sessions/sessions.json",
        "main/sessions/s1.trajectory.jsonl",
        "main/sessions/s1.jsonl.lock",
        "main/agent/codex-home/sessions/rollout-x.jsonl",
        "main/agent/openclaw-agent.sqlite-wal",
        "s1.jsonl",
    ],
)
def test_what_is_no_log(path):
    assert not SOURCES["openclaw"].is_log(tuple(path.split("/")))
