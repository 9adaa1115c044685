"""What was each prompt made of, and what does a conversation hold of it already?"""

import msgspec
from msgspec import Struct

from state.database import Connection, row, rows

_ADMITTED = "r.state NOT IN ('waiting', 'refused') AND r.outcome IS NOT 'could_not_start'"


class Receipt(Struct, frozen=True):
    """What a run's prompt was made of."""

    run_id: int
    parts: str
    """JSON: each part without its text."""
    tokens: int
    chars: int
    decided: str = "{}"
    """JSON: which level decided each value of the route."""
    cache_break: str | None = None
    """JSON: where the prompt stopped being the one before it; None when it did not."""
    everything_tokens: int | None = None
    """What it would have had with everything injected; None where that was not asked."""


class _Part(Struct):
    kind: str
    source: str
    sha256: str
    sent: bool = True


_PARTS = msgspec.json.Decoder(list[_Part])


def store(tx: Connection, receipt: Receipt) -> None:
    """What is stored of this run already, while it waited, is replaced."""
    tx.execute(
        "INSERT OR REPLACE INTO receipts (run_id, parts, tokens, chars, decided, cache_break, everything_tokens)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        msgspec.structs.astuple(receipt),
    )


def of_run(connection: Connection, run_id: int) -> Receipt | None:
    return row(connection, Receipt, "SELECT * FROM receipts WHERE run_id = ?", (run_id,))


def in_session(connection: Connection, session_id: int, limit: int, before_run_id: int | None = None) -> list[Receipt]:
    """Of the admitted runs of a session, the newest first; of those before another run where one is named."""
    sql = (
        f"SELECT t.* FROM receipts t JOIN runs r ON r.id = t.run_id WHERE r.session_id = ? AND {_ADMITTED}"
        " AND (? IS NULL OR r.id < ?) ORDER BY r.id DESC LIMIT ?"
    )
    return rows(connection, Receipt, sql, (session_id, before_run_id, before_run_id, limit))


def last_in_session(connection: Connection, session_id: int, before_run_id: int | None = None) -> Receipt | None:
    """Of the newest admitted run of a session."""
    found = in_session(connection, session_id, 1, before_run_id)
    return found[0] if found else None


def sent_in_generation(connection: Connection, generation_id: int) -> set[tuple[str, str, str]]:
    """Kind, source and hash of what a conversation holds: all of the prompt before this one, sent then or held already.

    Only a run that took it in counts, one that succeeded or used up its budget: of others it is not known how much of
    it the conversation has, so what they were sent is sent again. Nor does an older version count: going back to it
    must be told.
    """
    sql = (
        "SELECT t.parts, r.outcome FROM receipts t JOIN runs r ON r.id = t.run_id WHERE r.generation_id = ?"
        " AND r.started_ms IS NOT NULL AND r.outcome IS NOT 'could_not_start' ORDER BY r.id DESC"
    )
    unsure: set[str] = set()
    for parts, outcome in connection.execute(sql, (generation_id,)):
        found = _PARTS.decode(parts)
        if outcome in ("succeeded", "budget_reached"):
            return {(part.kind, part.source, part.sha256) for part in found if part.kind not in unsure}
        unsure |= {part.kind for part in found if part.sent}
    return set()
