"""Is a configuration offered where there is none, and no longer when nobody wants one?"""

import pytest

from state.errors import StateUnwritable
from state.home import Home
from tui.panes.pane import teaching_lines
from tui.screens.offering import decline, is_offered


@pytest.fixture
def home(tmp_path):
    return Home(config=tmp_path / "config", state=tmp_path / "state")


def test_it_is_offered_until_there_is_one(home):
    assert is_offered(home)
    home.config.mkdir()
    home.config_file.write_text("")
    assert not is_offered(home)


def test_no_is_for_good(home):
    decline(home)
    assert not is_offered(home)
    decline(home)
    assert not is_offered(Home(config=home.config, state=home.state))


def test_a_no_that_cannot_be_written_is_said(home, tmp_path):
    home.state.write_text("a file in the way")
    with pytest.raises(StateUnwritable):
        decline(home)
    assert is_offered(home)


TEACHING = ("First, what this is.", "Then how it gets filled.", "Press n.")


@pytest.mark.parametrize(
    ("height", "shown"),
    [
        (3, ["First, what this is.", "Then how it gets filled.", "Press n."]),
        (9, ["First, what this is.", "Then how it gets filled.", "Press n."]),
        (2, ["First, what this is.", "Press n."]),
        (1, ["Press n."]),
        (0, ["Press n."]),
    ],
)
def test_where_there_is_little_room_the_key_stays(height, shown):
    assert ["".join(text for text, _ in line) for line in teaching_lines(TEACHING, 60, height)] == shown


def test_what_is_too_wide_goes_on_in_the_next_line():
    lines = ["".join(text for text, _ in line) for line in teaching_lines(TEACHING, 21, 9)]
    assert max(map(len, lines)) <= 21
    assert " ".join(word for line in lines for word in line.split()) == " ".join(TEACHING)
