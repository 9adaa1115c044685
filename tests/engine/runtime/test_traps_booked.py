"""Do the books hold exactly what is in every trap, whichever log is read first, and does every view of them agree?"""

import importlib

import pytest

from state import logs, sessions, spend
from state.home import Home
from tests.traps.counting import book_all

CLIENTS = ("claude", "codex", "openclaw", "gemini", "opencode")
TRAPS = [trap for client in CLIENTS for trap in importlib.import_module(f"tests.traps.{client}").TRAPS]


@pytest.mark.parametrize("reverse", [False, True], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: f"{trap.source}-{trap.name}")
def test_the_books_are_exact(trap, reverse, tmp_path):
    expected = trap.build(tmp_path / "home")
    database = book_all(tmp_path / "home", Home(config=tmp_path / "q", state=tmp_path / "q"), reverse)
    connection = database.connection
    found = spend.totals(connection)
    assert (
        found.responses,
        found.input_tokens,
        found.cache_read_tokens,
        found.cache_write_tokens,
        found.output_tokens,
    ) == expected[:5]
    for by in spend.GROUPS:
        groups = spend.by(connection, by)
        assert sum(group.sums.tokens for group in groups) == expected.total, by
    if expected.by_day:
        days = {group.label: group.sums.output_tokens for group in spend.by(connection, "day")}
        assert {day: tokens for day, tokens in days.items() if tokens} == expected.by_day
    if expected.sessions:
        assert by_session(connection) == expected.sessions
    if trap.name not in STARTED_ANEW:
        assert differences(connection) == {}
    database.close()


STARTED_ANEW = ("total_reset", "total_drop", "mixed_restart")
"""Traps in which the client's own totals lose what was before."""


def differences(connection):
    """By conversation, what the client's own totals say beyond ours and what its log repeats from others."""
    found = {}
    for generation_id, provider_id in connection.execute("SELECT id, provider_id FROM generations").fetchall():
        said = logs.client_totals(connection, generation_id)
        if said is not None:
            ours, copied = sessions.generation(connection, generation_id), logs.copied(connection, generation_id)
            parts = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
            beyond = [
                getattr(said, part) - getattr(ours, part) - more for part, more in zip(parts, copied, strict=True)
            ]
            if any(beyond):
                found[provider_id] = beyond
    return found


def by_session(connection):
    sql = "SELECT provider_id, sum(output_tokens) FROM generations GROUP BY 1"
    return {provider_id: tokens for provider_id, tokens in connection.execute(sql) if tokens}
