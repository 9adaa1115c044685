"""What becomes of a run whose engine dies, or whose folder vanishes, at the worst moment?

Real engines, killed where it hurts: some of them run with one step replaced, so that they die or wait just there."""

import json
import os
import signal
import subprocess

import pytest

from tests.e2e import crash
from tests.e2e.conftest import Desk, kill
from tests.e2e.crash import FOREVER, HOLD, detached, fall, kinds, lives, number_in, runs_of

DIES = "lambda *_: os.kill(os.getpid(), 9)"
engine, settled = crash.engine, crash.settled


@pytest.fixture
def other(tmp_path):
    made = Desk(tmp_path / "other")
    yield made
    made.close()


VANISHES = """
trap '' TERM
(setsid env -i sh -c 'trap "" TERM; echo $$ > daemon; while :; do sleep 0.05; done' &)
while [ ! -s daemon ]; do sleep 0.02; done
while [ ! -e vanish ]; do sleep 0.02; done
rm -rf "$(dirname "$QUARTERDECK_USAGE")"
echo $$ > pid
"""


@pytest.fixture
def vanish(desk, engine, wait_until):
    """A run that has removed its folder and ignores being ended, under an engine that is killed: its processes, once
    something was done to its keeper."""
    left = []

    def run(number):
        desk.configure('[limits]\ngrace = "50s"\n[adapter.command]\noutput_tokens = 400\n')
        first = engine()
        detached(desk, VANISHES + FOREVER, "--can-write", "out/")
        keeper = desk.state / "runs" / "1" / "keeper.json"
        wait_until(lambda: keeper.exists() and "child_pid" in keeper.read_text(), "it is kept")
        pid = json.loads(keeper.read_text())["pid"]
        left.append(pid)
        (desk.workspace / "vanish").touch()
        pids = [wait_until(lambda name=name: number_in(desk.workspace / name), "it runs") for name in ("pid", "daemon")]
        left.extend(pids)
        fall(first)
        os.kill(pid, number)
        assert all(map(lives, pids))
        return pids

    yield run
    for pid in filter(lives, left):
        kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGSTOP])
def test_a_run_that_removed_its_folder_is_ended_whole_by_the_next_engine_and_pays(
    desk, other, engine, vanish, settled, wait_until, number
):
    detached(other, f"echo $$ > pid; {HOLD}")
    theirs = wait_until(lambda: number_in(other.workspace / "pid"), "another home's run with this number runs")
    pids = vanish(number)

    engine()

    run = settled()
    assert (run["outcome"], run["usage"]["basis"]) == ("interrupted", "estimated")
    assert "its folder is gone" in run["why"]
    assert run["usage"]["tokens"] > 0
    assert not any(map(lives, pids)), "nothing of it is left when its claim is free"
    assert lives(theirs)
    (other.workspace / "go").touch()


def test_a_run_that_removed_its_folder_and_lost_its_keeper_is_found_by_its_environment(desk, engine, vanish, settled):
    found, _ = vanish(signal.SIGKILL)
    engine()
    assert settled()["outcome"] == "interrupted"
    assert not lives(found)


def test_a_run_that_was_never_started_costs_nothing(desk, engine, settled):
    fallen = engine(f"from state import runs\nruns.mark_starting = {DIES}")
    subprocess.run([*desk.argv, "run", "--detach", "--", "touch", "ran"], env=desk.env, cwd=desk.workspace, check=False)
    fallen.wait()
    engine()
    run = settled()
    assert (run["outcome"], run["usage"], (desk.workspace / "ran").exists()) == ("could_not_start", None, False)


def test_a_run_whose_start_was_not_written_is_judged_like_any_other(desk, engine, settled, wait_until):
    fallen = engine(f"from state import runs\nruns.mark_started = {DIES}")
    run = detached(desk, f"{HOLD}; echo x > elsewhere", "--can-write", "out/")
    fallen.wait()
    assert desk.json("run", "show", str(run["run"]))["started_at"] is None
    engine()
    wait_until(lambda: desk.json("run", "show", "1")["started_at"], "its start is made up for")
    (desk.workspace / "go").touch()
    run = settled()
    assert run["outcome"] == "succeeded"
    assert "elsewhere" in json.dumps(run["changes"])
    assert "violation" in run["why"]


def test_an_engine_that_is_ended_while_it_starts_a_run_waits_for_the_start(desk, engine, settled, wait_until):
    slow = """
from engine.runtime import live_runs
import time
started = live_runs.start
def slow(*words):
    Path("starting").touch()
    while not Path("start").exists():
        time.sleep(0.01)
    started(*words)
live_runs.start = slow
"""
    ending = engine(f"os.chdir({str(desk.home)!r})\n{slow}")
    detached(desk, "echo done")
    wait_until(lambda: (desk.home / "starting").exists(), "it is being started")
    ending.terminate()
    code, _, _ = desk.run("engine", "status")
    assert (code, desk.holder_pid()) == (0, ending.pid), "no other engine may take the run for one that never started"
    (desk.home / "start").touch()
    assert ending.communicate(timeout=40)[1] == ""
    engine()
    assert settled()["outcome"] == "succeeded"


SPENDS = """spend() { echo '{"input_tokens": 9000, "output_tokens": 1000}' >> "$QUARTERDECK_USAGE"; }\n"""
LASTS = "while [ ! -e go ]; do sleep 0.05; done; exit 0"
MEASURES = """
from engine.runtime import live_runs
within = live_runs.keep_within
def noted(database, run, used, *rest):
    kept = within(database, run, used, *rest)
    if used["tokens"] >= 10_000:
        Path({!r}).touch()
    return kept
live_runs.keep_within = noted
"""


@pytest.fixture
def spender(desk, engine, wait_until):
    """Starts a run with too small a budget; with the engine, and a way to wait until it has been measured."""
    measured = desk.home / "measured"

    def start(script, patch=""):
        desk.write("spend.sh", SPENDS + script)
        desk.configure(
            """
            [limits]
            grace = "40s"
            [budget.day]
            window = "day"
            tokens = 2000
            [agent.spender]
            adapter = "command"
            argv = ["sh", "spend.sh"]
            argv_resume = ["true"]
            sandbox = "off"
            """
        )
        started = engine(MEASURES.format(str(measured)) + patch)
        desk.json("run", "--agent", "spender", "--task", "dig", "--detach")
        return started

    start.measured = lambda: wait_until(measured.exists, "what it spent is measured")
    return start


def test_a_stop_by_the_operator_is_no_pause_whatever_the_run_spends_before_it_ends(desk, spender, settled, wait_until):
    spender(f"over() {{ spend; {LASTS}; }}; trap over TERM; touch up; {FOREVER}")
    wait_until((desk.workspace / "up").exists, "it runs")
    desk.json("run", "stop", "1")
    spender.measured()
    (desk.workspace / "go").touch()
    assert settled()["outcome"] == "cancelled"
    assert runs_of(desk) == [1], "nothing goes on"


def test_a_run_that_met_its_budget_can_still_be_stopped_for_good(desk, spender, settled):
    spender(f"over() {{ {LASTS}; }}; trap over TERM; spend; {FOREVER}")
    spender.measured()
    desk.json("run", "stop", "1")
    (desk.workspace / "go").touch()
    assert settled()["outcome"] == "cancelled"
    assert runs_of(desk) == [1], "nothing goes on"


@pytest.mark.parametrize("ending", ["killed", "terminated"])
def test_a_run_that_met_its_budget_goes_on_although_its_engine_ended_before_it_asked(
    desk, spender, engine, settled, wait_until, ending
):
    reached = desk.home / "reached"
    patch = f"""
from engine.runtime import waiting
async def ended(self, run):
    Path({str(reached)!r}).touch()
    await asyncio.Event().wait()
waiting.WaitingRoom._ended = ended
"""
    first = spender(f"spend; {FOREVER}", patch)
    wait_until(reached.exists, "it is settled, and nobody has asked for it to go on")
    if ending == "killed":
        fall(first)
    else:
        first.terminate()
        first.communicate(timeout=40)
    assert (settled()["outcome"], runs_of(desk)) == ("budget_reached", [1])

    second = engine()
    again = wait_until(lambda: desk.json("run", "show", "1")["resumed_by"], "another run waits to go on")
    assert desk.json("run", "show", str(again))["waiting"]["for"] == "budget"
    second.terminate()
    second.communicate(timeout=40)
    engine()
    assert desk.json("run", "list")["runs"]
    assert runs_of(desk) == [1, again], "once"


def test_a_run_that_cannot_be_settled_at_once_is_said_and_settled_later(desk, engine, settled):
    patch = """
from engine.runtime import live_runs
settles = live_runs.settle
def fails_once(*words):
    live_runs.settle = settles
    raise ValueError("not this time")
live_runs.settle = fails_once
"""
    unhurt = engine(patch)
    detached(desk, "echo done")
    assert settled()["outcome"] == "succeeded"
    assert unhurt.poll() is None
    (text,) = kinds(desk, "trouble")
    assert "run 1: ValueError: not this time" in text
