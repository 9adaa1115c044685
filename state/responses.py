"""What was booked, response by response and in words, with its price and its evidence?"""

from msgspec import Struct

from state.database import Connection, rows
from state.usage import BASES, CONFIDENCES


class BookedResponse(Struct, frozen=True):
    """One response as booked, in words, for a run's page."""

    source: str
    key: str
    at_ms: int
    model: str | None
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_5m_tokens: int | None
    cache_write_1h_tokens: int | None
    output_tokens: int
    reasoning_tokens: int | None
    basis: str
    confidence: str
    cost_microusd: int | None
    price_origin: str | None
    """Whose price it is: the price list and its version, `config` or `local`."""
    factors: str | None
    raw: str | None
    log: str | None
    """The log that is the evidence."""
    log_gone: int
    offset: int | None


_WORDS = (
    "SELECT so.name AS source, u.key, u.at_ms, m.name AS model, u.input_tokens, u.cache_read_tokens,"
    " u.cache_write_tokens, u.cache_write_5m_tokens, u.cache_write_1h_tokens, u.output_tokens, u.reasoning_tokens,"
    f" CASE u.basis {' '.join(f'WHEN {number} THEN {name!r}' for number, name in enumerate(BASES))} END AS basis,"
    f" CASE u.confidence {' '.join(f'WHEN {number} THEN {name!r}' for number, name in enumerate(CONFIDENCES))} END"
    " AS confidence, u.cost_microusd, p.origin AS price_origin, u.factors, u.raw, l.path AS log,"
    " l.gone_ms IS NOT NULL AS log_gone, u.offset"
    " FROM usage u JOIN sources so ON so.id = u.source_id LEFT JOIN models m ON m.id = u.model_id"
    " LEFT JOIN prices p ON p.id = u.price_id LEFT JOIN log_files l ON l.id = u.log_id"
)


def of_run(connection: Connection, run_id: int) -> list[BookedResponse]:
    """What was booked for one run."""
    return rows(connection, BookedResponse, f"{_WORDS} WHERE u.run_id = ? ORDER BY u.at_ms, u.id", (run_id,))


def of_generation(connection: Connection, generation_id: int, limit: int) -> list[BookedResponse]:
    """The latest responses of one conversation, newest first."""
    sql = f"{_WORDS} WHERE u.generation_id = ? ORDER BY u.at_ms DESC, u.id DESC LIMIT ?"
    return rows(connection, BookedResponse, sql, (generation_id, limit))
