from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.clean import clean
from tui.terminal.ascii import LIKENESS, AsciiOnly, as_ascii

BLACK = Color(0, 0, 0)


def test_lines_bars_and_marks_look_like_what_they_are():
    assert as_ascii("┌──┬─┐│ ▁▂▃▄▅▆▇█ ··· cut of…") == "+--+-+| _-~=+*%# ... cut of~"


def test_what_is_somebody_elses_is_a_question_mark_for_each_cell():
    assert as_ascii("über 漢字 e\u0301") == "?ber ???? e"


@given(st.text())
def test_any_text_becomes_ascii_of_the_same_width(text):
    safe = clean(text)
    out = as_ascii(safe)
    assert out.isascii()
    assert len(out) == cell_len(safe)


def test_every_likeness_is_one_cell_for_one_cell():
    assert all(cell_len(character) == 1 and len(like) == 1 and like.isascii() for character, like in LIKENESS.items())


def test_a_filter_changes_nothing_that_is_ascii_already():
    plain = [Segment("a", Style(bold=True)), Segment("b")]
    assert AsciiOnly().apply(plain, BLACK) is plain
    style = Style(bold=True)
    assert AsciiOnly().apply([Segment("│é", style)], BLACK) == [Segment("|?", style)]
