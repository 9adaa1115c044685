"""Does the kernel hold a run to what it may touch, whatever it starts and however it tries?"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.contract.outcome import SandboxRules
from engine.execution import follow, landlock

if TYPE_CHECKING:
    from conftest import Run

SH = "/bin/sh"
ROOT = Path(__file__).parents[3]
ABI = landlock.abi()
SYSTEM = tuple(path for path in ("/usr", "/bin", "/lib", "/lib64", "/etc", "/opt") if Path(path).exists())

pytestmark = pytest.mark.skipif(ABI == 0, reason="this kernel has no Landlock")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder `in` that may be written, and `out`, that may not; each holds `old` and the folder `folder`."""
    for name in ("in", "out"):
        (tmp_path / name / "folder").mkdir(parents=True)
        (tmp_path / name / "old").write_text("old")
    (tmp_path / "in/way").symlink_to("../out")
    return tmp_path


def within(place: Path, *more: str, read: tuple[str, ...] | None = None) -> SandboxRules:
    return SandboxRules((str(place / "in"), *more), read)


def attempts(where: str) -> dict[str, str]:
    """Programs that must fail in a folder that may not be written, and succeed in one that may."""
    return {
        "write": f"echo new > {where}/old",
        "append": f"echo new >> {where}/old",
        "truncate": f"truncate -s 1 {where}/old",
        "make": f"echo new > {where}/new",
        "make a folder": f"mkdir {where}/new",
        "remove": f"rm -f {where}/old",
        "remove a folder": f"rmdir {where}/folder",
        "rename": f"mv {where}/old {where}/other",
        "move into": f"echo a > a && mv -f a {where}/b",
        "move out of": f"mv {where}/old moved",
        "link": f"ln {where}/old {where}/linked",
        "link out of": f"ln {where}/old linked",
        "symlink": f"ln -s old {where}/symlink",
        "fifo": f"mkfifo {where}/fifo",
        "in a session of its own": f"setsid -w sh -c 'echo new > {where}/old'",
        "in a grandchild": f"sh -c 'sh -c \"echo new > {where}/old\" & wait $!'",
    }


def content(folder: Path) -> list[tuple[str, str]]:
    return sorted((path.name, path.read_text() if path.is_file() else "") for path in folder.rglob("*"))


@pytest.mark.parametrize("name", attempts(""))
def test_outside_is_denied_and_inside_allowed(place: Path, run: "Run", name: str) -> None:
    denied, allowed = attempts("../out")[name], attempts(".")[name]
    before, script = content(place / "out"), f"{denied}; echo $? > said; {allowed}"
    end = run.start(SH, "-c", script, cwd=str(place / "in"), sandbox=within(place)).end()
    assert (end.outcome, end.sandbox) == ("succeeded", f"landlock({ABI})"), run.stderr
    assert (place / "in/said").read_text() != "0\n"
    assert content(place / "out") == before


def test_a_link_is_no_way_out(place: Path, run: "Run") -> None:
    end = run.start(SH, "-c", "echo new > way/old", cwd=str(place / "in"), sandbox=within(place)).end()
    assert (end.outcome, (place / "out/old").read_text()) == ("failed", "old")


def test_a_file_may_be_the_only_thing_that_is_written(place: Path, run: "Run") -> None:
    rules = SandboxRules((str(place / "out/old"),))
    script = "echo new > old; truncate -s 2 old; echo a > made; rm old"
    end = run.start(SH, "-c", script, cwd=str(place / "out"), sandbox=rules).end()
    assert end.outcome == "failed"
    assert ((place / "out/old").read_text(), (place / "out/made").exists()) == ("ne", False)


def test_without_rules_nothing_is_enforced(place: Path, run: "Run") -> None:
    end = run.start(SH, "-c", "echo new > ../out/old; grep NoNewPrivs /proc/self/status", cwd=str(place / "in")).end()
    assert (end.outcome, end.sandbox) == ("succeeded", "")
    assert run.stdout.split() == [b"NoNewPrivs:", b"0"]


def test_without_a_word_about_reading_all_is_read(place: Path, run: "Run") -> None:
    end = run.start("cat", "../out/old", cwd=str(place / "in"), sandbox=within(place)).end()
    assert (end.outcome, run.stdout) == ("succeeded", b"old")


@pytest.mark.parametrize("attempt", ["cat ../out/old", "ls ../out", "cat way/old", "../out/program"])
def test_strict_reading(place: Path, run: "Run", attempt: str) -> None:
    shutil.copy("/bin/true", place / "out/program")
    script = f"cat old; ls . > /dev/null; {attempt}"
    end = run.start(SH, "-c", script, cwd=str(place / "in"), sandbox=within(place, read=SYSTEM)).end()
    assert (end.outcome, run.stdout) == ("failed", b"old")
    assert b"ermission denied" in run.stderr


def test_devices_and_the_process_itself_are_there(place: Path, run: "Run") -> None:
    script = (
        "set -e; echo a > /dev/null; head -c 9 /dev/zero /dev/urandom /dev/random > /dev/null; cat /proc/self/stat;"
        "sh -c 'cat /proc/self/status'; exec 3<> /dev/ptmx; echo end >&2"
    )
    end = run.start(SH, "-c", script, cwd=str(place / "in"), sandbox=within(place, read=SYSTEM)).end()
    assert (end.outcome, run.stderr) == ("succeeded", b"end\n")


def test_the_environment_of_those_outside_is_not_readable(place: Path, run: "Run") -> None:
    """Although /proc is."""
    script = f"cat /proc/{os.getpid()}/environ || cat /proc/$PPID/environ"
    end = run.start(SH, "-c", script, cwd=str(place / "in"), sandbox=within(place, read=SYSTEM)).end()
    assert (end.outcome, run.stdout) == ("failed", b"")


@pytest.mark.skipif(ABI < 6, reason="signals are not scoped here")
def test_signals_go_inward_only(place: Path, run: "Run") -> None:
    script = (
        "kill -0 $PPID && echo reached; setsid sleep 300 & sleep 0.1; kill $! && wait $!; echo $?; trap 'exit 7' TERM;"
        "echo on; while :; do sleep 0.02; done"
    )
    run.start(SH, "-c", script, cwd=str(place / "in"), sandbox=within(place))
    run.until_it_says(b"143\non\n")
    assert follow.cancel(run.alive())
    assert (run.end().outcome, run.end().exit_code) == ("cancelled", 7)


def test_a_killed_keepers_tree_is_ended_all_the_same(place: Path, run: "Run") -> None:
    run.start(SH, "-c", "setsid sleep 300 & echo on; wait", cwd=str(place / "in"), sandbox=within(place))
    run.file("stdout.log")
    os.kill(run.alive().pid, signal.SIGKILL)
    assert run.end().outcome == "interrupted"
    assert run.survivors() == []


@pytest.mark.parametrize("gone", ["out/gone", "out/old/gone"])
def test_a_path_that_is_gone_is_no_harm_to_read_and_an_error_to_write(place: Path, run: "Run", gone: str) -> None:
    path = str(place / gone)
    end = run.start("touch", "made", cwd=str(place / "in"), sandbox=within(place, path)).end()
    assert (end.outcome, end.sandbox) == ("could_not_start", "")
    assert end.why.startswith(f"sandbox: {path}: ")
    assert not (place / "in/made").exists()


def test_a_path_to_read_that_is_gone_is_left_out(place: Path, run: "Run") -> None:
    rules = within(place, read=(*SYSTEM, str(place / "gone"), str(place / "out/old/gone")))
    assert run.start("touch", "made", cwd=str(place / "in"), sandbox=rules).end().outcome == "succeeded"


GIT = "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && git log --oneline"
IMPORTS = 'import json, tempfile, subprocess; tempfile.TemporaryFile(); subprocess.run(["true"])'
REQUIRES = 'require("fs").writeFileSync("made", "a"); require("child_process").execSync("true")'
PYTHON = f"{sys.executable} -c '{IMPORTS}'"
NODE = f"node -e '{REQUIRES}'"


@pytest.mark.parametrize("strict", [False, True], ids=["write", "read and write"])
@pytest.mark.parametrize("program", [GIT, PYTHON, NODE], ids=["git", "python", "node"])
def test_what_agents_use_works_with_a_home_inside(place: Path, run: "Run", program: str, strict: bool) -> None:
    if shutil.which(program.split()[0]) is None:
        pytest.skip("not installed here")
    read = (*SYSTEM, sys.prefix, sys.base_prefix) if strict else None
    inside = str(place / "in")
    env = {"PATH": os.environ["PATH"], "HOME": inside, "TMPDIR": inside}
    env |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    end = run.start(SH, "-c", program, cwd=inside, env=env, sandbox=within(place, read=read)).end()
    assert end.outcome == "succeeded", run.stderr


def test_each_version_is_asked_only_for_what_it_knows() -> None:
    late = {2: landlock.REFER, 3: landlock.TRUNCATE, 5: landlock.IOCTL_DEV}
    assert landlock.known(1) == (1 << 13) - 1
    for version in range(2, 12):
        assert landlock.known(version) == landlock.known(version - 1) | late.get(version, 0)


@pytest.mark.parametrize("version", range(1, ABI + 1))
def test_it_works_with_every_version_up_to_that_of_this_kernel(place: Path, version: int) -> None:
    program = f"""
import os, sys
sys.path.append({str(ROOT)!r})
from engine.execution import landlock
from engine.execution.job import Rules
landlock.abi = lambda: {version}
landlock.restrict(Rules({{"write": [{str(place / "in")!r}], "read": {list(SYSTEM)!r}}}))
open({str(place / "in/new")!r}, "w").close()
for denied in ({str(place / "out/new")!r}, {str(place / "out/old")!r}):
    try:
        os.open(denied, os.O_WRONLY | os.O_CREAT)
    except PermissionError:
        continue
    sys.exit("not denied")
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


def test_a_kernel_without_it_is_said_and_nothing_starts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.execution.job import Rules

    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(OSError, match="no Landlock"):
        landlock.restrict(Rules({"write": []}))
