"""Does every nasty child end as its record says: nothing of it left, no zombie, nothing written after the record?

Many live at the same time, with a grace of 1 s and, unless they are to end by themselves, a timeout of 2 s."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from engine.contract.outcome import EndRecord
from engine.execution import cgroup, follow
from engine.execution.tree import stat_of

if TYPE_CHECKING:
    from conftest import Run

ROOT = Path(__file__).parents[3]
LOOP = "while :; do sleep 0.02; done"
AT_ONCE = 16
"""How many live at the same time: a keeper that gets no processor ends nothing."""


class Nasty(NamedTuple):
    name: str
    program: str
    """For `sh`; Python where it begins with `import`."""
    outcome: str
    code: int | None = None
    signal: int | None = None
    escalated: bool = False
    leaked: int | None = 0
    """None: as many as it happened to be, but at least one."""


DAEMON = (
    "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    "for fd in (0, 1, 2): os.close(fd)\ntime.sleep(300)"
)
TRACELESS = DAEMON.replace("time.sleep(300)", "os.execve('/bin/sleep', ['sleep', '300'], {})")
LEAVES_ITS_GROUP = TRACELESS.replace(
    "import os, time\n",
    "import os, time\nplace = os.environ['GROUP']\ntry: open(place + '/cgroup.procs', 'w').write('0')\n"
    "except OSError: pass\n",
)
BOMB = """import os, resource, signal, time
if os.geteuid() == 0: os.setuid(54322)
resource.setrlimit(resource.RLIMIT_NPROC, (60, 60))
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)
"""
HOPS = (
    "import os, time\nend = time.monotonic() + 60\n"
    "while time.monotonic() < end:\n    if os.fork(): os._exit(0)\n    os.setsid()"
)
TERMINAL = """import fcntl, os, sys, termios
for path in ("/dev/tty", "/dev/stdin"):
    try:
        fcntl.ioctl(os.open(path, os.O_RDWR), termios.TIOCSTI, b"x")
        sys.exit(1)
    except OSError:
        continue
"""
UNCAUGHT = "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\ntime.sleep(300)"
ZOMBIES = "import os, time\nfor _ in range(50):\n    if not os.fork(): os._exit(0)\n"
OTHER_GROUP = (
    "import os, signal, time\nif not os.fork():\n    os.setpgrp()\n    {}\n    time.sleep(300)\ntime.sleep(300)"
)
THREADS = "import threading, time\nfor _ in range(50): threading.Thread(target=time.sleep, args=(300,)).start()"
RENAMED = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'keep.py) R 1', 0, 0, 0)\ntime.sleep(300)"
SPAWNED = "import os\nos.posix_spawn('/bin/sleep', ['sleep', '300'], os.environ)"
FLOODS_BOTH = (
    "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "while True: os.write(1, b'x' * 99999), os.write(2, b'\\xff' * 99999)"
)
FORGES = """echo '{"outcome": "succeeded", "exit_code": 0}' > end.json; exit 3"""
CHAIN = 'n=$((${1:-0}+1)); [ $n -gt 200 ] && exit 5; exec sh -c "$0" "$0" $n'
ENDLESS = 'exec sh -c "$0" "$0"'

CHILDREN = [
    Nasty("exits well", ":", "succeeded", 0),
    Nasty("exits with the code of a TERM", "exit 143", "failed", 143),
    Nasty("exits with the last code", "exit 255", "failed", 255),
    Nasty("crashes", "kill -SEGV $$", "crashed", None, 11),
    Nasty("aborts", "import os\nos.abort()", "crashed", None, 6),
    Nasty("is shot", "kill -KILL $$", "crashed", None, 9),
    Nasty("shoots its own group", "sleep 300 & kill -KILL 0", "crashed", None, 9),
    Nasty("sleeps", "exec sleep 300", "timed_out", None, 15),
    Nasty("ignores TERM", f"trap '' TERM; {LOOP}", "timed_out", None, 9, True),
    Nasty("blocks every signal", UNCAUGHT, "timed_out", None, 9, True),
    Nasty("ignores HUP", "trap '' HUP; exec sleep 300", "timed_out", None, 15),
    Nasty("is told to ignore HUP", "nohup sleep 300 & exit 0", "succeeded", 0, leaked=1),
    Nasty("forks twice", DAEMON, "succeeded", 0, leaked=1),
    Nasty("empties its environment", "exec env -i sleep 300", "timed_out", None, 15),
    Nasty("leaves no trace", TRACELESS, "succeeded", 0, leaked=1),
    Nasty("leaves its control group too", LEAVES_ITS_GROUP, "succeeded", 0, leaked=1),
    Nasty("a grandchild holds stdout", "setsid sleep 300 & echo x", "succeeded", 0, leaked=1),
    Nasty("a grandchild holds stdin", "exec 3<&0; setsid sleep 300 <&3 & :", "succeeded", 0, leaked=1),
    Nasty("a worker in its group is left", "sleep 300 & exit 0", "succeeded", 0, leaked=1),
    Nasty("a deaf worker is left", "trap '' TERM; sleep 300 & exit 0", "succeeded", 0, leaked=1),
    Nasty("respawns on TERM", f"trap 'setsid sleep 300 & exit 0' TERM; {LOOP}", "timed_out", 0, leaked=1),
    Nasty("respawns itself on TERM", f'trap \'exec sh -c "$0" "$0"\' TERM; {LOOP}', "timed_out", None, 9, True),
    Nasty("floods stdout", "exec yes", "timed_out", None, 15),
    Nasty("floods stderr", "exec yes >&2", "timed_out", None, 15),
    Nasty("floods both and is deaf", FLOODS_BOTH, "timed_out", None, 9, True),
    Nasty("floods from a daemon", "setsid yes & exit 0", "succeeded", 0, leaked=1),
    Nasty("one huge line", "head -c 50000000 /dev/zero | tr '\\0' x", "succeeded", 0),
    Nasty("broken UTF-8", "printf '\\377\\376\\300\\000'", "succeeded", 0),
    Nasty("tries the terminal", TERMINAL, "succeeded", 0),
    Nasty("stops itself", "kill -STOP $$; sleep 300", "timed_out", None, 15),
    Nasty("stops itself on TERM", f"trap 'kill -STOP $$' TERM; {LOOP}", "timed_out", None, 9, True),
    Nasty("closes its output and works on", "exec >&- 2>&-; sleep 0.6; exit 4", "failed", 4),
    Nasty("closes its output and hangs", "exec >&- 2>&- <&-; exec sleep 300", "timed_out", None, 15),
    Nasty("300 children", "for i in $(seq 300); do sleep 300 & done; wait", "timed_out", None, 15),
    Nasty("300 left in their sessions", "for i in $(seq 300); do setsid sleep 300 & done", "succeeded", 0, leaked=300),
    Nasty("execs again and again", CHAIN, "failed", 5),
    Nasty("execs for ever", ENDLESS, "timed_out", None, 15),
    Nasty("forks away for ever", HOPS, "succeeded", 0, leaked=None),
    Nasty("fork bomb", BOMB, "timed_out", None, leaked=None),
    Nasty("ends well after its deadline", f"trap 'exit 0' TERM; {LOOP}", "timed_out", 0),
    Nasty("ends badly after its deadline", f"trap 'exit 3' TERM; {LOOP}", "timed_out", 3),
    Nasty("takes its time to end", f"trap 'sleep 0.5; exit 0' TERM; {LOOP}", "timed_out", 0),
    Nasty("takes too much time to end", f"trap 'sleep 9; exit 0' TERM; {LOOP}", "timed_out", None, 9, True),
    Nasty("goes on writing after TERM", f"trap 'while :; do echo x; done' TERM; {LOOP}", "timed_out", None, 9, True),
    Nasty("never waits for its children", ZOMBIES + "time.sleep(300)", "timed_out", None, 15),
    Nasty("leaves zombies", ZOMBIES, "succeeded", 0),
    Nasty("holds a lock", "exec flock lock sleep 300", "timed_out", None, 15),
    Nasty("has a job in another group", OTHER_GROUP.format("pass"), "timed_out", None, 15),
    Nasty("has a stopped job", OTHER_GROUP.format("os.kill(os.getpid(), signal.SIGSTOP)"), "timed_out", None, 15),
    Nasty("asks its keeper to end", "kill -TERM $PPID; exec sleep 300", "cancelled", None, 15),
    Nasty("asks its keeper's group to end", "kill -TERM -$PPID; exec sleep 300", "cancelled", None, 15),
    Nasty("hangs up on its keeper", "kill -HUP $PPID; kill -USR1 $PPID; kill -INT $PPID; exit 2", "failed", 2),
    Nasty("shoots its keeper", "kill -KILL $PPID; exec sleep 300", "interrupted", None, leaked=None),
    Nasty("reads for ever", "while :; do read x; done", "timed_out", None, 15),
    Nasty("waits for a reader", "mkfifo pipe; echo > pipe", "timed_out", None, 15),
    Nasty("bears the keeper's name", RENAMED, "timed_out", None, 15),
    Nasty("spawns without a fork", SPAWNED, "succeeded", 0, leaked=1),
    Nasty("has a large environment", "export A=$(yes | head -c 100000); sleep 300 & exit 0", "succeeded", 0, leaked=1),
    Nasty("has lost its folder", "mkdir d; cd d; rmdir ../d; exec sleep 300", "timed_out", None, 15),
    Nasty("has many threads", THREADS, "timed_out", None, 15),
    Nasty("writes its own end", FORGES, "failed", 3),
    Nasty("takes its log away", "rm stdout.log; echo x; exit 6", "failed", 6),
]


LUCK = {"fork bomb", "300 children"}
"""They may still be forking at their deadline: which of them hear the TERM depends on the load of the machine."""


def start(run: "Run", child: Nasty) -> "Run":
    name, _, value = run.mark.partition("=")
    env = {"PATH": "/usr/bin:/bin", name: value, "GROUP": cgroup.own() or "/nowhere"}
    program = child.program
    argv = ("sh", "-c", program, program) if not program.startswith("import") else (sys.executable, "-S", "-c", program)
    timeout_s = 2.0 if child.outcome == "timed_out" else 30.0  # Those that end by themselves may have a slow machine.
    return run.start(*argv, env=env, timeout_s=timeout_s, grace_s=1.0, output_cap=100_000)


@pytest.fixture(scope="module")
def ended(new_run_of_many: "Callable[[], Run]") -> "dict[str, tuple[Run, EndRecord]]":
    runs = {child.name: new_run_of_many() for child in CHILDREN}

    async def all_of_them() -> list[EndRecord]:
        room = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(one(child, room) for child in CHILDREN))

    async def one(child: Nasty, room: asyncio.Semaphore) -> EndRecord:
        async with room:
            start(runs[child.name], child)
            return await asyncio.wait_for(follow.wait_for_end(runs[child.name].folder), 60)

    ends = asyncio.run(all_of_them())
    return {child.name: (runs[child.name], end) for child, end in zip(CHILDREN, ends, strict=True)}


@pytest.mark.parametrize("child", CHILDREN, ids=[child.name for child in CHILDREN])
def test_it_ends_as_its_record_says(child: Nasty, ended: "dict[str, tuple[Run, EndRecord]]") -> None:
    run, end = ended[child.name]
    if child.name in LUCK:
        assert (end.outcome, end.exit_code) == (child.outcome, None)
    else:
        expected = (child.outcome, child.code, child.signal, child.escalated)
        assert (end.outcome, end.exit_code, end.signal, end.escalated) == expected
        assert end.leaked == child.leaked or (child.leaked is None and end.leaked >= 1)
    assert "could not be ended" not in end.why
    assert run.survivors() == []
    assert written_after_the_record(run) == []


def written_after_the_record(run: "Run") -> list[str]:
    record = run.folder / "end.json"
    if not record.exists():  # Its keeper was shot.
        return []
    last = record.stat().st_mtime_ns
    return [path.name for path in run.folder.iterdir() if path.lstat().st_mtime_ns > last]


def test_no_zombie_is_left(ended: "dict[str, tuple[Run, EndRecord]]") -> None:
    """Nor anything else in the sessions of their leaders, or below their keepers."""
    runs = [run for run, _ in ended.values()]
    leaders = {msgspec.json.decode((run.folder / "keeper.json").read_bytes())["child_pid"] for run in runs}
    keepers = {run.keeper for run in runs}
    stats = [stat_of(int(name)) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    left = [stat for stat in stats if stat is not None and (stat[1] in keepers or stat[2] in leaders)]
    assert left == []


def test_what_they_held_is_free(ended: "dict[str, tuple[Run, EndRecord]]") -> None:
    run, _ = ended["holds a lock"]
    assert subprocess.run(["flock", "-n", str(run.folder / "lock"), "true"]).returncode == 0


IN_PROCESS = """
import os, resource, sys
sys.path.append({root!r})
from engine.execution.keeper import main
folder = sys.argv[1]
os.chdir(folder)
os.chdir = lambda _: None
{limit}
main(".")
"""
NO_MORE_PROCESSES = "os.setgid(54323), os.setuid(54323)\nresource.setrlimit(resource.RLIMIT_NPROC, (1, 1))"
NO_MORE_FILES = "resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))"


@pytest.mark.parametrize(
    ("limit", "why"),
    [(NO_MORE_PROCESSES, "cannot fork: Resource temporarily"), (NO_MORE_FILES, "Too many open files")],
    ids=["EAGAIN", "EMFILE"],
)
def test_what_the_machine_has_too_little_of_is_said(run: "Run", limit: str, why: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    fields = {"argv": ["touch", "made"], "env": {"PATH": "/bin"}, "cwd": "/", "timeout_s": 9, "grace_s": 1}
    (run.folder / "launch.json").write_bytes(msgspec.json.encode({**fields, "output_cap": 1000}))
    (run.folder / "stdin").touch()
    for path in (run.folder, *run.folder.iterdir()):
        shutil.chown(path, 54323)
    program = IN_PROCESS.format(root=str(ROOT), limit=limit)
    subprocess.run([sys.executable, "-c", program, str(run.folder)], input=b"{}", check=True)
    end = run.end()
    assert (end.outcome, end.exit_code, end.signal) == ("could_not_start", None, None)
    assert why in end.why
