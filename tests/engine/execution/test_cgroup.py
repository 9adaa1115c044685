"""Is a run held in a control group of its own, where that can be had, and is nothing left of it?"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.execution import cgroup, follow, remains

if TYPE_CHECKING:
    from conftest import Run

SH = "/bin/sh"
# In a session of its own, its parent gone, nothing in its environment.
TRACELESS = (
    "import os, sys\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    "os.execve('/bin/sh', ['sh', '-c', 'echo $$ > lost; exec sleep 300'], {})"
)
MINE = cgroup.own()
needs_groups = pytest.mark.skipif(MINE is None or not os.access(MINE, os.W_OK), reason="no groups of our own here")


def group_of(run: "Run") -> Path:
    """Of a run whose child is on record."""
    run.alive()
    return Path(msgspec.json.decode((run.folder / "keeper.json").read_bytes())["cgroup"])


def traceless(run: "Run") -> int:
    run.start(SH, "-c", '"$0" -S -c "$1"; exec sleep 300', sys.executable, TRACELESS)
    return int(run.file("lost"))


@needs_groups
def test_a_run_is_in_a_group_below_ours_and_it_is_removed(run: "Run") -> None:
    run.start(SH, "-c", "grep ^0: /proc/self/cgroup; setsid sh -c 'grep ^0: /proc/self/cgroup'; sleep 300")
    group = group_of(run)
    run.until(lambda: run.file("stdout.log").count("\n") == 1)
    assert group.parent == Path(str(MINE))
    assert [Path(line).name for line in run.stdout.decode().split()] == [group.name] * 2
    run.until(lambda: {run.alive().child_pid} < cgroup.members(str(group)))  # sleep is there too
    assert follow.cancel(run.alive())
    assert run.end().outcome == "cancelled"
    assert not group.exists()


@needs_groups
def test_groups_that_it_made_in_its_own_are_removed_too(run: "Run") -> None:
    run.start(
        SH,
        "-c",
        "until [ -e go ]; do sleep 0.02; done; mkdir $(cat go)/a $(cat go)/a/b; echo $$ > $(cat go)/a/cgroup.procs",
    )
    group = group_of(run)
    (run.folder / "go.new").write_text(str(group))
    (run.folder / "go.new").rename(run.folder / "go")
    assert run.end().outcome == "succeeded"
    assert not group.exists()


@needs_groups
def test_after_a_kill_of_the_keeper_even_one_without_a_trace_is_ended(run: "Run") -> None:
    lost = traceless(run)
    group = group_of(run)
    run.until(lambda: cgroup.members(str(group)) == {lost, run.alive().child_pid})  # who made it has ended
    os.kill(run.alive().pid, signal.SIGKILL)
    end = run.end()
    assert (end.outcome, end.leaked) == ("interrupted", 2)
    assert follow.start_ticks(lost) is None
    assert not group.exists()


def test_what_left_no_trace_is_ended_by_a_living_keeper_anyway(run: "Run") -> None:
    lost = traceless(run)
    assert follow.cancel(run.alive())
    assert run.end().outcome == "cancelled"
    assert follow.start_ticks(lost) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_where_groups_are_not_for_us_all_works_without(run: "Run") -> None:
    program = f"""
import os, sys
sys.path.append({str(Path(__file__).parents[3])!r})
from engine.execution.keeper import main
os.setgid(54321), os.setuid(54321)
main(".")
"""
    fields = {"argv": ["sh", "-c", "setsid sleep 300 & :"], "env": {"PATH": "/bin:/usr/bin"}, "cwd": "/"}
    fields |= {"timeout_s": 20, "grace_s": 1, "output_cap": 1000}
    (run.folder / "launch.json").write_bytes(msgspec.json.encode(fields))
    (run.folder / "stdin").touch()
    for path in (run.folder, *run.folder.iterdir()):
        os.chown(path, 54321, 54321)
    script = f"import os\nos.chdir({str(run.folder)!r})\nos.chdir = lambda _: None\n{program}"
    subprocess.run([sys.executable, "-c", script], input=b"{}", check=True)
    end = run.end()
    assert (end.outcome, end.leaked) == ("succeeded", 1)
    assert msgspec.json.decode((run.folder / "keeper.json").read_bytes())["cgroup"] is None


@pytest.mark.parametrize(
    "path",
    [None, "", "/", "/etc", "/tmp/quarterdeck-1", "{mine}", "{mine}/other", "{mine}/../quarterdeck-1", "quarterdeck-1"],
)
def test_a_record_cannot_make_us_look_elsewhere(path: str | None) -> None:
    assert not cgroup.is_ours(path and path.format(mine=MINE))


@needs_groups
def test_a_forged_record_ends_nobody(run: "Run", tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as bystander:
        (tmp_path / "quarterdeck-1").mkdir()
        (tmp_path / "quarterdeck-1/cgroup.procs").write_text(f"{bystander.pid}\n")
        record = {"pid": 2**22 + 1, "start_ticks": 1, "boot_id": remains.boot_id()}
        record |= {"cgroup": str(tmp_path / "quarterdeck-1")}
        (run.folder / "keeper.json").write_bytes(msgspec.json.encode(record))
        assert run.end().outcome == "interrupted"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("missing", ["/proc/self/cgroup", "/proc/self/mountinfo"])
def test_a_system_without_them_is_none(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    lines: Callable[[str], list[str]] = cgroup._lines
    monkeypatch.setattr(cgroup, "_lines", lambda path: [] if path == missing else lines(path))
    assert cgroup.own() is None
    assert cgroup.make("1") is None


def test_a_hierarchy_is_found_where_it_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/proc/self/cgroup": ["4:memory:/x\n", "0::/user/me\n"],
        "/proc/self/mountinfo": [
            "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
            "31 1 0:27 /other /elsewhere rw - cgroup2 cgroup2 rw\n",
            "32 1 0:27 /user /a\\040b rw shared:1 - cgroup2 cgroup2 rw\n",
        ],
    }
    monkeypatch.setattr(cgroup, "_lines", files.__getitem__)
    assert cgroup.own() == "/a b/me"
