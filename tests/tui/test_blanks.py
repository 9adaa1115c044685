import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.terminal.blanks import LEAST, erases_in_colour, shortened

ROW = " " * 40
ERASED = "\x1b[40X\x1b[40C"


@pytest.mark.parametrize(
    ("frame", "sent"),
    [
        (f"a{ROW}b", f"a{ERASED}b"),
        (f"\x1b[38;5;7m{ROW}\x1b[0m", f"\x1b[38;5;7m{ERASED}\x1b[0m"),
        (f"\x1b[1;38;2;4;7;9;48;5;7m{ROW}\x1b[0m", f"\x1b[1;38;2;4;7;9;48;5;7m{ERASED}\x1b[0m"),
        (f"\x1b[7m{ROW}\x1b[0m{ROW}", f"\x1b[7m{ROW}\x1b[0m{ERASED}"),
        (f"\x1b[1;4m{ROW}", f"\x1b[1;4m{ROW}"),
        (f"\x1b[7m\x1b[1m{ROW}\x1b[m{ROW}", f"\x1b[7m\x1b[1m{ROW}\x1b[m{ERASED}"),
        ("a" + " " * (LEAST - 1) + "b", "a" + " " * (LEAST - 1) + "b"),
        (f"\x1b]2;a{ROW}b\x1b\\", f"\x1b]2;a{ROW}b\x1b\\"),
    ],
)
def test_blanks_are_erased_where_nothing_shows_on_them(frame, sent):
    assert shortened(frame, in_colour=True) == sent


def test_a_terminal_that_erases_in_its_own_background_is_sent_those_that_have_one():
    assert not erases_in_colour({"TERM": "screen-256color"})
    assert erases_in_colour({"TERM": "xterm"})
    for back in ("48;5;16", "44", "104", "48;2;1;2;3"):
        frame = f"\x1b[{back}m{ROW}\x1b[0m"
        assert shortened(frame, in_colour=False) == frame
    assert shortened(f"\x1b[31m{ROW}", in_colour=False) == f"\x1b[31m{ERASED}"


PARTS = st.one_of(
    st.sampled_from(["\x1b[0m", "\x1b[7m", "\x1b[1;44m", "\x1b[38;5;4m", "\x1b[3;1H", "\r\n", "│", "text"]),
    st.integers(1, 60).map(lambda number: " " * number),
)


@given(st.lists(PARTS).map("".join), st.booleans())
def test_nothing_else_changes_and_nothing_gets_longer(frame, in_colour):
    sent = shortened(frame, in_colour)
    assert len(sent) <= len(frame)
    assert re.sub(r"\x1b\[(\d+)X\x1b\[\1C", lambda found: " " * int(found[1]), sent) == frame
