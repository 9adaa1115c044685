"""Every Claude Code trap is read exactly: in one go, and while the files grow."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.roots import log_roots
from engine.telemetry.source import best_of
from tests.traps.claude import TRAPS
from tests.traps.claude_log import OPUS, SONNET, sessions, turns
from tests.traps.trap import Expected

BY_NAME = {trap.name: trap for trap in TRAPS}
every_trap = pytest.mark.parametrize("trap", TRAPS, ids=BY_NAME)


class Reading:
    """Reads a HOME again and again, and merges responses by key as the engine does."""

    def __init__(self, home):
        self.home = home
        self.cursors, self.responses, self.sessions, self.totals = {}, {}, {}, {}
        self.refused, self.dropped = Counter(), Counter()

    def read(self):
        found = survey(log_roots({"HOME": str(self.home)}))
        for file in found.files:
            for batch in SOURCES[file.root.source].read(file, self.cursors.get(file.path), found):
                assert not batch.restarted
                self._take(batch)
        return self

    def _take(self, batch):
        self.cursors[batch.cursor.path] = batch.cursor
        self.refused.update(batch.refused)
        self.dropped.update(batch.dropped)
        for part in batch.parts:
            self.sessions[part.session.provider_id] = part.session
            if part.totals:
                self.totals[part.session.provider_id] = part.totals
            for response in part.responses:
                known = self.responses.get(response.key)
                self.responses[response.key] = best_of(known, response) if known else response

    def found(self):
        """In the trap's terms, without what only the books decide."""
        every = self.responses.values()
        sums = [
            sum(getattr(response, name) for response in every)
            for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
        ]
        return Expected(len(every), *sums, refused=dict(self.refused))

    def by_day(self):
        days = Counter()
        for response in self.responses.values():
            days[datetime.fromtimestamp(response.at_ms / 1000, UTC).date().isoformat()] += response.output_tokens
        return dict(days)


def check(reading, expected):
    assert reading.found() == expected._replace(by_day={}, sessions={})
    assert not expected.by_day or reading.by_day() == expected.by_day


@every_trap
def test_in_one_go(trap, tmp_path):
    expected = trap.build(tmp_path)
    check(Reading(tmp_path).read(), expected)


@every_trap
def test_growing(trap, tmp_path):
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    expected = trap.build(whole)
    files = [(path, path.read_bytes()) for path in sorted(whole.rglob("*.jsonl"))]
    reading = Reading(grown)
    for step in (0.03, 0.21, 0.34, 0.5, 0.67, 0.83, 0.97, 1):
        for path, data in files:
            copy = grown / path.relative_to(whole)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("ab") as file:
                file.write(data[file.tell() : int(len(data) * step)])
        reading.read()
    check(reading, expected)


def test_copies_name_the_session_that_they_come_from(tmp_path):
    BY_NAME["resume_copy"].build(tmp_path)
    seen = Reading(tmp_path).read().sessions
    first, second, third = sessions("resume_copy")
    assert [seen[one].forked_from for one in (first, second, third)] == [None, first, second]


def test_the_clients_own_totals_are_those_of_the_rows(tmp_path):
    BY_NAME["cost_state"].build(tmp_path)
    reading = Reading(tmp_path).read()
    for session in sessions("cost_state"):
        told, used = reading.totals[session], [turn.used for turn in turns(session)]
        assert told.output_tokens == sum(one["output_tokens"] for one in used)
        assert (told.kind, told.cost_microusd) == ("cost-state", 200_000)


def test_sub_calls_are_on_their_own_model(tmp_path):
    BY_NAME["iterations"].build(tmp_path)
    found = Reading(tmp_path).read().responses
    kinds = sorted((key.partition("#")[2], response.model) for key, response in found.items() if "#" in key)
    assert kinds == sorted([("0", SONNET), ("0", SONNET), ("1", OPUS), ("2", OPUS)] * 3)


@pytest.mark.parametrize(
    ("name", "dropped"), [("stream_dup", 24), ("low_after_final", 24), ("midnight", 30), ("crlf", 0)]
)
def test_rows_of_the_same_response_are_counted_as_dropped(tmp_path, name, dropped):
    BY_NAME[name].build(tmp_path)
    assert Reading(tmp_path).read().dropped["stream"] == dropped


def test_the_traps_are_small_and_named_once(tmp_path):
    assert len(BY_NAME) == len(TRAPS) == 28
    for trap in TRAPS:
        trap.build(tmp_path / trap.name)
        size = sum(path.stat().st_size for path in (tmp_path / trap.name).rglob("*.jsonl"))
        assert size < (10_000_000 if trap.name == "long_line" else 100_000), trap.name


def test_a_build_is_the_same_every_time(tmp_path):
    for trap in (BY_NAME["iterations"], BY_NAME["resume_copy"]):
        assert trap.build(tmp_path / "a") == trap.build(tmp_path / "b")
    one, other = (sorted(p.read_bytes() for p in (tmp_path / name).rglob("*.jsonl")) for name in "ab")
    assert one == other
