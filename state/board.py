"""What does the sessions pane list? Every session with its spend, its context and its live run, in one query."""

from msgspec import Struct

from state.database import Connection, rows
from state.rollups import MINUTE_MS


class BoardRow(Struct, frozen=True):
    """A session as the sessions pane shows it. Tokens are sums over all of its generations."""

    id: int
    source: str
    agent: str | None
    lane: str
    job: str | None
    title: str | None
    workspace: str | None
    last_active_ms: int
    generation: int
    generation_reason: str
    model: str | None
    read: int
    """0 while its log is only known by name: then its figures are unknown, not zero."""
    responses: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_microusd: int
    """Of the responses that have a price."""
    unpriced: int
    """Responses without one."""
    context_tokens: int | None
    """What the last main response of its generation had in its context."""
    context_window: int | None
    """The model's window in tokens, from the log or else from the price list."""
    window_from: str | None
    """Where that comes from: `log`, `config` or `prices`."""
    recent_tokens: int
    """Tokens of the last hour."""
    live_run_id: int | None
    live_trigger: str | None
    last_run_id: int | None
    last_outcome: str | None
    last_reuse: str | None
    fresh: int = 0
    """1 while its generation waits for the run that begins it."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.output_tokens


_BOARD = """
SELECT s.id, s.source, s.agent, s.lane, s.job, s.title, s.workspace, s.last_active_ms,
    g.number AS generation, g.reason AS generation_reason, coalesce(g.model, last.model) AS model, g.read,
    total.responses, total.input_tokens, total.cache_read_tokens, total.cache_write_tokens, total.output_tokens,
    total.cost_microusd, total.unpriced, g.context_tokens,
    coalesce(g.context_window, price.declared, price.context_window) AS context_window,
    CASE WHEN g.context_window IS NOT NULL THEN 'log' WHEN price.declared IS NOT NULL THEN 'config'
        WHEN price.context_window IS NOT NULL THEN 'prices' END AS window_from,
    coalesce(recent.tokens, 0) AS recent_tokens,
    live.id AS live_run_id, live.trigger AS live_trigger,
    last.id AS last_run_id, last.outcome AS last_outcome, last.reuse_reason AS last_reuse,
    g.provider_id IS NULL AS fresh
FROM (SELECT * FROM sessions ORDER BY last_active_ms DESC, id DESC LIMIT ?) s
JOIN generations g ON g.id = s.generation_id
JOIN (SELECT session_id, sum(responses) AS responses, sum(input_tokens) AS input_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
        sum(output_tokens) AS output_tokens, sum(cost_microusd) AS cost_microusd, sum(unpriced) AS unpriced
        FROM generations GROUP BY session_id) total ON total.session_id = s.id
LEFT JOIN (SELECT ug.session_id, sum(m.input_tokens + m.cache_read_tokens + m.cache_write_tokens + m.output_tokens)
        AS tokens FROM usage_minutes m JOIN generations ug ON ug.id = m.generation_id WHERE m.at >= ?
        GROUP BY ug.session_id) recent ON recent.session_id = s.id
LEFT JOIN (SELECT name, max(declared_window) AS declared, max(context_window) AS context_window FROM models
        GROUP BY name) price ON price.name = g.model
LEFT JOIN (SELECT session_id, max(id) AS last_id, max(iif(state IN ('reserved', 'starting', 'running', 'ending'), id,
        NULL)) AS live_id FROM runs GROUP BY session_id) ran ON ran.session_id = s.id
LEFT JOIN runs last ON last.id = ran.last_id
LEFT JOIN runs live ON live.id = ran.live_id
ORDER BY s.last_active_ms DESC, s.id DESC
"""


def board(connection: Connection, recent_since_ms: int, limit: int = 2000) -> list[BoardRow]:
    """The newest sessions first, each with its spend and its live run. `recent_since_ms` counts from its minute on."""
    return rows(connection, BoardRow, _BOARD, (limit, recent_since_ms // MINUTE_MS))
