"""Whatever is pasted, no key comes of it; whatever is typed, all of it does; wherever the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from tui.terminal.paste import BEGIN, END, Pastes

KEYS = st.lists(st.sampled_from(["a", "\x1b[A", "\x1b[20~", "\r", "\x03", "\x1b[200", "\x1b", "~", "[", "2", "é"]))
TEXTS = st.text(st.sampled_from("ab\x1b[q201~c\x9b\x07\n\r\té\x7f")).filter(lambda text: END not in text)


def cut(text, places):
    at = sorted({place % (len(text) + 1) for place in places})
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_of_a_paste_only_words_are_left(text, places):
    pastes = Pastes()
    out = "".join(map(pastes.taken, cut(f"x{BEGIN}{text}{END}y", places)))
    inside = out.removeprefix(f"x{BEGIN}").removesuffix(f"{END}y")
    assert out == f"x{BEGIN}{inside}{END}y"
    assert inside == "".join(one for one in text if one.isprintable() or one in "\t\r\n")


@given(KEYS, st.lists(st.integers(0, 200)))
def test_what_is_typed_comes_as_it_was_typed(keys, places):
    typed = "".join(keys)
    if BEGIN not in typed:
        assert "".join(map(Pastes().taken, cut(typed, places))) == typed


INSIDE = ["\x1b[q", "\x1b", "\x1b[200~", "\x1b[A", "\x1bq", "\x9bA", "\x1b[27u", "\x03", "\x1bOP"]


@pytest.mark.parametrize("inside", INSIDE)
def test_no_key_comes_of_what_is_pasted(inside):
    parser, pastes = XTermParser(), Pastes()
    came = [*parser.feed(pastes.taken(f"{BEGIN}ab {inside} cd{END}")), *parser.tick()]
    assert [type(event) for event in came] == [events.Paste]
    assert came[0].text.startswith("ab ")
    assert came[0].text.endswith(" cd")
