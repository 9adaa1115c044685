"""Does every kind of child end as its record says, with all of its processes gone?"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.execution import keeper

if TYPE_CHECKING:
    from conftest import Run

SH = "/bin/sh"
IGNORES_TERM = "trap '' TERM; while :; do sleep 1; done"
# Ends at TERM, but not before it has put another process in its place, out of its own group.
RESPAWNS = """
trap 'setsid sh -c "echo \\$\\$ > again; exec sleep 300" & exit 0' TERM
while :; do sleep 0.02; done
"""


def test_success(run: "Run") -> None:
    end = run.start("cat", stdin="ahoy ⚓\n").end()
    assert (end.outcome, end.exit_code, end.signal, end.why) == ("succeeded", 0, None, "")
    assert (end.leaked, end.dropped_bytes, end.escalated) == (0, 0, False)
    assert run.stdout == "ahoy ⚓\n".encode()
    assert 0 < end.duration_s < 30
    assert abs(end.ended_ms - end.started_ms - end.duration_s * 1000) < 1000


def test_what_it_writes_is_private(run: "Run") -> None:
    assert run.start("touch", "made").end().outcome == "succeeded"
    modes = {path.name: path.stat().st_mode & 0o777 for path in run.folder.iterdir()}
    names = ["end.json", "keeper.json", "launch.json", "made", "stderr.log", "stdin", "stdout.log"]
    assert modes == dict.fromkeys(names, 0o600)


def test_an_exit_code_is_a_failure(run: "Run") -> None:
    end = run.start(SH, "-c", "echo why >&2; exit 3").end()
    assert (end.outcome, end.exit_code, end.signal) == ("failed", 3, None)
    assert run.stderr == b"why\n"


def test_death_by_a_signal_of_its_own(run: "Run") -> None:
    end = run.start(SH, "-c", "kill -SEGV $$").end()
    assert (end.outcome, end.exit_code, end.signal) == ("failed", None, 11)


def test_timeout_counts_even_with_exit_code_zero(run: "Run") -> None:
    end = run.start(SH, "-c", "trap 'echo saved; exit 0' TERM; while :; do sleep 0.02; done", timeout_s=0.5).end()
    assert (end.outcome, end.exit_code, end.escalated) == ("timed_out", 0, False)
    assert "0.5 s" in end.why
    assert run.stdout == b"saved\n"


def test_term_ignored_is_escalated(run: "Run") -> None:
    end = run.start(SH, "-c", IGNORES_TERM, timeout_s=0.5, grace_s=0.2).end()
    assert (end.outcome, end.exit_code, end.signal, end.escalated) == ("timed_out", None, 9, True)


def test_a_stopped_child_gets_its_term(run: "Run") -> None:
    end = run.start(SH, "-c", "trap 'exit 0' TERM; kill -STOP $$; sleep 300", timeout_s=0.5, grace_s=10).end()
    assert (end.outcome, end.exit_code, end.escalated) == ("timed_out", 0, False)


def test_a_worker_of_a_wrapper_has_the_grace_too(run: "Run") -> None:
    """The leader dies of TERM at once; what it wraps is given its time to save."""
    worker = "trap 'sleep 1; echo saved; exit 0' TERM; while :; do sleep 0.02; done"
    end = run.start(SH, "-c", f'sh -c "{worker}" & wait', timeout_s=1, grace_s=20).end()
    assert (end.outcome, end.escalated, end.leaked) == ("timed_out", False, 0)
    assert run.stdout == b"saved\n"


def test_a_daemon_that_holds_stdout(run: "Run") -> None:
    end = run.start(SH, "-c", "setsid sh -c 'sleep 300 & exit 0'; echo done").end()
    assert (end.outcome, end.exit_code, end.leaked) == ("succeeded", 0, 1)
    assert end.duration_s < 20
    assert run.stdout == b"done\n"


def test_many_left_behind(run: "Run") -> None:
    end = run.start(SH, "-c", "for i in $(seq 40); do setsid sleep 300 & done; exit 0").end()
    assert (end.outcome, end.leaked) == ("succeeded", 40)


def test_respawn_on_term(run: "Run") -> None:
    end = run.start(SH, "-c", RESPAWNS, timeout_s=0.5, grace_s=5).end()
    assert (end.outcome, end.exit_code, end.leaked) == ("timed_out", 0, 1)
    assert run.file("again").isdigit()


def test_output_closed_and_still_working(run: "Run") -> None:
    end = run.start(SH, "-c", "exec >&- 2>&-; sleep 0.7; echo > worked").end()
    assert (end.outcome, end.leaked) == ("succeeded", 0)
    assert (run.folder / "worked").exists()


def test_a_flood_is_cut_in_bounded_memory(run: "Run") -> None:
    flood = "head -c 300000000 /dev/zero | tr '\\0' x; grep VmHWM /proc/$PPID/status >&2"
    end = run.start(SH, "-c", flood, output_cap=100_000).end()
    assert (end.outcome, end.dropped_bytes) == ("succeeded", 299_900_000)
    assert run.stdout == b"x" * 50_000 + b"\n[... 299900000 bytes dropped ...]\n" + b"x" * 50_000
    assert int(run.stderr.split()[1]) < 25_000, "kB of the keeper"


def test_head_and_tail_are_kept(run: "Run") -> None:
    whole = b"".join(b"%d\n" % number for number in range(1, 20_001))
    end = run.start("seq", "20000", output_cap=1001).end()
    head, tail = whole[:500], whole[-501:]
    assert end.dropped_bytes == len(whole) - 1001
    newline = b"" if head.endswith(b"\n") else b"\n"
    assert run.stdout == head + newline + b"[... %d bytes dropped ...]\n" % end.dropped_bytes + tail


@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_the_cap_is_exact(run: "Run", size: int) -> None:
    end = run.start(SH, "-c", f"head -c {size} /dev/zero", output_cap=1000).end()
    assert end.dropped_bytes == max(0, size - 1000)
    assert (run.stdout == bytes(size)) == (size <= 1000)


def test_one_huge_line_and_bad_utf8(run: "Run") -> None:
    program = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\x00' * 100_000)"
    end = run.start(sys.executable, "-c", program).end()
    assert (end.outcome, end.dropped_bytes) == ("succeeded", 0)
    assert run.stdout == b"\xff\xfe\x00" * 100_000


def test_output_is_there_while_it_runs(run: "Run") -> None:
    run.start(SH, "-c", "echo ahoy; until [ -e go ]; do sleep 0.02; done; echo farewell")
    assert run.file("stdout.log") == "ahoy"
    assert not (run.folder / "end.json").exists()
    (run.folder / "go").touch()
    assert run.end().outcome == "succeeded"
    assert run.stdout == b"ahoy\nfarewell\n"


def test_the_environment_is_exactly_what_was_given(run: "Run") -> None:
    run.start("/usr/bin/env", env={"ONE": "1", "ODD": "a=b\nc \udcff"}).end()
    assert sorted(run.stdout.split(b"\n")) == [b"", b"ODD=a=b", b"ONE=1", b"c \xff"]


def test_only_three_descriptors(run: "Run") -> None:
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    try:
        run.start(SH, "-c", "ls /proc/$$/fd; :").end()
    finally:
        os.close(reading)
        os.close(writing)
    assert run.stdout.split() == [b"0", b"1", b"2"]


def test_no_signal_is_blocked_or_ignored(run: "Run") -> None:
    run.start("grep", "-E", "SigBlk|SigIgn", "/proc/self/status").end()
    masks = [int(mask, 16) for mask in run.stdout.split()[1::2]]
    # Signals 32 and 33 belong to the C library: it lets no program change what it inherited for them.
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_one_that_forks_away_for_ever(run: "Run") -> None:
    """Each process lives only until it has forked the next one, in a session of its own."""
    hops = (
        "import os, time\nend = time.monotonic() + 60\n"  # a failing test must not leave it behind
        "while time.monotonic() < end:\n    if os.fork(): os._exit(0)\n    os.setsid()"
    )
    end = run.start(sys.executable, "-S", "-c", hops).end()
    assert (end.outcome, end.exit_code) == ("succeeded", 0)
    assert end.leaked >= 1


def test_a_script_named_by_path_of_the_given_environment(run: "Run") -> None:
    (run.folder / "mine").write_text("#!/bin/sh\necho mine\n")
    (run.folder / "mine").chmod(0o700)
    assert run.start("mine", env={"PATH": str(run.folder)}).end().outcome == "succeeded"
    assert run.stdout == b"mine\n"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("missing", "No such file"),
        ("not executable", "Permission denied"),
        ("no format", "Exec format error"),
        ("too big", "Argument list too long"),
        ("null byte", "null byte"),
        ("cwd", "working folder /does/not/exist: No such file"),
        ("empty", "argv is empty"),
    ],
)
def test_could_not_start(run: "Run", case: str, why: str) -> None:
    program = run.folder / "program"
    program.write_bytes(b"\x00not a program")
    program.chmod(0o700 if case == "no format" else 0o600)
    argv = {
        "missing": ("does-not-exist",),
        "too big": ("true", "x" * 3_000_000),
        "null byte": ("true", "a\0b"),
        "cwd": ("true",),
        "empty": (),
    }.get(case, (str(program),))
    end = run.start(*argv, cwd="/does/not/exist" if case == "cwd" else "/").end()
    assert (end.outcome, end.exit_code, end.signal) == ("could_not_start", None, None)
    assert why in end.why


def test_a_folder_that_vanishes_ends_the_child(run: "Run") -> None:
    run.start(SH, "-c", "trap '' TERM; while :; do sleep 1; done", cwd="/", grace_s=0.2)
    run.alive()
    run.folder.rename(run.folder.with_name("moved"))
    run.folder = run.folder.with_name("moved")
    assert run.survivors() != []
    for path in run.folder.iterdir():
        path.unlink()
    run.folder.rmdir()
    run.until(lambda: not run.survivors())


def test_a_log_that_cannot_be_written_ends_the_child(run: "Run") -> None:
    run.start(SH, "-c", "trap '' TERM; until [ -e go ]; do sleep 0.02; done; while :; do echo flood; done", grace_s=0.2)
    resource.prlimit(run.alive().pid, resource.RLIMIT_FSIZE, (8192, 8192))
    (run.folder / "go").touch()
    end = run.end()
    assert (end.outcome, end.escalated) == ("failed", True)
    assert "could not be kept: File too large" in end.why
    assert len(run.stdout) == 8192
    assert end.dropped_bytes > 0


def test_the_keeper_imports_only_the_standard_library() -> None:
    program = (
        f"import runpy, sys; runpy.run_path({keeper.__file__!r}); "
        "sys.exit(' '.join({'msgspec', 'engine', 'state', 'asyncio', 'subprocess'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=Path("/"))
    assert (done.returncode, done.stderr) == (0, "")
