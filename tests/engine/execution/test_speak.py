"""Does a client that is held open get all that is said to it, and leave when nothing more comes?"""

import fcntl
import hashlib
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.execution import follow, input, speak
from state.errors import Refused, StateError

if TYPE_CHECKING:
    from conftest import Run

SH = "/bin/sh"
PATIENT = "trap 'exit 0' TERM; while :; do sleep 0.02; done"
HASHES = (
    "import hashlib, sys\nh = hashlib.sha256(); n = 0\n"
    "while chunk := sys.stdin.buffer.read1(65536): h.update(chunk); n += len(chunk)\n"
    "print(n, h.hexdigest())"
)


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", program, *arguments)


def held(run: "Run", *argv: str, **changes: object) -> "Run":
    run.start(*argv, input_open=True, **changes)
    run.alive()
    return run


def test_first_the_file_then_what_is_said_in_order(run: "Run") -> None:
    held(run, "cat", stdin="one\n")
    run.until_it_says(b"one\n")
    speak.say(run.folder, b"two\n")
    run.until_it_says(b"one\ntwo\n")
    speak.say(run.folder, b"three\n")
    assert speak.hang_up(run.alive())
    end = run.end()
    assert (end.outcome, run.stdout) == ("succeeded", b"one\ntwo\nthree\n")


def test_the_fifo_is_private_and_there_before_the_child_is_named(run: "Run") -> None:
    held(run, "cat")
    mode = (run.folder / input.NAME).stat().st_mode
    assert (stat.S_ISFIFO(mode), stat.S_IMODE(mode)) == (True, 0o600)
    speak.hang_up(run.alive())
    run.end()
    assert not (run.folder / input.NAME).exists()


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 9_000_000])
def test_a_hang_up_loses_nothing(run: "Run", size: int) -> None:
    """Also when the child has not even begun to read."""
    first, then = os.urandom(size).hex()[:size], os.urandom(3_000_000)
    held(run, SH, "-c", 'until [ -e go ]; do sleep 0.02; done; exec "$@"', "sh", *python(HASHES), stdin=first)
    speak.say(run.folder, then)
    assert speak.hang_up(run.alive())
    (run.folder / "go").touch()
    assert run.end().outcome == "succeeded"
    whole = first.encode() + then
    assert run.stdout.decode().split() == [str(len(whole)), hashlib.sha256(whole).hexdigest()]


def test_a_child_that_does_not_read_holds_up_nobody(run: "Run") -> None:
    """Its output is taken meanwhile, and it can be ended."""
    held(run, SH, "-c", f"until [ -e go ]; do sleep 0.02; done; echo ahoy; {PATIENT}")
    speak.say(run.folder, bytes(8_000_000))
    (run.folder / "go").touch()
    run.until_it_says(b"ahoy\n")
    assert follow.cancel(run.alive())
    assert run.end().outcome == "cancelled"


def test_what_is_held_for_a_child_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input, "MOST", 200_000)
    (tmp_path / "stdin").write_bytes(b"first ")
    folder = os.open(tmp_path, os.O_RDONLY)
    source, fed = input.open_input(folder, os.open(tmp_path / "stdin", os.O_RDONLY))
    fifo = os.open(tmp_path / input.NAME, os.O_WRONLY | os.O_NONBLOCK)
    sent, got, full = 0, b"", 0
    while full < 3:
        try:
            sent += os.write(fifo, b"x" * 65_536)
        except BlockingIOError:
            full += 1
        fed.move()
    assert 200_000 <= sent <= 500_000
    fed.end()
    while fed.open:
        got += os.read(source, 65_536)
        fed.move()
    while chunk := os.read(source, 65_536):
        got += chunk
    assert got == b"first " + b"x" * sent
    for fd in (folder, source, fifo):
        os.close(fd)


def test_what_is_still_in_the_fifo_at_the_end_is_forwarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it holds more than we do."""
    monkeypatch.setattr(input, "MOST", 1000)
    (tmp_path / "stdin").touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    source, fed = input.open_input(folder, os.open(tmp_path / "stdin", os.O_RDONLY))
    fifo = os.open(tmp_path / input.NAME, os.O_WRONLY)
    for fd in (fifo, source):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1024 * 1024)
    assert os.write(fifo, b"x" * 500_000) == 500_000
    fed.end()
    while fed.open:
        fed.move()
    got = b""
    while chunk := os.read(source, 65_536):
        got += chunk
    assert got == b"x" * 500_000
    for fd in (folder, source, fifo):
        os.close(fd)


def test_one_that_closes_its_input_early_hurts_nobody(run: "Run") -> None:
    held(run, SH, "-c", "exec <&-; echo closed; until [ -e go ]; do sleep 0.02; done; echo end", stdin="x" * 500_000)
    run.until_it_says(b"closed\n")
    run.until(lambda: refuses(run))
    (run.folder / "go").touch()
    end = run.end()
    assert (end.outcome, end.why, run.stdout) == ("succeeded", "", b"closed\nend\n")


def refuses(run: "Run") -> bool:
    try:
        speak.say(run.folder, b"more")
    except Refused:
        return True
    return False


def test_a_run_whose_input_is_a_file_takes_no_more_and_no_harm(run: "Run") -> None:
    run.start(SH, "-c", "cat; until [ -e go ]; do sleep 0.02; done", stdin="all")
    alive = run.alive()
    with pytest.raises(Refused, match="takes no input"):
        speak.say(run.folder, b"more")
    assert speak.hang_up(alive)
    (run.folder / "go").touch()
    assert (run.end().outcome, run.stdout) == ("succeeded", b"all")
    assert not speak.hang_up(alive)


def test_who_speaks_to_a_dead_keeper_is_told(run: "Run") -> None:
    held(run, "cat", stdin="on")
    run.until_it_says(b"on")
    alive = run.alive()
    os.kill(alive.pid, signal.SIGKILL)
    run.until(lambda: not follow.is_alive(alive))
    with pytest.raises(Refused, match="its keeper is gone"):
        speak.say(run.folder, b"more")
    assert not speak.hang_up(alive)
    assert run.end().outcome == "interrupted"


def test_a_stopped_keeper_is_not_waited_for_for_ever(run: "Run", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak, "SAY_S", 0.2)
    held(run, "cat")
    os.kill(run.alive().pid, signal.SIGSTOP)
    with pytest.raises(StateError, match=r"input is full: [0-9,]+ of 1,000,000 bytes"):
        speak.say(run.folder, bytes(1_000_000))
    os.kill(run.alive().pid, signal.SIGCONT)
    speak.hang_up(run.alive())
    assert run.end().outcome == "succeeded"


def test_what_is_no_fifo_is_not_written(run: "Run", tmp_path: Path) -> None:
    (run.folder / input.NAME).write_text("mine")
    with pytest.raises(StateError, match="is no FIFO"):
        speak.say(run.folder, b"more")
    (run.folder / input.NAME).unlink()
    (run.folder / input.NAME).symlink_to(tmp_path / "other")
    with pytest.raises(StateError, match="cannot open"):
        speak.say(run.folder, b"more")


def test_those_who_speak_at_once_are_not_mixed(run: "Run") -> None:
    held(run, "cat", output_cap=16 * 1024 * 1024)
    lines = [f"{letter * 300_000}\n".encode() for letter in "abcdef" * 3]
    threads = [threading.Thread(target=speak.say, args=(run.folder, line)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    speak.hang_up(run.alive())
    assert run.end().outcome == "succeeded"
    assert len(run.stdout) == sum(map(len, lines))
    assert sorted(run.stdout.splitlines(keepends=True)) == sorted(lines)


def test_a_turn_that_takes_too_long_ends_it(run: "Run") -> None:
    held(run, SH, "-c", PATIENT)
    speak.start_turn(run.folder, 0.1)
    end = run.end()
    assert (end.outcome, end.exit_code, end.why) == ("timed_out", 0, "its turn timed out")


def test_a_turn_may_take_longer_than_the_job(run: "Run") -> None:
    speak.start_turn(run.folder, 30)
    held(run, SH, "-c", "sleep 1.5; echo late", timeout_s=0.5)
    assert (run.end().outcome, run.stdout) == ("succeeded", b"late\n")


def test_before_there_is_a_turn_the_timeout_holds(run: "Run") -> None:
    end = held(run, SH, "-c", PATIENT, timeout_s=0.3).end()
    assert (end.outcome, end.why) == ("timed_out", "timed out after 0.3 s")


def test_one_that_waits_too_long_leaves_by_itself(run: "Run") -> None:
    held(run, "cat", timeout_s=0.5, silence_s=0.5, stdin="answer")
    speak.end_turn(run.folder, 1.5)
    end = run.end()
    assert (end.outcome, end.exit_code, end.escalated, end.why) == ("succeeded", 0, False, "")
    assert end.duration_s > 1.4
    assert run.stdout == b"answer"


@pytest.mark.parametrize(("program", "code", "number"), [(PATIENT, 0, None), ("trap '' TERM; sleep 300", None, 9)])
def test_one_that_does_not_leave_is_ended_and_has_done_well(
    run: "Run", program: str, code: int | None, number: int | None
) -> None:
    held(run, SH, "-c", program, grace_s=0.3)
    speak.end_turn(run.folder, 0.1)
    end = run.end()
    assert (end.outcome, end.exit_code, end.signal) == ("succeeded", code, number)
    assert end.why == "ended while it waited for a turn"


def test_one_that_leaves_badly_has_failed(run: "Run") -> None:
    held(run, SH, "-c", "cat; exit 3")
    speak.end_turn(run.folder, 0.1)
    assert (run.end().outcome, run.end().exit_code) == ("failed", 3)


def test_the_next_turn_keeps_it(run: "Run") -> None:
    held(run, "cat")
    for number in range(3):
        speak.end_turn(run.folder, 0.8)
        speak.start_turn(run.folder, 30)
        speak.say(run.folder, b"%d" % number)
        run.until_it_says(b"012"[: number + 1])
    speak.end_turn(run.folder, 0)
    assert run.end().outcome == "succeeded"


def test_a_damaged_turn_ends_the_run(run: "Run") -> None:
    held(run, SH, "-c", PATIENT)
    (run.folder / "turn.json").write_text("{")
    end = run.end()
    assert end.outcome == "failed"
    assert "turn.json cannot be used" in end.why


def test_a_file_in_its_place_is_left_alone(new_run: "Callable[[], Run]") -> None:
    run = new_run()
    (run.folder / input.NAME).write_text("mine")
    end = run.start("cat", input_open=True).end()
    assert end.outcome == "could_not_start"
    assert "File exists" in end.why
    assert (run.folder / input.NAME).read_text() == "mine"
