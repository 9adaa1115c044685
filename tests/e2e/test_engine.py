"""One engine per state folder: started on demand, never taken over, handed over to a newer version, gone when idle."""

import json
import os
import signal
import subprocess
import sys

import pytest


def start(desk, *flags, version=None):
    """An engine in the foreground, as `qd engine`; of another version when asked."""
    program = "import sys, engine\n"
    if version:
        program += f"engine.__version__ = {version!r}\n"
    program += "from tui.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, "engine", *flags],
        env=desk.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def foreground(desk, wait_until):
    engine = start(desk)
    wait_until(lambda: desk.holder_pid() == engine.pid, "the engine is up")
    yield engine
    engine.terminate()
    engine.communicate(timeout=20)


def test_a_second_engine_is_refused_and_names_the_first(desk, foreground):
    code, _, err = desk.run("engine")
    assert code == 1
    assert f"pid {foreground.pid}" in err
    assert "qd engine stop" in err
    assert foreground.poll() is None


def test_status_and_stop(desk, wait_until):
    code, out, _ = desk.run("engine", "status")
    assert code == 1
    assert "No engine runs" in out
    engine = start(desk)
    wait_until(lambda: desk.holder_pid() == engine.pid, "the engine is up")

    status = desk.json("engine", "status")
    assert status["pid"] == engine.pid
    assert desk.json("engine", "stop")["stopped"]
    out, err = engine.communicate(timeout=20)
    assert (engine.returncode, err) == (0, "")
    assert desk.json("engine", "stop")["stopped"] is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order(desk, wait_until, number):
    engine = start(desk)
    wait_until(lambda: desk.holder_pid() == engine.pid, "the engine is up")
    engine.send_signal(number)
    _, err = engine.communicate(timeout=20)
    assert (engine.returncode, err) == (0, "")


def test_it_survives_a_hangup(desk, foreground):
    foreground.send_signal(signal.SIGHUP)
    assert desk.json("engine", "status")["pid"] == foreground.pid


def test_after_kill_9_the_next_order_starts_another(desk, foreground, wait_until):
    foreground.kill()
    foreground.wait()
    desk.write("README.md", "text\n")
    assert desk.json("spawn", "--inject", "README.md")["outcome"] == "succeeded"
    assert desk.holder_pid() not in (None, foreground.pid)


def test_an_older_engine_hands_over_to_a_newer_console(desk, wait_until):
    old = start(desk, version="0.0.1")
    wait_until(lambda: desk.holder_pid() == old.pid, "the old engine is up")
    run = desk.json("run", "--detach", "--timeout", "60s", "--", "sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
    old.communicate(timeout=20)
    assert old.returncode == 0
    assert desk.json("engine", "status")["version"] != "0.0.1"
    (desk.workspace / "go").touch()
    shown = wait_until(
        lambda: (found := desk.json("run", "show", str(run["run"])))["outcome"] and found, "the new engine settles it"
    )
    assert shown["outcome"] == "succeeded"


def test_an_older_console_uses_a_newer_engine(desk, wait_until):
    new = start(desk, version="9.0.0")
    wait_until(lambda: desk.holder_pid() == new.pid, "the new engine is up")
    desk.write("README.md", "text\n")
    assert desk.json("spawn", "--inject", "README.md")["outcome"] == "succeeded"
    assert desk.holder_pid() == new.pid
    new.terminate()
    new.communicate(timeout=20)


def test_it_ends_when_nobody_needs_it(desk, wait_until):
    desk.configure('[engine]\nidle_exit = "1s"\n')
    desk.write("README.md", "text\n")
    desk.json("spawn", "--inject", "README.md")
    wait_until(lambda: desk.holder_pid() is None, "it is gone")


def test_it_stays_while_a_job_is_scheduled_and_ends_after(desk, wait_until):
    desk.configure('[engine]\nidle_exit = "1s"\n')
    desk.json("cron", "add", "--name", "j", "--every", "1h")
    pid = desk.holder_pid()
    events = wait_until(lambda: desk.holder_pid() == pid, "it is still there")
    assert events
    desk.json("cron", "remove", "j")
    wait_until(lambda: desk.holder_pid() is None, "it is gone")


def test_a_bad_edit_keeps_the_old_configuration_and_a_good_one_takes_over(desk, foreground, wait_until):
    from state import database, events
    from state.home import Home

    home = Home(config=desk.config_file.parent, state=desk.state)
    reader = database.open_reader(home)
    desk.configure('[job.keep]\nevery = "1h"\n')
    wait_until(lambda: (home.config_in_force).read_text().startswith("[job.keep]"), "it is in force")

    desk.configure('[job.keep]\nevrey = "1h"\n')
    notice = wait_until(lambda: events.notice(reader, "config"), "the mistake is said")
    assert "quarterdeck.toml:2" in notice.text
    assert "did you mean 'every'?" in notice.text
    assert "[job.keep]\nevery" in home.config_in_force.read_text()

    desk.configure('[job.keep]\nevery = "2h"\n')
    wait_until(lambda: events.notice(reader, "config") is None, "the notice is gone")
    assert "2h" in home.config_in_force.read_text()
    reader.close()


def test_a_job_fires_and_its_slot_says_what_became_of_it(desk, wait_until):
    desk.write("HEARTBEAT.md", "- [ ] look at the disk\n")
    words = ("--every", "1s", "--session", "isolated", "--model", "digest", "--inject-only", "HEARTBEAT.md")
    desk.json("cron", "add", "--name", "health-check", *words)

    def finished():
        slots = desk.json("cron", "list")["jobs"][0]["slots"]
        return [slot for slot in slots if slot["state"] == "finished"]

    slot = wait_until(finished, "a slot is finished")[0]
    run = desk.json("run", "show", str(slot["run_id"]))
    assert (run["trigger"], run["job"], run["lane"]) == ("timer", "health-check", "isolated")
    assert "look at the disk" in run["text"]
    desk.json("cron", "pause", "health-check")
    wait_until(
        lambda: any(slot["state"] == "paused" for slot in desk.json("cron", "list")["jobs"][0]["slots"]),
        "due times are noted as paused",
    )


def test_a_main_job_resumes_on_its_timer(desk, wait_until):
    desk.write("HEARTBEAT.md", "- [ ] look at the disk\n")
    desk.json("cron", "add", "--name", "main-job", "--every", "1s", "--session", "main", "--inject", "HEARTBEAT.md")

    def reused():
        return [run for run in desk.json("run", "list")["runs"] if run["reuse_reason"] == "same_conversation"]

    assert wait_until(reused, "a timer wake resumes")[0]["trigger"] == "timer"


def test_a_slot_is_refused_by_a_budget_and_says_so(desk, wait_until):
    desk.write("HEARTBEAT.md", "- [ ] look at the disk\n")
    desk.json("budget", "set", "tiny", "--window", "day", "--tokens", "1")
    desk.json("cron", "add", "--name", "j", "--every", "1s", "--inject", "HEARTBEAT.md")
    slot = wait_until(
        lambda: next((s for s in desk.json("cron", "list")["jobs"][0]["slots"] if s["state"] == "refused"), None),
        "a slot is refused",
    )
    assert "budget: tiny" in slot["reason"]


def test_cron_fire_runs_a_job_by_hand(desk):
    desk.write("HEARTBEAT.md", "- [ ] look at the disk\n")
    desk.json("cron", "add", "--name", "j", "--cron", "0 7 * * 1-5", "--inject", "HEARTBEAT.md")
    run = desk.json("cron", "fire", "j")
    assert (run["outcome"], run["trigger"], run["job"]) == ("succeeded", "operator", "j")


def test_two_orders_with_one_id_act_once(desk, foreground, wait_until):
    """A crash between an effect and the removal of its order must not do it twice."""
    import shutil

    desk.write("README.md", "text\n")
    orders = desk.state / "orders"
    os.kill(foreground.pid, signal.SIGSTOP)
    waiting = subprocess.Popen(
        [*desk.argv, "spawn", "--inject", "README.md", "--json"],
        env=desk.env,
        cwd=desk.workspace,
        stdout=subprocess.PIPE,
        text=True,
    )
    order = wait_until(lambda: next(orders.glob("[0-9]*.json"), None), "the order is in the spool")
    copy = desk.home / order.name
    shutil.copy(order, copy)
    os.kill(foreground.pid, signal.SIGCONT)
    out, _ = waiting.communicate(timeout=40)
    assert json.loads(out)["outcome"] == "succeeded"

    copy.rename(orders / order.name)
    wait_until(lambda: not list(orders.glob("[0-9]*.json")), "the copy is taken out of the spool")
    assert len(desk.json("run", "list")["runs"]) == 1


def test_an_expired_order_has_no_effect(desk, foreground, wait_until):
    order_id = "00000000000000000001-dead"
    order = {
        "id": order_id,
        "kind": "run",
        "body": {"agent": "digest", "workspace": str(desk.workspace)},
        "created_ms": 1,
        "expires_ms": 2,
    }
    (desk.state / "orders" / f"{order_id}.json").write_text(json.dumps(order))
    wait_until(lambda: not list((desk.state / "orders").glob("[0-9]*.json")), "it is taken out of the spool")
    assert desk.json("run", "list")["runs"] == []


def test_a_file_that_is_no_order_is_moved_aside_and_harms_nothing(desk, foreground, wait_until):
    (desk.state / "orders" / "00000000000000000001-bad.json").write_text("{nonsense")
    wait_until(lambda: list((desk.state / "orders" / "bad").glob("*")), "it is moved aside")
    assert desk.json("engine", "status")["pid"] == foreground.pid
