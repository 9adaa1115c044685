"""When a keeper was killed: is every process that it left found and ended, and none that is not the run's?"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.execution import follow, keeper, remains
from state.errors import StateError

if TYPE_CHECKING:
    from conftest import Run

ROOT = Path(__file__).parents[3]
SH = "/bin/sh"
SECRET = "5eed"
# Twice forked, in a session of its own, deaf to TERM; its parent is gone before it says so.
DAEMON = """
import os, signal, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(f"{os.getpid()}\\n")
time.sleep(300)
"""
# Each process lives only until it has forked the next one, in a session of its own.
HOPS = """
import os, time
end = time.monotonic() + 60
open("hops", "w").write("on\\n")
while time.monotonic() < end:
    if os.fork(): os._exit(0)
    os.setsid()
"""


def start(run: "Run", *argv: str, **env: str) -> int:
    """Start a run with a key; its keeper's pid, once the child is on record."""
    name, _, value = run.mark.partition("=")
    run.start(*argv, env={"PATH": "/usr/bin:/bin", name: value, remains.KEY: SECRET, **env})
    return run.alive().pid


def kill_keeper(run: "Run", pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    run.until(lambda: follow.start_ticks(pid) is None)


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", program, *arguments)


def abandon(run: "Run", child: int, **changes: object) -> None:
    """Records of a run whose keeper is dead and whose child is this process."""
    record = {"pid": 2**22 + 1, "start_ticks": 1, "boot_id": remains.boot_id()}
    record |= {"child_pid": child, "child_start_ticks": follow.start_ticks(child), **changes}
    (run.folder / "keeper.json").write_bytes(msgspec.json.encode(record))


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where control groups are not for us to make."""
    monkeypatch.setattr(remains, "_group", lambda kept: set())


@pytest.fixture
def sleeper(run: "Run") -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts processes of the test itself, each in a session of its own."""
    made: list[subprocess.Popen[bytes]] = []

    def make(*argv: str, **env: str) -> "subprocess.Popen[bytes]":
        made.append(subprocess.Popen(argv or ["/bin/sleep", "300"], start_new_session=True, env=env))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("no_groups")
def test_one_that_left_session_and_parent_is_found_by_its_key_and_ended(run: "Run") -> None:
    script = 'trap "" TERM; "$0" "$@"; exec sleep 300'
    keeper_pid = start(run, SH, "-c", script, *python(DAEMON, "daemon"))
    daemon, child = int(run.file("daemon")), run.alive().child_pid
    run.until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n" and len(run.survivors()) == 2)
    kill_keeper(run, keeper_pid)
    assert remains.remains(run.folder, "") == {child}
    assert remains.remains(run.folder, SECRET) == {child, daemon}
    end = run.end()
    assert run.survivors() == []
    assert (end.outcome, end.leaked) == ("interrupted", 2)
    assert end.why.endswith("; 2 of its processes were left and ended")


@pytest.mark.usefixtures("no_groups")
def test_what_descends_from_a_marked_process_is_found_without_the_mark(run: "Run") -> None:
    unmarked = "import time; open('on', 'w').write(open('/proc/self/environ').read() + '\\n'); time.sleep(300)"
    inner = f'setsid env -u {remains.KEY} "$0" -S -c "$1" & wait'
    keeper_pid = start(run, SH, "-c", 'setsid sh -c "$@" & wait', "sh", inner, sys.executable, unmarked)
    assert SECRET not in run.file("on")
    leader = run.alive().child_pid
    assert leader is not None
    os.kill(keeper_pid, signal.SIGSTOP)
    os.kill(leader, signal.SIGKILL)
    run.until(lambda: follow.start_ticks(leader) is None)
    kill_keeper(run, keeper_pid)
    assert remains.remains(run.folder, "") == set()
    found = remains.remains(run.folder, SECRET)
    assert (len(found), found) == (2, set(run.survivors()))
    assert run.end().leaked == 2
    assert run.survivors() == []


def test_without_a_key_the_session_is_looked_at(run: "Run") -> None:
    """Also those in it that have lost their parent."""
    run.start(SH, "-c", "(sleep 300 &); sleep 300 & echo on; wait")
    run.file("stdout.log")
    keeper_pid = run.alive().pid
    run.until(lambda: len(run.survivors()) == 3)
    kill_keeper(run, keeper_pid)
    assert remains.run_key(run.folder) == ""
    assert len(remains.remains(run.folder, "")) == 3
    assert run.end().leaked == 3


@pytest.mark.usefixtures("no_groups")
def test_one_that_forks_away_for_ever_is_caught(run: "Run") -> None:
    keeper_pid = start(run, *python(HOPS))
    run.file("hops")
    kill_keeper(run, keeper_pid)
    assert not any(remains.gone(run.folder, SECRET) for _ in range(20))
    assert run.end().outcome == "interrupted"
    assert run.survivors() == []
    assert remains.gone(run.folder, SECRET)


def test_one_that_execs_for_ever_is_seen_at_every_look(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """While it does, it has no environment."""
    script = tmp_path / "again"
    script.write_text('#!/bin/sh\nexec "$0"\n')
    script.chmod(0o700)
    again = sleeper(str(script), **{remains.KEY: SECRET})
    looks = [remains.remains(run.folder, SECRET) for _ in range(200)]
    assert looks == [{again.pid}] * 200
    assert remains.end_remains(run.folder, SECRET) == {again.pid}


def test_only_the_whole_key_counts(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    strangers = [
        {remains.KEY: SECRET + "2"},
        {remains.KEY: SECRET[:-1]},
        {"MY_" + remains.KEY: SECRET},
        {"NOTE": f"a\n{remains.KEY}={SECRET}"},
        {},
    ]
    for env in strangers:
        sleeper(**env)
    assert remains.remains(tmp_path, SECRET) == set()
    ours = sleeper(**{remains.KEY: SECRET})
    assert remains.remains(tmp_path, SECRET) == {ours.pid}
    assert remains.remains(tmp_path, "") == set()


def test_after_another_boot_nothing_is_left(run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    """Whatever bears this pid or this key now."""
    bystander = sleeper(**{remains.KEY: SECRET})
    abandon(run, bystander.pid, boot_id="another boot")
    (run.folder / "launch.json").write_text(json.dumps({"env": {remains.KEY: SECRET}}))
    assert remains.remains(run.folder, SECRET) == set()
    end = run.end()
    assert (end.outcome, end.leaked) == ("interrupted", 0)
    assert bystander.poll() is None


def test_a_zombie_is_gone(run: "Run") -> None:
    child = subprocess.Popen(["true"], start_new_session=True, env={remains.KEY: SECRET})
    abandon(run, child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert remains.gone(run.folder, SECRET)
    child.wait()


def test_an_engine_that_the_run_itself_started_spares_itself_and_what_it_started(run: "Run") -> None:
    """It bears the run's key, like all that it starts; above it is the child's session."""
    engine = """
import os, subprocess, time
from pathlib import Path
from engine.execution.remains import KEY, end_remains, gone, remains
here, key = Path("."), os.environ[KEY]
helper = subprocess.Popen(["sleep", "300"], start_new_session=True)
Path("started").write_text("on\\n")
while not Path("go").exists(): time.sleep(0.01)
found = remains(here, key)
said = len(found), end_remains(here, key) == found, gone(here, key), helper.poll()
helper.kill()
Path("said").write_text(f"{said}\\n")
"""
    script = 'sleep 300 & "$0" -c "$1"; :'
    keeper_pid = start(run, SH, "-c", script, sys.executable, engine, PYTHONPATH=str(ROOT))
    run.file("started")
    kill_keeper(run, keeper_pid)
    (run.folder / "go").touch()
    assert run.file("said") == "(1, True, True, None)"
    run.until(lambda: not run.survivors())
    assert remains.end_remains(run.folder, SECRET) == set()


def test_a_run_has_not_ended_while_another_users_process_of_it_is_left(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    child = sleeper()
    abandon(run, child.pid)
    waiter = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from engine.execution import follow, remains
def noted(folder, key):
    ended = real(folder, key)
    print("tried", len(ended), flush=True)
    return ended
real, follow.end_remains = follow.end_remains, noted
remains.END_S = follow._POLL_LEFT_S = 0.05
os.chdir(sys.argv[1])
os.setuid(65534)
end = asyncio.run(follow.wait_for_end(Path(".")))
print(end.outcome, end.leaked, flush=True)
"""
    run.folder.chmod(0o755)
    command = [sys.executable, "-c", waiter, str(run.folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert [waiting.stdout.readline() for _ in range(3)] == ["tried 0\n"] * 3
        assert child.poll() is None
        child.kill()
        child.wait()
        rest = waiting.stdout.read().splitlines()
    assert set(rest[:-1]) <= {"tried 0"}
    assert rest[-1] == "interrupted 0"


def test_what_a_keeper_had_to_give_up_is_waited_for(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    child = sleeper()
    abandon(run, child.pid)
    end = {"outcome": "timed_out", "exit_code": None, "signal": None, "started_ms": 1, "ended_ms": 2, "duration_s": 1.0}
    end["why"] = f"timed out after 1 s; {follow._LEFT_BEHIND}"
    (run.folder / "end.json").write_bytes(msgspec.json.encode(end))
    assert run.end().outcome == "timed_out"
    assert child.wait(1) == -signal.SIGKILL
    assert follow._LEFT_BEHIND in Path(keeper.__file__).read_text()


def test_what_ended_well_is_not_looked_for(run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    bystander = sleeper()
    abandon(run, bystander.pid)
    end = {"outcome": "succeeded", "exit_code": 0, "signal": None, "started_ms": 1, "ended_ms": 2, "duration_s": 1.0}
    (run.folder / "end.json").write_bytes(msgspec.json.encode(end))
    assert run.end().outcome == "succeeded"
    assert bystander.poll() is None


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ('{"env": {"QUARTERDECK_RUN_KEY": "ab12"}, "argv": ["\\udcff"]}', "ab12"),
        ('{"env": {}}', ""),
        (None, ""),
    ],
)
def test_the_key_is_that_of_the_launch(tmp_path: Path, content: str | None, key: str) -> None:
    if content is not None:
        (tmp_path / "launch.json").write_text(content)
    assert remains.run_key(tmp_path) == key


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"env": 1}', "\udcff"])
def test_a_damaged_launch_is_told_and_the_session_still_ended(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"], content: str
) -> None:
    (run.folder / "launch.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(StateError, match=r"launch\.json is damaged"):
        remains.run_key(run.folder)
    child = sleeper()
    abandon(run, child.pid)
    end = run.end()
    assert "launch.json is damaged" in end.why
    assert (end.outcome, end.leaked, child.wait(1)) == ("interrupted", 1, -signal.SIGKILL)


def test_with_damaged_records_of_the_keeper_the_key_still_tells(
    run: "Run", sleeper: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    child = sleeper(**{remains.KEY: SECRET})
    (run.folder / "keeper.json").write_text("{")
    (run.folder / "launch.json").write_text(json.dumps({"env": {remains.KEY: SECRET}}))
    end = run.end()
    assert "keeper.json is damaged" in end.why
    assert (end.outcome, end.leaked, child.wait(1)) == ("interrupted", 1, -signal.SIGKILL)
