"""Which conversations are there, and which generation does each one stand in?

A generation is one provider conversation, identified by (source, provider home, provider id). A session is the row of
generations that an operator thinks of as one; managed or observed is a property of its runs, not of the session.
"""

from msgspec import Struct

from state import moving
from state.database import Connection, insert, row, rows
from state.errors import NotFound

OURS = "quarterdeck"
"""The source of sessions whose conversation we keep ourselves."""


class Session(Struct, frozen=True):
    """A conversation that can be resumed."""

    id: int
    source: str
    agent: str | None
    """The declared agent that runs in it; None for one only ever observed."""
    lane: str
    job: str | None
    title: str | None
    workspace: str | None
    generation_id: int | None
    """The generation it stands in."""
    created_ms: int
    last_active_ms: int


class Generation(Struct, frozen=True):
    """One provider conversation within a session, with what it has used so far (tokens)."""

    id: int
    session_id: int
    number: int
    source: str
    provider_home: str
    provider_id: str | None
    """None until the provider has been asked for the first time."""
    model: str | None
    workspace: str | None
    reason: str
    """Why it was started: `first_run`, `operator_reset`, `isolated_lane`, `observed`, ..."""
    note: str | None
    """What the operator gave as the reason."""
    assignment: str | None
    """What the conversation is about, where that is declared; another one starts afresh."""
    started_ms: int
    undone_ms: int | None
    read: int
    """0 while its log is only known by name: then its figures are unknown, not zero."""
    responses: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    cost_microusd: int
    """Of the responses that have a price."""
    unpriced: int
    """Responses without one."""
    partial: int
    inferred: int
    forked_from: str | None
    """The provider id of the conversation that it continues a copy of, where the log tells."""
    context_tokens: int | None
    """What the last main response had in its context."""
    context_window: int | None
    """The model's window, where the log tells it."""


def count(connection: Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return found


def observed_in(connection: Connection, workspace: str, since_ms: int) -> list[Session]:
    """Sessions that are not ours, work in this folder, above or below it, and were active since then."""
    sql = (
        "SELECT * FROM sessions WHERE agent IS NULL AND last_active_ms >= ? AND workspace IS NOT NULL"
        " AND (workspace = ? OR substr(? || '/', 1, length(workspace) + 1) = workspace || '/'"
        " OR substr(workspace || '/', 1, length(?) + 1) = ? || '/')"
    )
    return rows(connection, Session, sql, (since_ms, workspace, workspace, workspace, workspace))


def workspaces(connection: Connection, limit: int = 200) -> list[str]:
    """The folders that sessions work in, most recently used first."""
    sql = "SELECT workspace FROM sessions WHERE workspace IS NOT NULL GROUP BY 1 ORDER BY max(last_active_ms) DESC"
    return [found[0] for found in connection.execute(f"{sql} LIMIT ?", (limit,))]


def get(connection: Connection, session_id: int) -> Session:
    """Raises NotFound."""
    found = row(connection, Session, "SELECT * FROM sessions WHERE id = ?", (session_id,))
    if found is None:
        raise NotFound(f"there is no session {session_id}", "see: qd sessions")
    return found


def generation(connection: Connection, generation_id: int) -> Generation:
    found = row(connection, Generation, "SELECT * FROM generations WHERE id = ?", (generation_id,))
    if found is None:
        raise NotFound(f"there is no generation {generation_id}")
    return found


def generations(connection: Connection, session_id: int) -> list[Generation]:
    """All of them, undone ones too, oldest first."""
    return rows(connection, Generation, "SELECT * FROM generations WHERE session_id = ? ORDER BY id", (session_id,))


def owned(connection: Connection, agent: str, lane: str, job: str | None) -> Session | None:
    """The session in which this agent works in this lane, for this job or for none."""
    sql = "SELECT * FROM sessions WHERE agent = ? AND lane = ? AND job IS ? ORDER BY id DESC LIMIT 1"
    return row(connection, Session, sql, (agent, lane, job))


def open_session(
    tx: Connection, *, agent: str, lane: str, job: str | None, title: str | None, workspace: str, at_ms: int
) -> int:
    """A new session of ours, still without a generation."""
    return insert(
        tx,
        "sessions",
        {
            "source": OURS,
            "agent": agent,
            "lane": lane,
            "job": job,
            "title": title,
            "workspace": workspace,
            "created_ms": at_ms,
            "last_active_ms": at_ms,
        },
    )


def start_generation(
    tx: Connection,
    session_id: int,
    *,
    source: str,
    provider_home: str,
    provider_id: str | None,
    model: str | None,
    workspace: str | None,
    reason: str,
    note: str | None,
    at_ms: int,
) -> int:
    """Start the session's next generation and make it the one that it stands in. Nothing old is touched."""
    number = tx.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM generations WHERE session_id = ? AND undone_ms IS NULL", (session_id,)
    ).fetchone()[0]
    generation_id = insert(
        tx,
        "generations",
        {
            "session_id": session_id,
            "number": number,
            "source": source,
            "provider_home": provider_home,
            "provider_id": provider_id,
            "model": model,
            "workspace": workspace,
            "reason": reason,
            "note": note,
            "started_ms": at_ms,
        },
    )
    tx.execute("UPDATE sessions SET generation_id = ? WHERE id = ?", (generation_id, session_id))
    return generation_id


def set_conversation(
    tx: Connection, generation_id: int, *, provider_id: str, model: str | None, workspace: str, assignment: str | None
) -> None:
    """Note what the provider calls this generation, and for what it was first used."""
    tx.execute(
        "UPDATE generations SET provider_id = ?, model = ?, workspace = ?, assignment = ? WHERE id = ?",
        (provider_id, model, workspace, assignment, generation_id),
    )


def undo_generation(tx: Connection, generation_id: int, back_to: int, at_ms: int) -> None:
    """Let the session stand in `back_to` again. The undone generation stays on record."""
    tx.execute("UPDATE generations SET undone_ms = ? WHERE id = ?", (at_ms, generation_id))
    tx.execute("UPDATE sessions SET generation_id = ? WHERE generation_id = ?", (back_to, generation_id))


def touch(tx: Connection, session_id: int, at_ms: int) -> None:
    tx.execute("UPDATE sessions SET last_active_ms = max(last_active_ms, ?) WHERE id = ?", (at_ms, session_id))


def _ours(tx: Connection, provider_id: str) -> tuple[int, int, int] | None:
    """The generation that we started with this id: a client that keeps a log of it under the same tells of that one."""
    sql = "SELECT id, session_id, read FROM generations WHERE source = ? AND provider_id = ? AND undone_ms IS NULL"
    found: tuple[int, int, int] | None = tx.execute(sql, (OURS, provider_id)).fetchone()
    return found


def observe(
    tx: Connection,
    *,
    source: str,
    provider_home: str,
    provider_id: str,
    last_active_ms: int,
    started_ms: int | None,
    workspace: str | None,
    title: str | None,
    model: str | None,
    forked_from: str | None = None,
    context_tokens: int | None = None,
    context_window: int | None = None,
    by_name: bool = False,
) -> int:
    """Note a conversation seen in a client's logs; returns its generation. Known facts are not forgotten.

    `by_name`: only the file's name and date are known yet. What its rows say replaces that date, since copying a log
    makes it look young.
    """
    sql = "SELECT id, session_id, read FROM generations WHERE source = ? AND provider_home = ? AND provider_id = ?"
    found = tx.execute(sql, (source, provider_home, provider_id)).fetchone() or _ours(tx, provider_id)
    if found is None:
        session_id = insert(
            tx,
            "sessions",
            {
                "source": source,
                "lane": "main",
                "title": title,
                "workspace": workspace,
                "created_ms": started_ms or last_active_ms,
                "last_active_ms": last_active_ms,
            },
        )
        generation_id = start_generation(
            tx,
            session_id,
            source=source,
            provider_home=provider_home,
            provider_id=provider_id,
            model=model,
            workspace=workspace,
            reason="observed",
            note=None,
            at_ms=started_ms or last_active_ms,
        )
        tx.execute(
            "UPDATE generations SET read = ?, forked_from = ?, context_tokens = ?, context_window = ? WHERE id = ?",
            (int(not by_name), forked_from, context_tokens, context_window, generation_id),
        )
        return generation_id
    generation_id, session_id, read = found
    if not by_name:
        _learn(
            tx,
            generation_id,
            session_id,
            bool(read),
            last_active_ms=last_active_ms,
            started_ms=started_ms,
            workspace=workspace,
            title=title,
            model=model,
            forked_from=forked_from,
            context_tokens=context_tokens,
            context_window=context_window,
        )
    return int(generation_id)


def _learn(
    tx: Connection,
    generation_id: int,
    session_id: int,
    read: bool,
    *,
    last_active_ms: int,
    started_ms: int | None,
    workspace: str | None,
    title: str | None,
    model: str | None,
    forked_from: str | None,
    context_tokens: int | None,
    context_window: int | None,
) -> None:
    """What a log tells of a conversation that is known; `read`: its rows had told of it before."""
    tx.execute(
        "UPDATE sessions SET last_active_ms = CASE WHEN ? THEN max(last_active_ms, ?) ELSE ? END,"
        " title = coalesce(title, ?), workspace = coalesce(workspace, ?), created_ms = min(created_ms, ?)"
        " WHERE id = ?",
        (read, last_active_ms, last_active_ms, title, workspace, started_ms or last_active_ms, session_id),
    )
    tx.execute(
        "UPDATE generations SET model = coalesce(?, model), workspace = coalesce(workspace, ?), read = 1,"
        " started_ms = iif(reason = 'observed', min(started_ms, ?), started_ms),"
        " forked_from = coalesce(forked_from, ?), context_tokens = coalesce(?, context_tokens),"
        " context_window = coalesce(?, context_window) WHERE id = ?",
        (
            model,
            workspace,
            started_ms or last_active_ms,
            forked_from,
            context_tokens,
            context_window,
            generation_id,
        ),
    )


def take_over(tx: Connection, generation_id: int, source: str, provider_home: str, provider_id: str) -> None:
    """Note the id that a provider has chosen for the conversation of our generation.

    `source`: whose logs tell of it, `OURS` when nobody knows. When its client's log was read before that was known,
    what has been observed under this id becomes our generation's, as if it had always been. Where another generation of
    ours has this id already, it stays that one's.
    """
    ours = generation(tx, generation_id)
    named = "SELECT id FROM generations WHERE source = ? AND provider_home = ? AND provider_id = ? AND id != ?"
    if tx.execute(named, (ours.source, ours.provider_home, provider_id, generation_id)).fetchone() is not None:
        return
    observed = tx.execute(named, (source, provider_home, provider_id, generation_id)).fetchone()
    if observed is None and source == OURS:  # a program of a protocol, which may keep a log all the same
        anyone = "SELECT id FROM generations WHERE source != ? AND provider_id = ? AND id != ?"
        observed = tx.execute(anyone, (OURS, provider_id, generation_id)).fetchone()
    if observed is not None:
        _merge(tx, generation(tx, observed[0]), ours)
    tx.execute("UPDATE generations SET provider_id = ? WHERE id = ?", (provider_id, generation_id))


def _merge(tx: Connection, observed: Generation, ours: Generation) -> None:
    """All that is known of an observed conversation becomes our generation's; nothing of the other is left."""
    session = get(tx, observed.session_id)
    if observed.read:
        _learn(
            tx,
            ours.id,
            ours.session_id,
            bool(ours.read),
            last_active_ms=session.last_active_ms,
            started_ms=observed.started_ms,
            workspace=observed.workspace,
            title=session.title,
            model=observed.model,
            forked_from=observed.forked_from,
            context_tokens=observed.context_tokens,
            context_window=observed.context_window,
        )
    for table in ("runs", "clients"):
        tx.execute(f"UPDATE {table} SET generation_id = ? WHERE generation_id = ?", (ours.id, observed.id))
    moving.move(tx, observed.id, ours.id)
    tx.execute("DELETE FROM generations WHERE id = ?", (observed.id,))
    if not generations(tx, session.id):
        for table in ("runs", "events"):
            tx.execute(f"UPDATE {table} SET session_id = ? WHERE session_id = ?", (ours.session_id, session.id))
        tx.execute("DELETE FROM sessions WHERE id = ?", (session.id,))
