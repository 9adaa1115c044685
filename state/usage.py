"""What did each provider response use, and how far has each log been read?

A response is one row, whoever reports it and however often: the report with the highest output wins, on a tie a final
one over a partial one, because clients write a response several times while it streams, and may write a smaller copy
after the final one. Its day is that of its earliest report.
"""

from typing import Any

import msgspec
from msgspec import Struct

from state.database import Connection, insert, row, rows


class UsageRow(Struct, frozen=True):
    """One response as booked. Tokens; `input_tokens` is the uncached part only."""

    source: str
    key: str
    generation_id: int
    run_id: int | None
    at_ms: int
    model: str | None
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    reasoning_tokens: int | None
    basis: str
    confidence: str
    log_id: int | None = None
    offset: int | None = None


class Totals(Struct, frozen=True):
    """Sums over responses; `label` says of what."""

    label: str | None
    responses: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.output_tokens


class LogFile(Struct, frozen=True):
    """How far one log has been read. `refused` is JSON: unusable lines by reason."""

    id: int
    source: str
    path: str
    device: int
    inode: int
    size: int
    offset: int
    head_hash: str
    carry: str
    lines: int
    refused: str
    read_ms: int


class Coverage(Struct, frozen=True):
    """What the numbers rest on."""

    files: int
    bytes: int
    lines: int
    refused: dict[str, int]
    unreadable: int


_SUMMED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def book(tx: Connection, response: UsageRow) -> bool:
    """Book one response, once. Returns whether anything changed.

    The generation's totals move by the difference, so that a pane need not add up every response.
    """
    old = tx.execute(
        "SELECT id, generation_id, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens,"
        " confidence, at_ms FROM usage WHERE source = ? AND key = ?",
        (response.source, response.key),
    ).fetchone()
    if old is None:
        insert(tx, "usage", _columns(response))
        _move_totals(tx, response.generation_id, 1, [getattr(response, name) for name in _SUMMED])
        return True
    better = (response.output_tokens, response.confidence == "final") > (old[5], old[6] == "final")
    if not better:
        earlier = "UPDATE usage SET at_ms = ? WHERE id = ? AND at_ms > ?"
        return tx.execute(earlier, (response.at_ms, old[0], response.at_ms)).rowcount > 0
    columns = _columns(response)
    for first_owner in ("generation_id", "run_id"):
        del columns[first_owner]
    columns["at_ms"] = min(response.at_ms, old[7])
    tx.execute(
        f"UPDATE usage SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?", (*columns.values(), old[0])
    )
    _move_totals(tx, old[1], 0, [getattr(response, name) - was for name, was in zip(_SUMMED, old[2:6], strict=True)])
    return True


def _columns(response: UsageRow) -> dict[str, Any]:
    return msgspec.structs.asdict(response)


def _move_totals(tx: Connection, generation_id: int, responses: int, tokens: list[int]) -> None:
    tx.execute(
        "UPDATE generations SET responses = responses + ?, input_tokens = input_tokens + ?,"
        " cache_read_tokens = cache_read_tokens + ?, cache_write_tokens = cache_write_tokens + ?,"
        " output_tokens = output_tokens + ? WHERE id = ?",
        (responses, *tokens, generation_id),
    )


def log_files(connection: Connection) -> list[LogFile]:
    return rows(connection, LogFile, "SELECT * FROM log_files")


def advance(tx: Connection, log: LogFile, refused: dict[str, int], restarted: bool) -> int:
    """Note how far a log is read now; counts add up unless it was read from the start again. Returns its id."""
    old = row(tx, LogFile, "SELECT * FROM log_files WHERE path = ?", (log.path,))
    lines = log.lines
    if old is not None and not restarted:
        lines += old.lines
        for reason, number in msgspec.json.decode(old.refused, type=dict[str, int]).items():
            refused = refused | {reason: refused.get(reason, 0) + number}
    columns = msgspec.structs.asdict(log) | {"lines": lines, "refused": msgspec.json.encode(refused).decode()}
    del columns["id"]
    if old is None:
        return insert(tx, "log_files", columns)
    tx.execute(
        f"UPDATE log_files SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?", (*columns.values(), old.id)
    )
    return old.id


def note_problem(tx: Connection, path: str, why: str, at_ms: int) -> None:
    """A log that could not be opened."""
    tx.execute("INSERT OR REPLACE INTO log_problems VALUES (?, ?, ?)", (path, why, at_ms))


def problems(connection: Connection) -> list[tuple[str, str]]:
    return [(path, why) for path, why in connection.execute("SELECT path, why FROM log_problems ORDER BY path")]


def coverage(connection: Connection) -> Coverage:
    """Which files, bytes and lines the booked numbers come from, and what had to be refused."""
    logs = log_files(connection)
    refused: dict[str, int] = {}
    for log in logs:
        for reason, number in msgspec.json.decode(log.refused, type=dict[str, int]).items():
            refused[reason] = refused.get(reason, 0) + number
    return Coverage(
        files=len(logs),
        bytes=sum(log.offset for log in logs),
        lines=sum(log.lines for log in logs),
        refused=refused,
        unreadable=len(problems(connection)),
    )


GROUPS = {
    "day": "strftime('%Y-%m-%d', (u.at_ms + :shift_ms) / 1000, 'unixepoch')",
    "hour": "strftime('%Y-%m-%dT%H:00', (u.at_ms + :shift_ms) / 1000, 'unixepoch')",
    "session": "CAST(g.session_id AS TEXT)",
    "model": "u.model",
    "lane": "s.lane",
    "agent": "s.agent",
    "job": "s.job",
    "source": "u.source",
}
"""What `qd usage --by` can group by. Days and hours are cut with one offset for the whole answer."""

_SUMS = (
    "count(*) AS responses, coalesce(sum(u.input_tokens), 0) AS input_tokens,"
    " coalesce(sum(u.cache_read_tokens), 0) AS cache_read_tokens,"
    " coalesce(sum(u.cache_write_tokens), 0) AS cache_write_tokens,"
    " coalesce(sum(u.output_tokens), 0) AS output_tokens, coalesce(sum(u.reasoning_tokens), 0) AS reasoning_tokens"
)


def totals(
    connection: Connection,
    *,
    by: str | None = None,
    since_ms: int = 0,
    until_ms: int = 1 << 62,
    source: str | None = None,
    shift_ms: int = 0,
) -> list[Totals]:
    """Sums over responses in [since, until), in one row or one per group; every view is this query."""
    label = GROUPS[by] if by else "NULL"
    sql = (
        f"SELECT {label} AS label, {_SUMS} FROM usage u JOIN generations g ON g.id = u.generation_id"
        " JOIN sessions s ON s.id = g.session_id WHERE u.at_ms >= :since AND u.at_ms < :until"
        " AND (:source IS NULL OR u.source = :source)"
    )
    if by:
        sql += " GROUP BY 1 ORDER BY 1"
    parameters = {"since": since_ms, "until": until_ms, "source": source, "shift_ms": shift_ms}
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [Totals(**dict(zip(names, found, strict=True))) for found in cursor.fetchall()]


def of_run(connection: Connection, run_id: int) -> list[UsageRow]:
    """What was booked for one run."""
    names = ", ".join(UsageRow.__struct_fields__)
    return rows(connection, UsageRow, f"SELECT {names} FROM usage WHERE run_id = ? ORDER BY id", (run_id,))


def per_minute(connection: Connection, since_ms: int, until_ms: int) -> list[int]:
    """Tokens of each minute from `since_ms` on; silent minutes are 0."""
    minutes = [0] * max(1, (until_ms - since_ms + 59_999) // 60_000)
    sql = (
        "SELECT (at_ms - ?) / 60000 AS minute,"
        " sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens)"
        " FROM usage WHERE at_ms >= ? AND at_ms < ? GROUP BY minute"
    )
    for minute, tokens in connection.execute(sql, (since_ms, since_ms, until_ms)):
        minutes[minute] = tokens
    return minutes
