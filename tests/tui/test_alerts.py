"""When does the console call? A table of what the feed tells, one after the other, and of what is called."""

from types import SimpleNamespace

import pytest

from state import runs
from state.events import Event
from tui import messages
from tui.reading import changes
from tui.reading.alerts import Watch
from tui.reading.changes import BudgetsChanged, EventsChanged, InboxChanged, RunsChanged, SkillsChanged
from tui.reading.views import BudgetBoard, SkillBoard

BLANK = dict.fromkeys(runs.Run.__struct_fields__)


def run(number, outcome=None, **fields):
    return runs.Run(**BLANK | {"id": number, "outcome": outcome, "state": "settled" if outcome else "running"} | fields)


def ran(*rows):
    return RunsChanged(rows)


def asked(*numbers):
    return InboxChanged(tuple(SimpleNamespace(id=number, run_id=10 + number) for number in numbers))


def budget(name, level, window="day", start_ms=0, unit="tokens"):
    spent = {"warn": 90, "full": 100, "held": 60}[level]
    return SimpleNamespace(name=name, spent=spent, most=100, window=window, window_start_ms=start_ms, unit=unit)


def budgets(*rows):
    return BudgetsChanged(BudgetBoard(rows, ()))


def held(*paths):
    return SkillsChanged(SkillBoard((), (), dict.fromkeys(paths, "changed")))


def elsewhere(number):
    return EventsChanged((Event(1, 0, "unavailable", "", number, None, None),))


TABLE = {
    "a new question": ([asked(1), asked(1, 2)], ["run 12 asks you"]),
    "a question that was there": ([asked(1, 2), asked(2)], []),
    "a question is told once": ([asked(), asked(1), asked(), asked(1)], ["run 11 asks you"]),
    "a skill": ([held("/a"), held("/a", "/b")], ["a skill waits for your word"]),
    "a skill that is held again": ([held(), held("/a"), held(), held("/a")], ["a skill waits for your word"] * 2),
    "a run of the operator's": ([ran(run(1)), ran(run(1, "failed"))], ["run 1 failed"]),
    "a run that failed before": ([ran(run(1, "failed")), ran(run(2), run(1, "failed"))], []),
    "a run that comes and fails at once": ([ran(), ran(run(1, "could_not_start"))], ["run 1 failed"]),
    "a run is told once": ([ran(), ran(run(1, "crashed")), ran(run(2), run(1, "crashed"))], ["run 1 failed"]),
    "runs that ended well, or as told": (
        [ran(), ran(run(1, "succeeded"), run(2, "cancelled"), run(3, "refused"), run(4, "budget_reached"))],
        [],
    ),
    "a run that another run asked for": ([ran(), ran(run(2, "failed", parent_run_id=1))], []),
    "a job": ([ran(), ran(run(1, "timed_out", job="nightly"))], ["job nightly failed: run 1"]),
    "a run that is done again with another model": ([ran(), elsewhere(1), ran(run(1, "failed"))], []),
    "a budget that is spent": (
        [budgets(budget("day", "warn")), budgets(budget("day", "full"))],
        ["budget day is spent"],
    ),
    "one of which the rest is only held": ([budgets(), budgets(budget("day", "held"))], []),
    "one that was used up": ([budgets(budget("day", "full")), budgets(budget("day", "full"))], []),
    "in its next window": (
        [budgets(budget("day", "full")), budgets(budget("day", "full", start_ms=9))],
        ["budget day is spent"],
    ),
    "one of each run": ([budgets(), budgets(budget("each", "full", window="run"))], []),
    "one that is near": ([budgets(), budgets(budget("day", "warn"))], []),
    "the engine": ([messages.EngineGone()], ["the engine died"]),
    "every time": ([messages.EngineGone(), messages.EngineGone()], ["the engine died"] * 2),
    "what is nothing of the kind": ([changes.StateUnreadable("x"), changes.JobsChanged(())], []),
}


@pytest.mark.parametrize("case", TABLE)
def test_it_calls_once_for_what_comes_and_never_for_what_was_there(case):
    told, expected = TABLE[case]
    watch = Watch()
    assert [call.text for change in told for call in watch.take(change)] == expected


def test_each_kind_can_be_told_from_the_others():
    watch = Watch()
    for change in (asked(), ran(), budgets()):
        watch.take(change)
    told = [asked(1), ran(run(1, "failed"), run(2, "failed", job="j")), budgets(budget("b", "full"))]
    kinds = [call.kind for change in [*told, messages.EngineGone()] for call in watch.take(change)]
    assert kinds == ["needs_me", "job_failed", "run_failed", "budget", "engine"]


def test_what_waits_is_counted_whether_it_is_new_or_not():
    watch = Watch()
    watch.take(asked(1, 2))
    watch.take(held("/a"))
    assert watch.needs == 3
    watch.take(asked())
    assert watch.needs == 1
