"""In which order do rows stand?"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.actions.orders import LETTERS
from tui.lists.order import Values, arranged, first_way
from tui.panes.budgets import BudgetsPane
from tui.panes.events import EventsPane
from tui.panes.jobs import JobsPane
from tui.panes.listing import Listing
from tui.panes.runs import RunsPane
from tui.panes.sessions import SessionsPane
from tui.panes.skills import SkillsPane

PANES = (SessionsPane, JobsPane, BudgetsPane, SkillsPane, RunsPane, EventsPane)


@given(st.lists(st.one_of(st.none(), st.integers(0, 3))), st.booleans())
def test_the_order_is_stable_and_what_is_unknown_comes_last_either_way(values, down):
    rows = list(enumerate(values))
    out = arranged(rows, values, down)
    assert sorted(out) == rows
    known = [value for _, value in out if value is not None]
    assert known == sorted(known, reverse=down)
    assert [value for _, value in out[len(known) :]] == [None] * (len(values) - len(known))
    for (first, one), (second, other) in pairwise(out):
        assert one != other or first < second


@pytest.mark.parametrize(
    ("values", "down"), [(["b"], False), ([3], True), ([None, "b"], False), ([None], False), ([], False)]
)
def test_numbers_begin_with_the_largest_and_texts_with_a(values, down):
    assert first_way(values) is down


def test_a_row_that_is_still_there_is_not_asked_again():
    asked = []

    def value(row):
        asked.append(row[0])
        return row[0]

    rows, values = [(1,), (2,), (3,)], Values()
    assert values.of(rows, "a", value) == [1, 2, 3]
    fresh = [rows[2], (9,), rows[0]]
    assert values.of(fresh, "a", value) == [3, 9, 1]
    assert asked == [1, 2, 3, 9]
    assert values.of(fresh, "b", value) == [3, 9, 1]
    assert asked == [1, 2, 3, 9, 3, 9, 1]


def listing(rows):
    made = Listing(lambda row: row[0], lambda row, title: row[0] if title == "name" else row[1])
    made.take(rows)
    return made


def test_again_turns_it_round_and_the_next_column_comes_after_the_last():
    rows = [("b", 1), ("A", None), ("c", 5)]
    one = listing(rows)
    assert one.shown() is rows
    one.order_by("name")
    assert [row[0] for row in one.shown()] == ["A", "b", "c"]
    one.order_by("name")
    assert [row[0] for row in one.shown()] == ["c", "b", "A"]
    one.order_by_next(["name", "size"])
    assert (one.order.by, one.order.mark) == ("size", "v")
    assert [row[1] for row in one.shown()] == [5, 1, None]
    one.order_by_next(["name", "size"])
    assert one.order is None
    one.order_by_next(["name", "size"])
    assert one.order.by == "name"


def test_a_filter_and_an_order_hold_for_rows_that_come_later():
    one = listing([("apple", 1), ("plum", 2)])
    one.text = "!pl"
    one.order_by("size")
    assert one.shown() == []
    one.take([("fig", 1), ("date", 4), ("plum", 9)])
    assert one.shown() == [("date", 4), ("fig", 1)]


@pytest.mark.parametrize("pane", PANES)
def test_the_registry_and_the_heads_have_the_same_letters_and_each_is_in_its_title(pane):
    letters = {column.title: column.letter for column in pane.COLUMNS if column.letter}
    assert letters == LETTERS[pane.CONTEXT]
    assert len(set(letters.values())) == len(letters)
    assert all(letter.casefold() in title.casefold() for title, letter in letters.items())
