"""What happens while the disk is full, and when there is room again? With the state folder on a small disk."""

import contextlib
import os
import sqlite3
import subprocess

import pytest

from state import ballast
from state.home import Home
from tests.e2e import crash
from tests.e2e.crash import FOREVER, HOLD, begun, detached, lives, number_in, runs_of

engine, settled = crash.engine, crash.settled


@pytest.fixture
def small_disk(desk):
    """The state folder on a disk of its own, of 24 MiB."""
    desk.state.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "none", str(desk.state)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield Home(config=desk.config_file.parent, state=desk.state)
    desk.close()
    subprocess.run(["umount", "--lazy", str(desk.state)], check=True)


def fill(home, leave=0):
    """Take all the room but so many bytes."""
    with (home.state / "filler").open("ab") as filler:
        while (free := room(home) - leave) > 0:
            with contextlib.suppress(OSError):  # the engine was quicker
                os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, free)


def room(home):
    disk = os.statvfs(home.state)
    return disk.f_bavail * disk.f_frsize


def make_room(home):
    (home.state / "filler").unlink()


def test_on_a_full_disk_an_order_is_refused_and_with_room_again_it_goes_on(small_disk, desk, engine, wait_until):
    unhurt = engine()
    assert desk.json("run", "--", "true")["outcome"] == "succeeded"
    fill(small_disk, leave=16_384)

    for _ in range(2):  # what the first one's refusal made room for is no room for the second
        code, _, err = desk.run("run", "--", "touch", "ran")
        assert (code, "the disk is full" in err) == (1, True), err
    assert not (desk.workspace / "ran").exists()
    assert runs_of(desk) == [1]
    make_room(small_disk)
    wait_until(lambda: ballast.carried(small_disk), "there is room again")
    assert desk.json("run", "--can-write", "ran", "--", "touch", "ran")["outcome"] == "succeeded"
    assert (desk.workspace / "ran").exists()
    assert unhurt.poll() is None


def test_how_a_run_ended_is_kept_on_a_full_disk(small_disk, desk, engine, settled, wait_until):
    engine()
    detached(desk, HOLD)
    wait_until(lambda: begun(desk), "it runs")
    empty_wal(small_disk)
    fill(small_disk)
    (desk.workspace / "go").touch()
    assert settled()["outcome"] == "succeeded"
    assert not ballast.carried(small_disk), "its room was used"


def test_what_a_full_disk_has_no_room_for_is_written_when_there_is_room(small_disk, desk, engine, settled, wait_until):
    unhurt = engine()
    detached(desk, HOLD)
    wait_until(lambda: begun(desk), "it runs")
    empty_wal(small_disk)
    ballast.drop(small_disk)
    fill(small_disk)
    (desk.workspace / "go").touch()
    said = iter(unhurt.stderr.readline, "")
    assert any("run 1: the disk is full" in line for line in said)
    assert desk.json("run", "show", "1")["state"] == "running"
    make_room(small_disk)
    assert settled()["outcome"] == "succeeded"
    assert unhurt.poll() is None


def empty_wal(home):
    """Written pages would otherwise be used again, and need no room."""
    with contextlib.closing(sqlite3.connect(home.database)) as database:
        database.execute("PRAGMA busy_timeout = 5000")
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_a_run_is_stopped_on_a_full_disk(small_disk, desk, engine, settled, wait_until):
    engine()
    detached(desk, f"echo $$ > pid; {FOREVER}")
    pid = wait_until(lambda: number_in(desk.workspace / "pid"), "it runs")
    empty_wal(small_disk)
    ballast.drop(small_disk)
    fill(small_disk, leave=4096)
    words = [*desk.argv, "run", "stop", "1"]
    with subprocess.Popen(words, env=desk.env, cwd=desk.workspace, stderr=subprocess.DEVNULL):
        wait_until(lambda: not lives(pid), "it is ended")
        make_room(small_disk)
    assert settled()["outcome"] == "cancelled"


def test_a_job_goes_on_when_there_is_room_again(small_disk, desk, engine, wait_until):
    unhurt = engine()
    desk.write("a.md", "# a\n")
    desk.json("cron", "add", "--name", "j", "--every", "1s", "--session", "isolated", "--inject", "a.md")
    empty_wal(small_disk)
    ballast.drop(small_disk)
    fill(small_disk)
    assert any("scheduler: the disk is full" in line for line in iter(unhurt.stderr.readline, ""))
    make_room(small_disk)

    def finished():
        return [slot for slot in desk.json("cron", "list")["jobs"][0]["slots"] if slot["state"] == "finished"]

    before = len(finished())
    wait_until(lambda: len(finished()) > before, "its runs go on")
    assert unhurt.poll() is None
