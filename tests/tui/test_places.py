"""Where does a line after `:` go? Anywhere, or one line says what would be right."""

import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.cli.commands import COMMANDS
from tui.cli.verb import Parser
from tui.places.lines import HERE, PAGES, PANES, SHOWN, THINGS, Going, Item, Known, Typed, Wrong, offers, understand
from tui.places.words import ABOUT

KNOWN = Known(
    {
        "session": (Item("12", "coder release notes"), Item("3", "coder fix flaky test")),
        "run": (Item("40", "coder: do it"),),
        "job": (Item("morning", "0 9 * * 1, coder"), Item("mornings-off", "every 1h, scout")),
        "budget": (Item("day"),),
        "skills": (Item("review"),),
    },
    ("coder", "scout"),
)


@pytest.mark.parametrize(
    ("line", "going"),
    [
        ("sessions", Going("sessions")),
        ("cron", Going("jobs")),
        ("runs /failed", Going("runs", filter="failed")),
        ("sessions /!idle @coder", Going("sessions", filter="!idle coder")),
        ("sessions @coder /a b", Going("sessions", filter="a b coder")),
        ("SESSIONS", Going("sessions")),
        ("usage", Going("usage")),
        ("tokens", Going("usage")),
        ("approvals", Going("inbox")),
        ("overview", Going("overview")),
        ("q", Going("quit")),
        ("session 12", Going("session", "12")),
        ("session flaky", Going("session", "3")),
        ("run 40", Going("run", "40")),
        ("run 41", Going("run", "41")),
        ("job morning", Going("job", "morning")),
        ("budget day", Going("budget", "day")),
        ("skill-set rev", Going("skills", "review")),
        ("/failed now", Going(HERE, filter="failed now")),
        ("@coder", Going(HERE, filter="coder")),
        ("/!idle @coder", Going(HERE, filter="!idle coder")),
    ],
)
def test_a_place_with_what_is_to_be_shown_there(line, going):
    assert understand(line, KNOWN) == going


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("qd sessions", "sessions"),
        ("session show 3", "session show 3"),
        ("run list", "run list"),
        ("run coder --task x", "run coder --task x"),
        ("run do", "run do"),
        ("usage --by agent", "usage --by agent"),
        ("sessions --limit 3", "sessions --limit 3"),
        ("budget set day --tokens 60k", "budget set day --tokens 60k"),
        ("approvals show 3", "approvals show 3"),
        ("undo", "undo"),
    ],
)
def test_a_verb_stays_a_verb(line, typed):
    assert understand(line, KNOWN) == Typed(typed)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sesions", "there is no 'sesions'; did you mean sessions"),
        ("bud", "did you mean budgets, budget"),
        ("zzz", "see what is listed"),
        ("sessions foo", "sessions /foo"),
        ("quit now", "quit stands alone"),
        ("session", "which session? 12, 3"),
        ("session coder", "2 of these are 'coder': 12, 3"),
        ("job nope", "there is no job 'nope'"),
        ("qd", "qd sessions"),
    ],
)
def test_a_line_that_leads_nowhere_says_what_would_be_right(line, said):
    found = understand(line, KNOWN)
    assert isinstance(found, Wrong)
    assert said in found.line
    assert "\n" not in found.line


def test_every_verb_can_be_typed():
    for command in COMMANDS:
        line = " ".join(command.words)
        found = understand(line, KNOWN)
        assert found == Typed(line) or command.words[0] in {**PANES, **PAGES}
        assert understand(f"qd {line}", KNOWN) == Typed(line)


@given(st.text(max_size=40))
def test_no_line_breaks_it(text):
    if text.split():
        understand(text, KNOWN)
    assert len(offers(text, KNOWN)) <= SHOWN


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("se", "sessions"),
        ("session fl", "session 3"),
        ("session ", "session 12"),
        ("session 3", "session 3"),
        ("session 1", "session 12"),
        ("run ", "run 40"),
        ("job mor", "job morning"),
        ("runs ", "runs @coder"),
        ("runs @sc", "runs @scout"),
        ("runs /x @co", "runs /x @coder"),
        ("cron a", "cron add"),
        ("@sc", "@scout"),
        ("session show ", "session show 12"),
        ("session show 3", "session show 3"),
        ("session reset fl", "session reset 3"),
        ("run show ", "run show 40"),
        ("qd run show 4", "qd run show 40"),
        ("cron pause mor", "cron pause morning"),
        ("budget set zz --to", "budget set zz --tokens"),
        ("budget set zz --tokens 5k --wi", "budget set zz --tokens 5k --window"),
        ("session show 3 --j", "session show 3 --json"),
    ],
)
def test_what_could_come_is_offered_with_what_it_is(typed, first):
    found = offers(typed, KNOWN)
    assert found[0].line == first
    assert found[0].about


def test_what_is_offered_leads_somewhere():
    for typed in ("", *PANES, *PAGES, *(f"{thing} " for thing in THINGS), *(f"{pane} " for pane in PANES)):
        for offer in offers(typed, KNOWN):
            if offer.line not in THINGS:
                assert not isinstance(understand(offer.line, KNOWN), Wrong), offer


def test_numbers_are_offered_the_newest_first_after_the_one_that_is_typed():
    many = Known({"session": tuple(Item(str(number), "coder") for number in (1, 11, 14, 18, 19, 17, 2))})
    wanted = ["1", "19", "18", "17", "14", "11"]
    assert [offer.line.split()[-1] for offer in offers("session 1", many)] == wanted
    assert [offer.line.split()[-1] for offer in offers("session show 1", many)] == wanted


def test_every_verb_has_its_options_after_two_dashes():
    for command in COMMANDS:
        words = " ".join(command.words)
        found = offers(f"{words} --", KNOWN)
        assert found, words
        assert all(offer.line.startswith(f"{words} --") and offer.about for offer in found), words


@pytest.mark.parametrize(("words", "kind"), ABOUT.items())
def test_what_a_verb_is_about_is_what_it_takes_first(words, kind):
    command = next(one for one in COMMANDS if one.words == words)
    module, _, name = command.where.partition(":")
    parser = Parser(prog="qd")
    getattr(importlib.import_module(module), name).arguments(parser)
    taken = re.search(r"(?<!-) (session|run|job|name)\b(?![^\[]*\])", parser.format_usage())
    assert taken is not None
    assert taken[1] in (kind, "name"), parser.format_usage()


def test_nothing_is_offered_for_the_program_behind_two_dashes():
    assert offers("run coder -- ls --", KNOWN) == []
