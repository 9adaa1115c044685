"""Does an order arrive as it was given, oldest first, once, and does a broken file stop nobody?"""

import sqlite3
import stat

import msgspec
import pytest

from state import events, spool


@pytest.fixture
def home(house):
    return house.home


def test_round_trip_oldest_first(home):
    bodies = [{"n": number, "text": "ü\x1b"} for number in range(20)]
    ids = [spool.put(home, "run", body, lifetime_ms=5000 + number) for number, body in enumerate(bodies)]
    orders, bad = spool.pending(home)
    assert not bad
    assert [order.id for order in orders] == ids == sorted(ids)
    assert [msgspec.json.decode(order.body) for order in orders] == bodies
    assert [order.expires_ms - order.created_ms for order in orders] == list(range(5000, 5020))
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.orders.iterdir()} == {0o600}
    spool.remove(home, ids[0])
    spool.remove(home, ids[0])
    assert [order.id for order in spool.pending(home)[0]] == ids[1:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"id":"other","kind":"run","body":{},"created_ms":1,"expires_ms":2}',
        b'{"id":"1","kind":"run","created_ms":1,"expires_ms":2}',
        b'{"id":"1","kind":"run","body":{},"created_ms":"1","expires_ms":2}',
        b'{"id":"1","kind":"run","body":' + b"[" * 100_000,
        None,
    ],
)
def test_a_file_that_is_no_order_is_moved_aside(home, content):
    path = home.orders / "1.json"
    path.mkdir() if content is None else path.write_bytes(content)
    good = spool.put(home, "stop", {})
    (home.orders / ".2.json.ab12").write_bytes(b"being written")
    orders, bad = spool.pending(home)
    assert [order.id for order in orders] == [good]
    assert [(file.path, bool(file.why)) for file in bad] == [(str(home.orders / "bad" / "1.json"), True)]
    assert (home.orders / "bad" / "1.json").exists()
    assert spool.pending(home)[1] == []


def test_an_answer_is_stored_once_with_its_effect(house):
    order = msgspec.structs.replace(_order(house.home), kind="reset")
    assert spool.answer_of(house.connection, order.id) is None
    _do(house, "first", order, 5, True, {"run": 7})
    assert spool.answer_of(house.connection, order.id) == spool.Answer(order.id, "reset", 5, True, '{"run":7}')
    with pytest.raises(sqlite3.IntegrityError):
        _do(house, "second", order, 6, False, {"error": "x"})
    assert [event.text for event in events.latest(house.connection, 9)] == ["first"]
    assert spool.answer_of(house.connection, order.id).at_ms == 5


def test_answers_are_forgotten_by_age(house):
    orders = [_order(house.home) for _ in range(3)]
    with house.database.transaction() as tx:
        for at_ms, order in zip((99, 100, 101), orders, strict=True):
            spool.store_answer(tx, order, at_ms, True, {})
        spool.forget_before(tx, 100)
    assert [bool(spool.answer_of(house.connection, order.id)) for order in orders] == [False, True, True]


def _do(house, text, order, *answer):
    with house.database.transaction() as tx:
        events.add(tx, 1, "effect", text)
        spool.store_answer(tx, order, *answer)


def _order(home):
    order_id = spool.put(home, "run", {})
    return next(order for order in spool.pending(home)[0] if order.id == order_id)
