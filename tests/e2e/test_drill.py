"""Does `qd drill` trip every guard as a user runs it, and leave nothing behind, however it ends?"""

import signal
import subprocess
from pathlib import Path

import pytest

from engine.proof.drill import ALL
from state.home import Home


@pytest.fixture
def drilling(desk):
    """A desk whose temporary files lie where they can be looked for."""
    desk.temporary = desk.home / "temporary"
    desk.temporary.mkdir()
    desk.env["TMPDIR"] = str(desk.temporary)
    return desk


def inside(folder):
    """Every process that was started with this folder in its arguments, or works in it."""
    found = set()
    for process in filter(lambda path: path.name.isdigit(), Path("/proc").iterdir()):
        try:
            told = (process / "cmdline").read_text(errors="replace") + str((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in told:
            found.add(int(process.name))
    return found


def start(desk, *words):
    return subprocess.Popen(
        [*desk.argv, "drill", *words],
        env=desk.env,
        cwd=desk.workspace,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_guard_trips_and_nothing_of_the_operator_is_touched(drilling):
    drilling.configure("this is no TOML, and nobody reads it")
    drilling.install_recordings()
    drilling.env["CLAUDE_CONFIG_DIR"] = str(drilling.home / ".claude")
    drilling.env["QUARTERDECK_RUN"] = "7"
    before = sorted(drilling.home.rglob("*"))

    answer = drilling.json("drill")

    assert [one["name"] for one in answer["drills"]] == [drill.name for drill in ALL]
    assert (answer["tripped"], answer["of"]) == (len(ALL), len(ALL))
    assert all(one["passed"] and one["stopped_by"] and one["evidence"] for one in answer["drills"])
    assert sorted(drilling.home.rglob("*")) == before
    assert inside(drilling.temporary) == set()


def test_a_line_for_each_drill_and_what_stopped_it_fit_a_terminal(drilling):
    drilling.env["COLUMNS"] = "80"
    code, out, _ = drilling.run("drill", "timeout.none", "scope.pattern")
    assert code == 0
    assert max(map(len, out.splitlines())) < 80
    first, second, *_ = out.splitlines()
    assert first.split()[:2] == ["scope.pattern", "tripped"]
    assert second.strip().startswith("scope: '**.py'")
    assert "evidence" not in out
    assert "2 of 2 drills tripped" in out.splitlines()[-1]
    verbose = drilling.run("drill", "--verbose", "timeout.none")[1]
    assert "no program, no reservation, no usage, no claim" in " ".join(verbose.split())


def test_a_guard_that_is_not_there_is_named(drilling):
    code, out, err = drilling.run("drill", "conflct")
    assert (code, out) == (1, "")
    assert "there is no guard 'conflct'" in err
    assert "conflict" in err
    assert list(drilling.temporary.iterdir()) == []


def test_what_is_kept_is_a_home_that_can_be_looked_at(drilling):
    answer = drilling.json("drill", "--keep", "scope.outside")
    (folder,) = drilling.temporary.iterdir()
    assert (answer["tripped"], answer["kept_in"]) == (1, str(folder))
    shared = Home(config=folder / "shared" / "config", state=folder / "shared" / "state")
    assert shared.database.exists()
    assert shared.config_file.exists()
    assert inside(folder) == set()


def test_two_at_once_beside_the_engine_of_the_operator_do_not_disturb_each_other(drilling, wait_until):
    drilling.write("README.md", "text\n")
    drilling.json("spawn", "--inject", "README.md")
    pid = drilling.holder_pid()
    both = [start(drilling, "--json", "conflict", "concurrency") for _ in range(2)]
    assert [one.communicate(timeout=60)[1] for one in both] == ["", ""]
    assert [one.returncode for one in both] == [0, 0]
    assert len(drilling.json("run", "list")["runs"]) == 1
    assert drilling.holder_pid() in (pid, None), "no other engine has come"
    assert inside(drilling.temporary) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_drill_leaves_nothing(drilling, wait_until, number):
    running = start(drilling, "budget_reached", "timed_out", "claim", "concurrency")
    wait_until(lambda: list(drilling.temporary.glob("*/*/sites/*/pids")), "its runs have children")
    running.send_signal(number)
    _, err = running.communicate(timeout=40)
    assert (running.returncode, err) == (130, "")
    assert list(drilling.temporary.iterdir()) == []
    assert inside(drilling.temporary) == set()


def test_an_interrupted_drill_that_is_kept_says_where(drilling, wait_until):
    running = start(drilling, "--keep", "timed_out")
    wait_until(lambda: list(drilling.temporary.glob("*/*/sites/*/pids")), "its runs have children")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=40)
    (folder,) = drilling.temporary.iterdir()
    assert str(folder) in err
    assert inside(folder) == set()


def test_a_reader_that_goes_away_ends_the_drill(drilling, wait_until):
    running = start(drilling)
    running.stdout.readline()
    running.stdout.close()
    err = running.stderr.read()
    assert (running.wait(timeout=40), err) == (1, "")
    running.stderr.close()
    assert list(drilling.temporary.iterdir()) == []
    assert inside(drilling.temporary) == set()
