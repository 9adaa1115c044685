"""Which usage is that of our own runs? What a run told itself gives way to what its client's log tells.

A log may be behind, and an agent may tell of more than its log ever does: as claude-agent-acp of the calls by which it
finds titles, which are billed. Then what it told beyond its log stays, as much as that is by now.
"""

import msgspec
from msgspec import Struct

from state import rollups
from state.database import Connection
from state.usage import CONFIDENCES, INSERT, UsageRow

TELLS_MORE = ("acp",)
"""The adapters of such agents. Of others the log is all of it."""
_INFERRED = CONFIDENCES.index("inferred")


class Told(Struct, frozen=True):
    """Usage by its kinds, as a run told it or as its log does. Tokens; `input_tokens` is the uncached part only."""

    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_microusd: int | None
    """None: not known."""

    @property
    def kinds(self) -> tuple[int, int, int, int]:
        return self.input_tokens, self.cache_read_tokens, self.cache_write_tokens, self.output_tokens


def beyond(told: Told, logged: Told) -> Told | None:
    """What is left of what was told once the log has told its part: together they are as many tokens as the greater of
    both. None where that is the log."""
    more = sum(told.kinds) - sum(logged.kinds)
    if more <= 0:
        return None
    left = []
    for was, known in zip(told.kinds, logged.kinds, strict=True):
        left.append(min(max(was - known, 0), more))
        more -= left[-1]
    put_in, read, write, out = left
    return Told(put_in, read, write, out, _cost_beyond(told.cost_microusd, logged.cost_microusd))


def _cost_beyond(told: int | None, logged: int | None) -> int | None:
    """Tokens cost something: where the log's part is thought to cost all that was told, the rest is not known."""
    return told - logged if told is not None and logged is not None and told > logged else None


def has_runs(connection: Connection, generation_id: int) -> bool:
    """Whether we ever ran anything in this conversation."""
    found = connection.execute("SELECT 1 FROM runs WHERE generation_id = ? LIMIT 1", (generation_id,)).fetchone()
    return found is not None


def run_at(connection: Connection, generation_id: int, at_ms: int) -> int | None:
    """Our run in this conversation at that instant: what a client logged meanwhile is what the run used."""
    found = connection.execute(
        "SELECT id FROM runs WHERE generation_id = ? AND started_ms <= ? AND (ended_ms IS NULL OR ended_ms >= ?)"
        " ORDER BY id DESC LIMIT 1",
        (generation_id, at_ms, at_ms),
    ).fetchone()
    return found[0] if found else None


def provisional_key(run_id: int) -> str:
    """The key of what a run's own output told of its usage, while no log has told it."""
    return f"run:{run_id}"


def book_run(tx: Connection, row: UsageRow) -> None:
    """Book what a run's own output told, under its provisional key; it may be taken away again, so it has no hash.
    Beside a log that tells less, as far as that has not told it; all of it is kept in `raw`."""
    if row.run_id is not None and _may_tell_more(tx, row.run_id):
        told = Told(
            row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens, row.cost_microusd
        )
        left = _left(tx, row.run_id, told, row.confidence)
        if left is None:
            return
        row = row._replace(raw=msgspec.json.encode(told).decode(), **msgspec.structs.asdict(left))
    usage_id = tx.execute(INSERT, (None, *row)).lastrowid
    assert usage_id is not None, "it has just been inserted"
    rollups.take(tx, usage_id, 1)


def drop_provisional(tx: Connection, run_id: int) -> bool:
    """Take that row away again, now that the client's log tells, but for what that leaves out. Returns whether there
    was one."""
    found = tx.execute(
        f"SELECT id, {', '.join(UsageRow._fields)} FROM usage WHERE run_id = ? AND key = ?",
        (run_id, provisional_key(run_id)),
    ).fetchone()
    if found is None:
        return False
    usage_id, row = found[0], UsageRow(*found[1:])
    rollups.take(tx, usage_id, -1)
    tx.execute("DELETE FROM usage WHERE id = ?", (usage_id,))
    if row.raw is not None and _may_tell_more(tx, run_id):
        told = msgspec.json.decode(row.raw, type=Told)
        book_run(tx, row._replace(**msgspec.structs.asdict(told)))
    return True


def logged_tokens(connection: Connection, run_id: int) -> int | None:
    """Tokens that a client's log tells of a run, where that is all that it used; None when no log has, and of an agent
    that may tell of more."""
    logged = None if _may_tell_more(connection, run_id) else _logged(connection, run_id)
    return None if logged is None else sum(logged.kinds)


def _may_tell_more(connection: Connection, run_id: int) -> bool:
    """Whether what the run told may be more than its log tells by now: of some agents always, of others until the log
    has as many responses as the run had turns."""
    found = connection.execute(
        "SELECT adapter, turns, (SELECT count(*) FROM usage WHERE run_id = runs.id AND log_id IS NOT NULL)"
        " FROM runs WHERE id = ?",
        (run_id,),
    ).fetchone()
    return found is not None and (found[0] in TELLS_MORE or (found[1] is not None and found[2] < found[1]))


def _left(connection: Connection, run_id: int, told: Told, confidence: int) -> Told | None:
    """What of it is to be booked now: of an estimate, nothing beside a log."""
    logged = _logged(connection, run_id)
    if logged is None:
        return told
    return None if confidence == _INFERRED else beyond(told, logged)


def _logged(connection: Connection, run_id: int) -> Told | None:
    responses, put_in, read, write, out, cost, unpriced = connection.execute(
        "SELECT count(*), sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens),"
        " sum(cost_microusd), sum(cost_microusd IS NULL) FROM usage WHERE run_id = ? AND log_id IS NOT NULL",
        (run_id,),
    ).fetchone()
    return Told(put_in, read, write, out, None if unpriced else cost) if responses else None


def last_by_others_ms(connection: Connection, generation_id: int, since_ms: int) -> int | None:
    """When somebody else than a run of ours last used this conversation since then, as its log tells."""
    sql = (
        "SELECT max(at_ms) FROM usage WHERE generation_id = ? AND at_ms >= ? AND run_id IS NULL AND log_id IS NOT NULL"
    )
    found: int | None = connection.execute(sql, (generation_id, since_ms)).fetchone()[0]
    return found
