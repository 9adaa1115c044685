"""Is a run followed, cancelled and given up rightly, by processes that did not start it too?"""

import asyncio
import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.contract.outcome import KeeperAlive, KeeperJob
from engine.execution import follow
from engine.execution.start import reap, start_keeper
from state.errors import QuarterdeckError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Run

ROOT = Path(__file__).parents[3]
SH = "/bin/sh"
WAITS = "echo ahoy; until [ -e go ]; do sleep 0.02; done"
# A process of its own that starts one run and then waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
import msgspec
from engine.contract.outcome import KeeperJob
from engine.execution.start import start_keeper
job = msgspec.json.decode(sys.argv[2], type=KeeperJob)
open("/dev/tty").close() if sys.argv[3] == "tty" else None
start_keeper(Path(sys.argv[1]), job, "")
time.sleep(300)
"""


def starter(run: "Run", script: str, **options: object) -> "subprocess.Popen[bytes]":
    name, _, value = run.mark.partition("=")
    job = {"argv": (SH, "-c", script), "cwd": str(run.folder), "env": {"PATH": "/usr/bin:/bin", name: value}}
    job |= {"timeout_s": 30, "grace_s": 1, "output_cap": 10_000}
    program = [sys.executable, "-c", STARTER, str(run.folder), msgspec.json.encode(job).decode()]
    tty = "tty" if options else "none"
    before = ["setsid", "--ctty", "--wait"] if options else []
    return subprocess.Popen([*before, *program, tty], cwd=ROOT, **options)  # type: ignore[call-overload, no-any-return]


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def test_cancel(run: "Run") -> None:
    run.start(SH, "-c", "trap 'exit 0' TERM; echo ahoy; while :; do sleep 0.02; done")
    run.file("stdout.log")
    alive = run.alive()
    assert follow.is_alive(alive)
    assert follow.read_end(run.folder) is None
    assert follow.cancel(alive)
    end = run.end()
    assert (end.outcome, end.exit_code, end.escalated) == ("cancelled", 0, False)
    assert not follow.is_alive(alive)
    assert not follow.cancel(alive)


def test_hangup_and_interrupt_do_not_end_a_run(run: "Run") -> None:
    run.start(SH, "-c", WAITS)
    alive = run.alive()
    os.kill(alive.pid, signal.SIGHUP)
    os.kill(alive.pid, signal.SIGINT)
    (run.folder / "go").touch()
    assert run.end().outcome == "succeeded"


def test_another_process_with_the_same_pid_is_not_the_keeper() -> None:
    ticks = follow.start_ticks(os.getpid())
    assert ticks is not None
    me = KeeperAlive(os.getpid(), ticks, follow.boot_id())
    assert follow.is_alive(me)
    for other in (
        msgspec.structs.replace(me, start_ticks=ticks + 1),
        msgspec.structs.replace(me, boot_id="another boot"),
        msgspec.structs.replace(me, pid=0),
    ):
        assert not follow.is_alive(other)
        assert not follow.cancel(other)


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert follow.start_ticks(child.pid) is None
    child.wait()


def test_a_killed_keeper_is_an_interrupted_run_without_survivors(run: "Run") -> None:
    run.start(SH, "-c", "trap '' TERM; setsid sleep 300 & sleep 300 & echo ahoy; while :; do sleep 1; done")
    run.file("stdout.log")
    alive = run.alive()
    os.kill(alive.pid, signal.SIGKILL)
    end = run.end()
    assert (end.outcome, end.exit_code, end.signal) == ("interrupted", None, None)
    assert "keeper died" in end.why
    assert 0 < end.started_ms <= end.ended_ms
    assert run.survivors() == []


def test_the_session_of_a_leader_that_died_with_its_keeper_is_ended(run: "Run") -> None:
    run.start(SH, "-c", "sleep 300 & echo ahoy; wait")
    run.file("stdout.log")
    alive = run.alive()
    assert alive.child_pid is not None
    os.kill(alive.pid, signal.SIGSTOP)
    os.kill(alive.child_pid, signal.SIGKILL)
    os.kill(alive.pid, signal.SIGKILL)
    assert run.end().outcome == "interrupted"
    assert run.survivors() == []


def test_a_pid_given_anew_is_left_alone(run: "Run", tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        dead = {"pid": 2**22 + 1, "start_ticks": 1, "boot_id": follow.boot_id(), "child_pid": bystander.pid}
        (run.folder / "keeper.json").write_bytes(msgspec.json.encode({**dead, "child_start_ticks": 1}))
        assert run.end().outcome == "interrupted"
        assert bystander.poll() is None
    finally:
        kill(bystander)


def test_a_run_outlives_the_death_of_who_started_it(run: "Run") -> None:
    process = starter(run, WAITS)
    assert run.file("stdout.log") == "ahoy"
    kill(process)
    alive = run.alive()
    assert follow.is_alive(alive)
    (run.folder / "go").touch()
    assert run.end().outcome == "succeeded"


def test_no_terminal(run: "Run") -> None:
    master, slave = pty.openpty()
    process = starter(run, "(exec 3</dev/tty) 2>&1; tty; echo end", stdin=slave, stdout=slave, stderr=slave)
    try:
        assert run.end().outcome == "succeeded"
    finally:
        kill(process)
        os.close(master)
        os.close(slave)
    assert b"No such device" in run.stdout
    assert b"not a tty" in run.stdout


def test_closing_the_terminal_does_not_end_a_run(run: "Run") -> None:
    master, slave = pty.openpty()
    process = starter(run, WAITS, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    assert run.file("stdout.log") == "ahoy"
    os.close(master)
    process.wait(30)
    (run.folder / "go").touch()
    assert run.end().outcome == "succeeded"


def test_without_pidfds_it_polls(run: "Run", monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "no pidfds")

    monkeypatch.setattr(os, "pidfd_open", missing)
    run.start(SH, "-c", WAITS)
    alive = run.alive()
    assert follow.cancel(alive)
    assert run.end().outcome == "cancelled"


def test_a_keeper_that_never_came_never_comes(run: "Run", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "APPEAR_S", 0.05)
    end = run.end()
    assert (end.outcome, end.why) == ("could_not_start", "the keeper never started")
    run.start("touch", "started")
    run.until(lambda: run.keeper in reap())
    assert not (run.folder / "started").exists()
    assert run.end().outcome == "could_not_start"


def test_a_run_is_started_once(run: "Run") -> None:
    run.start(SH, "-c", "echo once")
    with pytest.raises(QuarterdeckError, match="cannot start the keeper"):
        run.start(SH, "-c", "echo twice")
    assert run.end().outcome == "succeeded"
    assert run.stdout == b"once\n"


def test_no_folder_no_keeper(tmp_path: Path) -> None:
    assert asyncio.run(follow.wait_for_end(tmp_path / "gone")).outcome == "interrupted"
    with pytest.raises(QuarterdeckError):
        start_keeper(tmp_path / "gone", KeeperJob(("true",), "/", {}, 1.0, 1.0, 1), "")


def test_damaged_records_are_errors_that_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "end.json").write_bytes(b"")
    (tmp_path / "keeper.json").write_bytes(b"{")
    with pytest.raises(StateError, match=r"end\.json is damaged"):
        follow.read_end(tmp_path)
    with pytest.raises(StateError, match=r"keeper\.json is damaged"):
        follow.read_alive(tmp_path)
    assert asyncio.run(follow.wait_for_end(tmp_path)).outcome == "interrupted"


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_keeper_whose_record_is_damaged_is_found_and_waited_for(run: "Run", content: bytes) -> None:
    run.start(SH, "-c", "until [ -e go ]; do sleep 0.02; done; exit 3")
    alive = run.alive()
    (run.folder / "keeper.json").write_bytes(content)
    found = follow.find_alive(run.folder)
    assert found is not None
    assert (found.pid, found.start_ticks) == (alive.pid, alive.start_ticks)
    (run.folder / "go").touch()
    end = run.end()
    assert (end.outcome, end.exit_code) == ("failed", 3)
    assert run.end() == end, "also when it is dead by now"
    assert follow.find_alive(run.folder) is None


def test_a_keeper_whose_record_is_damaged_can_be_told_to_end_its_run(run: "Run") -> None:
    run.start(SH, "-c", "sleep 60")
    run.alive()
    (run.folder / "keeper.json").write_bytes(b"")
    found = follow.find_alive(run.folder)
    assert found is not None
    assert follow.cancel(found)
    assert run.end().outcome == "cancelled"


def test_twenty_followed_by_one_loop(new_run: "Callable[[], Run]") -> None:
    runs = [new_run().start(SH, "-c", f"exit {number % 2}") for number in range(20)]

    async def follow_all() -> list[str]:
        ends = await asyncio.wait_for(asyncio.gather(*(follow.wait_for_end(run.folder) for run in runs)), 60)
        return [end.outcome for end in ends]

    assert asyncio.run(follow_all()) == ["succeeded", "failed"] * 10
