"""Do the books hold exactly what is in every trap, whichever log is read first, and does every view of them agree?"""

import importlib

import pytest

from state import spend
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
    database.close()


def by_session(connection):
    sql = "SELECT provider_id, sum(output_tokens) FROM generations GROUP BY 1"
    return {provider_id: tokens for provider_id, tokens in connection.execute(sql) if tokens}
