"""What did earlier runs use, beside what was counted and expected before they began?

Only what was reported teaches: a run that was settled at its estimate would confirm whatever was expected of it.
Usage is summed from the responses themselves, so that late entries and prices count as soon as they are booked.
"""

from msgspec import Struct
from msgspec.structs import replace

from state.database import Connection, rows
from state.usage import BASES

SEARCHED = 4
"""For each run that is wanted so many of its kind are looked at: an agent that always fails costs no long search."""

POINTS_SEARCHED = 10
"""The same for first requests, which are searched among the runs of all agents."""

_ESTIMATED = BASES.index("estimated")


class PastRun(Struct, frozen=True):
    """What one run was given, what was expected of it and what it used. Tokens of all kinds; micro-dollars."""

    run_id: int
    prompt_tokens: int
    """As counted by us, of what was sent."""
    used_tokens: int
    used_microusd: int | None
    """None when any of its responses has no price."""
    responses: int
    """1 where only a total for the whole run is known."""
    output_tokens: int
    first_input_tokens: int | None
    """Input, cache reads and writes of its first response; None where only a total for the whole run is known."""
    fresh: bool
    """False when it resumed a conversation, or when that is not known."""
    likely_tokens: int | None
    """What was expected of it by its history; None when that was only declared: it says nothing of estimates like
    these."""
    basis_real: bool
    """False when its usage is itself an estimate: such a run teaches nothing."""


class FirstRequest(Struct, frozen=True):
    """The first request of a fresh run: nothing but our prompt, and what is always sent beside it."""

    agent: str
    task_type: str
    """With the agent: of one kind of run, for which the same is sent beside the prompt."""
    counted_tokens: int
    """Our prompt, as counted by us."""
    reported_tokens: int
    """Input, cache reads and writes, as the provider reports them."""


_TOKENS = "{0}.input_tokens + {0}.cache_read_tokens + {0}.cache_write_tokens"

_FIRST_INPUT = (
    f"(SELECT iif(f.log_id IS NULL, NULL, {_TOKENS.format('f')}) FROM usage f WHERE f.run_id = r.id"
    " ORDER BY f.at_ms, f.id LIMIT 1)"
)
"""Of the first response by time. What a run's own output told is a total for all of its requests, and has no log."""

_IS_REAL = f"min(u.basis <> {_ESTIMATED})"

_PAST_RUNS = (
    f"SELECT r.id AS run_id, c.tokens AS prompt_tokens, sum({_TOKENS.format('u')} + u.output_tokens) AS used_tokens,"
    " iif(count(u.cost_microusd) = count(*), sum(u.cost_microusd), NULL) AS used_microusd,"
    f" count(*) AS responses, sum(u.output_tokens) AS output_tokens, {_FIRST_INPUT} AS first_input_tokens,"
    " r.reused IS 0 AS fresh, iif(ifnull(json_extract(r.estimate, '$.basis'), 'history') = 'history', r.likely_tokens,"
    f" NULL) AS likely_tokens, {_IS_REAL} AS basis_real"
    " FROM runs r CROSS JOIN receipts c ON c.run_id = r.id CROSS JOIN usage u ON u.run_id = r.id"
    " WHERE r.agent = ?1 AND r.task_type = ?2 AND r.id >= (SELECT min(id) FROM"
    " (SELECT id FROM runs WHERE agent = ?1 AND task_type = ?2 ORDER BY id DESC LIMIT ?5))"
    " AND r.state = 'settled' AND r.outcome = 'succeeded' AND r.model IS ?3"
    f" GROUP BY r.id HAVING {_IS_REAL} ORDER BY r.id DESC LIMIT ?4"
)

_FIRST_REQUESTS = (
    f"SELECT agent, task_type, counted_tokens, reported_tokens FROM (SELECT r.id, r.agent, r.task_type,"
    f" c.tokens AS counted_tokens, {_FIRST_INPUT} AS reported_tokens"
    " FROM runs r CROSS JOIN receipts c ON c.run_id = r.id"
    " WHERE r.id >= (SELECT min(id) FROM (SELECT id FROM runs ORDER BY id DESC LIMIT ?3))"
    " AND r.state = 'settled' AND r.model = ?1 AND r.reused = 0)"
    " WHERE reported_tokens IS NOT NULL ORDER BY id DESC LIMIT ?2"
)


def past_runs(connection: Connection, agent: str, task_type: str, model: str | None, limit: int = 50) -> list[PastRun]:
    """The last runs of this agent, task type and model that succeeded and whose usage was reported, newest first.

    What failed, timed out or was stopped is left out: it was cut short or ran away, and tells when something went
    wrong, not what the work takes. `model` None means runs for which none was asked.
    """
    asked = (agent, task_type, model, limit, SEARCHED * limit)
    found = rows(connection, PastRun, _PAST_RUNS, asked)
    return [replace(run, fresh=bool(run.fresh), basis_real=bool(run.basis_real)) for run in found]


def calibration_points(connection: Connection, model: str | None, limit: int = 200) -> list[FirstRequest]:
    """The last first requests to this model of all agents, newest first, however their runs ended.

    Empty for `model` None: which one an adapter took by itself is not known beforehand.
    """
    return rows(connection, FirstRequest, _FIRST_REQUESTS, (model, limit, POINTS_SEARCHED * limit))
