"""One engine at a time, and no run in its place."""

import asyncio
import fcntl
import os
import subprocess
import sys
import time

import msgspec
import pytest

from engine import __version__
from engine.contract.outcome import KeeperJob, SandboxRules
from engine.execution.follow import wait_for_end
from engine.execution.landlock import abi
from engine.execution.start import start_keeper
from engine.runtime.lease import Holder, Lease, holder
from state.errors import EngineUnavailable
from state.home import Home, prepare

LOCKS = """
import fcntl, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
place = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(place, int(sys.argv[2]))
if sys.argv[3:] and os.fork():
    os.close(place)
    signal.pause()
print(os.getpid(), flush=True)
signal.pause()
"""
"""Locks a file, which it can only read, and stays whatever it is asked; with a third word its child does."""
RUN = 7


@pytest.fixture
def home(tmp_path):
    made = Home(config=tmp_path / "config", state=tmp_path / "state")
    prepare(made)
    return made


@pytest.fixture
def left(home):
    """What an engine leaves that was killed."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    home.lock.write_bytes(msgspec.json.encode(Holder(dead.pid, __version__, 1, True)))


def locked_by_a_run(home, *words):
    """The pid of the process that has locked it, in a run that is held to its scope where the kernel can."""
    folder = home.run_folder(RUN)
    folder.mkdir()
    argv = (sys.executable, "-I", "-c", LOCKS, str(home.lock), *map(str, words))
    rules = SandboxRules((str(folder),)) if abi() >= 3 else None
    start_keeper(folder, KeeperJob(argv, str(folder), {}, 60.0, 3.0, 4096, sandbox=rules), "")
    output, deadline = folder / "stdout.log", time.monotonic() + 20
    while not (output.exists() and output.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "it does not lock it"
        time.sleep(0.01)
    return int(output.read_text())


@pytest.mark.parametrize("words", [(fcntl.LOCK_EX,), (fcntl.LOCK_SH,), (fcntl.LOCK_EX, "child")])
def test_a_run_that_holds_the_lock_is_named_and_ended_so_that_an_engine_can_start(home, left, words):
    pid = locked_by_a_run(home, *words)
    assert holder(home) is None, "a console starts an engine, and waits for none that is dead"
    with pytest.raises(EngineUnavailable, match=rf"run 7 \(pid {pid}\).* held the lock of the engine, and is ended"):
        Lease(home, 2)
    lease = Lease(home, 3)
    said = holder(home)
    assert said is not None
    assert (said.pid, said.started_ms) == (os.getpid(), 3)
    end = asyncio.run(asyncio.wait_for(wait_for_end(home.run_folder(RUN)), 30))
    assert end.outcome in ("cancelled", "crashed")
    lease.release()


def test_a_run_beside_an_engine_is_let_alone(home):
    lease = Lease(home, 1)
    folder = home.run_folder(RUN)
    folder.mkdir()
    start_keeper(folder, KeeperJob(("cat", str(home.lock)), str(folder), {}, 60.0, 1.0, 4096), "")
    with pytest.raises(EngineUnavailable, match=f"an engine already runs .*pid {os.getpid()}, version"):
        Lease(home, 2)
    end = asyncio.run(asyncio.wait_for(wait_for_end(folder), 30))
    assert end.outcome == "succeeded"
    lease.release()
    assert holder(home) is None


def test_who_looks_never_finds_half_of_what_the_holder_says(home, monkeypatch):
    """It may be held up after each of its calls."""
    lease, seen = Lease(home, at_ms=5), []

    def looking(call):
        def do(*words):
            done = call(*words)
            if words[0] == lease._descriptor:
                seen.append(holder(home))
            return done

        return do

    monkeypatch.setattr(os, "pwrite", looking(os.pwrite))
    monkeypatch.setattr(os, "ftruncate", looking(os.ftruncate))
    lease.ready()
    assert seen
    assert all(one is not None and one.pid == os.getpid() for one in seen)
    monkeypatch.undo()
    lease.release()
