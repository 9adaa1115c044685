"""Where there is no configuration: does the console offer one, write it when it is asked, and believe a no?"""

from tests.e2e.test_console import until

OFFER = "no configuration: I writes one, D never asks again"


def test_a_configuration_is_written_by_a_key_and_what_was_done_is_said_in_words(desk, open_console):
    console = open_console()
    console.wait_for("engine up", OFFER)
    until(console, "Wrote", "I")
    console.wait_for("time zone", "qd doctor", "qd tour")
    assert desk.config_file.exists()
    console.keys("Escape")
    screen = console.wait_for("1 Sessions")
    assert OFFER not in screen


def test_a_no_is_for_good(desk, open_console):
    console = open_console()
    console.wait_for("engine up", OFFER)
    console.keys("D")
    console.wait_for("it is not offered again")
    console.wait_without(OFFER)
    other = open_console()
    other.wait_for("engine up", "No sessions yet")
    assert OFFER not in other.screen()
    assert not desk.config_file.exists()


def test_who_has_one_is_offered_none(desk, open_console):
    desk.configure('timezone = "UTC"\n')
    console = open_console()
    console.wait_for("engine up", "No sessions yet")
    assert OFFER not in console.screen()
