"""Which runs were asked for, and what became of each?

A run goes `waiting -> reserved -> starting -> running -> ending -> settled`, or ends `refused`, before anything is
spent. What waits holds neither claims nor reservations.
"""

from typing import Any

from msgspec import Struct

from state.database import Connection, insert, row, rows
from state.errors import NotFound


class Run(Struct, frozen=True):
    """One invocation, from admission to settlement. Lists and the verdict are JSON."""

    id: int
    order_id: str | None
    session_id: int | None
    generation_id: int | None
    agent: str
    adapter: str
    model: str | None
    lane: str
    trigger: str
    task_type: str
    job: str | None
    slot_due_ms: int | None
    task: str
    workspace: str
    can_read: str
    can_write: str
    inject: str
    timeout_s: float | None
    state: str
    outcome: str | None
    why: str | None
    reused: int | None
    reuse_reason: str | None
    estimate_tokens: int
    verdict: str
    exit_code: int | None
    signal: int | None
    summary: str | None
    requested_ms: int
    started_ms: int | None
    ended_ms: int | None
    task_session_reused: int | None
    """Whether the conversation was resumed for the same task; None until tasks are known."""
    prompt_chars: int | None
    instructions_chars: int | None
    has_instructions_file: int | None
    skill_set_hash: str | None
    """Of the names and contents of the skills that the prompt offered; None without any."""
    skill_count: int | None
    context_fetch_mode: str | None
    """`full`, `delta` or `summary`; None until context is fetched."""
    raw_usage: str | None
    """What the agent itself reported, as JSON."""
    request: str | None
    """What was asked for, as JSON: how it is asked for again."""
    template: str | None
    parent_run_id: int | None
    """The run that asked for this one."""
    depth: int
    resumes_run_id: int | None
    """The run that met its budget and that this one goes on with."""
    waits_for: str | None
    """`approval`, `budget`, `claim` or `slot` while it waits."""
    expires_ms: int | None
    """When waiting is over."""
    estimate: str | None
    """What it was expected to use, as JSON."""
    likely_tokens: int | None
    stop_reason: str | None
    """Why we ended it, as JSON, when we did."""
    used_tokens: int
    """Of its responses as booked so far; with their price and how many have none."""
    used_microusd: int
    unpriced: int
    changes: str | None
    """What it changed in its workspace, as JSON, judged against its scope."""
    admitted_ms: int | None
    """When it was reserved: what it uses belongs to the budget windows of this instant."""
    told_tokens: int
    """What it told while it was live, beyond what was held for it; until it is settled that takes room."""
    told_microusd: int
    route: str | None
    """What the request amounted to, as JSON."""
    end_record: str | None
    """How its processes ended, as JSON."""
    sandbox: str | None
    """What holds it to its scope: `landlock(7)`, `bwrap`, `advisory`, `off`."""
    turns: int | None
    """How often it asked its model, where that is told."""
    falls_back_from: int | None
    """The run whose model could not be reached and that this one does again."""
    client_id: int | None
    """The held program in which it was a turn; None: it had one of its own."""

    @property
    def live(self) -> bool:
        return self.state not in ("settled", "refused", "waiting")

    @property
    def open(self) -> bool:
        """Whether anything may still become of it."""
        return self.state not in ("settled", "refused")


def add(tx: Connection, values: dict[str, Any]) -> int:
    """Record a run as it leaves the gate: `reserved`, or `refused`. Returns its id."""
    return insert(tx, "runs", values)


def set_order(tx: Connection, run_id: int, order_id: str) -> None:
    """Which order asked for it."""
    tx.execute("UPDATE runs SET order_id = ? WHERE id = ?", (order_id, run_id))


def get(connection: Connection, run_id: int) -> Run:
    """Raises NotFound."""
    found = row(connection, Run, "SELECT * FROM runs WHERE id = ?", (run_id,))
    if found is None:
        raise NotFound(f"there is no run {run_id}", "see: qd run list")
    return found


def live(connection: Connection) -> list[Run]:
    """Every run that is admitted and not settled."""
    return rows(connection, Run, "SELECT * FROM runs WHERE state IN ('reserved', 'starting', 'running', 'ending')")


def newest_of_job(connection: Connection, job: str) -> int | None:
    """The id of its last run; None before the first."""
    found: int | None = connection.execute("SELECT max(id) FROM runs WHERE job = ?", (job,)).fetchone()[0]
    return found


def unfinished(connection: Connection) -> list[Run]:
    """Every run of which anything may still become: live ones and those that wait."""
    return [*live(connection), *waiting(connection)]


class Place(Struct, frozen=True):
    """Where a live run is: whose, and in which conversation."""

    id: int
    agent: str
    session_id: int | None


def places(connection: Connection) -> list[Place]:
    """Of every live run: without all that a verdict need not read."""
    sql = "SELECT id, agent, session_id FROM runs WHERE state IN ('reserved', 'starting', 'running', 'ending')"
    return rows(connection, Place, sql)


def waiting(connection: Connection) -> list[Run]:
    """Every run that cannot start yet, oldest first."""
    return rows(connection, Run, "SELECT * FROM runs WHERE state = 'waiting' ORDER BY id")


def children(connection: Connection, run_id: int) -> int:
    """How many runs this one has asked for and got, however often each of them went on."""
    sql = "SELECT count(*) FROM runs WHERE parent_run_id = ? AND state != 'refused' AND resumes_run_id IS NULL"
    return int(connection.execute(sql, (run_id,)).fetchone()[0])


def resumption(connection: Connection, run_id: int) -> Run | None:
    """The newest run that goes on, or waits to go on, with this one."""
    return row(connection, Run, "SELECT * FROM runs WHERE resumes_run_id = ? ORDER BY id DESC LIMIT 1", (run_id,))


def update(tx: Connection, run_id: int, values: dict[str, Any]) -> None:
    """Set some columns of a run."""
    names = ", ".join(f"{name} = ?" for name in values)
    tx.execute(f"UPDATE runs SET {names} WHERE id = ?", (*values.values(), run_id))


def latest(connection: Connection, limit: int, session_id: int | None = None) -> list[Run]:
    """The newest first, of one session or of all."""
    if session_id is None:
        return rows(connection, Run, "SELECT * FROM runs ORDER BY id DESC LIMIT ?", (limit,))
    return rows(
        connection, Run, "SELECT * FROM runs WHERE session_id = ? ORDER BY id DESC LIMIT ?", (session_id, limit)
    )


def last_in_session(connection: Connection, session_id: int) -> Run | None:
    """The newest run in a session that really ran."""
    sql = "SELECT * FROM runs WHERE session_id = ? AND state NOT IN ('refused', 'waiting')"
    sql += " ORDER BY id DESC LIMIT 1"
    return row(connection, Run, sql, (session_id,))


def mean_tokens(connection: Connection, job: str) -> int | None:
    """Mean tokens of a job's last ten settled runs; None before the first."""
    sql = (
        "SELECT avg(tokens) FROM (SELECT sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens"
        " + u.output_tokens) AS tokens FROM runs r JOIN usage u ON u.run_id = r.id"
        " WHERE r.job = ? AND r.state = 'settled' GROUP BY r.id ORDER BY r.id DESC LIMIT 10)"
    )
    found = connection.execute(sql, (job,)).fetchone()[0]
    return None if found is None else round(found)


def used(connection: Connection, generation_id: int) -> bool:
    """Whether any run has used this generation."""
    return connection.execute("SELECT 1 FROM runs WHERE generation_id = ?", (generation_id,)).fetchone() is not None


def mark_started(tx: Connection, run_id: int, at_ms: int) -> None:
    tx.execute("UPDATE runs SET state = 'running', started_ms = ? WHERE id = ?", (at_ms, run_id))


def mark_starting(tx: Connection, run_id: int) -> None:
    """From here on a keeper may exist: after a crash its folder must be looked at."""
    tx.execute("UPDATE runs SET state = 'starting' WHERE id = ?", (run_id,))


def move_to_generation(tx: Connection, run_id: int, generation_id: int, reuse_reason: str) -> None:
    """The run goes on in another generation than the one it was admitted to: it is not a resumed one any more."""
    tx.execute(
        "UPDATE runs SET generation_id = ?, reused = 0, reuse_reason = ? WHERE id = ?",
        (generation_id, reuse_reason, run_id),
    )


def settle(
    tx: Connection,
    run_id: int,
    *,
    outcome: str,
    why: str,
    exit_code: int | None,
    signal: int | None,
    summary: str,
    ended_ms: int,
) -> None:
    """The last state of a run: how it ended, and the first line of what it said."""
    tx.execute(
        "UPDATE runs SET state = 'settled', outcome = ?, why = ?, exit_code = ?, signal = ?, summary = ?, ended_ms = ?"
        " WHERE id = ?",
        (outcome, why, exit_code, signal, summary, ended_ms, run_id),
    )


def note_raw_usage(tx: Connection, run_id: int, raw: str | None) -> None:
    """What the agent itself reported, as JSON."""
    tx.execute("UPDATE runs SET raw_usage = ? WHERE id = ?", (raw, run_id))


def beside(connection: Connection, workspace: str, run_id: int, since_ms: int, until_ms: int) -> list[Place]:
    """Other runs that were live at any time of a span, in this folder, above or below it."""
    sql = (
        "SELECT id, agent, session_id FROM runs WHERE id != ? AND started_ms IS NOT NULL AND started_ms <= ?"
        " AND (ended_ms IS NULL OR ended_ms >= ?) AND (workspace = ?"
        " OR substr(? || '/', 1, length(workspace) + 1) = workspace || '/'"
        " OR substr(workspace || '/', 1, length(?) + 1) = ? || '/') ORDER BY id"
    )
    return rows(connection, Place, sql, (run_id, until_ms, since_ms, workspace, workspace, workspace, workspace))


def not_gone_on(connection: Connection, since_ms: int) -> list[Run]:
    """Every run that met its budget since then and that nobody has asked to go on."""
    sql = "SELECT * FROM runs WHERE state = 'settled' AND outcome = 'budget_reached' AND ended_ms >= ?"
    sql += " AND NOT EXISTS (SELECT 1 FROM runs later WHERE later.resumes_run_id = runs.id) ORDER BY id"
    return rows(connection, Run, sql, (since_ms,))
