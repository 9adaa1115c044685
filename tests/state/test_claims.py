"""Is every claim known while it holds, and as long afterwards as a live run may ask about it?"""

import pytest

from state import claims

X = '["x"]'


def claim(house, run, at_ms=5, mode="w", patterns=X, resolved=None):
    with house.database.transaction() as tx:
        return claims.claim(tx, run, mode, "/w", patterns, resolved, at_ms)


def release(house, run, at_ms):
    with house.database.transaction() as tx:
        claims.release(tx, run, at_ms)


def tokens(found):
    return [claim.token for claim in found]


def test_a_claim_holds_until_its_run_lets_go(house):
    one, two = house.run(agent="a"), house.run(agent="b")
    first, second = claim(house, one, 5), claim(house, one, 5, "r", '["y"]', "{}")
    third = claim(house, two, 6)
    assert claims.live(house.connection) == [
        claims.Claim(first, one, "a", "w", "/w", X, None, 5, None),
        claims.Claim(second, one, "a", "r", "/w", '["y"]', "{}", 5, None),
        claims.Claim(third, two, "b", "w", "/w", X, None, 6, None),
    ]
    assert claims.held(house.connection, one) == [first, second]
    release(house, one, 9)
    release(house, one, 12)
    assert tokens(claims.live(house.connection)) == claims.held(house.connection, two) == [third]
    assert claims.held(house.connection, one) == []
    assert [one.released_ms for one in claims.during(house.connection, 0, 99, two)] == [9, 9], "released once"


def test_a_token_is_larger_than_every_one_before_it_and_never_given_again(house):
    run = house.run(state="settled")
    assert claims.newest_token(house.connection) == 0
    given = [claim(house, run) for _ in range(3)]
    assert given == sorted(set(given))
    release(house, run, 6)
    with house.database.transaction() as tx:
        claims.trim(tx, 100)
    assert claims.during(house.connection, 0, 99, 0) == []
    assert claims.newest_token(house.connection) == given[-1], "something was claimed, though it is gone"
    assert claim(house, run) > given[-1]


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(0, 9, False), (0, 10, True), (10, 10, True), (15, 16, True), (20, 30, True), (21, 30, False), (0, 99, True)],
)
def test_who_held_what_during_a_span(house, since, until, found):
    one, other = house.run(), house.run()
    token = claim(house, one, 10)
    release(house, one, 20)
    assert tokens(claims.during(house.connection, since, until, other)) == ([token] if found else [])
    assert claims.during(house.connection, since, until, one) == [], "its own are not asked about"
    still = claim(house, one, 10)
    assert (still in tokens(claims.during(house.connection, since, until, other))) == (until >= 10)


@pytest.mark.parametrize(
    ("before", "live", "kept"),
    [
        (99, None, []),
        (20, None, [20, 30]),
        (25, None, [30]),
        (99, {"at_ms": 20, "state": "reserved"}, [20, 30]),
        (99, {"at_ms": 1, "started_ms": 25, "state": "running"}, [30]),
        (99, {"at_ms": 1, "state": "waiting"}, []),
        (99, {"at_ms": 1, "state": "settled"}, []),
        (20, {"at_ms": 30, "state": "ending"}, [20, 30]),
    ],
)
def test_what_was_released_is_kept_while_a_live_run_may_ask_for_it(house, before, live, kept):
    done = house.run(state="settled")
    for at_ms in (10, 20, 30):
        claim(house, done, 1)
        release(house, done, at_ms)
    if live:
        house.run(**live)
    holding = claim(house, house.run(500, state="settled"), 1)
    with house.database.transaction() as tx:
        claims.trim(tx, before)
    found = claims.during(house.connection, 0, 99, 0)
    assert [one.released_ms for one in found if one.token != holding] == kept
    assert holding in tokens(found), "what still holds is never deleted"
