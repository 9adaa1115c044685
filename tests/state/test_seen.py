"""Is the mark of the last console there when it is read, and nothing when it cannot be?"""

from state import events, seen
from state.seen import Seen


def test_what_was_marked_is_read(house):
    seen.write(house.home, Seen(1_795_000_000_000, 41))
    assert seen.read(house.home) == Seen(1_795_000_000_000, 41)
    assert house.home.seen.stat().st_mode & 0o077 == 0


def test_no_mark_and_a_broken_one_are_none(house):
    assert seen.read(house.home) is None
    for content in (b"", b"[1]", b'{"at_ms": 1}', b"\xff"):
        house.home.seen.write_bytes(content)
        assert seen.read(house.home) is None


def test_a_mark_that_cannot_be_written_is_none(house, tmp_path):
    house.home.seen.mkdir()
    seen.write(house.home, Seen(1, 1))
    assert seen.read(house.home) is None
    assert [path for path in house.home.state.iterdir() if path.name.startswith(".seen")] == []


def test_events_after_one_are_the_newest_oldest_first(house):
    with house.database.transaction() as tx:
        for number in range(5):
            events.add(tx, 1000 - number, "note", f"event {number}")
    assert [event.id for event in events.after(house.connection, 2)] == [3, 4, 5]
    assert [event.id for event in events.after(house.connection, 0, 2)] == [4, 5]
    assert events.last_id(house.connection) == 5
