"""Does an order arrive as it was given, oldest first, once, and does a broken file stop nobody?"""

import os
import sqlite3
import stat

import msgspec
import pytest

from state import events, spool
from state.errors import Refused


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


@pytest.fixture
def own(home):
    """The spool of run 7."""
    folder = spool.own_folder(home, 7)
    folder.mkdir(parents=True)
    return folder


def _content(order_id, **changes):
    order = {"id": order_id, "kind": "run", "body": {}, "created_ms": 1, "expires_ms": 2}
    return msgspec.json.encode(order | changes)


NAME = "00000000000000000001-0123abcd-7"


def test_what_a_run_orders_lies_in_its_own_spool(home, own):
    ids = [spool.put(home, "run", {"n": number}, run_id=7) for number in range(3)]
    orders, bad = spool.left_by_run(home, 7)
    assert ([order.id for order in orders], bad) == (ids, [])
    assert {stat.S_IMODE(path.stat().st_mode) for path in own.iterdir()} == {0o600}
    assert spool.pending(home) == ([], [])
    assert spool.left_by_run(home, 8) == ([], [])
    spool.remove(home, ids[0], 7)
    spool.remove(home, ids[0], 7)
    assert [order.id for order in spool.left_by_run(home, 7)[0]] == ids[1:]
    spool.drop_own(home, 7)
    spool.drop_own(home, 8)
    assert list(own.iterdir()) == []


def test_no_order_of_a_run_is_called_like_one_of_a_console_or_of_another_run(home, own):
    """Its answer would be taken for that of the other one."""
    others = [spool.put(home, "stop", {}), NAME.removesuffix("-7"), NAME.removesuffix("7") + "8", f"{NAME}-7"]
    for order_id in others:
        (own / f"{order_id}.json").write_bytes(_content(order_id))
    orders, bad = spool.left_by_run(home, 7)
    assert (orders, len(bad)) == ([], len(others))
    assert all("its name is not that of an order of run 7" in file.why for file in bad)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"{"), "Input data was truncated"),
        (lambda path: path.write_bytes(b"\xff"), "malformed"),
        (lambda path: path.write_bytes(b'{"body":' + b"[" * 60_000), "recursion"),
        (lambda path: path.write_bytes(_content("other")), "its id is not its file name"),
        (lambda path: path.write_bytes(_content(NAME) + b" " * 70_000), "more than 65,536 bytes"),
        (lambda path: path.symlink_to(path.with_name("target")), "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.mkdir(), "no regular file"),
        (lambda path: (path / "in").mkdir(parents=True), "no regular file"),
    ],
)
def test_a_hostile_file_in_the_spool_of_a_run_is_bad_and_harms_nobody(home, own, make, why):
    target = own.parent / "target"
    target.write_bytes(_content(NAME))
    make(own / f"{NAME}.json")
    good = spool.put(home, "stop", {}, run_id=7)
    (own / ".being-written").write_bytes(b"")
    orders, bad = spool.left_by_run(home, 7)
    assert [order.id for order in orders] == [good]
    assert [file.path for file in bad] == [f"'{NAME}.json'"]
    assert why.lower() in bad[0].why.lower()
    assert target.exists()


def test_what_is_no_order_is_taken_out_of_the_spool_of_a_run(home, own):
    (own / "nonsense\x1b").write_bytes(b"")
    os.mkfifo(own / f"{NAME}.json")
    bad = spool.left_by_run(home, 7)[1]
    assert {file.path for file in bad} == {"'nonsense\\x1b'", f"'{NAME}.json'"}
    assert spool.left_by_run(home, 7) == ([], [])


def test_a_flooded_spool_is_looked_at_a_piece_at_a_time_to_its_end(home, own):
    for number in range(250):
        (own / f"{number}.json").write_bytes(b"")
    looks = [len(spool.left_by_run(home, 7)[1]) for _ in range(4)]
    assert looks == [100, 100, 50, 0]


def test_a_link_in_place_of_the_spool_leads_nowhere(home, own, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_bytes(b"")
    own.rmdir()
    own.symlink_to(elsewhere)
    assert spool.left_by_run(home, 7) == ([], [])
    spool.drop_own(home, 7)
    spool.remove(home, "mine", 7)
    assert (elsewhere / "mine").exists()


def test_an_order_that_its_run_has_made_a_folder_of_is_removed_without_a_word(home, own):
    order_id = spool.put(home, "run", {}, run_id=7)
    (own / f"{order_id}.json").unlink()
    (own / f"{order_id}.json" / "in").mkdir(parents=True)
    spool.remove(home, order_id, 7)


def test_a_run_does_not_order_more_than_will_be_read(home, own):
    with pytest.raises(Refused, match="an order of a run may have 65,536 bytes"):
        spool.put(home, "run", {"task": "x" * 70_000}, run_id=7)
    assert list(own.iterdir()) == []


@pytest.mark.parametrize(
    ("told", "run"), [("7", 7), ("", None), ("8", None), ("07", None), ("7/../7", None), ("x", None), ("9" * 19, None)]
)
def test_a_process_is_inside_the_run_whose_spool_there_is(home, own, told, run):
    assert spool.inside(home, {"QUARTERDECK_RUN": told}) == run
    assert spool.inside(home, {}) is None


def _do(house, text, order, *answer):
    with house.database.transaction() as tx:
        events.add(tx, 1, "effect", text)
        spool.store_answer(tx, order, *answer)


def _order(home):
    order_id = spool.put(home, "run", {})
    return next(order for order in spool.pending(home)[0] if order.id == order_id)
