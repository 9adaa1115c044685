"""What the reader sends becomes what the state says."""

import asyncio
import itertools
import os
import sys

import msgspec
import pytest

from engine.contract.clock import SystemClock
from engine.contract.usage import Cursor, Discovered, Gone, LogBatch, Progress, Response, SeenSession, SessionPart
from engine.runtime import ingest
from engine.runtime.ingest import Lines
from engine.runtime.log_book import READER_NOTICE, SCAN_NOTICE, LogBook
from engine.runtime.pricing import PriceBook
from engine.runtime.repricing import reprice
from engine.telemetry import rows
from state import events, logs, prices, responses, run_usage, runs, sessions, spend, usage
from state.database import open_writer
from state.errors import StateError
from state.home import find_home
from tests.traps.trap import write_rows


class Books:
    def __init__(self, home):
        self.database = open_writer(home)
        self.prices = PriceBook(self.database, SystemClock(), {}, os.environ)
        self.book = LogBook(self.database, SystemClock(), self.prices)

    @property
    def connection(self):
        return self.database.connection

    def write(self, *messages):
        self.prices.learn_now(self.book.models(messages))
        return sum(1 for _ in self.book.write(messages))


@pytest.fixture
def books(tmp_path):
    made = Books(find_home(str(tmp_path / "home"), {}))
    yield made
    made.database.close()


def batch(path="/l", *keys, session="s1", at_ms=1000, model=None, **fields):
    seen = SeenSession("claude_code", "/h", session, last_active_ms=at_ms, started_ms=at_ms)
    responses = tuple(Response(key, at_ms, model, 1, 2, 3, 4, offset=n) for n, key in enumerate(keys))
    cursor = Cursor(path, 1, len(path), 10, 20, 10, "h")
    return LogBatch("claude_code", cursor, (SessionPart(seen, responses),), lines=len(keys), **fields)


def test_a_notice_left_by_an_engine_that_died_in_mid_scan_goes_away(books):
    with books.database.transaction() as tx:
        events.raise_notice(tx, events.Notice(SCAN_NOTICE, "info", "reading logs: 1 of 9 files", 1))
    books.write(Progress(9, 9, 90, 90, scanning=False))
    assert events.notice(books.connection, SCAN_NOTICE) is None


def test_small_batches_share_a_transaction_and_big_ones_do_not(books):
    assert books.write(*(batch(f"/{number}", f"k{number}", session=str(number)) for number in range(20))) == 1
    big = [batch(f"/b{n}", *(f"b{n}-{k}" for k in range(400)), session=f"b{n}") for n in range(3)]
    assert books.write(*big) >= 2
    assert spend.totals(books.connection).responses == 1220


def test_a_log_that_went_away_and_came_back_is_counted_once(books):
    books.write(batch("/a", "k1", "k2", refused={"bad_json": 1}, dropped={"stream": 2}))
    before = logs.coverage(books.connection)
    books.write(Gone(("/a",)))
    assert logs.coverage(books.connection).files_gone == 1
    assert books.book.cursors() == ()
    books.write(batch("/a", "k1", "k2", refused={"bad_json": 1}, dropped={"stream": 2}))
    assert logs.coverage(books.connection) == before
    assert spend.totals(books.connection).responses == 2


def test_a_log_that_is_gone_for_an_engine_that_starts_later_is_counted_once(books):
    books.write(batch("/a", "k1"), Gone(("/a",)))
    later = LogBook(books.database, SystemClock(), books.prices)
    for _ in later.write([batch("/a", "k1")]):
        pass
    assert logs.coverage(books.connection).lines == 1


def test_what_a_client_logs_during_our_run_is_the_runs_usage_once(books):
    with books.database.transaction() as tx:
        session = sessions.open_session(tx, agent="coder", lane="main", job=None, title=None, workspace="/w", at_ms=1)
        generation = sessions.start_generation(
            tx,
            session,
            source="claude_code",
            provider_home="/h",
            provider_id="s1",
            model=None,
            workspace=None,
            reason="first_run",
            note=None,
            at_ms=1,
        )
        run = runs.add(tx, RUN | {"generation_id": generation, "session_id": session})
        runs.mark_started(tx, run, 900)
        told = usage.UsageRow(
            2, run_usage.provisional_key(run), generation, run, 1100, None, 9, 0, 0, 0, 0, 9, None, 2, 1
        )
        usage.book(tx, [told])
    books.write(batch("/l", "k1", "k2", at_ms=1000), batch("/l", "k0", at_ms=800))
    assert sorted(row.key for row in responses.of_run(books.connection, run)) == ["k1", "k2"]
    assert run_usage.logged_tokens(books.connection, run) == 20
    assert spend.totals(books.connection).tokens == 30
    assert {group.label for group in spend.by(books.connection, "agent")} == {"coder"}


def test_one_log_that_cannot_be_stored_is_told_and_the_others_are_booked(books):
    broken = batch("/bad", "k1")
    cursor = msgspec.structs.replace(broken.cursor, offset=2**70)
    books.write(batch("/a", "a1"), msgspec.structs.replace(broken, cursor=cursor), batch("/b", "b1"))
    assert spend.totals(books.connection).responses == 2
    assert [path for path, _ in logs.problems(books.connection)] == ["/bad"]
    books.write(batch("/bad", "k2"), batch("/a", "a1"))
    assert "/bad" not in {log.path for log in logs.files(books.connection)}, "no cursor behind what is not booked"
    assert [path for path, _ in logs.problems(books.connection)] == ["/bad"]
    books.write(Discovered((), 0, 0), batch("/bad", "k1"))
    assert logs.problems(books.connection) == []
    assert spend.totals(books.connection).responses == 3


def test_counts_of_any_size_add_up_inside_the_database(books):
    seen = SeenSession("claude_code", "/h", "s1", last_active_ms=1000)
    most = rows.LARGEST_COUNT
    for number in range(3):
        responses = tuple(
            Response(f"k{number}-{place}", 1000, "claude-opus-4-1", most, most, most, most) for place in range(400)
        )
        cursor = Cursor("/l", 1, 1, 10, 20, number, "h")
        books.write(LogBatch("claude_code", cursor, (SessionPart(seen, responses),), lines=400))
    whole = spend.totals(books.connection)
    assert (whole.responses, whole.output_tokens) == (1200, 1200 * most)
    assert whole.unpriced == 1200, "no response costs that much"
    assert logs.problems(books.connection) == []


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_whose_a_copy_is_does_not_depend_on_how_it_is_read(books, size):
    """The original has 60 responses; its copy, in the log of a session that resumed it, 60 and 20 of its own."""

    def batches(path, session, keys, mtime_ns):
        for start in range(0, len(keys), size):
            found = batch(path, *keys[start : start + size], session=session, at_ms=1000 + start)
            facts = msgspec.structs.replace(found.parts[0].session, started_ms=1000)
            part = msgspec.structs.replace(found.parts[0], session=facts)
            cursor = msgspec.structs.replace(found.cursor, mtime_ns=mtime_ns, offset=start)
            yield msgspec.structs.replace(found, parts=(part,), cursor=cursor)

    first = list(batches("/first", "first", [f"k{n}" for n in range(60)], 5))
    copy = list(batches("/copy", "copy", [f"k{n}" for n in range(80)], 9))
    mixed = [one for pair in itertools.zip_longest(copy, first) for one in pair if one is not None]
    for one in mixed:
        books.write(one)
    assert dict(books.connection.execute("SELECT provider_id, responses FROM generations")) == {"first": 60, "copy": 20}


async def until_told(follower, told):
    """Follow until the books say that the reader failed."""
    plain = follower._book.reader_failed
    follower._book.reader_failed = lambda why: (plain(why), told.set())
    task = asyncio.create_task(follower.run())
    async with asyncio.timeout(20):
        await told.wait()
    assert not task.done()
    task.cancel()


def test_a_home_that_an_agent_gets_is_looked_in_from_then_on(books, tmp_path):
    from engine.runtime import logs as following

    told = {
        "message": {"id": "m", "usage": {"input_tokens": 1, "output_tokens": 2}},
        "sessionId": "s",
        "requestId": "r",
    }
    write_rows(tmp_path / "own" / "projects" / "p" / "s.jsonl", {"type": "assistant", **told})

    async def follow():
        follower = following.LogFollower(books.database, SystemClock(), {"HOME": str(tmp_path / "none")}, books.prices)
        task = asyncio.create_task(follower.run())
        await follower.catch_up()
        before = spend.totals(books.connection).responses
        follower.look_in((("claude_code", str(tmp_path / "own")),))
        async with asyncio.timeout(20):
            while not spend.totals(books.connection).responses:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return before

    assert asyncio.run(follow()) == 0
    assert spend.totals(books.connection).responses == 1
    assert events.notice(books.connection, READER_NOTICE) is None, "it did not fail: it was told to look elsewhere"


@pytest.mark.parametrize("command", [("/nowhere/python",), (sys.executable, "-c", "raise SystemExit(3)")])
def test_a_reader_that_fails_is_told_and_ends_nothing(books, monkeypatch, command):
    from engine.runtime import logs as following

    monkeypatch.setattr(following, "READER", command)
    follower = following.LogFollower(books.database, SystemClock(), os.environ, books.prices)
    asyncio.run(until_told(follower, asyncio.Event()))
    assert "the log reader" in events.notice(books.connection, READER_NOTICE).text
    books.book.reader_failed("is gone")
    books.write(Discovered((), 0, 0))
    assert events.notice(books.connection, READER_NOTICE) is None


FLOOD = "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 65536)"


def test_a_reader_with_more_to_say_than_is_heard_does_not_keep_the_engine_from_ending(books, monkeypatch):
    """As in the middle of the first scan: its pipe is full, and whoever read it is cancelled."""
    from engine.runtime import logs as following

    monkeypatch.setattr(following, "READER", (sys.executable, "-c", FLOOD))
    follower = following.LogFollower(books.database, SystemClock(), os.environ, books.prices)
    taken = asyncio.Event()

    async def hear(_):
        taken.set()
        await asyncio.Event().wait()

    async def end():
        monkeypatch.setattr(follower, "_take", hear)
        task = asyncio.create_task(follower.run())
        async with asyncio.timeout(20):
            await taken.wait()
            while not follower._process.stdout._paused:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(end())


def test_one_ingest_with_a_reader_that_fails_is_an_error(books, monkeypatch, tmp_path):
    home = tmp_path / "home"
    write_rows(home / ".claude" / "projects" / "p" / "a.jsonl", {"type": "user"})
    monkeypatch.setattr(ingest, "READER", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(StateError, match="ended with code 3"):
        ingest.ingest_once(books.database, SystemClock(), {"HOME": str(home)}, books.prices)


def test_a_response_booked_while_prices_were_asked_waits_for_its_price(books):
    books.write(batch("/l", "k1", model="never-heard-of"))
    with books.database.transaction() as tx:
        number = prices.model_id(tx, "new-model", "")
        tx.execute("UPDATE usage SET model_id = ?", (number,))
    assert list(reprice(books.database, books.prices)) == []


def test_a_date_that_cannot_be_is_moved_to_one_that_can_be_shown(books):
    books.write(batch("/l", "k1", at_ms=10**17), batch("/m", "k2", at_ms=-5))
    assert [group.label for group in spend.by(books.connection, "day")] == ["1970-01-01", "9999-12-31"]


def test_discovered_sessions_are_listed_before_they_are_read(books):
    found = tuple(SeenSession("codex", "/h", f"t{number}", last_active_ms=number) for number in range(1200))
    assert books.write(Discovered(found, 1200, 1)) == 8
    assert sessions.count(books.connection) == 1200


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 100])
def test_a_stream_is_cut_into_its_lines_wherever_it_is_cut(cut):
    text, lines = b"one\ntwo\n\nthree\n", Lines()
    chunks = [text[start : start + cut] for start in range(0, len(text), cut)]
    assert [line for chunk in chunks for line in lines.of(chunk)] == [b"one", b"two", b"", b"three"]


RUN = {
    "agent": "coder",
    "adapter": "command",
    "lane": "main",
    "trigger": "operator",
    "task_type": "chat",
    "task": "",
    "workspace": "/w",
    "can_read": "[]",
    "can_write": "[]",
    "inject": "[]",
    "state": "running",
    "estimate_tokens": 0,
    "verdict": "{}",
    "requested_ms": 1,
}
