"""Does every kind of child end as its record says, with all of its processes gone?"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.execution import follow, keeper

if TYPE_CHECKING:
    from conftest import Run

ROOT = Path(__file__).parents[3]
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
    assert (end.outcome, end.exit_code, end.signal, end.why) == ("crashed", None, 11, "ended by SIGSEGV")


def test_a_signal_without_a_name_is_told_by_its_number(run: "Run") -> None:
    end = run.start(SH, "-c", "kill -40 $$").end()
    assert (end.outcome, end.signal, end.why) == ("crashed", 40, "ended by signal 40")


def test_a_signal_that_we_sent_is_no_crash(run: "Run") -> None:
    end = run.start("sleep", "300", timeout_s=0.3).end()
    assert (end.outcome, end.signal, end.why) == ("timed_out", 15, "timed out after 0.3 s")


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
    run.until(run.survivors)
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


def test_nearly_all_of_a_large_output_can_be_followed(run: "Run") -> None:
    """The tail that is held back is at most 1 MiB; the keeper stays as small as ever."""
    script = (
        "head -c 40000000 /dev/zero; until [ -e go ]; do sleep 0.02; done; grep VmHWM /proc/$PPID/status >&2;"
        "head -c 40000000 /dev/zero; echo end"
    )
    run.start(SH, "-c", script, output_cap=64 * 1024 * 1024)
    run.until(lambda: (run.folder / "stdout.log").exists() and len(run.stdout) == 40_000_000)
    (run.folder / "go").touch()
    end = run.end()
    mark = b"[... %d bytes dropped ...]\n" % end.dropped_bytes
    assert (end.outcome, end.dropped_bytes) == ("succeeded", 80_000_004 - 64 * 1024 * 1024)
    head, tail = run.stdout.split(b"\n" + mark)
    assert (len(head), len(tail), tail[-4:]) == (63 * 1024 * 1024, 1024 * 1024, b"end\n")
    assert int(run.stderr.split()[1]) < 25_000, "kB of the keeper"


def test_silence_ends_it(run: "Run") -> None:
    end = run.start(SH, "-c", "echo ahoy; sleep 300", silence_s=0.4).end()
    assert (end.outcome, end.signal, end.why) == ("silent", 15, "silent for 0.4 s")
    assert run.stdout == b"ahoy\n"


def test_silence_counts_from_the_start(run: "Run") -> None:
    assert run.start("sleep", "300", silence_s=0.3).end().outcome == "silent"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_who_says_something_now_and_then_on_either_stream_is_not_silent(run: "Run", stream: str) -> None:
    script = f"for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo >&{stream}; done"
    end = run.start(SH, "-c", script, silence_s=1.2).end()
    assert (end.outcome, end.why) == ("succeeded", "")
    assert end.duration_s > 2.4


def test_a_tool_shell_in_a_session_of_its_own_is_asked_to_end_too(run: "Run") -> None:
    """As those of agents: the signal for the leader's group does not come to them. It has the grace, too."""
    tool = "trap 'sleep 1; echo saved > saved; exit 0' TERM; echo on > on; while :; do sleep 0.02; done"
    run.start(
        SH, "-c", f"setsid setsid -w sh -c \"{tool}\" & trap 'exit 0' TERM; while :; do sleep 0.02; done", grace_s=20
    )
    run.file("on")
    os.kill(run.alive().pid, signal.SIGTERM)
    end = run.end()
    assert (end.outcome, end.escalated, end.leaked) == ("cancelled", False, 0)
    assert (run.folder / "saved").exists()


def test_a_stopped_tool_shell_goes_on_to_end(run: "Run") -> None:
    tool = "trap 'echo saved > saved; exit 0' TERM; echo on > on; kill -STOP $$; while :; do sleep 0.02; done"
    run.start(SH, "-c", f'setsid -w sh -c "{tool}" & wait', grace_s=20)
    run.file("on")
    os.kill(run.alive().pid, signal.SIGTERM)
    end = run.end()
    assert (end.outcome, end.escalated) == ("cancelled", False)
    assert (run.folder / "saved").exists()


def test_it_shows_each_second_that_it_lives(run: "Run") -> None:
    assert follow.last_heard_s(run.folder) is None
    run.start("sleep", "300", cwd="/")
    pid = run.alive().pid
    os.utime(run.folder / "keeper.json", (1, 1))
    heard = follow.last_heard_s(run.folder)
    assert heard is not None
    assert heard > 1e9
    run.until(lambda: (follow.last_heard_s(run.folder) or 0) < 1e9)
    os.kill(pid, signal.SIGSTOP)
    run.until(lambda: (follow.last_heard_s(run.folder) or 0) > 2 * keeper.LOOK_S)
    os.kill(pid, signal.SIGCONT)
    run.until(lambda: (follow.last_heard_s(run.folder) or 0) < 2 * keeper.LOOK_S)
    follow.cancel(run.alive())
    assert run.end().outcome == "cancelled"


def test_a_keeper_that_was_stopped_hears_what_was_said_meanwhile(run: "Run") -> None:
    """Before it calls the child silent."""
    run.start(SH, "-c", "echo on; until [ -e go ]; do sleep 0.02; done; echo said; echo > did; sleep 0.5", silence_s=1)
    run.file("stdout.log")
    pid = run.alive().pid
    os.kill(pid, signal.SIGSTOP)
    run.until(lambda: (follow.last_heard_s(run.folder) or 0) > 1.2)
    (run.folder / "go").touch()
    run.until((run.folder / "did").exists)
    os.kill(pid, signal.SIGCONT)
    assert run.end().outcome == "succeeded"


def test_the_keeper_imports_only_its_rooms_and_the_standard_library() -> None:
    program = (
        f"import sys; sys.path.append({str(ROOT)!r}); import engine.execution.keeper\n"
        "names = set(sys.modules) - {'__main__'}\n"
        "print(*sorted(name for name in names if name.partition('.')[0] not in sys.stdlib_module_names))\n"
        "sys.exit(' '.join({'asyncio', 'subprocess', 'logging', 'typing', 'pathlib', 'socket'} & names) or 0)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, cwd=Path("/"))
    assert (done.returncode, done.stderr) == (0, "")
    rooms = "cgroup input job keeper landlock limits output records spawn tree"
    assert done.stdout.split() == [
        "engine",
        "engine.execution",
        *(f"engine.execution.{name}" for name in rooms.split()),
    ]
