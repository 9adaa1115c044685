"""A state folder of its own, open for writing, and the rows that others hang on."""

import msgspec
import pytest

from state import logs, runs, sessions, usage
from state.database import open_writer
from state.home import Home


class House:
    """One write connection, and the shortest way to a session, a run and a response."""

    def __init__(self, folder):
        self.home = Home(config=folder, state=folder)
        self.database = open_writer(self.home)

    @property
    def connection(self):
        return self.database.connection

    def generation(self, provider_id="p1", source="codex", at_ms=1000, **facts):
        known = {"started_ms": None, "workspace": None, "title": None, "model": None} | facts
        with self.database.transaction() as tx:
            return sessions.observe(
                tx, source=source, provider_home="/h", provider_id=provider_id, last_active_ms=at_ms, **known
            )

    def session(self, agent="digest", lane="main", job=None, at_ms=1000):
        with self.database.transaction() as tx:
            return sessions.open_session(tx, agent=agent, lane=lane, job=job, title=None, workspace="/w", at_ms=at_ms)

    def next_generation(self, session_id, provider_id=None, at_ms=1000, reason="first_run"):
        with self.database.transaction() as tx:
            return sessions.start_generation(
                tx,
                session_id,
                source=sessions.OURS,
                provider_home="/h",
                provider_id=provider_id,
                model=None,
                workspace="/w",
                reason=reason,
                note=None,
                at_ms=at_ms,
            )

    def run(self, at_ms=1000, **columns):
        values = {
            "agent": "digest",
            "adapter": "digest",
            "lane": "main",
            "trigger": "operator",
            "task_type": "chat",
            "task": "",
            "workspace": "/w",
            "can_read": "[]",
            "can_write": "[]",
            "inject": "[]",
            "state": "reserved",
            "estimate_tokens": 0,
            "verdict": "{}",
            "requested_ms": at_ms,
        }
        with self.database.transaction() as tx:
            return runs.add(tx, values | columns)

    def model(self, name):
        with self.database.transaction() as tx:
            tx.execute("INSERT OR IGNORE INTO models (name, provider) VALUES (?, '')", (name,))
        return self.connection.execute("SELECT id FROM models WHERE name = ?", (name,)).fetchone()[0]

    def row(self, generation_id, key="k", tokens=(0, 0, 0, 0), source="codex", model=None, **fields):
        values = {
            "run_id": None,
            "at_ms": 1000,
            "cache_write_5m_tokens": None,
            "cache_write_1h_tokens": None,
            "reasoning_tokens": None,
            "cost_microusd": 0,
        } | fields
        values["basis"] = usage.BASES.index(values.get("basis", "per_run"))
        values["confidence"] = usage.CONFIDENCES.index(values.get("confidence", "final"))
        values["model_id"] = None if model is None else self.model(model)
        values["source_id"] = usage.SOURCE_IDS[source]
        names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        return usage.UsageRow(key=key, generation_id=generation_id, **dict(zip(names, tokens, strict=True)), **values)

    def book(self, *rows, memory=None):
        with self.database.transaction() as tx:
            return usage.book(tx, rows, memory)

    def log(self, path="/l", **fields):
        """A log that is read; returns its id."""
        log = logs.LogFile(0, "codex", path, 1, 2, 10, 20, 10, "h", "", 5, "{}", "{}", 1)
        with self.database.transaction() as tx:
            return logs.advance(tx, msgspec.structs.replace(log, **fields), {}, {}, False)


@pytest.fixture
def make_house(tmp_path):
    made = []

    def make(name="state"):
        made.append(House(tmp_path / name))
        return made[-1]

    yield make
    for house in made:
        house.database.close()


@pytest.fixture
def house(make_house):
    return make_house()
