"""Traps of forked Codex threads and subagents, whose files may begin with their parent's rows."""

from datetime import UTC, datetime, timedelta

from tests.traps.codex_rollout import COUNTED, START, Rollout, Used, expected
from tests.traps.trap import Trap

A, B, C = Used(9000, 210, 8100, 0, 64), Used(9300, 120, 9000), Used(9500, 77, 9200, 100)
D, E = Used(9700, 300, 9400), Used(9900, 45, 9600, 0, 12)
LATER = START + timedelta(minutes=20)


def parent_of(home, number=1, form="counter", start=START):
    return Rollout(home, number, form, start).meta().ask("first").reply(A).reply(B).ask("second").reply(C)


def spawned(parent):
    spawn = {"parent_thread_id": parent.id, "depth": 1}
    return {"source": {"subagent": {"thread_spawn": spawn}}, "thread_source": "subagent"}


def fork(parent, number, start=LATER, **more):
    """A fork with its first row."""
    return Rollout(parent.home.parent, number, parent.form, start).meta(forked_from_id=parent.id, **more)


def fork_replay(home):
    parent = parent_of(home).write()
    child = fork(parent, 2).replay(parent).ask("other way").reply(D).reply(E).write()
    return expected(parent, child)


def fork_replay_bare(home):
    parent = parent_of(home).write()
    bare = ("session_meta",)
    child = fork(parent, 2).replay(parent, without=bare).ask("other way").reply(D).write()
    agent = Rollout(home, 3, start=LATER).meta(**spawned(parent)).replay(parent, without=bare)
    return expected(parent, child, agent.ask("look there").reply(E).write())


def fork_of_fork(home):
    parent = parent_of(home).write()
    child = fork(parent, 2).replay(parent).ask("other way").reply(D).write()
    grandchild = fork(child, 3, LATER + timedelta(minutes=5)).replay(child).ask("again").reply(E).write()
    return expected(parent, child, grandchild)


def fork_parent_missing(home):
    parent = parent_of(home)
    child = fork(parent, 2).replay(parent).ask("other way").reply(D).reply(E).write()
    agent = Rollout(home, 3, start=LATER).meta(**spawned(parent)).replay(parent, without=("session_meta",))
    return expected(child, agent.ask("look there").reply(D).write())


def fork_own_rows(home):
    """Answers within milliseconds of the copy, and two that copy no usage at all."""
    parent = parent_of(home).write()
    quick = fork(parent, 2)
    quick.replay(parent).pause = 0.03
    quick.ask("quick").reply(D).reply(E).write()
    fresh = Rollout(home, 3, start=LATER, pause=0.2).meta(**spawned(parent)).ask("look").reply(D).reply(D).write()
    summary = fork(parent, 4).replay(parent, without=COUNTED).ask("short").reply(B).reply(B).write()
    return expected(parent, quick, fresh, summary)


def fork_midway(home):
    """The parent goes on in the same way behind the fork, so that its later rows equal the child's own."""
    parent = parent_of(home)
    child = fork(parent, 2, parent.now + timedelta(seconds=2)).replay(parent).ask("go on")
    parent.pause = 30
    parent.ask("go on").reply(D).reply(E).write()
    return expected(parent, child.reply(D).reply(E).write())


def fork_totals(home):
    parent = Rollout(home, 1, "totals").meta().ask("first").reply(A).reply(B).write()
    child = fork(parent, 2).replay(parent).ask("other way").reply(D).write()
    return expected(parent, child)


def fork_tail(home):
    """A fork of the last turn only: its first copied row is not the parent's first."""
    parent = parent_of(home).write()
    turn = next(n for n, row in enumerate(parent.rows) if row["payload"].get("message") == "second")
    child = fork(parent, 2).replay(parent, slice(turn, None)).ask("other way").reply(D).write()
    return expected(parent, child)


def fork_records(home):
    """Copied records name the parent; the child's own name itself."""
    parent = parent_of(home, form="record").write()
    child = fork(parent, 2).replay(parent)
    child.pause = 0.01
    return expected(parent, child.ask("other way").reply(D).write())


def fork_day(home):
    parent = parent_of(home, start=datetime(2026, 11, 9, 22, tzinfo=UTC)).write()
    child = fork(parent, 2).replay(parent).ask("next morning").reply(D).write()
    return expected(parent, child)


def subagent_start_ordinal(home):
    parent = Rollout(home, 1, "counter", ordinals=True).meta().ask("first").reply(A).reply(B).write()
    agent = Rollout(home, 2, start=LATER, ordinals=True)
    agent.meta(**spawned(parent), subagent_history_start_ordinal=500).replay(parent, without=("session_meta",))
    return expected(parent, agent.ask("look there").reply(D).reply(E).write())


TRAPS = tuple(
    Trap(build.__name__, "codex", why, build)
    for build, why in (
        (fork_replay, "a fork's file begins with all rows of its parent, stamped anew"),
        (fork_replay_bare, "forks and subagents copy the parent's rows without its session_meta"),
        (fork_of_fork, "a fork of a fork begins with the rows of both"),
        (fork_parent_missing, "the copied rows' parent is not there: only the burst in which they were written tells"),
        (fork_own_rows, "own responses come within milliseconds of a copy, or nothing is copied: nothing to drop"),
        (fork_midway, "the parent goes on behind the fork exactly as the child does: both are real"),
        (fork_totals, "totals without last: the child's first difference starts from its parent's last totals"),
        (fork_tail, "a fork of the last turns copies rows from the middle of its parent"),
        (fork_records, "copied records name the parent thread, and their counters are copies as well"),
        (fork_day, "copied rows carry the day of the fork: tokens move to another day"),
        (subagent_start_ordinal, "subagent_history_start_ordinal lies behind the thread's own rows"),
    )
)
