"""Does a frame look the same after its styles have been shortened, and does it end as it began?"""

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tui.terminal.pen import thrifty

TOKEN = re.compile(r"\x1b\[([0-9;]*)([mHXC])|([^\x1b])")
SHOWN_ON_BLANKS = {3, 4, 5, 6, 7, 8, 9, 21, 53}
OFF = {22: {1, 2}, 23: {3}, 24: {4, 21}, 27: {7}, 29: {9}}
codes = st.sampled_from(
    [
        "",
        "0",
        "1",
        "2",
        "4",
        "7",
        "22",
        "24",
        "27",
        "31",
        "39",
        "49",
        "97",
        "100",
        "41;1",
        "38;5;9",
        "38;2;9;8;7",
        "48;2;1;2;3",
        "0;32",
    ]
)
styles = codes.map(lambda code: f"\x1b[{code}m")
pieces = st.one_of(
    styles,
    st.text(st.sampled_from("ab é"), min_size=1, max_size=4),
    st.sampled_from(["    ", "\x1b[2;3H", "\x1b[3X\x1b[3C", "\x1b[20X"]),
)
frames = st.lists(pieces, max_size=12).map("".join)


def styled(pen, parameters):
    """(text, ground, attributes) after `CSI parameters m`, told without the code under test."""
    text, ground, attributes = pen
    numbers = [int(number or 0) for number in parameters.split(";")]
    while numbers:
        number = numbers.pop(0)
        if number in (38, 48):
            rest = 2 if numbers[0] == 5 else 4
            value = (number, *numbers[:rest])
            del numbers[:rest]
            text, ground = (value, ground) if number == 38 else (text, value)
        elif number == 0:
            text, ground, attributes = None, None, frozenset()
        elif 30 <= number <= 39 or 90 <= number <= 97:
            text = None if number == 39 else number
        elif 40 <= number <= 49 or 100 <= number <= 107:
            ground = None if number == 49 else number
        elif number in OFF:
            attributes -= OFF[number]
        else:
            attributes |= {number}
    return text, ground, attributes


def looks(character, pen):
    text, ground, attributes = pen
    if character == " " and not attributes & SHOWN_ON_BLANKS:
        return " ", ground
    return character, text, ground, attributes


def drawn(frame):
    """What is to be seen where, and the style at the end."""
    cells, x, y, pen = {}, 0, 0, (None, None, frozenset())
    for parameters, kind, character in TOKEN.findall(frame):
        if character:
            cells[y, x] = looks(character, pen)
            x += 1
        elif kind == "m":
            pen = styled(pen, parameters)
        elif kind == "H":
            y, x = (int(number) for number in parameters.split(";"))
        elif kind == "C":
            x += int(parameters)
        else:
            cells |= {(y, x + place): looks(" ", pen) for place in range(int(parameters))}
    return cells, pen


@given(frames)
def test_every_cell_looks_the_same_and_no_style_is_left(frame):
    cells, _ = drawn(frame)
    assert drawn(thrifty(frame)) == (cells, (None, None, frozenset()))


@given(st.lists(st.tuples(st.sampled_from(["bold", "dim", "red on #010203", "reverse"]), st.text("ab ", min_size=1))))
def test_what_rich_writes_never_gets_longer(spans):
    frame = "".join(Style.parse(style).render(text) for style, text in spans)
    assert len(thrifty(frame)) <= len(frame)


def test_a_ground_is_said_once():
    frame = "\x1b[31;48;2;1;2;3mab\x1b[0m\x1b[32;48;2;1;2;3mcd\x1b[0m\x1b[5;6H\x1b[1;32;48;2;1;2;3me\x1b[0m"
    assert thrifty(frame) == "\x1b[31;48;2;1;2;3mab\x1b[32mcd\x1b[5;6H\x1b[1me\x1b[0m"


def test_a_colour_that_no_blank_shows_is_not_sent():
    assert thrifty("\x1b[31m    \x1b[0m") == "    "
    assert thrifty("\x1b[31;44m\x1b[40X\x1b[40C\x1b[0m") == "\x1b[44m\x1b[40X\x1b[40C\x1b[0m"
    assert thrifty("\x1b[4;31m  \x1b[0m") == "\x1b[4;31m  \x1b[0m"


def test_a_ground_that_ends_takes_nothing_else_along():
    assert thrifty("\x1b[38;2;1;2;3;41ma\x1b[0m\x1b[38;2;1;2;3mb\x1b[0m") == "\x1b[38;2;1;2;3;41ma\x1b[49mb\x1b[0m"


def test_the_terminals_own_colours_are_no_orders():
    assert thrifty("\x1b[39;49ma\x1b[0m") == "a"


def test_words_to_the_terminal_itself_stay_as_they_are():
    said = "\x1b]0;\x1b[31m \x1b[0m\x07"
    assert thrifty(said) == said
