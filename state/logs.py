"""Which logs have been read, how far, and what did they hold that could not be used or was told twice?"""

import msgspec
from msgspec import Struct

from state.database import Connection, insert, row, rows


class LogFile(Struct, frozen=True):
    """How far one log has been read. `refused` and `dropped` are JSON: lines by reason, repetitions by rule."""

    id: int
    source: str
    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    offset: int
    head_hash: str
    carry: str
    lines: int
    refused: str
    dropped: str
    read_ms: int
    gone_ms: int | None = None
    """When it was first missed: clients delete old logs, what was booked stays."""


class Coverage(Struct, frozen=True):
    """What the numbers rest on."""

    files: int
    files_gone: int
    bytes: int
    lines: int
    refused: dict[str, int]
    dropped: dict[str, int]
    unreadable: int


class ClientTotals(Struct, frozen=True):
    """What a client itself says that a conversation used. Tokens."""

    kind: str
    at_ms: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_microusd: int | None


class RateLimit(Struct, frozen=True):
    """A subscription window as a client logged it last."""

    source: str
    provider_home: str
    name: str
    at_ms: int
    used_percent: float
    window_minutes: int | None
    resets_at_ms: int | None
    plan: str | None


_tally = msgspec.json.Decoder(dict[str, int])


def files(connection: Connection) -> list[LogFile]:
    return rows(connection, LogFile, "SELECT * FROM log_files")


def gone(connection: Connection) -> set[str]:
    """Logs that were read once and are not there any more."""
    return {path for (path,) in connection.execute("SELECT path FROM log_files WHERE gone_ms IS NOT NULL")}


def file_at(connection: Connection, path: str) -> LogFile | None:
    return row(connection, LogFile, "SELECT * FROM log_files WHERE path = ?", (path,))


def advance(tx: Connection, log: LogFile, refused: dict[str, int], dropped: dict[str, int], restarted: bool) -> int:
    """Note how far a log is read now; counts add up unless it was read from the start again. Returns its id."""
    old = file_at(tx, log.path)
    lines = log.lines
    if old is not None and restarted:
        tx.execute("DELETE FROM copies WHERE log_id = ?", (old.id,))
    elif old is not None:
        lines += old.lines
        refused, dropped = _added(old.refused, refused), _added(old.dropped, dropped)
    columns = msgspec.structs.asdict(log) | {"lines": lines, "refused": _json(refused), "dropped": _json(dropped)}
    del columns["id"]
    if old is None:
        return insert(tx, "log_files", columns)
    tx.execute(
        f"UPDATE log_files SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?", (*columns.values(), old.id)
    )
    return old.id


def add_dropped(tx: Connection, log_id: int, dropped: dict[str, int]) -> None:
    """Count repetitions that only the books could tell."""
    old = tx.execute("SELECT dropped FROM log_files WHERE id = ?", (log_id,)).fetchone()[0]
    tx.execute("UPDATE log_files SET dropped = ? WHERE id = ?", (_json(_added(old, dropped)), log_id))


def mark_gone(tx: Connection, paths: tuple[str, ...], at_ms: int) -> None:
    """These were read once and are not there any more."""
    tx.executemany(
        "UPDATE log_files SET gone_ms = ? WHERE path = ? AND gone_ms IS NULL", [(at_ms, path) for path in paths]
    )


def _added(old: str, more: dict[str, int]) -> dict[str, int]:
    known = _tally.decode(old)
    return known | {name: known.get(name, 0) + number for name, number in more.items()}


def _json(tally: dict[str, int]) -> str:
    return msgspec.json.encode(tally).decode()


def note_problem(tx: Connection, path: str, why: str, at_ms: int) -> None:
    """A log that could not be opened."""
    tx.execute("INSERT OR REPLACE INTO log_problems VALUES (?, ?, ?)", (path, why, at_ms))


def forget_problem(tx: Connection, path: str) -> None:
    """It could be read after all."""
    tx.execute("DELETE FROM log_problems WHERE path = ?", (path,))


def forget_problems(tx: Connection) -> None:
    tx.execute("DELETE FROM log_problems")


def problems(connection: Connection) -> list[tuple[str, str]]:
    return [(path, why) for path, why in connection.execute("SELECT path, why FROM log_problems ORDER BY path")]


def coverage(connection: Connection) -> Coverage:
    """Which files, bytes and lines the booked numbers come from, and what had to be refused or was told twice."""
    number, gone, size, lines = connection.execute(
        "SELECT count(*), count(gone_ms), ifnull(sum(size), 0), ifnull(sum(lines), 0) FROM log_files"
    ).fetchone()
    return Coverage(
        files=number,
        files_gone=gone,
        bytes=size,
        lines=lines,
        refused=_summed(connection, "refused"),
        dropped=_summed(connection, "dropped"),
        unreadable=len(problems(connection)),
    )


def _summed(connection: Connection, column: str) -> dict[str, int]:
    found: dict[str, int] = {}
    sql = f"SELECT {column}, count(*) FROM log_files WHERE {column} != '{{}}' GROUP BY 1"
    for tally, number in connection.execute(sql):
        for name, count in _tally.decode(tally).items():
            found[name] = found.get(name, 0) + count * number
    return dict(sorted(found.items()))


def of_generation(connection: Connection, generation_id: int) -> list[tuple[str, int | None]]:
    """(path, when it was first missed) of the logs that a conversation's booked responses come from."""
    sql = (
        "SELECT path, gone_ms FROM log_files WHERE id IN (SELECT log_id FROM usage WHERE generation_id = ?)"
        " ORDER BY path"
    )
    return connection.execute(sql, (generation_id,)).fetchall()


def note_totals(tx: Connection, generation_id: int, totals: ClientTotals) -> None:
    """Keep what the client says last."""
    tx.execute(
        "INSERT INTO client_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind,"
        " at_ms = excluded.at_ms, input_tokens = excluded.input_tokens,"
        " cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens,"
        " output_tokens = excluded.output_tokens, cost_microusd = excluded.cost_microusd"
        " WHERE excluded.at_ms >= client_totals.at_ms",
        (generation_id, *msgspec.structs.astuple(totals)),
    )


def client_totals(connection: Connection, generation_id: int) -> ClientTotals | None:
    columns = ", ".join(ClientTotals.__struct_fields__)
    sql = f"SELECT {columns} FROM client_totals WHERE generation_id = ?"
    return row(connection, ClientTotals, sql, (generation_id,))


def copied(connection: Connection, generation_id: int) -> tuple[int, int, int, int]:
    """Tokens of the responses that this conversation's log repeats from others: input, cache read and write, output."""
    found = connection.execute(
        "SELECT ifnull(sum(input_tokens), 0), ifnull(sum(cache_read_tokens), 0), ifnull(sum(cache_write_tokens), 0),"
        f" ifnull(sum(output_tokens), 0) FROM usage WHERE {_COPIED}",
        (generation_id, generation_id),
    ).fetchone()
    return found[0], found[1], found[2], found[3]


def copied_from(connection: Connection, generation_id: int) -> list[tuple[int, int]]:
    """(session, responses) that this conversation's logs repeat, the most first."""
    sql = (
        f"SELECT g.session_id, count(*) FROM (SELECT generation_id FROM usage WHERE {_COPIED}) u"
        " JOIN generations g ON g.id = u.generation_id GROUP BY 1 ORDER BY 2 DESC"
    )
    return [(session, responses) for session, responses in connection.execute(sql, (generation_id, generation_id))]


_COPIED = "id IN (SELECT usage_id FROM copies WHERE generation_id = ?) AND generation_id != ?"
"""A response that has since become this conversation's own is none that it repeats."""


def note_limit(tx: Connection, limit: RateLimit) -> None:
    """Keep the latest of each subscription window."""
    tx.execute(
        "INSERT INTO rate_limits VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms,"
        " used_percent = excluded.used_percent, window_minutes = excluded.window_minutes,"
        " resets_at_ms = excluded.resets_at_ms, plan = excluded.plan WHERE excluded.at_ms >= rate_limits.at_ms",
        msgspec.structs.astuple(limit),
    )


def limits(connection: Connection) -> list[RateLimit]:
    return rows(connection, RateLimit, "SELECT * FROM rate_limits ORDER BY source, provider_home, name")
