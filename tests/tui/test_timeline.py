"""What a session has been through, row by row: in the order of time, with letters that say what each was."""

import pytest

from state.runs import Run
from state.sessions import Generation, Session
from tests.tui.test_run_gate import EMPTY
from tui.reading.details import SessionDetail
from tui.reading.talks import TURNS_SHOWN, Talk, window
from tui.screens.session_text import summary_line
from tui.screens.timeline import cells, entries, letter_of, run_cost

MIN = 60_000


def generation(number, **fields):
    empty = dict.fromkeys(Generation.__struct_fields__)
    zero = (
        "read responses input_tokens cache_read_tokens cache_write_tokens output_tokens cost_microusd unpriced"
        " cache_write_5m_tokens cache_write_1h_tokens reasoning_tokens partial inferred"
    )
    plain = {"id": number, "number": number, "session_id": 1, "source": "quarterdeck", "provider_home": ""}
    told = {"reason": "first_run", "started_ms": number * MIN}
    return Generation(**empty | dict.fromkeys(zero.split(), 0) | plain | told | fields)


def run(number, **fields):
    told = {"id": number, "state": "settled", "outcome": "succeeded", "used_tokens": 0, "used_microusd": 0}
    return Run(**EMPTY | told | {"unpriced": 0, "requested_ms": number * MIN} | fields)


def detail(generations=(), runs=(), stands_in=1):
    session = Session(1, "quarterdeck", "coder", "main", None, "a title", "/w", stands_in, 0, 0)
    return SessionDetail(session=session, generations=tuple(generations), figures={}, runs=tuple(runs))


def names(found):
    return [(row.name, row.letter) for row in entries(found)]


def test_conversations_and_runs_stand_in_the_order_of_time():
    found = detail(
        [generation(1), generation(4, reason="operator_reset")],
        [run(5, generation_id=4), run(3, generation_id=1, outcome="failed"), run(2, generation_id=1)],
        stands_in=4,
    )
    assert names(found) == [("gen 1", "+"), ("2", "v"), ("3", "f"), ("gen 4", "R"), ("5", "v")]
    assert [row.here for row in entries(found)] == [False, False, False, True, False]


def test_a_conversation_stands_before_the_run_whose_asking_began_it():
    found = detail([generation(1, started_ms=9 * MIN)], [run(2, generation_id=1)])
    assert names(found) == [("gen 1", "+"), ("2", "v")]


@pytest.mark.parametrize(
    ("fields", "letter", "words"),
    [
        ({}, "+", "fresh: the session's first run"),
        ({"reason": "operator_reset", "note": "too chatty"}, "R", 'fresh: you reset the session  "too chatty"'),
        ({"reason": "operator_reset", "undone_ms": 5}, "U", "fresh: you reset the session  (undone)"),
        ({"forked_from": "abc"}, "F", "fresh: the session's first run  (a copy of abc)"),
        ({"reason": "observed"}, "+", "observed"),
    ],
)
def test_a_reset_a_fork_and_an_undone_one_are_marked(fields, letter, words):
    (row,) = entries(detail([generation(1, **fields)]))
    assert (row.letter, row.why) == (letter, words)


@pytest.mark.parametrize(
    ("fields", "letter"),
    [
        ({"state": "waiting", "outcome": None, "waits_for": "approval"}, "!"),
        ({"state": "waiting", "outcome": None, "waits_for": "claim"}, "z"),
        ({"state": "running", "outcome": None}, ">"),
        ({"state": "refused", "outcome": "refused"}, "r"),
        ({"outcome": "timed_out"}, "t"),
        ({"outcome": "cancelled"}, "c"),
        ({"outcome": "budget_reached"}, "b"),
        ({"outcome": "from a later house"}, "?"),
    ],
)
def test_each_outcome_has_a_letter(fields, letter):
    assert letter_of(run(1, **fields)) == letter


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"used_tokens": 9, "used_microusd": 830_000}, "$0.83"),
        ({"used_tokens": 9, "used_microusd": 830_000, "unpriced": 2}, "$0.83+"),
        ({"used_tokens": 9, "unpriced": 1}, "-"),
        ({"used_tokens": 9}, "$0.00"),
        ({"state": "running", "outcome": None}, "-"),
        ({}, "$0.00"),
    ],
)
def test_what_has_no_price_costs_no_zero(fields, said):
    assert run_cost(run(1, **fields)) == said


def test_what_is_unknown_is_no_zero():
    unread, untold = entries(detail([generation(1), generation(2, read=1)]))
    assert (unread.tokens, untold.tokens) == (None, None)
    (nothing,) = entries(detail([generation(1, read=1, source="codex")]))
    assert nothing.tokens == 0
    (silent,) = entries(detail(runs=[run(1, started_ms=1)]))
    assert (silent.tokens, silent.cost) == (None, "-")
    (told,) = entries(detail(runs=[run(1, started_ms=1, unpriced=1)]))
    assert (told.tokens, told.cost) == (0, "-")
    (refused,) = entries(detail(runs=[run(1, state="refused", outcome="refused")]))
    assert refused.tokens == 0
    (live,) = entries(detail(runs=[run(1, state="running", outcome=None)]))
    assert live.tokens is None
    assert ("-", "text") in cells(live, 9 * MIN, None)[4]


@pytest.mark.parametrize(
    ("upto", "first", "last"), [(None, 29, 40), (40, 29, 40), (29, 29, 40), (28, 17, 28), (3, 1, 3), (99, 29, 40)]
)
def test_the_turns_that_are_read_end_with_the_last_one_or_with_an_older_one_that_is_wanted(upto, first, last):
    assert TURNS_SHOWN == 12
    assert window(list(range(40, 0, -1)), upto) == list(range(first, last + 1))


def head(width, **fields):
    found = detail([generation(1, **fields)])
    talk = Talk(found, workspace="/w", turns=(), asks=(), latest=(), model=None)
    return "".join(text for text, _ in summary_line(talk, 3 * MIN, width))


@pytest.mark.parametrize("width", [40, 58, 78, 118])
def test_the_head_of_a_session_fits_and_always_says_when_it_was_active(width):
    said = head(width, responses=1, input_tokens=1_200, workspace="/a/very/long/workspace/of/a/session")
    assert said.endswith("   active 3 min ago")
    assert "1,200 tokens" in said
    assert len(said) <= max(width, len("1,200 tokens, $0.00   active 3 min ago"))
    assert ("   /w" in said) is (width >= 78)


def test_of_a_program_that_told_of_nothing_the_head_says_no_zero():
    assert head(118).startswith("tokens and cost unknown over 1 generation")
    assert head(118, responses=1, inferred=1, unpriced=1).startswith("tokens and cost unknown")
    assert head(118, responses=1, input_tokens=1).startswith("1 token, $0.00 over 1 generation")
