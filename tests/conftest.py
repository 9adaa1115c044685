"""What holds for every test, however they are run."""

import pytest


@pytest.fixture(autouse=True)
def _no_width(monkeypatch):
    """Several workers are told a width for their reports; what a command prints into a pipe must not be cut to it."""
    monkeypatch.delenv("COLUMNS", raising=False)
