"""Does each kind of work inject what the plan wants it to, by counted tokens?"""

import importlib

import pytest

from engine.config.load import load
from engine.context.routing import route
from engine.contract.orders import RunRequest

bench = importlib.import_module("tests.bench.bench_context")
ROWS = {kind: (tokens, target) for kind, _, tokens, target, _ in bench.plan_rows()}


@pytest.mark.parametrize("name", bench.SEVEN)
def test_the_files_have_the_words_of_the_plan(name):
    assert len((bench.WORKSPACE / name).read_text().split()) == bench.SEVEN[name]


def test_everything_is_near_what_the_plan_measured():
    assert 3_800 < bench.seven_tokens() < 4_600


@pytest.mark.parametrize("kind", bench.PLAN)
def test_each_kind_of_work_keeps_the_target_of_the_plan(kind):
    tokens, target = ROWS[kind]
    assert 0 < tokens <= target
    assert bench.composed(kind, "")[0].target_tokens == target


@pytest.mark.parametrize("kind", bench.PLAN)
def test_every_file_that_is_named_is_there(kind):
    made = bench.composed(kind, "x")[1]
    assert made.inject_problems == ()
    assert made.everything_tokens > bench.seven_tokens()


def test_the_jobs_of_the_plan_keep_its_targets_too():
    config = load(bench.WORKSPACE / "quarterdeck.toml")
    assert list(config.job) == ["health-check", "morning-batch", "evening-recap", "weekly-review", "weekly-cleanup"]
    for name in config.job:
        routed = route(RunRequest(workspace="/w", job=name, trigger="timer"), config)
        assert (routed.lane, routed.task_type) == ("isolated", "heartbeat" if name == "health-check" else "cron")
        assert routed.decided["inject"] in ("job", "task type", "shipped")


def test_the_table_has_a_row_for_each():
    lines = bench.plan_table()
    assert [line.split(" | ")[0] for line in lines[3:]] == [f"| {kind}" for kind in bench.PLAN]
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    assert not any(" over" in line for line in lines)
