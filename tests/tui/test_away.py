import os
import signal
import subprocess
import sys

from tui.terminal.away import deaf_to_keys, keys_blocked


def test_a_key_meant_for_another_program_does_not_end_us():
    with deaf_to_keys():
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
            os.kill(os.getpid(), number)


def test_what_was_in_force_before_is_again_and_after_an_error_too():
    before = signal.getsignal(signal.SIGINT)
    try:
        with deaf_to_keys():
            assert signal.getsignal(signal.SIGINT) != before
            raise ValueError
    except ValueError:
        assert signal.getsignal(signal.SIGINT) == before


def test_a_program_started_meanwhile_hears_its_keys():
    show = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    with deaf_to_keys():
        said = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    assert said == "True\n"


def test_a_program_started_while_keys_are_blocked_lives_through_one_that_comes_at_once():
    """Until it says itself what is to become of them."""
    ignores = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    waits = f"{ignores}; signal.pthread_sigmask(signal.SIG_SETMASK, ()); input()"
    with keys_blocked():
        program = subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE)
        program.send_signal(signal.SIGINT)
    program.communicate(b"\n", timeout=20)
    assert program.returncode == 0
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
