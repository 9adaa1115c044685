"""Whatever letter a list can show, the help page tells what it means, with the operator's own keys in it."""

import pytest

from engine.contract import outcome
from tui.actions.keymap import Keymap, keymap
from tui.panes.jobs import SLOT_LETTERS
from tui.reading.event_log import LEVELS
from tui.reading.states import RANKS
from tui.screens import legend, timeline
from tui.screens.help_lines import help_lines
from tui.widgets.table import MARK


def page(keys):
    """Each section of letters, by its heading: the letter and what it means, in one line of text."""
    found = {}
    for line in help_lines(200, keys):
        text = "".join(part for part, _ in line.cell)
        if line.cell and line.cell[0][1] == "head":
            found[title := text] = []
        elif text and not line.action:
            found[title].append(text.strip())
    return found


def letters(section):
    return {line.split("  ")[0] for line in page(Keymap())[section]}


@pytest.mark.parametrize(
    ("section", "shown"),
    [
        ("Timeline of a session: its runs", {*timeline.OUTCOME_LETTERS.values(), ">", "!", "z"}),
        (
            "Timeline of a session: its conversations",
            {timeline.BEGUN, timeline.RESET, timeline.FORK, timeline.UNDONE},
        ),
        ("Jobs, last slots: the newest is the last one", {letter for letter, _ in SLOT_LETTERS.values()}),
        ("Events, second column", set(LEVELS)),
        ("Sessions, first column", set(RANKS)),
        ("Skills found, first column", {"!"}),
    ],
)
def test_every_letter_of_a_list_is_explained(section, shown):
    assert letters(section) == shown


def test_what_a_job_shows_in_its_first_column_is_explained():
    assert {letter for line in letters("Jobs, first column") for letter in line.split()} == set("p.z>!")


def test_the_mark_of_a_row_is_explained():
    assert f"{MARK} in a row" in letters("Figures everywhere")


def test_every_outcome_of_a_run_has_a_letter():
    assert set(timeline.OUTCOME_LETTERS) >= set(outcome.Outcome.__args__)


def test_meanings_name_the_keys_in_force():
    said = page(keymap("default", {"inbox": "f8"}))["Sessions, first column"]
    assert any("f8 answers it" in line for line in said)
    assert not any("{" in line for lines in page(Keymap()).values() for line in lines)


def test_no_letter_has_two_meanings_in_one_list():
    for part in vars(legend).values():
        if isinstance(part, tuple):
            assert len({letter for letter, _ in part}) == len(part)
