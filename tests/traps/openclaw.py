"""The traps in OpenClaw's transcripts and databases."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import zstandard

from tests.traps.trap import Expected, Trap, write_rows

HOME = ".openclaw"
SESSION = "5c000000-0000-4000-8000-000000000001"
SCHEMA = (
    "CREATE TABLE transcript_events (session_id TEXT NOT NULL, seq INTEGER NOT NULL, event_json TEXT,"
    " created_at INTEGER NOT NULL, event_zstd BLOB, event_utf8_bytes INTEGER, PRIMARY KEY (session_id, seq)) STRICT"
)
ARCHIVE_SCHEMA = (
    "CREATE TABLE session_transcript_archives (session_id TEXT NOT NULL, generation TEXT NOT NULL,"
    " encoding TEXT NOT NULL, archive_blob BLOB NOT NULL, created_at INTEGER NOT NULL,"
    " PRIMARY KEY (session_id, generation)) STRICT"
)


def stamp(second):
    return f"2026-11-10T10:{second // 60:02}:{second % 60:02}.250Z"


def usage(output=210, prompt=12, read=8100, write=640, **more):
    counted = {"input": prompt, "output": output, "cacheRead": read, "cacheWrite": write}
    return {**counted, "totalTokens": output + prompt + read + write, "cost": {"total": 0.0081}, **more}


def header(session=SESSION, **more):
    return {"type": "session", "version": 3, "id": session, "timestamp": stamp(0), "cwd": "/home/op/beans", **more}


def answer(number, used=None, parent=None, **more):
    message = {"role": "assistant", "provider": "anthropic", "model": "claude-sonnet-4-5", "stopReason": "stop"}
    message |= {"content": [{"type": "text", "text": "ok"}], "usage": used or usage(), **more}
    event = {"type": "message", "id": f"e{number}", "parentId": parent or f"e{number - 1}", "timestamp": stamp(number)}
    return {**event, "message": message}


def prompt(number, text="Count the beans"):
    message = {"role": "user", "content": [{"type": "text", "text": text}]}
    return {"type": "message", "id": f"e{number}", "timestamp": stamp(number), "message": message}


def session_path(home, name=f"{SESSION}.jsonl", root=HOME):
    return home / root / "agents" / "main" / "sessions" / name


def create(home, *schema):
    """A connection to a new agent database that commits each statement."""
    path = home / HOME / "agents" / "main" / "agent" / "openclaw-agent.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None)
    for statement in schema or (SCHEMA,):
        database.execute(statement)
    return database


def put(database, seq, event, session=SESSION, packed=False):
    text = json.dumps(event)
    plain = None if packed else text
    blob = zstandard.compress(text.encode()) if packed else None
    row = (session, seq, plain, 1794304800000 + seq, blob, len(text))
    database.execute("INSERT INTO transcript_events VALUES (?, ?, ?, ?, ?, ?)", row)


def expected(*used, **more):
    return Expected(
        responses=len(used),
        input_tokens=sum(one["input"] for one in used),
        cache_read_tokens=sum(one["cacheRead"] for one in used),
        cache_write_tokens=sum(one["cacheWrite"] for one in used),
        output_tokens=sum(one["output"] for one in used),
        **more,
    )


USED = [usage(100), usage(200), usage(300)]
MODEL = {"type": "model_change", "id": "m0", "timestamp": stamp(0), "provider": "anthropic"}
MODEL |= {"modelId": "claude-sonnet-4-5"}
"""Every transcript begins with it, though messages name their model too."""
EVENTS = [header(), MODEL, prompt(1), *(answer(2 + number, used) for number, used in enumerate(USED))]


def legacy(home: Path) -> Expected:
    mirror = answer(9, usage(0, 0, 0, 0), provider="openclaw", model="delivery-mirror")
    write_rows(session_path(home), *EVENTS, mirror)
    write_rows(session_path(home, f"{SESSION}-topic-77.jsonl"), header(), MODEL, answer(50, usage(5)))
    write_rows(session_path(home, f"{SESSION}.trajectory.jsonl"), answer(60, usage(7_000)))
    (session_path(home, "sessions.json")).write_text(json.dumps({"agent:main:main": {"usage": usage(9_000)}}))
    return expected(*USED, usage(5), by_day={"2026-11-10": 605}, sessions={SESSION: 605})


def sqlite_json(home: Path) -> Expected:
    with closing(create(home)) as database:
        for seq, event in enumerate(EVENTS):
            put(database, seq, event)
    write_rows(session_path(home), *EVENTS[:4])  # what was moved stays behind
    return expected(*USED, sessions={SESSION: 600})


def sqlite_zstd(home: Path) -> Expected:
    with closing(create(home, SCHEMA, ARCHIVE_SCHEMA)) as database:
        for seq, event in enumerate(EVENTS):
            put(database, seq, event, packed=seq % 2 == 1)
        gone = "5c000000-0000-4000-8000-00000000000d"
        lines = b"".join(json.dumps(event).encode() + b"\n" for event in (header(gone), MODEL, answer(70, usage(44))))
        row = (gone, "g1", "zstd", zstandard.compress(lines), 1794304900000)
        database.execute("INSERT INTO session_transcript_archives VALUES (?, ?, ?, ?, ?)", row)
    return expected(*USED, usage(44), sessions={SESSION: 600, gone: 44})


def reset_copy(home: Path) -> Expected:
    write_rows(session_path(home, f"{SESSION}.jsonl.reset.2026-11-10T11-00-00.000Z"), *EVENTS)
    write_rows(session_path(home), header(), MODEL, *EVENTS[3:], answer(40, usage(11)))
    return expected(*USED, usage(11), sessions={SESSION: 611})


def deleted_copy(home: Path) -> Expected:
    only = "5c000000-0000-4000-8000-00000000000e"
    write_rows(
        session_path(home, f"{only}.jsonl.deleted.2026-11-10T11-00-00.000Z"), header(only), MODEL, answer(30, usage(9))
    )
    write_rows(session_path(home, f"{SESSION}.jsonl.deleted.2026-11-10T11-00-00.000Z"), *EVENTS)
    write_rows(session_path(home).parents[1] / "session-sqlite-import-archive" / f"{SESSION}.jsonl", *EVENTS[:5])
    return expected(*USED, usage(9), sessions={SESSION: 600, only: 9})


def cold_archive(home: Path) -> Expected:
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS)
    packed = session_path(home, "cold/" + "ab" * 32 + ".jsonl.zst")
    packed.parent.mkdir(parents=True)
    packed.write_bytes(zstandard.compress(lines))
    with closing(create(home)) as database:
        put(database, 3, EVENTS[3])  # restored in part
    return expected(*USED, sessions={SESSION: 600})


def tree_branches(home: Path) -> Expected:
    left = [usage(100), usage(200)]
    write_rows(
        session_path(home),
        header(),
        MODEL,
        prompt(1),
        answer(2, left[0]),
        answer(3, left[1]),
        {"type": "branch_summary", "id": "b1", "parentId": "e1", "timestamp": stamp(4), "fromId": "e3", "summary": "x"},
        answer(5, usage(300), parent="b1"),
        {"type": "compaction", "id": "c1", "parentId": "e5", "timestamp": stamp(6), "firstKeptEntryId": "e5",
         "tokensBefore": 90_000, "summary": 'said "usage": {"output": 1}'},
        {"type": "reset", "id": "r1", "parentId": "c1", "timestamp": stamp(7)},
        answer(8, usage(400), parent="c1"),
    )  # fmt: skip
    return expected(*left, usage(300), usage(400))


def model_change(home: Path) -> Expected:
    nameless = {"provider": None, "model": None}
    write_rows(
        session_path(home),
        header(),
        {"type": "model_change", "id": "m1", "timestamp": stamp(1), "provider": "anthropic",
         "modelId": "claude-opus-4"},
        answer(2, usage(1), **nameless),
        {"type": "custom", "customType": "model-snapshot", "id": "m2", "timestamp": stamp(3),
         "data": {"provider": "openai", "modelApi": "responses", "modelId": "gpt-5"}},
        answer(4, usage(2), **nameless),
        answer(5, usage(3)),
    )  # fmt: skip
    return expected(usage(1), usage(2), usage(3))


def both_homes(home: Path) -> Expected:
    write_rows(session_path(home, root=".clawdbot"), *EVENTS)
    write_rows(session_path(home), *EVENTS, answer(40, usage(11)))
    other = "5c000000-0000-4000-8000-000000000002"
    # Another session that happens to use the same short event ids.
    write_rows(session_path(home, f"{other}.jsonl", ".moltbot"), header(other), MODEL, _later(answer(2, usage(8))))
    return expected(*USED, usage(11), usage(8))


def torn_tail(home: Path) -> Expected:
    torn = json.dumps(answer(9, usage(99))).encode()
    write_rows(session_path(home), *EVENTS, b'{"type":"message","id":"x","mess\n', torn[:-7])
    return expected(*USED, refused={"bad_json": 1})


def _later(event):
    return {**event, "timestamp": stamp(1_000)}


TRAPS = tuple(
    Trap(build.__name__, "openclaw", why, build)
    for build, why in (
        (legacy, "transcripts are files, beside an index, trajectories and the gateway's own empty messages"),
        (sqlite_json, "since 2026.8 events are rows of a database, and the moved files are still there"),
        (sqlite_zstd, "some rows are packed in another column, and deleted transcripts are blobs"),
        (reset_copy, "a reset leaves a copy of the transcript"),
        (deleted_copy, "a deletion renames the transcript, the move to the database archives it"),
        (cold_archive, "old transcripts are packed files named by a hash"),
        (tree_branches, "a transcript is a tree: branches that were left were paid for"),
        (model_change, "messages may leave their model to an earlier event"),
        (both_homes, "an older home holds the same transcript, and another with the same event ids"),
        (torn_tail, "the last row is being written"),
    )
)
