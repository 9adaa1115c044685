"""Which rows does a filter leave?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.lists.sift import CLOSE, likeness, sieve, title_words

ROW = "812\nrelease notes\ncoder\nfailed\n~/src/site"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", True),
        ("notes", True),
        ("NOTES", True),
        ("release notes", True),
        ("notes release", True),
        ("release missing", False),
        ("notescoder", False),
        ("!coder", False),
        ("!ops", True),
        ("!ops failed", True),
        ("!ops succeeded", False),
        ("~rlnt", True),
        ("~rntc", False),
        ("~coder", True),
        ("~redcoc", False),
        ("!~rlnt", False),
        ("!~zz", True),
        ("!", True),
        ("~", True),
        ("!~", True),
        ("! ~ !~ coder", True),
        ("~!coder", False),
        ("[", False),
        ("\\", False),
    ],
)
def test_all_words_must_hold(text, left):
    assert sieve(text).lets_through(ROW) is left


def test_the_letters_of_a_fuzzy_word_stand_in_order_close_together_and_in_one_cell():
    assert likeness("rlnt", "release notes") == (0, 2, 8, 10)
    assert likeness("ab", "a" + "x" * (2 * CLOSE - 2) + "b") is not None
    assert likeness("ab", "a" + "x" * (2 * CLOSE - 1) + "b") is None
    assert likeness("ab", "axxxxxxxxxab") == (10, 11)
    assert likeness("ab", "a\nb") is None
    assert likeness("", "anything") is None


@given(st.text(), st.text())
def test_nothing_that_can_be_typed_is_wrong(typed, row):
    sieve(typed).lets_through(row.casefold())
    assert title_words(typed).startswith("/")


@given(st.text(st.characters(exclude_characters=" ", categories=["L", "N"]), min_size=1))
def test_with_and_without_are_the_opposite_of_each_other(word):
    for mark in ("", "~"):
        assert sieve(f"{mark}{word}").lets_through(ROW) is not sieve(f"!{mark}{word}").lets_through(ROW)


@given(st.text("abc ", max_size=12), st.text("abc", min_size=1, max_size=4))
def test_places_of_a_likeness_can_be_shown(cells, letters):
    places = likeness(letters, cells)
    if places is not None:
        assert "".join(cells[at] for at in places) == letters
        assert list(places) == sorted(set(places))
        assert places[-1] - places[0] < CLOSE * len(letters)
    elif letters in cells:
        raise AssertionError("what stands there is like itself")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("idle", "/idle"),
        ("!idle", "/!idle (without)"),
        ("~ab !c", "/~ab !c (fuzzy, without)"),
        ("!~a", "/!~a (without)"),
    ],
)
def test_the_title_says_which_kind_it_is(typed, said):
    assert title_words(typed) == said
