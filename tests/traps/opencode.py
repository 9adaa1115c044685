"""The traps in opencode's databases and message files."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.traps.trap import Expected, Trap

DATA = ".local/share/opencode"
START_MS = 1794304800000
"""2026-11-10T10:00:00Z."""
V1_SCHEMA = (
    "CREATE TABLE session (id text PRIMARY KEY, project_id text NOT NULL, parent_id text, directory text NOT NULL,"
    " title text NOT NULL, version text NOT NULL, time_created integer NOT NULL, time_updated integer NOT NULL,"
    " time_archived integer)",
    "CREATE TABLE project (id text PRIMARY KEY, worktree text NOT NULL, vcs text, name text,"
    " time_created integer NOT NULL, time_updated integer NOT NULL, sandboxes text NOT NULL)",
    "CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,"
    " time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL)",
    "INSERT INTO project VALUES ('p', '/home/op/beans', 'git', 'beans', 0, 0, '[]')",
    "CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,"
    " time_updated integer NOT NULL, data text NOT NULL)",
    "CREATE INDEX message_session_time_created_id_idx ON message (session_id, time_created, id)",
)
V2_SCHEMA = (
    "CREATE TABLE session_v2 (id text PRIMARY KEY, parent_id text, fork_session_id text, fork_boundary text,"
    " directory text NOT NULL, title text, time_created integer NOT NULL, time_updated integer NOT NULL)",
    "CREATE TABLE session_message (id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL,"
    " seq integer NOT NULL, time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL)",
    "CREATE UNIQUE INDEX session_message_session_seq_idx ON session_message (session_id, seq)",
)


def at(second):
    """Milliseconds so many seconds after the start."""
    return START_MS + second * 1000


def tokens(output=200, prompt=10, read=1000, write=50, reasoning=0, **more):
    total = output + prompt + read + write + reasoning
    counted = {"input": prompt, "output": output, "reasoning": reasoning, "cache": {"read": read, "write": write}}
    return {**counted, "total": total, **more}


NO_TOKENS = tokens(0, 0, 0, 0)


def answer(second, used=None, done=True, **more):
    """The data of a 1.x assistant message that began at this second."""
    time = {"created": at(second), **({"completed": at(second) + 900} if done else {})}
    made = {"role": "assistant", "modelID": "claude-sonnet-4-5", "providerID": "anthropic", "agent": "build"}
    return {**made, "cost": 0.008, "time": time, "tokens": tokens() if used is None else used, **more}


def answer_v2(second, used=None, done=True):
    """The data of a 2.x one: no role, the model below `model`."""
    made = answer(second, used, done)
    model = {"id": made.pop("modelID"), "providerID": made.pop("providerID"), "variant": "default"}
    return {**{name: value for name, value in made.items() if name != "role"}, "model": model, "content": []}


def prompt(second):
    model = {"providerID": "anthropic", "modelID": "claude-sonnet-4-5"}
    return {"role": "user", "time": {"created": at(second)}, "agent": "build", "model": model}


def create(home, *schema, name="opencode.db"):
    """A connection to a new database that commits each statement."""
    folder = home / DATA
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / name, isolation_level=None)
    for statement in schema:
        database.execute(statement)
    return database


def add_session(database, session, second=0, title="Count the beans"):
    database.execute(
        "INSERT INTO session VALUES (?, 'p', NULL, '/home/op/beans', ?, '1.18.33', ?, ?, NULL)",
        (session, title, at(second), at(second)),
    )


def add_session_v2(database, session, second=0, parent=None, boundary=None):
    database.execute(
        "INSERT INTO session_v2 VALUES (?, NULL, ?, ?, '/home/op/beans', 'Count the beans', ?, ?)",
        (session, parent, boundary, at(second), at(second)),
    )


def put(database, session, message, data):
    """A 1.x message as the client writes it: new, or over what was there."""
    created = data["time"]["created"]
    database.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
        (message, session, created, created, json.dumps(data)),
    )
    text = json.dumps({"type": "text", "text": "beans"})
    part = (f"prt_{message}", message, session, created, created, text)
    database.execute("INSERT OR IGNORE INTO part VALUES (?, ?, ?, ?, ?, ?)", part)


def put_v2(database, session, message, seq, data, kind="assistant"):
    created = data["time"]["created"]
    database.execute(
        "INSERT INTO session_message VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
        (message, session, kind, seq, created, created, json.dumps(data)),
    )


def write_file(home, session, message, data):
    path = home / DATA / "storage" / "message" / session / f"{message}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"id": message, "sessionID": session, **data}))
    return path


def expected(*used, **more):
    """All of these token objects; reasoning is billed as output."""
    return Expected(
        responses=len(used),
        input_tokens=sum(one["input"] for one in used),
        cache_read_tokens=sum(one["cache"]["read"] for one in used),
        cache_write_tokens=sum(one["cache"]["write"] for one in used),
        output_tokens=sum(one["output"] + one["reasoning"] for one in used),
        **more,
    )


def _conversation(database, session="ses_1", first=0, outputs=(100, 200, 300)):
    add_session(database, session, first)
    for number, output in enumerate(outputs):
        second = first + 10 * number
        put(database, session, f"msg_{session}_{second}u", prompt(second + 1))
        put(database, session, f"msg_{session}_{second}", answer(second + 2, tokens(output)))
    return [tokens(output) for output in outputs]


def db(home: Path) -> Expected:
    with closing(create(home, *V1_SCHEMA)) as database:
        used = _conversation(database)
    day = datetime.fromtimestamp(at(0) / 1000, UTC).date().isoformat()
    return expected(*used, by_day={day: 600}, sessions={"ses_1": 600})


def wal(home: Path) -> Expected:
    with closing(create(home, "PRAGMA journal_mode = wal", "PRAGMA wal_autocheckpoint = 0", *V1_SCHEMA)) as database:
        used = _conversation(database)
        for name in ("opencode.db", "opencode.db-wal"):  # before the last to close moves the rows to the database
            shutil.copy(home / DATA / name, home / name)
    for path in (home / DATA).glob("opencode.db*"):
        path.unlink()
    for name in ("opencode.db", "opencode.db-wal"):
        (home / name).rename(home / DATA / name)
    return expected(*used, sessions={"ses_1": 600})


def legacy_files(home: Path) -> Expected:
    moved = [tokens(100), tokens(200)]
    with closing(create(home, *V1_SCHEMA)) as database:
        add_session(database, "ses_1")
        for number, used in enumerate(moved):
            put(database, "ses_1", f"msg_{number}", answer(number, used))
            write_file(home, "ses_1", f"msg_{number}", answer(number, used))
    never = tokens(400)
    write_file(home, "ses_0", "msg_8", answer(80, never))
    write_file(home, "ses_0", "msg_9", prompt(79))
    return expected(*moved, never, sessions={"ses_1": 300, "ses_0": 400})


def backup_db(home: Path) -> Expected:
    with closing(create(home, *V1_SCHEMA)) as database:
        used = _conversation(database)
    data = home / DATA
    for name in ("opencode-2026.backup.db", "opencode.db.bak", "opencode-copy.db", "opencode-next.db"):
        shutil.copy(data / "opencode.db", data / name)
    with closing(create(home, name="opencode-next.db")) as database:
        put(database, "ses_1", "msg_new", answer(500, tokens(7)))
    return expected(*used, tokens(7), sessions={"ses_1": 607})


def fork_copies(home: Path) -> Expected:
    with closing(create(home, *V1_SCHEMA)) as database:
        used = _conversation(database)
        for fork in range(6):
            session = f"ses_fork{fork}"
            add_session(database, session, 600 + fork, "Count the beans (fork #1)")
            for number, one in enumerate(used):
                put(database, session, f"msg_f{fork}_{number}", answer(10 * number + 2, one))
        put(database, "ses_fork5", "msg_own", answer(700, tokens(50)))
    return expected(*used, tokens(50), sessions={"ses_1": 600, "ses_fork5": 50})


def in_place_update(home: Path) -> Expected:
    with closing(create(home, *V1_SCHEMA)) as database:
        add_session(database, "ses_1")
        put(database, "ses_1", "msg_1", answer(1, NO_TOKENS, done=False))
        put(database, "ses_1", "msg_2", answer(2, tokens(5)))
        put(database, "ses_1", "msg_1", answer(1, tokens(900)))
    return expected(tokens(900), tokens(5))


def reasoning_beside(home: Path) -> Expected:
    used = tokens(100, reasoning=4_000)
    with closing(create(home, *V1_SCHEMA)) as database:
        add_session(database, "ses_1")
        put(database, "ses_1", "msg_1", answer(1, used))
    return expected(used)


def v2_fork(home: Path) -> Expected:
    old, new, own = tokens(100), tokens(200), tokens(30)
    summary = tokens(60)
    with closing(create(home, *V1_SCHEMA, *V2_SCHEMA)) as database:
        add_session(database, "ses_1")
        add_session_v2(database, "ses_1")
        put(database, "ses_1", "msg_1", answer(1, old))
        put_v2(database, "ses_1", "msg_1", 1, answer_v2(1, old))  # moved: the older table stays as it was
        put_v2(database, "ses_1", "msg_2", 2, answer_v2(2, new))
        put_v2(database, "ses_1", "msg_3", 3, {**answer_v2(3, summary), "status": "completed"}, kind="compaction")
        add_session(database, "ses_0")
        put(database, "ses_0", "msg_0", answer(0, tokens(9)))  # never moved
        add_session_v2(database, "ses_2", 60, "ses_1", json.dumps({"type": "through", "messageID": "msg_2"}))
        put_v2(database, "ses_2", "msg_e_1", 1, answer_v2(1, old))
        put_v2(database, "ses_2", "msg_e_2", 2, answer_v2(2, new))
        put_v2(database, "ses_2", "msg_4", 9, answer_v2(61, own))
    counted = [old, new, summary, tokens(9), own]
    return expected(*counted, sessions={"ses_1": 360, "ses_0": 9, "ses_2": 30})


def unfinished(home: Path) -> Expected:
    with closing(create(home, *V1_SCHEMA)) as database:
        add_session(database, "ses_1")
        put(database, "ses_1", "msg_1", answer(1, NO_TOKENS, done=False))
        put(database, "ses_1", "msg_2", answer(2, NO_TOKENS, error={"name": "MessageAbortedError"}))
        put(database, "ses_1", "msg_3", answer(3, tokens(40), done=False))
        put(database, "ses_1", "msg_4", answer(4, tokens(50)))
        put(database, "ses_1", "msg_5", answer(5, NO_TOKENS, done=False))
    return expected(tokens(40), tokens(50))


TRAPS = tuple(
    Trap(build.__name__, "opencode", why, build)
    for build, why in (
        (db, "the messages are rows of a database, with the role inside the JSON"),
        (wal, "all rows are still in the write-ahead log beside an almost empty database"),
        (legacy_files, "the move to the database left the message files behind, and not every session was moved"),
        (backup_db, "backups and a channel's copy of the database lie beside it"),
        (fork_copies, "forking copies every message under a new id, with its time and tokens"),
        (in_place_update, "a message appears without tokens and gets them in place"),
        (reasoning_beside, "reasoning is beside output, not inside"),
        (v2_fork, "2.x tables hold moved rows, forks and compactions, while older tables stay"),
        (unfinished, "messages without tokens are no responses, messages without an end may be"),
    )
)
