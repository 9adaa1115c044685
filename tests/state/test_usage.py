"""Is each response one row, whatever was reported how often, and do all views of it agree?"""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import sessions, usage

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("reports", "winner"),
    [
        ([("partial", 5), ("partial", 9), ("final", 12)], 2),
        ([("final", 12), ("partial", 13)], 1),
        ([("final", 12), ("partial", 12)], 0),
        ([("partial", 12), ("final", 12)], 1),
        ([("inferred", 3), ("final", 3), ("partial", 2)], 1),
        ([("final", 0), ("partial", 0)], 0),
    ],
)
def test_the_highest_output_wins_in_any_order(make_house, reports, winner):
    for order in itertools.permutations(range(len(reports))):
        house = make_house(str(order))
        generation = house.generation()
        for number in order:
            confidence, output = reports[number]
            house.book(house.row(generation, tokens=(number, 0, 0, output), confidence=confidence, at_ms=10 + number))
        found = house.connection.execute("SELECT input_tokens, confidence, output_tokens, at_ms FROM usage").fetchall()
        assert found == [(winner, *reports[winner], 10)], "and its day is that of the earliest report"
        assert sessions.generation(house.connection, generation).output_tokens == reports[winner][1]


def test_says_whether_anything_changed(house):
    row = house.row(house.generation(), tokens=(1, 2, 3, 4), at_ms=50)
    assert house.book(row) is True
    assert house.book(row) is False
    assert house.book(msgspec.structs.replace(row, at_ms=49)) is True
    assert house.book(msgspec.structs.replace(row, at_ms=60)) is False
    assert house.book(msgspec.structs.replace(row, output_tokens=5)) is True


def test_the_first_owner_keeps_a_copied_response(house):
    first, fork = house.generation("first"), house.generation("fork")
    house.book(house.row(first, tokens=(1, 0, 0, 5)))
    house.book(house.row(fork, tokens=(9, 0, 0, 7)))
    house.book(house.row(fork, key="own", tokens=(1, 0, 0, 1)))
    house.book(house.row(fork, source="claude_code", tokens=(0, 0, 0, 3)))
    totals = [sessions.generation(house.connection, number) for number in (first, fork)]
    assert [(one.responses, one.input_tokens, one.output_tokens) for one in totals] == [(1, 9, 7), (2, 1, 4)]


counts = st.tuples(*[st.integers(0, 9)] * 4)
reports = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        counts,
        st.sampled_from(["codex", "claude_code"]),
        st.sampled_from(["final", "partial", "inferred"]),
        st.integers(0, 3 * DAY_MS),
        st.sampled_from([None, "m1", "m2"]),
        st.integers(0, 2),
    ),
    max_size=25,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(reports=reports)
def test_every_view_adds_up_to_the_same(house, reports):
    with house.database.transaction() as tx:
        for table in ("usage", "generations", "sessions"):
            tx.execute(f"DELETE FROM {table}")
    generations = [house.generation(f"p{number}") for number in range(3)]
    best, owner = {}, {}
    for key, tokens, source, confidence, at_ms, model, place in reports:
        fields = {"source": source, "confidence": confidence, "at_ms": at_ms, "model": model}
        house.book(house.row(generations[place], key, tokens, **fields))
        rank = (tokens[3], confidence == "final")
        owner.setdefault((source, key), generations[place])
        if (source, key) not in best or rank > best[source, key][0]:
            best[source, key] = rank, tokens
    whole = usage.totals(house.connection)[0]
    expected = [sum(tokens[part] for _, tokens in best.values()) for part in range(4)]
    assert (whole.responses, *_parts(whole)) == (len(best), *expected)
    assert whole.tokens == sum(expected)
    for by in usage.GROUPS:
        grouped = usage.totals(house.connection, by=by)
        assert sum(one.responses for one in grouped) == len(best), by
        assert [sum(column) for column in zip(*map(_parts, grouped), strict=True)] == (expected if best else []), by
    for source in ("codex", "claude_code"):
        assert usage.totals(house.connection, source=source)[0].responses == sum(one == source for one, _ in best)
    for number in generations:
        found = sessions.generation(house.connection, number)
        mine = [best[key][1] for key in best if owner[key] == number]
        assert (found.responses, *_parts(found)) == (len(mine), *(sum(one[part] for one in mine) for part in range(4)))
    halves = [
        usage.totals(house.connection, since_ms=0, until_ms=DAY_MS),
        usage.totals(house.connection, since_ms=DAY_MS),
    ]
    assert sum(half[0].tokens for half in halves) == whole.tokens
    assert sum(usage.per_minute(house.connection, 0, 3 * DAY_MS + 1)) == whole.tokens


def _parts(found):
    return (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens, found.output_tokens)


def test_days_are_those_of_the_zone(house):
    generation = house.generation()
    house.book(house.row(generation, "late", (1, 0, 0, 0), at_ms=DAY_MS - 1))
    house.book(house.row(generation, "early", (2, 0, 0, 0), at_ms=DAY_MS))
    by = {one.label: one.tokens for one in usage.totals(house.connection, by="day")}
    assert by == {"1970-01-01": 1, "1970-01-02": 2}
    shifted = {one.label: one.tokens for one in usage.totals(house.connection, by="day", shift_ms=3_600_000)}
    assert shifted == {"1970-01-02": 3}


def test_silent_minutes_are_zero(house):
    house.book(house.row(house.generation(), tokens=(1, 1, 1, 1), at_ms=125_000))
    assert usage.per_minute(house.connection, 0, 180_000) == [0, 0, 4]
    assert usage.per_minute(house.connection, 125_001, 125_002) == [0]


def test_how_far_a_log_was_read(house):
    log = usage.LogFile(0, "codex", "/l", 1, 2, 10, 10, "h", "", 5, "", 1)
    with house.database.transaction() as tx:
        number = usage.advance(tx, log, {"bad_json": 1}, False)
        more = msgspec.structs.replace(log, offset=30, lines=2)
        assert usage.advance(tx, more, {"bad_json": 2, "too_long": 1}, False) == number
        usage.note_problem(tx, "/gone", "EACCES", 1)
        usage.note_problem(tx, "/gone", "ENOENT", 2)
    refused = {"bad_json": 3, "too_long": 1}
    assert usage.coverage(house.connection) == usage.Coverage(1, 30, 7, refused, 1)
    assert usage.problems(house.connection) == [("/gone", "ENOENT")]
    with house.database.transaction() as tx:
        usage.advance(tx, log, {}, True)
    assert usage.coverage(house.connection) == usage.Coverage(1, 10, 5, {}, 1)
