"""The console and its terminal, byte by byte: what leaves, what is left behind, and what happens when nobody reads."""

import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from functools import partial

import pytest

from tests.e2e.pty import SEQUENCE, Pty
from tui.text import tokens

WIDE = "1 Sessions"
STALL_S = float(os.environ.get("QD_STALL_S", "0"))
"""How long a terminal reads nothing; `make soak` gives it two minutes."""
LOG = ".claude/projects/-home-op-work/11111111-2222-4333-8444-00000000000{}.jsonl"
CRASHES = """
import os, sys
from tui.console.app import Console
from tui.cli.main import main
def crash(console):
    secret = os.environ["SECRET"]
    raise ValueError("this is the crash: \\x1b]52;c;eA==\\x07")
Console.action_help = crash
sys.exit(main([]))
"""

LENDS = """
import subprocess, sys
from tui.console.app import Console
from tui.cli.main import main
def lend(console):
    with console.suspend():
        subprocess.run(["sh", "-c", "stty -a; echo it is mine; read word; echo word was $word"])
    console.flash("the terminal is back")
Console.action_help = lend
sys.exit(main([]))
"""


@pytest.fixture
def pty(desk):
    """Opens programs in terminals that are nothing but bytes; `qd` without another argv."""
    opened = []

    def open_one(*flags, argv=None, size=(120, 34), **env):
        opened.append(Pty(argv or [*desk.argv, *flags], desk.env | env, str(desk.workspace), size))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def session_log(desk, number, title):
    """A session of another program, with something to say: 12 tokens."""
    path = desk.home / LOG.format(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = logged(number, "user", "u", {"role": "user", "content": title})
    path.write_text(f"{asked}\n{answered(number, 'first', 7)}\n")


def add_answer(desk, number, count):
    """That session has used a million tokens more."""
    with (desk.home / LOG.format(number)).open("a") as log:
        log.write(f"{answered(number, f'more{count}', 999_995)}\n")


def answered(number, name, output):
    message = {
        "id": name, "role": "assistant", "model": "claude-sonnet-5-5", "stop_reason": "end_turn", "content": [],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 0, "output_tokens": output},
    }  # fmt: skip
    return logged(number, "assistant", name, message)


def logged(number, kind, name, message):
    session = f"11111111-2222-4333-8444-00000000000{number}"
    row = {"type": kind, "uuid": name, "sessionId": session, "timestamp": "2026-11-20T10:00:00.000Z",
           "cwd": "/home/op/work", "requestId": name, "message": message}  # fmt: skip
    return json.dumps(row)


def as_found(terminal):
    """Nothing that was switched on is left on, keys do what they did before, and the title is whose it was."""
    assert terminal.modes_left_on() == []
    assert not terminal.has_our_title()
    assert termios.tcgetattr(terminal.slave) == terminal.found


def leave_by_key(terminal):
    terminal.send("q")


def leave_by(number):
    return lambda terminal: os.kill(terminal.process.pid, number)


SIGNALS = [getattr(signal, f"SIG{name}") for name in ("TERM", "HUP", "QUIT", "USR1", "USR2", "ALRM", "XCPU")]


@pytest.mark.parametrize("leave", [leave_by_key, *map(leave_by, SIGNALS)])
def test_the_terminal_is_as_it_was_found_however_the_console_is_left(pty, leave):
    terminal = pty()
    terminal.wait_for("engine up")
    leave(terminal)
    assert terminal.wait_end() == 0
    as_found(terminal)


def test_what_is_not_used_is_never_switched_on(pty):
    """Neither the pointer's motion nor focus nor sizes in the stream: each would send bytes for nothing."""
    terminal = pty()
    terminal.wait_for("engine up")
    assert terminal.asked_for() == {"1049", "2004", "1000", "1006"}


def test_a_console_without_a_pointer_never_asks_for_one(pty):
    terminal = pty("--no-mouse")
    terminal.wait_for("engine up")
    assert terminal.asked_for() == {"1049", "2004"}


def test_a_crash_gives_the_screen_back_and_says_what_happened_after_that(desk, pty):
    script = desk.write("crashing.py", CRASHES)
    terminal = pty(argv=[sys.executable, str(script)], SECRET="tell-nobody")
    terminal.wait_for("engine up")
    terminal.send("?")
    assert terminal.wait_end() == 1
    as_found(terminal)
    _, _, after = bytes(terminal.bytes).partition(b"\x1b[?1049l")
    assert b"ValueError: this is the crash" in after
    assert b"tell-nobody" not in after
    assert b"]52;c;" in after
    assert b"\x1b]52" not in after


def test_a_console_whose_terminal_is_gone_is_gone_too(pty, wait_until):
    terminal = pty()
    terminal.wait_for("engine up")
    terminal.hang_up()
    wait_until(lambda: terminal.process.poll() is not None, "the console has ended")


def test_a_terminal_that_goes_without_a_signal_is_noticed(pty, wait_until):
    """As under nohup, or where the terminal does not control us."""
    deaf = "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}); import runpy; "
    terminal = pty(argv=[sys.executable, "-c", deaf + "runpy.run_module('tui', run_name='__main__')"])
    terminal.wait_for("engine up")
    terminal.hang_up()
    wait_until(lambda: terminal.process.poll() is not None, "the console has ended")


def test_no_colour_means_not_one_whatever_the_theme(pty, wait_until):
    for theme in ("dark", "light", "ansi"):
        terminal = pty("--theme", theme, NO_COLOR="1", COLORTERM="truecolor")
        terminal.wait_for("engine up")
        terminal.send("s")
        terminal.wait_for("Spawn a subagent")
        inverted = partial(re.search, rb"\x1b\[(\d;)*7m", terminal.bytes)
        wait_until(inverted, "the cursor of a line is inverted")
        assert terminal.colors() == set()


def test_ascii_means_no_other_byte(desk, pty):
    session_log(desk, 1, "über 漢字 e\u0301")
    terminal = pty("--ascii")
    terminal.wait_for("?ber ???? e")
    terminal.wait_for("engine up")
    for key in ("2", "2", "\x1b", "?"):
        terminal.send(key)
    terminal.wait_for("Here, now")
    assert max(terminal.bytes) < 0x7F
    assert "--------" in terminal.text


def test_the_c_locale_is_ascii_without_being_told(pty):
    terminal = pty(LANG="C")
    terminal.wait_for("engine up")
    assert max(terminal.bytes) < 0x7F


def test_a_slow_link_gets_sixteen_colours_no_pointer_and_is_told_so(pty):
    terminal = pty("--low-bandwidth", COLORTERM="truecolor")
    terminal.wait_for("low bandwidth")
    terminal.wait_for("engine up")
    assert terminal.asked_for() == {"1049", "2004"}
    assert not {38, 48} & terminal.colors()


@pytest.mark.parametrize("term", ["xterm", "screen", "tmux-256color", "xterm-kitty", "alacritty", "linux", "vt100"])
def test_every_terminal_gets_what_it_knows(pty, term):
    terminal = pty(TERM=term)
    terminal.wait_for("engine up")
    asks = b"\x1b[>25u" in terminal.bytes and b"\x1b[?2026$p" in terminal.bytes
    assert asks == (term not in ("linux", "vt100"))
    assert bool(terminal.colors()) == (term != "vt100")
    assert ({38, 48} <= terminal.colors()) == (term in ("tmux-256color", "xterm-kitty", "alacritty"))
    assert (b"\x1b[38;2;" in terminal.bytes) == (term in ("xterm-kitty", "alacritty"))
    leave_by_key(terminal)
    assert terminal.wait_end() == 0
    as_found(terminal)


def test_resizes_by_the_hundred_end_on_a_screen_that_fits(pty):
    terminal = pty()
    terminal.wait_for("engine up")
    for number in range(200):
        terminal.resize(40 + number % 120, 10 + number % 40)
        os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.resize(50, 15)
    terminal.wait_for("too small: need 60x20", patience_s=60)
    terminal.resize(60, 20)
    terminal.wait_for(WIDE)


def test_a_console_put_aside_comes_back_whole(desk, pty):
    shell = pty(argv=["bash", "--norc", "-i"], PS1="here> ")
    shell.wait_for("here> ")
    shell.send(f"{' '.join(desk.argv)}\r")
    shell.wait_for("engine up")
    for _ in range(2):
        assert shell.has_our_title()
        shell.send("\x1a")
        shell.wait_for("Stopped")
        shell.settle()
        assert shell.modes_left_on() in ([], ["?2004"]), "the shell's own line editor pastes too"
        assert not shell.has_our_title()
        shell.send("fg\r")
        shell.wait_for(WIDE)
    shell.send("q")
    shell.wait_for("here> ")
    assert shell.modes_left_on() in ([], ["?2004"])


def test_a_program_that_is_lent_the_terminal_has_it_as_it_was_found(desk, pty):
    terminal = pty(argv=[sys.executable, str(desk.write("lending.py", LENDS))])
    terminal.wait_for("engine up")
    for _ in range(2):
        terminal.send("?")
        terminal.wait_for("it is mine")
        as_found(terminal)
        terminal.send("hello\r")
        terminal.wait_for("the terminal is back", WIDE)
    assert terminal.text.count("word was hello") == 2
    assert re.search(r"(?<!-)icanon", terminal.text)
    terminal.send("q")
    assert terminal.wait_end() == 0
    as_found(terminal)


def test_a_console_that_no_shell_would_bring_back_is_not_put_aside(pty):
    terminal = pty()
    terminal.wait_for("engine up")
    terminal.send("\x1a")
    terminal.wait_for("no shell here")


def test_a_terminal_that_stops_reading_holds_nothing_up(desk, pty, wait_until):
    """Neither the engine nor the console's own loop; and what comes after is how things are, not all that they were."""
    session_log(desk, 2, "unread")
    terminal = pty(size=(160, 34))
    terminal.wait_for("engine up")
    terminal.wait_for("unread")
    terminal.send("z")  # at its full size the pane tells the tokens
    terminal.wait_for("esc back")
    terminal.reads.clear()
    until = time.monotonic() + STALL_S
    answers = 0
    while answers < 10 or time.monotonic() < until:
        answers += 1
        add_answer(desk, 2, answers)
        terminal.send("zz" * 20 if answers <= 10 else "")
        spent = answers * 1_000_000 + 12
        wait_until(
            lambda spent=spent: desk.json("sessions")["sessions"][0]["total_tokens"] == spent, "the engine has read it"
        )
    since = len(terminal.bytes)
    terminal.reads.set()
    terminal.wait_for(tokens(spent))
    assert len(terminal.bytes) - since < 100_000, "a few screens, not hundreds"
    terminal.send("q")
    assert terminal.wait_end() == 0
    as_found(terminal)


def test_under_a_dialog_only_what_changes_beside_it_is_painted(desk, pty):
    session_log(desk, 1, "the first one")
    terminal = pty()
    terminal.wait_for("engine up", "the first one")
    terminal.send(":")
    since = terminal.wait_for("tab takes the marked one")
    for number in (2, 3, 4):
        session_log(desk, number, f"number {number}")
        terminal.wait_for(f"number {number}")
    painted = SEQUENCE.sub(b"", bytes(terminal.bytes[since:]))
    assert not [still for still in (b"sessions", b"Skill sets", b"Token budgets") if still in painted]


def test_a_console_is_left_while_its_terminal_does_not_read_and_the_terminal_is_given_back(pty):
    terminal = pty()
    terminal.wait_for("engine up")
    terminal.reads.clear()
    for number in range(400):
        terminal.send("2341"[number % 4])
    terminal.send("q")
    assert terminal.process.wait(20) == 0
    terminal.reads.set()
    terminal.settle()
    as_found(terminal)


def test_the_console_works_in_tmux_and_in_tmux_inside_tmux(desk, open_console):
    inner = ["tmux", "-L", f"inner-{os.getpid()}", "-f", "/dev/null", "new-session", *desk.argv]
    for argv in (None, ["env", "-u", "TMUX", *inner]):
        console = open_console(argv=argv)
        console.wait_for(WIDE, "engine up")
        console.keys("2", "2")
        console.wait_without(WIDE)
        console.keys("Escape")
        console.wait_for(WIDE)
        console.keys("q")
        console.wait_without("engine up")


def test_plain_reads_out_what_there_is_and_then_what_changes(desk, wait_until):
    session_log(desk, 1, "mend the \x1b]0;pump\x07 [bold]")
    heard = desk.home / "heard"
    with heard.open("wb") as out:
        process = subprocess.Popen([*desk.argv, "--plain"], env=desk.env, stdout=out, cwd=desk.workspace)
    try:
        said = wait_until(lambda: "claude_code, mend the" in heard.read_text() and heard.read_text(), "it is read out")
        assert "Jobs: none" in said
        session_log(desk, 2, "another one")
        wait_until(lambda: "claude_code, another one" in heard.read_text(), "the change is read out")
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    written = heard.read_bytes()
    assert not any(byte < 32 and byte != 10 for byte in written)
    assert b"[bold]" in written


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_plain_ends_well_when_it_is_told_to(desk, number):
    with subprocess.Popen([*desk.argv, "--plain"], env=desk.env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"quarterdeck on ")
        process.send_signal(number)
        assert process.wait(20) == 0


def test_plain_ends_well_when_nobody_reads_any_more(desk):
    with subprocess.Popen([*desk.argv, "--plain"], env=desk.env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"quarterdeck on ")
        process.stdout.close()
        assert process.wait(20) == 0


def test_where_there_is_no_terminal_one_line_says_what_to_do(desk):
    line = "qd: the console needs a terminal; here goes: qd --plain, or a verb: qd sessions, qd --help"
    assert desk.run() == (2, "", f"{line}\n")


def test_a_dumb_terminal_gets_one_line(pty):
    terminal = pty(TERM="dumb")
    assert terminal.wait_end() == 2
    assert terminal.text.count("\n") == 1
    assert "qd --plain" in terminal.text
    assert b"\x1b" not in terminal.bytes


def test_a_theme_of_my_own_is_worn_and_taken_up_again_when_it_changes(desk, pty, wait_until):
    themes = desk.config_file.parent / "themes"
    themes.mkdir(parents=True)
    mine = themes / "mine.toml"
    mine.write_text('accent = "#123456"\n')
    terminal = pty("--theme", "mine", COLORTERM="truecolor")
    terminal.wait_for("engine up")
    assert b"38;2;18;52;86" in terminal.bytes
    mine.write_text('acent = "#654321"\n')
    terminal.wait_for("did you mean accent?")
    mine.write_text('accent = "#654321"\n')
    wait_until(lambda: b"38;2;101;67;33" in terminal.bytes, "it is worn")


def test_blanks_are_sent_as_one_order_where_the_terminal_knows_it(pty):
    modern, simple = pty(), pty(TERM="linux")
    for terminal in (modern, simple):
        terminal.wait_for("engine up")
    assert re.search(rb"\x1b\[[0-9]+X\x1b\[[0-9]+C", modern.bytes)
    assert b" " * 60 not in modern.bytes
    assert b" " * 60 in simple.bytes
