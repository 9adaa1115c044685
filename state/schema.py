"""Which tables are there? Numbered migrations: each runs once, in order, in one transaction of its own.

Times are milliseconds since the epoch, UTC. Tokens are integers. NULL means unknown, zero means zero.
"""

from collections.abc import Callable

from sqlite_utils import Database

from state import rollups, usage


def first_house(db: Database) -> None:
    """The tables of every room, thin."""
    _execute(db, _FIRST_HOUSE)


def trusted_numbers(db: Database) -> None:
    """Usage with its price and its roll-ups. Logs are read again, and what they told meets its old rows; what only we
    still have is kept."""
    db.conn.create_function("key_hash", 2, usage.key_hash)
    db.conn.create_function("provider_of", 2, _provider_of)
    db.conn.create_function("number_of", 2, lambda kind, word: _NUMBERED[kind].index(word))
    _execute(db, _TRUSTED_NUMBERS)
    rollups.add_sums(db.conn, 0)


def one_gate(db: Database) -> None:
    """Budgets in tokens and money with a ledger of entries, claims that say what they rest on, what waits for the
    operator, and what was allowed."""
    _execute(db, _ONE_GATE)


def real_agents(db: Database) -> None:
    """How a run's processes ended and what held them, programs that are kept over several turns, and what they ask."""
    _execute(db, _REAL_AGENTS)


_NUMBERED = {"basis": usage.BASES, "confidence": usage.CONFIDENCES}


def _provider_of(source: str, model: str) -> str:
    """Who served a model in the first house, which did not ask."""
    if source == "quarterdeck":
        return "local" if model.startswith("digest") else ""
    return {"claude_code": "anthropic", "codex": "openai"}.get(source, "")


def taken_back(db: Database) -> None:
    """Acts of the operator say which console they came from, and what kind of act takes them back."""
    _execute(db, _TAKEN_BACK)


def _execute(db: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    first_house,
    trusted_numbers,
    one_gate,
    real_agents,
    taken_back,
)
"""Number n is at index n - 1; the database's `user_version` is the number of the last one applied."""

_FIRST_HOUSE = """
CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, pid INTEGER NOT NULL,
    version TEXT NOT NULL, started_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, agent TEXT, lane TEXT NOT NULL, job TEXT, title TEXT,
    workspace TEXT, generation_id INTEGER, created_ms INTEGER NOT NULL, last_active_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_activity ON sessions (last_active_ms DESC);
CREATE INDEX sessions_by_owner ON sessions (agent, lane, job);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions (id), number INTEGER NOT NULL,
    source TEXT NOT NULL, provider_home TEXT NOT NULL, provider_id TEXT, model TEXT, workspace TEXT,
    reason TEXT NOT NULL, note TEXT, assignment TEXT, started_ms INTEGER NOT NULL, undone_ms INTEGER,
    read INTEGER NOT NULL DEFAULT 1, responses INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
    cache_read_tokens INTEGER NOT NULL DEFAULT 0, cache_write_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX generations_by_provider ON generations (source, provider_home, provider_id);
CREATE INDEX generations_by_session ON generations (session_id, number);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, order_id TEXT, session_id INTEGER REFERENCES sessions (id),
    generation_id INTEGER REFERENCES generations (id), agent TEXT NOT NULL, adapter TEXT NOT NULL, model TEXT,
    lane TEXT NOT NULL, trigger TEXT NOT NULL, task_type TEXT NOT NULL, job TEXT, slot_due_ms INTEGER,
    task TEXT NOT NULL, workspace TEXT NOT NULL, can_read TEXT NOT NULL, can_write TEXT NOT NULL, inject TEXT NOT NULL,
    timeout_s REAL, state TEXT NOT NULL, outcome TEXT, why TEXT, reused INTEGER, reuse_reason TEXT,
    estimate_tokens INTEGER NOT NULL, verdict TEXT NOT NULL, exit_code INTEGER, signal INTEGER, summary TEXT,
    requested_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER
) STRICT;
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_session ON runs (session_id, id);
CREATE INDEX runs_by_generation ON runs (generation_id);
CREATE INDEX runs_by_job ON runs (job, id);
CREATE TABLE receipts (
    run_id INTEGER PRIMARY KEY REFERENCES runs (id), parts TEXT NOT NULL,
    tokens INTEGER NOT NULL, chars INTEGER NOT NULL
) STRICT;
CREATE TABLE log_files (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL UNIQUE, device INTEGER NOT NULL,
    inode INTEGER NOT NULL, size INTEGER NOT NULL, offset INTEGER NOT NULL, head_hash TEXT NOT NULL,
    carry TEXT NOT NULL, lines INTEGER NOT NULL, refused TEXT NOT NULL, read_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE log_problems (path TEXT PRIMARY KEY, why TEXT NOT NULL, noted_ms INTEGER NOT NULL) STRICT;
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, generation_id INTEGER NOT NULL,
    run_id INTEGER, at_ms INTEGER NOT NULL, model TEXT, input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER, output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER,
    basis TEXT NOT NULL, confidence TEXT NOT NULL, log_id INTEGER, offset INTEGER
) STRICT;
CREATE UNIQUE INDEX usage_by_key ON usage (source, key);
CREATE INDEX usage_by_run ON usage (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX usage_by_time ON usage (at_ms);
CREATE INDEX usage_by_generation ON usage (generation_id, at_ms);
CREATE TABLE reservations (
    run_id INTEGER NOT NULL REFERENCES runs (id), budget TEXT NOT NULL, window_start_ms INTEGER NOT NULL,
    window_end_ms INTEGER NOT NULL, limit_tokens INTEGER NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL,
    overrun INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (run_id, budget)
) STRICT;
CREATE INDEX reservations_by_window ON reservations (budget, window_start_ms);
CREATE TABLE claims (
    run_id INTEGER NOT NULL REFERENCES runs (id), path TEXT NOT NULL, claimed_ms INTEGER NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT;
CREATE TABLE job_marks (
    job TEXT PRIMARY KEY, spec TEXT NOT NULL, anchor_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE slots (
    job TEXT NOT NULL, due_ms INTEGER NOT NULL, state TEXT NOT NULL, run_id INTEGER, reason TEXT,
    noted_ms INTEGER NOT NULL, PRIMARY KEY (job, due_ms)
) STRICT;
CREATE TABLE skills (
    path TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, origin TEXT NOT NULL,
    meta_tokens INTEGER NOT NULL, body_tokens INTEGER NOT NULL, sha256 TEXT NOT NULL, problem TEXT
) STRICT;
CREATE TABLE orders (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, ok INTEGER NOT NULL, answer TEXT NOT NULL
) STRICT;
CREATE TABLE journal (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, verb TEXT NOT NULL, subject TEXT NOT NULL, undo TEXT,
    undone_ms INTEGER
) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, run_id INTEGER,
    session_id INTEGER, job TEXT
) STRICT;
CREATE TABLE notices (
    key TEXT PRIMARY KEY, level TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
"""

_SUMS = """
    responses INTEGER NOT NULL, input_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL, cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL, unpriced INTEGER NOT NULL, partial INTEGER NOT NULL, inferred INTEGER NOT NULL"""

_ROLLUP = (
    "CREATE TABLE {} (at INTEGER NOT NULL, generation_id INTEGER NOT NULL, run_id INTEGER NOT NULL,"
    f" model_id INTEGER NOT NULL, {_SUMS}, PRIMARY KEY (at, generation_id, run_id, model_id)) STRICT, WITHOUT ROWID;\n"
)

_ADDED_TOTALS = "".join(
    f"ALTER TABLE generations ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0;\n"
    for name in (
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "cost_microusd",
        "unpriced",
        "partial",
        "inferred",
    )
)

_TRUSTED_NUMBERS = (
    """
ALTER TABLE usage RENAME TO old_usage;
DROP INDEX usage_by_key;
DROP INDEX usage_by_run;
DROP INDEX usage_by_time;
DROP INDEX usage_by_generation;
DROP TABLE log_files;
CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO sources (id, name) VALUES (1, 'quarterdeck'), (2, 'claude_code'), (3, 'codex'), (4, 'openclaw'),
    (5, 'gemini'), (6, 'opencode');
CREATE TABLE models (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, context_window INTEGER,
    declared_window INTEGER, matched TEXT, asked TEXT, UNIQUE (name, provider)
) STRICT;
CREATE TABLE prices (
    id INTEGER PRIMARY KEY, model_id INTEGER NOT NULL REFERENCES models (id), origin TEXT NOT NULL,
    price TEXT NOT NULL, noted_ms INTEGER NOT NULL, UNIQUE (model_id, origin, price)
) STRICT;
CREATE TABLE log_files (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL UNIQUE, device INTEGER NOT NULL,
    inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, offset INTEGER NOT NULL,
    head_hash TEXT NOT NULL, carry TEXT NOT NULL, lines INTEGER NOT NULL, refused TEXT NOT NULL,
    dropped TEXT NOT NULL, read_ms INTEGER NOT NULL, gone_ms INTEGER
) STRICT;
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, key_hash INTEGER, source_id INTEGER NOT NULL, key TEXT NOT NULL,
    generation_id INTEGER NOT NULL, run_id INTEGER, at_ms INTEGER NOT NULL, model_id INTEGER,
    input_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER, output_tokens INTEGER NOT NULL, reasoning_tokens INTEGER,
    basis INTEGER NOT NULL, confidence INTEGER NOT NULL, log_id INTEGER, offset INTEGER, factors TEXT, raw TEXT,
    price_id INTEGER, cost_microusd INTEGER
) STRICT;
CREATE UNIQUE INDEX usage_by_key ON usage (key_hash);
CREATE INDEX usage_by_run ON usage (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX usage_by_generation ON usage (generation_id, at_ms);
CREATE INDEX usage_unpriced ON usage (model_id) WHERE cost_microusd IS NULL;
CREATE TABLE copies (
    generation_id INTEGER NOT NULL, usage_id INTEGER NOT NULL, log_id INTEGER NOT NULL,
    PRIMARY KEY (generation_id, usage_id, log_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX copies_by_log ON copies (log_id);
CREATE TABLE client_totals (
    generation_id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cost_microusd INTEGER
) STRICT;
CREATE TABLE rate_limits (
    source TEXT NOT NULL, provider_home TEXT NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL,
    used_percent REAL NOT NULL, window_minutes INTEGER, resets_at_ms INTEGER, plan TEXT,
    PRIMARY KEY (source, provider_home, name)
) STRICT, WITHOUT ROWID;
ALTER TABLE generations ADD COLUMN forked_from TEXT;
ALTER TABLE generations ADD COLUMN context_tokens INTEGER;
ALTER TABLE generations ADD COLUMN context_window INTEGER;
ALTER TABLE runs ADD COLUMN task_session_reused INTEGER;
ALTER TABLE runs ADD COLUMN prompt_chars INTEGER;
ALTER TABLE runs ADD COLUMN instructions_chars INTEGER;
ALTER TABLE runs ADD COLUMN has_instructions_file INTEGER;
ALTER TABLE runs ADD COLUMN skill_set_hash TEXT;
ALTER TABLE runs ADD COLUMN skill_count INTEGER;
ALTER TABLE runs ADD COLUMN context_fetch_mode TEXT;
ALTER TABLE runs ADD COLUMN raw_usage TEXT;
"""
    + _ADDED_TOTALS
    + "".join(_ROLLUP.format(table) for table in ("usage_minutes", "usage_hours", "usage_days"))
    + """
INSERT INTO models (name, provider) SELECT DISTINCT model, provider_of(source, model) FROM old_usage
    WHERE model IS NOT NULL;
INSERT INTO usage (key_hash, source_id, key, generation_id, run_id, at_ms, model_id, input_tokens, cache_read_tokens,
    cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, basis,
    confidence, cost_microusd)
    SELECT iif(o.source = 'quarterdeck', NULL, key_hash(s.id, o.key)), s.id, o.key, o.generation_id, o.run_id, o.at_ms,
    m.id, o.input_tokens, o.cache_read_tokens, o.cache_write_tokens, o.cache_write_5m_tokens, o.cache_write_1h_tokens,
    o.output_tokens, o.reasoning_tokens, number_of('basis', o.basis), number_of('confidence', o.confidence),
    iif(m.provider = 'local', 0, NULL)
    FROM old_usage o JOIN sources s ON s.name = o.source
    LEFT JOIN models m ON m.name = o.model AND m.provider = provider_of(o.source, o.model);
UPDATE generations SET responses = 0, input_tokens = 0, cache_read_tokens = 0, cache_write_tokens = 0,
    output_tokens = 0;
DROP TABLE old_usage;
"""
)

_ADDED_TO_RUNS = "".join(
    f"ALTER TABLE runs ADD COLUMN {column};\n"
    for column in (
        "request TEXT",
        "template TEXT",
        "parent_run_id INTEGER",
        "depth INTEGER NOT NULL DEFAULT 0",
        "resumes_run_id INTEGER",
        "waits_for TEXT",
        "expires_ms INTEGER",
        "estimate TEXT",
        "likely_tokens INTEGER",
        "stop_reason TEXT",
        "used_tokens INTEGER NOT NULL DEFAULT 0",
        "used_microusd INTEGER NOT NULL DEFAULT 0",
        "unpriced INTEGER NOT NULL DEFAULT 0",
        "changes TEXT",
        "admitted_ms INTEGER",
        "told_tokens INTEGER NOT NULL DEFAULT 0",
        "told_microusd INTEGER NOT NULL DEFAULT 0",
    )
)

_ONE_GATE = (
    _ADDED_TO_RUNS
    + """
UPDATE runs SET admitted_ms = iif(state = 'refused', NULL, requested_ms),
    used_tokens = (SELECT
        coalesce(sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens + u.output_tokens), 0)
        FROM usage u WHERE u.run_id = runs.id),
    used_microusd = (SELECT coalesce(sum(u.cost_microusd), 0) FROM usage u WHERE u.run_id = runs.id),
    unpriced = (SELECT count(*) FROM usage u WHERE u.run_id = runs.id AND u.cost_microusd IS NULL);
CREATE INDEX runs_by_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX runs_by_kind ON runs (agent, task_type, id);
ALTER TABLE receipts ADD COLUMN decided TEXT NOT NULL DEFAULT '{}';
ALTER TABLE receipts ADD COLUMN cache_break TEXT;
ALTER TABLE receipts ADD COLUMN everything_tokens INTEGER;
CREATE TABLE skill_pins (
    name TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, text TEXT NOT NULL, allowed_ms INTEGER NOT NULL,
    PRIMARY KEY (name, path)
) STRICT, WITHOUT ROWID;
ALTER TABLE reservations RENAME TO old_reservations;
DROP INDEX reservations_by_window;
CREATE TABLE reservations (
    run_id INTEGER NOT NULL REFERENCES runs (id), budget TEXT NOT NULL, unit TEXT NOT NULL,
    admitted_ms INTEGER NOT NULL, limit_amount INTEGER NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL,
    overrun INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (run_id, budget, unit),
    CHECK (held >= 0 AND committed >= 0 AND overrun >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_open ON reservations (budget, unit, admitted_ms) WHERE state = 'open';
INSERT INTO reservations SELECT o.run_id, o.budget, 'tokens', n.requested_ms, o.limit_tokens, o.held, o.committed,
    o.overrun + iif(o.state = 'settled', max(0, n.used_tokens - o.committed - o.overrun), 0), o.state
    FROM old_reservations o JOIN runs n ON n.id = o.run_id;
DROP TABLE old_reservations;
CREATE TABLE ledger_entries (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, run_id INTEGER NOT NULL, budget TEXT NOT NULL, unit TEXT NOT NULL,
    kind TEXT NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL, overrun INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_entries_by_run ON ledger_entries (run_id);
INSERT INTO ledger_entries (at_ms, run_id, budget, unit, kind, held, committed, overrun)
    SELECT admitted_ms, run_id, budget, unit, 'carried', held, committed, overrun FROM reservations;
CREATE TABLE budget_sums (
    budget TEXT NOT NULL, unit TEXT NOT NULL, at INTEGER NOT NULL, held INTEGER NOT NULL, committed INTEGER NOT NULL,
    overrun INTEGER NOT NULL, PRIMARY KEY (budget, unit, at)
) STRICT, WITHOUT ROWID;
INSERT INTO budget_sums SELECT budget, unit, admitted_ms / 900000, sum(held), sum(committed), sum(overrun)
    FROM reservations GROUP BY 1, 2, 3;
CREATE TABLE approvals (
    id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs (id), what TEXT NOT NULL, sha256 TEXT NOT NULL,
    asked_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, state TEXT NOT NULL, decided_ms INTEGER
) STRICT;
CREATE INDEX approvals_open ON approvals (state) WHERE state = 'open';
CREATE TABLE grants (
    id INTEGER PRIMARY KEY, approval_id INTEGER NOT NULL REFERENCES approvals (id), budget TEXT NOT NULL,
    unit TEXT NOT NULL, window_start_ms INTEGER NOT NULL, window_end_ms INTEGER NOT NULL, run_id INTEGER,
    amount INTEGER NOT NULL, granted_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_by_budget ON grants (budget, unit, window_start_ms);
ALTER TABLE claims RENAME TO old_claims;
CREATE TABLE claims (
    token INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL REFERENCES runs (id), mode TEXT NOT NULL,
    workspace TEXT NOT NULL, patterns TEXT NOT NULL, resolved TEXT, claimed_ms INTEGER NOT NULL,
    released_ms INTEGER
) STRICT;
CREATE INDEX claims_live ON claims (run_id) WHERE released_ms IS NULL;
INSERT INTO claims (run_id, mode, workspace, patterns, claimed_ms)
    SELECT o.run_id, 'w', n.workspace, json_group_array(o.path), min(o.claimed_ms)
    FROM old_claims o JOIN runs n ON n.id = o.run_id GROUP BY o.run_id;
DROP TABLE old_claims;
"""
)

_REAL_AGENTS = """
ALTER TABLE runs ADD COLUMN route TEXT;
ALTER TABLE runs ADD COLUMN end_record TEXT;
ALTER TABLE runs ADD COLUMN sandbox TEXT;
ALTER TABLE runs ADD COLUMN turns INTEGER;
ALTER TABLE runs ADD COLUMN falls_back_from INTEGER;
ALTER TABLE runs ADD COLUMN client_id INTEGER;
CREATE INDEX runs_by_fallback ON runs (falls_back_from) WHERE falls_back_from IS NOT NULL;
ALTER TABLE approvals ADD COLUMN kind TEXT NOT NULL DEFAULT 'budget';
ALTER TABLE approvals ADD COLUMN request_id TEXT;
CREATE TABLE clients (
    id INTEGER PRIMARY KEY, generation_id INTEGER NOT NULL REFERENCES generations (id), spec TEXT NOT NULL,
    started_ms INTEGER NOT NULL, offset INTEGER NOT NULL, ended_ms INTEGER
) STRICT;
CREATE INDEX clients_live ON clients (generation_id) WHERE ended_ms IS NULL;
"""

_TAKEN_BACK = """
ALTER TABLE journal ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
UPDATE journal SET undo = json_set(undo, '$.type', 'reset') WHERE undo IS NOT NULL AND verb = 'reset';
CREATE INDEX journal_standing ON journal (id) WHERE undo IS NOT NULL AND undone_ms IS NULL;
"""
