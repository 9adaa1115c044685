"""Every trap of Codex's rollouts gives exactly what was put in: in one read, growing, and in any order of files."""

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contract.usage import LogRoot
from engine.telemetry.catalog import SOURCES, survey
from engine.telemetry.source import best_of
from tests.traps import codex_forks
from tests.traps.codex import TRAPS
from tests.traps.codex_rollout import Rollout, Used, expected
from tests.traps.trap import Expected

FOLDERS = ("sessions", "archived_sessions")


class Reading:
    """Cursors and responses of a home's files, merged by key."""

    def __init__(self, home):
        self.roots = [LogRoot("codex", str(home / ".codex"), folder) for folder in FOLDERS]
        self.cursors, self.responses, self.owner = {}, {}, {}
        self.refused, self.dropped = Counter(), Counter()

    def files(self):
        return sorted(survey(self.roots).files, key=lambda file: file.mtime_ns)

    def read(self, path):
        """What is new in one file."""
        found = survey(self.roots)
        file = next(file for file in found.files if file.path == path)
        batches = list(SOURCES["codex"].read(file, self.cursors.get(path), found))
        for batch in batches:
            self.cursors[path] = batch.cursor
            self.refused.update(batch.refused)
            self.dropped.update(batch.dropped)
            for part in batch.parts:
                for response in part.responses:
                    known = self.responses.get(response.key)
                    self.responses[response.key] = best_of(known, response) if known else response
                    self.owner.setdefault(response.key, part.session.provider_id)
        return batches

    def found(self):
        used = self.responses.values()
        by_day, sessions = Counter(), Counter()
        for response in used:
            by_day[_day(response.at_ms)] += response.output_tokens
            sessions[self.owner[response.key]] += response.output_tokens
        return Expected(
            len(used),
            *(sum(getattr(response, f"{kind}_tokens") for response in used) for kind in KINDS),
            dict(by_day),
            dict(sessions),
            dict(self.refused),
        )


KINDS = ("input", "cache_read", "cache_write", "output")


def _day(at_ms):
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


@pytest.fixture(params=TRAPS, ids=lambda trap: trap.name)
def trap(request):
    return request.param


@pytest.mark.parametrize("newest_first", [False, True])
def test_in_one_read(trap, tmp_path, newest_first):
    wanted = trap.build(tmp_path)
    reading = Reading(tmp_path)
    files = reading.files()
    for file in reversed(files) if newest_first else files:
        reading.read(file.path)
        assert reading.read(file.path) == []
    assert reading.found() == wanted


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("cuts", [2, 7, 23])
def test_growing(trap, tmp_path, newest_first, cuts):
    """Each file grows while the others lie there; a parent is written before its children, but read in any order."""
    wanted = trap.build(tmp_path)
    reading = Reading(tmp_path)
    files = reading.files()
    for file in reversed(files) if newest_first else files:
        path = Path(file.path)
        data = path.read_bytes()
        if path.suffix == ".zst":
            reading.read(file.path)  # a packed file does not grow
            continue
        path.write_bytes(b"")
        for cut in range(cuts):
            with path.open("ab") as growing:
                growing.write(data[len(data) * cut // cuts : len(data) * (cut + 1) // cuts])
            reading.read(file.path)
    assert reading.found() == wanted


RULES = {
    "dup_token_count": {"unchanged": 6},
    "estimate_total": {"unchanged": 1, "estimate": 1},
    "usage_record": {"twin": 4},
    "record_midway": {"twin": 2},
    "record_of_other_thread": {"twin": 3, "other_thread": 2},
    "fork_replay": {"replay": 3},
    "fork_replay_bare": {"replay": 6},
    "fork_of_fork": {"replay": 3 + 4},
    "fork_parent_missing": {"replay_inferred": 6},
    "fork_own_rows": {"replay": 3},
    "fork_midway": {"replay": 3},
    "fork_tail": {"replay": 1},
    "fork_records": {"twin": 3 + 3 + 1, "other_thread": 3},
}


@pytest.mark.parametrize("name", RULES)
def test_what_is_dropped_is_dropped_by_its_rule(name, tmp_path):
    next(trap for trap in TRAPS if trap.name == name).build(tmp_path)
    reading = Reading(tmp_path)
    for file in reading.files():
        reading.read(file.path)
    assert reading.dropped == RULES[name]
    unsure = {response.confidence for response in reading.responses.values()} - {"final"}
    assert unsure == ({"inferred"} if name == "fork_parent_missing" else set())


@given(
    used=st.lists(
        st.tuples(st.integers(1, 900), st.integers(1, 90)).map(lambda one: Used(*one)), min_size=2, max_size=9
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("form", ["counter", "totals", "last", "record", "record_only"])
def test_a_running_total_is_not_taken_for_what_one_response_used(form, used):
    """Each form of the log gives what each response used, in order, and not what the thread had used by then."""
    with tempfile.TemporaryDirectory() as home:
        log = Rollout(Path(home), 1, form).meta().ask()
        for one in used:
            log.reply(one)
        log.write()
        reading = Reading(Path(home))
        reading.read(str(log.path))
        found = sorted(reading.responses.values(), key=lambda response: response.offset)
        assert [(response.input_tokens, response.output_tokens) for response in found] == [one[:2] for one in used]
        assert {response.basis for response in found} == {"session_delta" if form == "totals" else "per_run"}


def test_a_child_read_before_its_parent_is_there_stays_as_it_was_read(tmp_path):
    parent = codex_forks.parent_of(tmp_path)
    child = codex_forks.fork(parent, 2).replay(parent).ask().reply(codex_forks.D).write()
    reading = Reading(tmp_path)
    reading.read(str(child.path))
    parent.write()
    reading.read(str(parent.path))
    child.rows = []
    child.reply(codex_forks.E).write()
    reading.read(str(child.path))
    assert reading.found() == expected(parent, child)
    assert reading.dropped == {"replay_inferred": 3}


def test_a_parent_that_is_still_written_is_read_on_for_each_of_its_subagents(tmp_path):
    parent = codex_forks.parent_of(tmp_path).write()
    agents = []
    reading = Reading(tmp_path)
    for number in (2, 3, 4):
        agent = codex_forks.fork(parent, number, parent.now).replay(parent).ask().reply(codex_forks.D).write()
        reading.read(str(agent.path))
        agents.append(agent)
        parent.rows = []
        parent.reply(codex_forks.E).write()
        parent.rows = rows_in(parent)
    reading.read(str(parent.path))
    assert reading.found() == expected(parent, *agents)
    assert reading.dropped == {"replay": 3 + 4 + 5}


def rows_in(log):
    """Every row that is in its file."""
    return [json.loads(line) for line in log.path.read_bytes().splitlines()]
