"""A client's home in a temporary folder, which tests write rows into and read as the reader does."""

import json
from collections import Counter

import pytest

from engine.contract.usage import LogRoot
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.source import best_of


class LogHome:
    """Keeps cursors and merges responses by key, like the engine."""

    def __init__(self, home, source, folder):
        self.root = LogRoot(source=source, provider_home=str(home), folder=folder)
        self.folder = home / folder
        self.cursors = {}
        self.responses = {}
        self.sessions = {}
        self.refused = Counter()
        self.dropped = Counter()
        self.batches = []

    def write(self, name, *rows):
        """The file anew; a row is an object or the bytes of a line."""
        return self._put(name, rows, "wb")

    def append(self, name, *rows):
        return self._put(name, rows, "ab")

    def _put(self, name, rows, mode):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode) as file:
            for row in rows:
                file.write(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n")
        return path

    def read(self):
        """Everything new; returns the batches of this time."""
        found = survey([self.root])
        source = SOURCES[self.root.source]
        new = [batch for file in found.files for batch in source.read(file, self.cursors.get(file.path), archive=found)]
        for batch in new:
            self.cursors[batch.cursor.path] = batch.cursor
            self.refused.update(batch.refused)
            self.dropped.update(batch.dropped)
            for part in batch.parts:
                self.sessions[part.session.provider_id] = part.session
                for response in part.responses:
                    known = self.responses.get(response.key)
                    self.responses[response.key] = best_of(known, response) if known else response
        self.batches += new
        return new

    def totals(self):
        """Uncached input, cache read, cache write, output of every response read so far."""
        return tuple(
            sum(getattr(response, field) for response in self.responses.values())
            for field in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        )


@pytest.fixture
def claude_home(tmp_path):
    return LogHome(tmp_path / "claude", "claude_code", "projects")


@pytest.fixture
def codex_home(tmp_path):
    return LogHome(tmp_path / "codex", "codex", "sessions")


@pytest.fixture
def recorded_home():
    """A recorded home from `tests/data`."""

    def make(folder, source, below):
        return LogHome(folder, source, below)

    return make
