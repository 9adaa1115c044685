import asyncio
import os
import subprocess
import sys

import pytest
from textual._ansi_sequences import SYNC_END, SYNC_START

from tui.terminal.driver import KEYS, POINTER, SCREEN, Terminal, is_simple, modes, points
from tui.terminal.writer import MOST, Writer


@pytest.fixture
def pipe():
    """A pipe whose writing end never waits, as the terminal's."""
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def drive(scenario):
    async def main():
        await asyncio.wait_for(scenario(asyncio.get_running_loop()), 20)

    asyncio.run(main())


def read(end, most=1 << 20):
    try:
        return os.read(end, most)
    except BlockingIOError:
        return b""


def test_what_is_written_goes_out_with_the_next_round_of_the_loop_or_at_once(pipe):
    async def scenario(loop):
        writer = Writer(pipe[1], loop, list, list)
        writer.write("a")
        writer.write("é")
        assert read(pipe[0]) == b""
        await asyncio.sleep(0)
        assert read(pipe[0]) == "aé".encode()
        writer.write("b")
        writer.flush()
        assert read(pipe[0]) == b"b"
        writer.close()

    drive(scenario)


def test_nothing_waits_for_a_reader_that_does_not_read_and_it_is_told_when_all_is_out(pipe):
    async def scenario(loop):
        clear = asyncio.Event()
        writer = Writer(pipe[1], loop, clear.set, list)
        writer.write("x" * 300_000)
        writer.flush()
        assert writer.behind
        assert not writer.drain(0)
        writer.write("end")
        got = bytearray()
        while not clear.is_set():
            got += read(pipe[0])
            await asyncio.sleep(0)
        got += read(pipe[0])
        assert not writer.behind
        assert got == b"x" * 300_000 + b"end"
        writer.close()

    drive(scenario)


def test_what_is_kept_for_it_has_an_end(pipe):
    async def scenario(loop):
        writer = Writer(pipe[1], loop, list, list)
        writer.write("x" * MOST)
        writer.flush()
        writer.write("y" * MOST)
        writer.write("z")
        got = bytearray()
        while not writer.drain(0):
            got += read(pipe[0])
        got += read(pipe[0])
        assert len(got) == 2 * MOST
        assert b"z" not in got
        writer.close()

    drive(scenario)


def test_what_was_dropped_does_not_go_out(pipe):
    async def scenario(loop):
        writer = Writer(pipe[1], loop, list, list)
        writer.write("x" * 300_000)
        writer.flush()
        taken = len(read(pipe[0]))
        writer.drop()
        writer.write("goodbye")
        assert writer.drain(1)
        assert taken < 300_000
        assert read(pipe[0]) == b"goodbye"
        writer.close()

    drive(scenario)


def test_a_terminal_that_is_gone_is_told_once_and_everything_after_that_is_nothing(pipe):
    async def scenario(loop):
        gone = []
        writer = Writer(pipe[1], loop, list, lambda: gone.append(1))
        os.close(pipe[0])
        for _ in range(3):
            writer.write("x")
            writer.flush()
        assert gone == [1]
        assert not writer.drain(1)
        writer.close()

    drive(scenario)


def test_what_is_switched_on_is_switched_off_and_nothing_is_asked_of_a_terminal_that_may_not_know_it():
    everything = modes(mouse=True, simple=False)
    assert all(mode.off for mode in everything)
    assert {POINTER, KEYS} <= set(everything)
    assert not {POINTER, KEYS} & set(modes(mouse=False, simple=True))


def test_the_screen_is_erased_before_it_is_left():
    """Where there is no other one, the picture would stay under the shell's prompt."""
    assert SCREEN.off == "\x1b[H\x1b[J\x1b[?1049l"
    assert "".join(mode.off for mode in reversed(modes(mouse=True, simple=False))).endswith("\x1b[0m" + SCREEN.off)


def test_in_screen_the_pointer_is_never_asked_for():
    assert points({"TERM": "screen", "TMUX": "/tmp/tmux,1,0"})
    assert not points({"TERM": "xterm-256color", "STY": "1.x"})


class Sent:
    """What a terminal was sent."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def test_a_frame_that_paints_nothing_is_not_sent():
    terminal = Terminal.__new__(Terminal)
    terminal.out = Sent()
    for frame in ("\x1b[1;1Hab\x1b[3;4H", "\x1b[3;4H", "\x1b[5;6H", "\x1b[5;6H", "\x1b[1;1Hcd\x1b[5;6H"):
        for part in (SYNC_START, frame, SYNC_END):
            terminal.write(part)
    terminal.write("\x1b]2;title\x1b\\")
    terminal.write("\x1b[5;6H")
    sent = ("\x1b[1;1Hab\x1b[3;4H", "\x1b[5;6H", "\x1b[1;1Hcd\x1b[5;6H")
    frames = "".join(f"{SYNC_START}{frame}{SYNC_END}" for frame in sent)
    assert terminal.out.text == frames + "\x1b]2;title\x1b\\"


@pytest.mark.parametrize(
    ("term", "simple"), [("linux", True), ("vt100", True), ("xterm", False), ("screen", False), ("", False)]
)
def test_simple_terminals_are_known_by_name(term, simple):
    assert is_simple({"TERM": term}) == simple


def test_a_terminal_whose_other_end_is_gone_is_known_without_a_signal():
    master, slave = os.openpty()
    terminal = Terminal.__new__(Terminal)
    terminal.fileno = slave
    assert not terminal.hung_up
    os.close(master)
    assert terminal.hung_up
    os.close(slave)


def test_a_group_of_processes_that_no_shell_started_is_never_put_aside():
    ask = "import os; os.setsid(); from tui.terminal.driver import can_be_continued; print(can_be_continued())"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
