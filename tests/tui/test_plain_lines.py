from types import SimpleNamespace

from state.board import BoardRow
from state.events import Event, Notice
from tui import messages
from tui.plain.lines import Fact, Reader, became, block, differences
from tui.reading import changes
from tui.reading.states import Evidence
from tui.reading.views import EngineStatus, SessionBoard, Spend

NOW_MS = 1_800_000_000_000


def session(number=1, **fields):
    usual = dict.fromkeys(BoardRow.__struct_fields__) | {
        "id": number, "source": "claude_code", "lane": "main", "title": "mend it", "last_active_ms": NOW_MS,
        "generation": 1, "generation_reason": "", "read": 1, "responses": 1, "input_tokens": 0, "unpriced": 0,
        "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 1200, "cost_microusd": 830_000,
        "recent_tokens": 0, "agent": "coder",
    }  # fmt: skip
    return BoardRow(**usual | fields)


def board(*rows, **known):
    evidence = {row.id: Evidence(**known) for row in rows} if known else {}
    return changes.SessionsChanged(SessionBoard(rows=rows, known=evidence, cache={}, scanning=""))


def event(number, text="x"):
    return Event(number, NOW_MS, "note", text, None, None, None)


def bare(lines):
    return [line.partition(" ")[2] for line in lines]


def test_at_first_everything_is_read_out_as_it_is():
    assert Reader().take(board(session()), NOW_MS) == [
        "",
        "Sessions: 1",
        "  session 1, coder, mend it: idle, 1.2k tokens, $0.83",
    ]
    assert Reader().take(board(), NOW_MS) == ["", "Sessions: none"]


def test_then_what_has_become_of_it_and_nothing_else():
    reader = Reader()
    reader.take(board(session()), NOW_MS)
    assert bare(reader.take(board(session(live_run_id=7)), NOW_MS)) == [
        "session 1, coder, mend it: working, run 7, was idle"
    ]
    assert reader.take(board(session(live_run_id=7, output_tokens=9000)), NOW_MS) == []
    asks = reader.take(board(session(last_outcome="timed_out"), asks="Bash rm -rf build"), NOW_MS)
    assert bare(asks) == [
        "session 1, coder, mend it: needs you: Bash rm -rf build, was working, run 7; last run timed out, was nothing"
    ]
    assert bare(reader.take(board(session(2)), NOW_MS)) == [
        "new: session 2, coder, mend it: idle, 1.2k tokens, $0.83",
        "gone: session 1, coder, mend it",
    ]


def test_who_is_only_seen_is_no_news_when_its_log_grows_or_rests():
    reader = Reader()
    reader.take(board(session(agent=None)), NOW_MS)
    assert reader.take(board(session(agent=None, last_active_ms=NOW_MS - 60_000)), NOW_MS) == []
    assert bare(reader.take(board(session(agent=None), gone=True), NOW_MS + 60_000)) == [
        "session 1, claude_code, mend it: gone, was seen, not ours"
    ]


def test_an_event_of_a_run_says_of_which():
    reader = Reader()
    reader.take(changes.EventsChanged((event(1),)), NOW_MS)
    new = [
        Event(2, NOW_MS, "note", "coder succeeded", 12, None, None),
        Event(3, NOW_MS, "x", "run 7 denied", 7, None, None),
    ]
    said = reader.take(changes.EventsChanged(tuple(reversed(new))), NOW_MS)
    assert bare(said) == ["run 12, coder succeeded", "run 7 denied"]


def test_of_many_things_the_number_is_read_out():
    lines = block("Jobs", {number: Fact(f"job {number}", ()) for number in range(1234)})
    assert (len(lines), lines[1], lines[-1]) == (23, "Jobs: 1,234", "  and 1,214 more")


def test_events_are_read_out_once_in_their_order_and_a_gap_is_told():
    reader = Reader()
    first = tuple(event(number, f"e{number}") for number in range(9, 0, -1))
    said = reader.take(changes.EventsChanged(first), NOW_MS)
    assert said[:2] == ["", "What happened last"]
    assert [line.split()[-1] for line in said[2:]] == ["e5", "e6", "e7", "e8", "e9"]
    assert bare(reader.take(changes.EventsChanged((event(11, "b"), event(10, "a"), event(9, "old"))), NOW_MS)) == [
        "a",
        "b",
    ]
    assert reader.take(changes.EventsChanged((event(11, "b"),)), NOW_MS) == []
    assert reader.take(changes.EventsChanged((event(60, "z"), event(59, "y"))), NOW_MS)[0] == "(47 events not read out)"


def test_money_is_read_out_once_and_trouble_whenever_there_is_some():
    reader = Reader()
    spend = Spend(41_200, 830_000, 0, 1, (), 1200, 2)
    assert reader.take(changes.SpendChanged(spend), NOW_MS) == ["Today: 41.2k tokens, $0.83, 1.2k a minute, 2 running"]
    assert reader.take(changes.SpendChanged(spend), NOW_MS) == []
    assert bare(reader.take(changes.StateUnreadable("cannot read"), NOW_MS)) == ["cannot read"]
    assert reader.take(changes.StateUnreadable(""), NOW_MS) == []
    assert bare(reader.take(messages.EngineGone(), NOW_MS)) == ["the engine died; starting another"]
    assert reader.take(messages.EngineCame(), NOW_MS) == []


def test_the_engine_and_notices_are_told_as_they_come_and_go():
    reader = Reader()
    assert reader.take(changes.HeaderChanged(EngineStatus("none")), NOW_MS) == ["Engine: none"]
    assert bare(reader.take(changes.HeaderChanged(EngineStatus("up")), NOW_MS)) == ["Engine: up, was none"]
    reader.take(changes.NoticesChanged(()), NOW_MS)
    raised = changes.NoticesChanged((Notice("scan", "info", "scanning", NOW_MS),))
    assert bare(reader.take(raised, NOW_MS)) == ["new: info: scanning"]
    assert bare(reader.take(changes.NoticesChanged(()), NOW_MS)) == ["gone: info"]


def test_only_the_parts_that_differ_are_told():
    assert became(("a", "b"), ("a", "c")) == "c, was b"
    assert became(("a",), ("b", "c")) == "b, c, was a"
    same = {1: Fact("x", ("a",), "1")}
    assert differences(same, {1: Fact("x", ("a",), "2")}) == []
    assert differences(same, {1: Fact("y", ("a",), "2")}) == ["x is now y: a, 2"]


def test_jobs_and_budgets_are_told_by_their_state():
    reader = Reader()
    slot = SimpleNamespace(state="finished")
    job = SimpleNamespace(name="often", enabled=True, next_due_ms=NOW_MS + 240_000, slots=(slot,))
    assert reader.take(changes.JobsChanged((job,)), NOW_MS)[2] == "  job often: last finished, next in 4 min"
    failed = SimpleNamespace(name="often", enabled=False, next_due_ms=None, slots=(SimpleNamespace(state="failed"),))
    assert bare(reader.take(changes.JobsChanged((failed,)), NOW_MS)) == [
        "job often: paused, was nothing; last failed, was last finished"
    ]
