"""Is each response one row, whatever was reported how often and in which order?"""

import itertools
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import entries, logs, responses, run_totals, run_usage, sessions, unpriced, usage
from state.rollups import Sums

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
        confidence, output = reports[winner]
        expected = (winner, usage.CONFIDENCES.index(confidence), output, 10)
        assert found == [expected], "and its day is that of the earliest report"
        assert sessions.generation(house.connection, generation).output_tokens == output


def test_says_what_a_booking_did(house):
    row = house.row(house.generation(), tokens=(1, 2, 3, 4), at_ms=50)
    assert (house.book(row).new, house.book(row).changed) == (1, 0)
    assert house.book(row._replace(at_ms=49)).changed == 1
    assert house.book(row._replace(at_ms=60)).changed == 0
    assert house.book(row._replace(output_tokens=5)).changed == 1
    assert house.book().new == 0


def life(house, name, started_ms, last_ms, **facts):
    return house.generation(name, at_ms=last_ms, started_ms=started_ms, **facts)


@pytest.mark.parametrize("copy_first", [True, False])
@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ({"started_ms": 10, "last_ms": 50}, {"started_ms": 20, "last_ms": 40}),
        ({"started_ms": 10, "last_ms": 50}, {"started_ms": 10, "last_ms": 90}),
        ({"started_ms": 10, "last_ms": 90}, {"started_ms": 10, "last_ms": 50, "forked_from": "original"}),
    ],
)
def test_a_copied_response_belongs_to_the_conversation_that_had_it_first(house, original, copy, copy_first):
    first, fork = life(house, "original", **original), life(house, "fork", **copy)
    its_log = house.log("/original", mtime_ns=original["last_ms"])
    fork_log = house.log("/fork", mtime_ns=copy["last_ms"])
    reports = [
        house.row(first, tokens=(1, 0, 0, 7), log_id=its_log, offset=5),
        house.row(fork, tokens=(1, 0, 0, 7), log_id=fork_log, offset=9),
    ]
    booked = [house.book(report) for report in (reversed(reports) if copy_first else reports)]
    assert booked[1].repeated == {(fork_log, "copy"): 1}
    house.book(house.row(fork, key="own", tokens=(1, 0, 0, 1), log_id=fork_log))
    totals = [sessions.generation(house.connection, number) for number in (first, fork)]
    assert [(one.responses, one.output_tokens) for one in totals] == [(1, 7), (1, 1)]
    assert logs.copied(house.connection, fork) == (1, 0, 0, 7)
    assert logs.copied_from(house.connection, fork) == [(sessions.generation(house.connection, first).session_id, 1)]
    assert logs.copied_from(house.connection, first) == []
    evidence = house.connection.execute("SELECT log_id, offset FROM usage WHERE key = 'k'").fetchone()
    assert evidence == (its_log, 5)


def test_a_copy_on_several_rows_is_linked_once(house):
    first, fork = life(house, "a", 1, 2), life(house, "b", 5, 6)
    log = house.log("/fork")
    house.book(house.row(first, tokens=(1, 0, 0, 7), log_id=house.log("/first")))
    counted = [house.book(house.row(fork, tokens=(1, 0, 0, 7), log_id=log, offset=place)).repeated for place in (1, 2)]
    assert counted == [{(log, "copy"): 1}, {(log, "stream"): 1}]
    assert logs.copied(house.connection, fork) == (1, 0, 0, 7)


def test_the_same_log_again_repeats_nothing_but_another_row_of_it_does(house):
    generation, log, memory = house.generation(), house.log(), usage.Memory()
    row = house.row(generation, tokens=(1, 0, 0, 7), log_id=log, offset=5)
    house.book(row, memory=memory)
    assert house.book(row, memory=memory).repeated == {}
    assert house.book(row._replace(offset=8), memory=memory).repeated == {(log, "stream"): 1}
    assert house.book(row._replace(log_id=house.log("/other")), memory=memory).repeated == {(log + 1, "replay"): 1}
    memory.rereading[log] = 10
    assert house.book(row._replace(offset=9), memory=memory).repeated == {}
    assert house.book(row._replace(offset=10), memory=memory).repeated == {(log, "stream"): 1}


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
        st.sampled_from([None, 3, 8]),
    ),
    max_size=25,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(reports=reports, cut=st.integers(1, 9))
def test_every_roll_up_is_the_sum_of_the_rows(house, reports, cut):
    with house.database.transaction() as tx:
        for table in ("usage", "usage_minutes", "usage_hours", "usage_days", "generations", "sessions"):
            tx.execute(f"DELETE FROM {table}")
    generations = [house.generation(f"p{number}") for number in range(3)]
    best = {}
    rows = []
    for key, tokens, source, confidence, at_ms, model, place, cost in reports:
        fields = {"source": source, "confidence": confidence, "at_ms": at_ms, "model": model, "cost_microusd": cost}
        rows.append(house.row(generations[place], key, tokens, **fields))
        rank = (tokens[3], confidence == "final")
        if (source, key) not in best or rank > best[source, key][0]:
            best[source, key] = rank, tokens
    for start in range(0, len(rows), cut):
        house.book(*rows[start : start + cut])
    whole = sums(house, "usage", usage_sums=True)
    assert whole.responses == len(best)
    assert parts(whole) == tuple(sum(tokens[part] for _, tokens in best.values()) for part in range(4))
    for table in ("usage_minutes", "usage_hours", "usage_days", "generations"):
        assert sums(house, table) == whole, table
    assert house.connection.execute("SELECT count(*) FROM usage_days WHERE responses <= 0").fetchone() == (0,)


def sums(house, table, usage_sums=False):
    from state.rollups import OF_USAGE, SUMMED

    columns = OF_USAGE if usage_sums else ", ".join(f"sum({name})" for name in SUMMED)
    found = house.connection.execute(f"SELECT {columns} FROM {table}").fetchone()
    return Sums(*(number or 0 for number in found))


def parts(found):
    return (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens, found.output_tokens)


def test_what_a_run_reported_gives_way_to_what_its_log_tells(house):
    session = house.session()
    generation = house.next_generation(session, "p1")
    run = house.run(generation_id=generation, session_id=session, started_ms=1000)
    with house.database.transaction() as tx:
        run_usage.book_run(tx, house.row(generation, run_usage.provisional_key(run), (9, 0, 0, 9), run_id=run))
    assert run_usage.logged_tokens(house.connection, run) is None
    assert run_usage.has_runs(house.connection, generation)
    assert run_usage.run_at(house.connection, generation, 999) is None
    assert run_usage.run_at(house.connection, generation, 1500) == run
    house.book(house.row(generation, "msg_1", (5, 0, 0, 5), run_id=run, log_id=house.log()))
    with house.database.transaction() as tx:
        assert run_usage.drop_provisional(tx, run) is True
        assert run_usage.drop_provisional(tx, run) is False
    assert run_usage.logged_tokens(house.connection, run) == 10
    assert [row.key for row in responses.of_run(house.connection, run)] == ["msg_1"]
    assert sums(house, "usage_hours") == sums(house, "usage", usage_sums=True)


KINDS = st.tuples(*[st.integers(0, 50)] * 4)
COSTS = st.one_of(st.none(), st.integers(0, 90))


@given(told=st.builds(run_usage.Told, *[st.integers(0, 50)] * 4, COSTS), kinds=KINDS, cost=COSTS)
def test_what_was_told_beyond_a_log_and_the_log_are_as_much_as_the_greater_of_both(told, kinds, cost):
    logged = run_usage.Told(*kinds, cost)
    left = run_usage.beyond(told, logged)
    assert sum(left.kinds if left else ()) + sum(kinds) == max(sum(told.kinds), sum(kinds))
    for part, was, known in zip(left.kinds if left else (), told.kinds, kinds, strict=False):
        assert 0 <= part <= max(was - known, 0)
    if left is not None and left.cost_microusd is not None:
        assert left.cost_microusd + cost == told.cost_microusd
        assert left.cost_microusd > 0


def told_by(house, run, generation, kinds, **more):
    with house.database.transaction() as tx:
        run_usage.book_run(tx, house.row(generation, run_usage.provisional_key(run), kinds, run_id=run, **more))


def drop(house, run):
    with house.database.transaction() as tx:
        return run_usage.drop_provisional(tx, run)


@pytest.mark.parametrize("log_first", [False, True])
def test_an_agent_that_tells_more_than_its_log_is_believed(house, log_first):
    """As with the calls by which claude-agent-acp finds titles; whatever comes first, and in however many pieces."""
    session = house.session()
    generation = house.next_generation(session, "p1")
    run = house.run(adapter="acp", generation_id=generation, session_id=session, started_ms=1000)
    log = house.log()
    pieces = [house.row(generation, f"msg_{n}", (0, 20, 5, 2), run_id=run, log_id=log, cost_microusd=8) for n in (1, 2)]
    told = partial(told_by, house, run, generation, (86, 40, 10, 5), cost_microusd=30)
    if log_first:
        house.book(*pieces)
        assert run_usage.logged_tokens(house.connection, run) is None
        told()
    else:
        told()
        for piece, left in zip(pieces, ((86, 20, 5, 3), (86, 0, 0, 1)), strict=True):
            house.book(piece)
            assert drop(house, run) is True
            rows = {row.key: parts(row) for row in responses.of_run(house.connection, run)}
            assert rows[run_usage.provisional_key(run)] == left
    found = {row.key: (parts(row), row.cost_microusd) for row in responses.of_run(house.connection, run)}
    assert found.pop(run_usage.provisional_key(run)) == ((86, 0, 0, 1), 14)
    assert set(found) == {"msg_1", "msg_2"}
    assert run_totals.of(house.connection, run) == entries.Used(141, 30)
    house.book(house.row(generation, "msg_3", (90, 0, 0, 0), run_id=run, log_id=log))
    assert (drop(house, run), drop(house, run)) == (True, False)
    assert sums(house, "usage_hours") == sums(house, "usage", usage_sums=True)


def test_an_estimate_gives_way_to_a_log_that_tells_less(house):
    session = house.session()
    generation = house.next_generation(session, "p1")
    run = house.run(adapter="acp", generation_id=generation, session_id=session, started_ms=1000)
    told_by(house, run, generation, (400, 0, 0, 0), confidence="inferred")
    house.book(house.row(generation, "msg_1", (5, 0, 0, 5), run_id=run, log_id=house.log()))
    assert drop(house, run) is True
    told_by(house, run, generation, (400, 0, 0, 0), confidence="inferred")
    assert [row.key for row in responses.of_run(house.connection, run)] == ["msg_1"]


def test_a_response_gets_the_price_that_it_lacked(house):
    generation, model = house.generation(), house.model("m1")
    for number in range(5):
        cost = None if number % 2 else 7
        house.book(house.row(generation, str(number), (number, 0, 0, 1), model="m1", cost_microusd=cost, at_ms=number))
    assert unpriced.models(house.connection) == [model]
    found = unpriced.responses(house.connection, model, 0, 10)
    assert [one.input_tokens for one in found] == [1, 3]
    assert unpriced.responses(house.connection, model, found[0].id, 10) == found[1:]
    with house.database.transaction() as tx:
        unpriced.price(tx, model, None, [(one, 100) for one in found])
    assert unpriced.models(house.connection) == []
    whole = sums(house, "usage", usage_sums=True)
    assert (whole.cost_microusd, whole.unpriced) == (221, 0)
    for table in ("usage_minutes", "usage_hours", "usage_days", "generations"):
        assert sums(house, table) == whole, table


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(keys=st.lists(st.sampled_from("abcdef"), max_size=20), cut=st.integers(1, 6))
def test_responses_that_share_a_hash_are_told_apart(house, monkeypatch, keys, cut):
    monkeypatch.setattr(usage, "key_hash", lambda source_id, key: 7)
    with house.database.transaction() as tx:
        for table in ("usage", "usage_minutes", "usage_hours", "usage_days", "generations", "sessions"):
            tx.execute(f"DELETE FROM {table}")
    generation = house.generation()
    rows = [house.row(generation, key, (1, 0, 0, number), at_ms=5) for number, key in enumerate(keys)]
    for start in range(0, len(rows), cut):
        house.book(*rows[start : start + cut])
    last = {key: number for number, key in enumerate(keys)}
    found = dict(house.connection.execute("SELECT key, output_tokens FROM usage"))
    assert found == last
    assert sums(house, "usage_hours") == sums(house, "usage", usage_sums=True)
