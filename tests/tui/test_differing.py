"""Is a line right after only what differs has been drawn again?"""

from hypothesis import example, given
from hypothesis import strategies as st

from tui.widgets.cells import cut
from tui.widgets.differing import TOGETHER, differing

WIDTH = 40
spans = st.tuples(st.text(st.sampled_from("ab 1界世é…"), max_size=9), st.sampled_from(["text", "dim", "bold"]))
lines = st.lists(spans, max_size=7).map(tuple)


def grid(cell):
    """What each cell of the terminal shows: the second half of a wide character shows it too."""
    shown = []
    for text, tone in cell:
        for character in text:
            shown += [(character, tone, half) for half in range(2 if character in "界世" else 1)]
    return shown


@given(lines, lines)
def test_drawing_the_parts_over_the_old_line_gives_the_new_one(old, new):
    old, new = cut(old, WIDTH), cut(new, WIDTH)
    before, after = grid(old), grid(new)
    for x, width in differing(old, new):
        before[x : x + width] = after[x : x + width]
    assert before == after


@example((("界", "text"),), (("世", "text"),))
@given(lines, lines)
def test_no_part_cuts_a_wide_character(old, new):
    old, new = cut(old, WIDTH), cut(new, WIDTH)
    for x, width in differing(old, new):
        for shown in (grid(old), grid(new)):
            assert shown[x][2] == 0
            assert x + width == len(shown) or shown[x + width][2] == 0


@given(lines)
def test_a_line_that_is_the_same_is_not_drawn(line):
    assert differing(cut(line, WIDTH), cut(line, WIDTH)) == []


def test_a_number_is_drawn_whole_and_neighbours_as_one():
    old = (("today 41.2k", "text"), (" " * 20, "dim"), ("burn 12", "text"))
    far = (("today 41.3k", "text"), (" " * 20, "dim"), ("burn 13", "text"))
    assert differing(old, far) == [(6, 5), (36, 2)]
    assert differing(
        (("1", "text"), ("." * TOGETHER, "dim")), (("2", "text"), ("." * (TOGETHER - 1) + "!", "dim"))
    ) == [(0, TOGETHER + 1)]


def test_bars_are_no_word():
    assert differing((("····▂█", "accent"),), (("····▂▃", "accent"),)) == [(5, 1)]
