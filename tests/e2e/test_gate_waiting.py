"""What a budget, a claim and a full house do to a run: warned about, refused, kept waiting, ended and gone on with."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.e2e.gate import README, SPAWN, TOO_SMALL, as_json, check, ended, failed, waiting


@pytest.fixture
def bench(desk):
    desk.write("README.md", README)
    return desk


@pytest.fixture
def shown(bench):
    return lambda number: bench.json("run", "show", str(number))


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_budget_that_only_warns_lets_it_pass(bench):
    bench.configure(TOO_SMALL.format("warn"))
    run = bench.json(*SPAWN)
    assert run["outcome"] == "succeeded"
    assert "small is over its limit" in check(run, "budget")["warning"]


def test_a_budget_that_refuses_starts_nothing(bench):
    bench.configure(TOO_SMALL.format("refuse"))
    run = bench.json(*SPAWN, code=1)
    assert (failed(run), run["waiting"]) == (["budget"], None)


def test_a_run_that_asks_waits_and_goes_on_when_it_is_approved(bench, shown, wait_until):
    bench.configure(TOO_SMALL.format("ask"))
    with waiting(bench, *as_json(*SPAWN)) as child:
        wait_until(lambda: "qd approve 1" in child.said(), "it says what it waits for")
        (asked,) = bench.json("approvals")["approvals"]
        run = shown(asked["run"])
        (grant,) = asked["question"]["raises"]

        bench.json("approve", str(asked["approval"]))
        answer, code = ended(child)

    assert (run["state"], run["waiting"]["for"], run["waiting"]["approval"]) == ("waiting", "approval", 1)
    assert grant["amount"] == grant["taken"] + grant["need"] - 100 > 0
    assert (code, answer["outcome"], answer["run"]) == (0, "succeeded", asked["run"])
    assert child.said().count("waits for") == 1
    (budget,) = bench.json("budget", "list")["budgets"]
    assert (budget["limit"], budget["granted"], budget["most"]) == (100, grant["amount"], 100 + grant["amount"])
    assert bench.json("approvals")["approvals"] == []
    assert bench.json("approvals", "show", "1")["state"] == "approved"
    code, _, err = bench.run("approve", "1")
    assert code == 1
    assert "is approved already" in err


def test_a_question_is_shown_in_full(bench):
    bench.configure(TOO_SMALL.format("ask"))
    words = ("spawn", "--can-write", "out/", "--task", "mend\nthe pump", *SPAWN[1:3], "--detach", *SPAWN[3:])
    run = bench.json(*words)
    code, text, _ = bench.run("approvals", "show", "1")
    view = bench.json("approvals", "show", "1")
    assert (code, run["state"]) == (0, "waiting")
    for said in ("command, subagent", "mend\n", "the pump", "out/", "small: 0 tokens taken", view["sha256"]):
        assert said in text
    assert view["question"]["high_tokens"] == run["estimate"]["high_tokens"]


def test_the_answer_to_another_question_is_no_answer(bench, shown):
    bench.configure(TOO_SMALL.format("ask"))
    run = bench.json(*SPAWN[:3], "--detach", *SPAWN[3:])
    bench.json("engine", "stop")
    with closing(sqlite3.connect(bench.state / "quarterdeck.db")) as database, database:
        database.execute("UPDATE approvals SET what = replace(what, 'command', 'another')")
    code, _, err = bench.run("approve", "1")
    assert code == 1
    assert "not the one that was shown" in err
    assert shown(run["run"])["state"] == "waiting"


def test_a_run_that_is_denied_is_refused(bench, shown):
    bench.configure(TOO_SMALL.format("ask"))
    run = bench.json(*SPAWN[:3], "--detach", *SPAWN[3:])
    bench.json("deny", "1")
    run = shown(run["run"])
    assert (run["outcome"], run["why"]) == ("refused", "denied by the operator")
    assert not (bench.state / "runs" / str(run["run"])).exists()


def test_a_question_that_nobody_answers_expires(bench, wait_until):
    bench.configure("[engine]\nidle_exit = '1s'\n[waiting]\napproval = '1s'\n" + TOO_SMALL.format("ask"))
    with waiting(bench, *as_json(*SPAWN)) as child:
        wait_until(lambda: "qd approve 1" in child.said(), "it waits")
        pid = bench.engine_pid()
        answer, code = ended(child)
    assert bench.engine_pid() in (pid, None), "who waits keeps the engine"
    assert (code, answer["outcome"]) == (1, "refused")
    assert "nobody answered" in answer["why"]
    code, _, err = bench.run("approve", "1")
    assert code == 1
    assert "qd run show" in err


def test_a_waiting_run_is_withdrawn_by_a_stop(bench, shown):
    bench.configure(TOO_SMALL.format("ask"))
    run = bench.json(*SPAWN[:3], "--detach", *SPAWN[3:])
    bench.json("engine", "stop")
    bench.json("run", "stop", str(run["run"]))
    assert shown(run["run"])["outcome"] == "refused"
    assert bench.json("approvals")["approvals"] == []


def test_a_paused_run_goes_on_when_the_budget_is_raised(bench, shown, wait_until):
    bench.configure(TOO_SMALL.format("pause"))
    with waiting(bench, *as_json(*SPAWN)) as child:
        wait_until(lambda: "room in budget small: " in child.said(), "it waits")
        assert shown(1)["waiting"]["for"] == "budget"
        bench.configure(TOO_SMALL.format("pause").replace("100", "90000"))
        answer, code = ended(child)
    assert (code, answer["outcome"], answer["waiting"]) == (0, "succeeded", None)


SPENDER = """
sleep 600 & echo $! > pid
echo $QUARTERDECK_SESSION > session
echo '{"input_tokens": 9000, "output_tokens": 1000}' >> $QUARTERDECK_USAGE
wait
"""


def test_a_run_that_meets_its_budget_is_ended_and_goes_on_when_it_is_raised(bench, shown, wait_until):
    bench.write("spend.sh", SPENDER)
    bench.write("on.sh", "cat > told; echo $QUARTERDECK_SESSION $QUARTERDECK_RESUMES > resumed\n")
    budget = "[budget.day]\nwindow = 'day'\ntokens = {}\n"
    agent = """
        [limits]
        grace = "1s"
        [agent.spender]
        adapter = "command"
        argv = ["sh", "spend.sh"]
        argv_resume = ["sh", "on.sh"]
        sandbox = "off"
        """
    bench.configure(budget.format(2000) + agent)

    first = bench.json("run", "--agent", "spender", "--task", "dig", code=1)

    pid = int((bench.workspace / "pid").read_text())
    assert (first["outcome"], first["usage"]["tokens"]) == ("budget_reached", 10_000)
    (at,) = first["stopped_at"]
    assert (at["budget"], at["unit"], at["limit"]) == ("day", "tokens", 2000)
    assert gone(pid), "its whole tree is ended"
    again = first["resumed_by"]
    assert (first["successor"]["run"], first["successor"]["waiting"]["for"]) == (again, "budget")
    assert f"run {again} goes on with it: waits for room in budget day: " in bench.run("run", "show", "1")[1]
    assert shown(again)["waiting"]["for"] == "budget"

    bench.configure(budget.format(50_000) + agent)

    run = wait_until(lambda: (found := shown(again))["outcome"] and found, "it has gone on")
    assert (run["outcome"], run["resumes"], run["reuse_reason"]) == ("succeeded", 1, "goes_on")
    assert run["session"] == first["session"]
    session = (bench.workspace / "session").read_text().strip()
    assert (bench.workspace / "resumed").read_text().split() == [session, "1"]
    assert "dig" not in (bench.workspace / "told").read_text(), "nothing is sent again"


def test_a_second_spawn_on_a_file_is_refused_with_the_path_or_waits_for_it(bench, wait_until):
    hold = ("spawn", "--can-write", "notes/", "--detach", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
    first = bench.json(*hold)
    wanted = ("spawn", "--can-write", "notes/a.md", "--inject", "README.md")

    refused = bench.json(*wanted, "--", "true", code=1)
    with waiting(bench, *as_json(*wanted, "--wait", "--", "true")) as child:
        wait_until(lambda: "another run's claim" in child.said(), "it waits")
        (bench.workspace / "go").touch()
        answer, code = ended(child)

    assert failed(refused) == ["conflict"]
    assert f"run {first['run']}" in check(refused, "conflict")["why"]
    assert "notes/a.md" in check(refused, "conflict")["why"]
    assert (code, answer["outcome"]) == (0, "succeeded")
    ran = bench.json("run", "show", str(first["run"]))
    assert answer["started_at"] >= ran["ended_at"]


def test_a_free_place_is_waited_for(bench, wait_until):
    bench.configure("[engine]\nmax_runs = 1\n")
    bench.json("spawn", "--detach", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
    with waiting(bench, *as_json("spawn", "--wait", "--", "true")) as child:
        wait_until(lambda: "a free place" in child.said(), "it waits")
        (bench.workspace / "go").touch()
        assert ended(child)[1] == 0


def test_an_engine_that_died_keeps_what_waits(bench, shown, wait_until):
    bench.configure(TOO_SMALL.format("ask"))
    run = bench.json(*SPAWN[:3], "--detach", *SPAWN[3:])
    os.kill(bench.engine_pid(), signal.SIGKILL)
    wait_until(lambda: bench.holder_pid() is None, "the engine is gone")
    assert [one["run"] for one in bench.json("approvals")["approvals"]] == [run["run"]]
    bench.json("approve", "1")
    wait_until(lambda: shown(run["run"])["outcome"] == "succeeded", "it has run")


def test_who_stops_waiting_is_told_that_the_run_does_not(bench, shown, wait_until):
    bench.configure(TOO_SMALL.format("ask"))
    with waiting(bench, *SPAWN) as child:
        wait_until(lambda: "qd approve 1" in child.said(), "it waits")
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=20)
        assert child.said().endswith("qd: run 1 goes on waiting; withdraw it with: qd run stop 1\n")
    assert (child.returncode, out) == (130, "")
    assert shown(1)["state"] == "waiting"


def test_who_does_not_wait_for_a_live_run_is_told_how_to_end_it(bench, shown, wait_until):
    script = "touch started; while [ ! -e go ]; do sleep 0.05; done"
    with waiting(bench, "spawn", "--sandbox", "off", "--", "sh", "-c", script) as child:
        wait_until((bench.workspace / "started").exists, "it runs")
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        said, code = child.said(), child.returncode
    assert (code, said) == (130, "qd: run 1 goes on; end it with: qd run stop 1\n")
    (bench.workspace / "go").touch()
    wait_until(lambda: shown(1)["outcome"], "it goes on")


def test_a_job_whose_run_waits_for_the_operator_says_so_at_every_due_time(bench, wait_until):
    job = '[job.tick]\nevery = "1s"\nagent = "digest"\ninject = ["README.md"]\n'
    bench.configure(f'{TOO_SMALL.format("ask")}{job}workspace = "{bench.workspace}"\n')

    def reasons():
        (found,) = bench.json("cron", "list")["jobs"]
        return {slot["reason"] for slot in found["slots"] if slot["state"] == "overlap"}

    bench.json(*SPAWN[:3], "--detach", *SPAWN[3:])  # there is an engine from now on
    assert wait_until(reasons, "it was due again") == {"the run before it waits for your word"}
