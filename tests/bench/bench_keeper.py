"""What does a keeper cost, beside a child that nobody keeps? How soon is a follower told, and how large is a keeper?"""

import asyncio
import os
import statistics
import subprocess
import time
from pathlib import Path

from engine.contract.outcome import KeeperJob, SandboxRules
from engine.execution import cgroup, landlock
from engine.execution.follow import cancel, read_alive, wait_for_end
from engine.execution.start import reap, start_keeper

TIMES = 40
TRUE = ("/bin/true",)
# Says when it ended, as nearly as a child can.
NOTES = ("/bin/sh", "-c", "exec date +%s.%N")


def _job(argv, **changes):
    return KeeperJob(argv, "/", {"PATH": "/usr/bin:/bin"}, 30.0, 1.0, 100_000, **changes)


def _figures(name, times, base=None):
    times = sorted(time_s * 1e3 for time_s in times)
    middle, last = statistics.median(times), times[int(len(times) * 0.99)]
    ratio = "" if base is None else f"  {middle / base:6.1f} x"
    print(f"  {name:<46} median {middle:7.2f} ms  p99 {last:7.2f} ms{ratio}")
    return middle


def _timed(do):
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


async def _timed_async(do):
    started = time.perf_counter()
    await do()
    return time.perf_counter() - started


async def _bare():
    process = await asyncio.create_subprocess_exec(*TRUE)
    await process.wait()


def test_from_the_start_to_the_end_of_true(tmp_path):
    rules = {
        "keeper": None,
        "keeper, Landlock for writing": SandboxRules((str(tmp_path),)),
        "keeper, Landlock for reading and writing": SandboxRules((str(tmp_path),), ("/usr", "/bin", "/lib", "/lib64")),
    }
    if landlock.abi() == 0:
        rules = {"keeper": None}

    async def kept(name, number):
        folder = tmp_path / f"{name}{number}"
        folder.mkdir()
        start_keeper(folder, _job(TRUE, sandbox=rules[name]), "")
        assert (await wait_for_end(folder)).outcome == "succeeded"

    async def all_of_them():
        return {
            "asyncio.create_subprocess_exec": [await _timed_async(_bare) for _ in range(TIMES)],
            **{
                name: [await _timed_async(lambda n=n, name=name: kept(name, n)) for n in range(TIMES)] for name in rules
            },
        }

    print(f"\n`true`, {TIMES} times; Landlock {landlock.abi()}; own control groups: {bool(_own_group())}")
    base = _figures("subprocess.run", [_timed(lambda: subprocess.run(TRUE)) for _ in range(TIMES)])
    for name, times in asyncio.run(all_of_them()).items():
        _figures(name, times, base)
    reap()


def _own_group():
    place = cgroup.own()
    return place is not None and os.access(place, os.W_OK)


def test_from_the_childs_end_to_the_moment_a_follower_knows(tmp_path):
    async def told(number):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        start_keeper(folder, _job(NOTES), "")
        await wait_for_end(folder)
        return time.time() - float((folder / "stdout.log").read_text())

    async def all_of_them():
        return [await told(number) for number in range(TIMES)]

    print("\nfrom the child's exit to its follower")
    _figures("keeper", asyncio.run(all_of_them()))
    reap()


SIZES = {"idle": "exec sleep 300", "after 300 MB of output": "head -c 300000000 /dev/zero; exec sleep 300"}


def test_how_large_a_keeper_is(tmp_path):
    print("\nresident")
    for name, script in SIZES.items():
        folder = tmp_path / name
        folder.mkdir()
        start_keeper(folder, _job(("/bin/sh", "-c", script)), "")
        alive = _sleeping(folder)
        print(f"  {name:<46} {_mib(alive.pid, 'VmRSS'):5.1f} MiB, at most {_mib(alive.pid, 'VmHWM'):5.1f} MiB")
        assert cancel(alive)
        assert asyncio.run(wait_for_end(folder)).outcome == "cancelled"
    reap()


def _mib(pid, name):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _sleeping(folder):
    """The keeper, once its child has come to its `sleep`."""
    while True:
        alive = read_alive(folder)
        child = alive.child_pid if alive is not None else None
        if child is not None and Path(f"/proc/{child}/comm").read_text() == "sleep\n":
            return alive
        time.sleep(0.01)
