"""What waits for the operator's word, with a real feed on a real database and no engine behind it."""

import hashlib

import msgspec
import pytest
from textual import events

from engine.contract.orders import Decide, StopRun
from engine.runtime.questions import Permission, Question, Raise
from state import approvals
from tui.screens.confirm import Confirm
from tui.screens.inbox import InboxScreen
from tui.screens.overview import Overview
from tui.screens.question import consequences, question_lines

DAY = Raise("day", "tokens", "day", 0, 86_400_000, 60_000, 58_000, 2_100, 100)


def asked(run_id, **fields):
    values = {
        "run_id": run_id, "agent": "coder", "task_type": "subagent", "task": "mend the pump",
        "workspace": "/home/op/work", "argv": ("sh", "-c", "echo 'a b'"), "model": "haiku", "tools": ("read", "search"),
        "inject": ("README.md",), "skills": "ops", "can_write": ("notes/api.md",), "trigger": "spawn", "job": None,
        "resumes_run_id": None, "likely_tokens": 1_200, "high_tokens": 2_100, "high_microusd": 20_000, "raises": (DAY,),
    }  # fmt: skip
    return msgspec.json.encode(Question(**values | fields)).decode()


def wants(run_id, **fields):
    """What a live run's program asks, as it is stored."""
    values = {
        "run_id": run_id, "agent": "coder", "session_id": 1, "task": "mend the pump", "workspace": "/home/op/work",
        "tool": "Bash", "what": "rm -rf build\nmake", "path": None,
    }  # fmt: skip
    return msgspec.json.encode(Permission(**values | fields)).decode()


def permission(world, run_id, request_id="r1", **fields):
    with world.open().transaction() as tx:
        until_ms = world.now_ms + 43_200_000
        return approvals.ask(tx, run_id, wants(run_id, **fields), world.now_ms, until_ms, request_id=request_id)


@pytest.fixture
def open_question(filled):
    """A run of the session that waits for the operator's word: its id, and the stored question."""
    run_id = filled.run(session_id=1, waits_for="approval", expires_ms=filled.now_ms + 43_200_000)
    what = asked(run_id)
    filled.question(run_id, what)
    return run_id, what


def orders_of(pilot):
    ordered = []
    pilot.app.link.order = lambda kind, body, done=None, failed=None: ordered.append((kind, body))
    return ordered


async def opened(pilot):
    await pilot.sees("1 needs me")
    await pilot.press("i")
    await pilot.until(lambda: isinstance(pilot.app.screen, InboxScreen), "the inbox is open")


@pytest.mark.parametrize("size", [(120, 34), (80, 24)])
def test_all_that_is_asked_stands_on_the_page(filled, drive, open_question, size):
    _, what = open_question
    sha256 = hashlib.sha256(what.encode()).hexdigest()

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("coder, subagent, asked for by spawn", "mend the pump", "notes/api.md")
        await pilot.sees("1,200 tokens likely, at most 2,100, for at most $0.0200")
        await pilot.sees("58,000 tokens taken + 2,100 tokens needed of 60,000 tokens")
        await pilot.sees("raises it by 100 tokens to 60,100 tokens", sha256[:12], f"{len(what.encode())} bytes")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())

    drive(filled.home, scenario, size)


def test_a_yes_goes_back_with_the_hash_of_what_was_shown_and_only_when_it_was_meant(
    filled, drive, open_question, monkeypatch
):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    run_id, what = open_question
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await opened(pilot)
        pilot.app.post_message(events.Paste("y\n"))
        await pilot.pause()
        assert isinstance(pilot.app.screen, InboxScreen), "pasted text is no key"
        await pilot.press("y", "enter")
        await pilot.sees(f"Approve run {run_id}?", "came too early")
        assert ordered == []
        now[0] += 0.31
        pilot.app.post_message(events.Paste("\n"))
        await pilot.pause()
        assert ordered == [], "pasted text is no yes"
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "the answer is ordered")
        found.extend(ordered)

    drive(filled.home, scenario)
    assert found == [("decide", Decide(1, True, hashlib.sha256(what.encode()).hexdigest()))]


def test_a_no_asks_too(filled, drive, open_question, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await opened(pilot)
        await pilot.press("n")
        await pilot.sees("Deny run", "It is refused; nothing was spent.")
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "the answer is ordered")
        found.extend(ordered)

    drive(filled.home, scenario)
    assert [(kind, body.approve) for kind, body in found] == [("decide", False)]


def test_what_waits_is_marked_where_it_stands_and_counted_in_the_header(filled, drive, open_question):
    other, _ = filled.session("blocked", agent="coder", at_ms=filled.now_ms - 1000)
    filled.run(session_id=other, waits_for="claim")
    skill = filled.skill_file("deploy", "now", allowed="before")

    async def scenario(pilot):
        await pilot.sees("2 need me", "changed: deploy")
        lines = pilot.shown().splitlines()
        assert next(line for line in lines if "fix flaky test" in line).startswith("! ")
        assert next(line for line in lines if "blocked" in line).startswith("z ")

    drive(filled.home, scenario)
    assert skill.exists()


def test_a_slot_whose_run_waits_says_so(filled, drive, open_question):
    from state import slots

    held = filled.run(waits_for="claim", job="health-check")
    with filled.open().transaction() as tx:
        for place, run_id in enumerate((held, open_question[0])):
            due_ms = filled.now_ms + 1 + place
            slots.note(tx, slots.Slot("health-check", due_ms, "started", run_id, None, filled.now_ms))
        slots.note(tx, slots.Slot("health-check", filled.now_ms + 9, "overlap", None, None, filled.now_ms))

    async def scenario(pilot):
        await pilot.sees("vz!o")
        line = next(line for line in pilot.shown().splitlines() if "health-check" in line)
        assert line.startswith("! health-check")

    drive(filled.home, scenario)


def test_a_run_that_waits_can_be_withdrawn_from_its_session(filled, drive, open_question, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await pilot.sees("1 needs me", "x stop run")
        await pilot.press("x")
        await pilot.sees(f"Withdraw run {open_question[0]}?", "holds nothing and has spent nothing")
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "it is ordered")
        found.extend(ordered)

    drive(filled.home, scenario)
    assert found == [("stop", StopRun(open_question[0]))]


def test_an_empty_inbox_teaches_and_a_question_that_comes_is_there_at_once(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        assert "need" not in pilot.shown().splitlines()[0]
        await pilot.press("colon", *"approvals", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, InboxScreen), "the inbox is open")
        await pilot.sees("Nothing waits for your word.", 'action = "ask"')
        assert "y approve" not in pilot.shown()
        filled.question(filled.run(waits_for="approval"), asked(1))
        await pilot.sees("mend the pump", "y approve")
        with filled.open().transaction() as tx:
            approvals.decide(tx, 1, False, filled.now_ms)
        await pilot.sees("Nothing waits for your word.")
        await pilot.press("escape")
        await pilot.until(lambda: isinstance(pilot.app.screen, Overview), "and closed")

    drive(filled.home, scenario)


def test_a_task_is_shown_whole_and_what_hides_in_it_is_spelled_out(filled, drive):
    """Nothing that is approved may stand beyond a cut: neither a long line nor a long word."""
    task = "begin " + "blah " * 200 + "x" * 900 + " \u202eevil\x1b[2J\nlast line"
    filled.question(filled.run(waits_for="approval"), asked(1, task=task))

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("begin", "blah")
        lines = ["".join(text for text, _ in line).strip() for line in pilot.app.screen.page.lines]
        whole = " ".join(lines)
        assert whole.count("blah") == 200
        assert whole.count("x") >= 900
        assert "<U+202E>evil<U+001B>[2J" in whole.replace(" ", "")
        assert "last line" in lines

    drive(filled.home, scenario, (80, 24))


def test_a_question_that_cannot_be_read_is_shown_as_stored_and_cannot_be_answered(filled, drive):
    filled.question(filled.run(waits_for="approval"), '{"odd": true}')

    async def scenario(pilot):
        await opened(pilot)
        await pilot.sees("cannot be read", '{"odd": true}')
        assert "y approve" not in pilot.shown()
        await pilot.press("y")
        await pilot.pause()
        assert isinstance(pilot.app.screen, InboxScreen)

    drive(filled.home, scenario)


def rows_of(world, *raises):
    from state.database import open_reader
    from tui.reading.asked import inbox
    from tui.reading.snapshot import Reading

    world.question(world.run(waits_for="approval"), asked(1, raises=raises))
    connection = open_reader(world.home)
    (row,) = inbox(Reading(world.home, connection, world.now_ms, None, None, None))
    connection.close()
    return row


def test_money_and_limits_of_one_run_are_said_as_such(filled):
    money = Raise("month", "microusd", "month", 0, 86_400_000, 40_000_000, 39_990_000, 20_000, 10_000)
    row = rows_of(filled, money, Raise("each", "tokens", "run", 0, 0, 500, 0, 700, 200))
    page = "\n".join("".join(text for text, _ in line) for line in question_lines(row, filled.now_ms, None))
    assert "month: $39.99 taken + $0.0200 needed of $40.00 in the month since 1970-01-01" in page
    assert "raises it by $0.0100 to $40.01, until its window ends, 1970-01-02" in page
    assert "each: 0 tokens taken + 700 tokens needed of 500 tokens per run" in page
    assert "raises it by 200 tokens to 700 tokens, for this run alone" in page
    assert len(consequences(row, approve=True)) == 4


def test_a_job_fired_by_hand_that_has_to_wait_says_for_what():
    from tui.console.app import _fired

    answer = {"run": 7, "verdict": {"ok": False, "checks": []}, "waits_for": "budget"}
    assert _fired("nightly", answer) == "nightly waits for room in a budget: run 7"


def page_of(row, now_ms):
    return "\n".join("".join(text for text, _ in line) for line in question_lines(row, now_ms, None))


def test_all_that_the_run_would_be_given_is_on_the_page(filled):
    page = page_of(rows_of(filled, DAY), filled.now_ms)
    for line in (
        "workspace  /home/op/work",
        """runs       sh -c 'echo '"'"'a b'"'"''""",
        "model      haiku",
        "may write  notes/api.md",
        "prompt has README.md",
        "skills     ops",
        "tools      read, search",
        "until its window ends, 1970-01-0",
    ):
        assert line in page
    assert "goes on" not in page


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"resumes_run_id": 12}, "goes on    with run 12"),
        ({"tools": None}, "tools      the agent's own"),
        ({"tools": ()}, "tools      none"),
        ({"model": None}, "model      the agent's own"),
        ({"inject": ()}, "prompt has no files"),
        ({"argv": ("sh", "-c", "a\nrm\x1b[2J \u202e")}, "runs       sh -c 'a<U+000A>rm<U+001B>[2J <U+202E>'"),
        (
            {"high_microusd": None},
            "expected   1,200 tokens likely, at most 2,100; what that costs is not known: no price for its model",
        ),
    ],
)
def test_what_is_not_said_and_what_is_hostile_reads_plainly(filled, fields, line):
    from state.database import open_reader
    from tui.reading.asked import inbox
    from tui.reading.snapshot import Reading

    filled.question(filled.run(waits_for="approval"), asked(1, **fields))
    connection = open_reader(filled.home)
    (row,) = inbox(Reading(filled.home, connection, filled.now_ms, None, None, None))
    connection.close()
    assert line in page_of(row, filled.now_ms).split("\n")


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_the_inbox_lists_as_much_as_the_header_counts_held_skills_too(filled, drive, open_question, size):
    path = filled.skill_file("deploy", "now", allowed="before")

    async def scenario(pilot):
        await pilot.sees("2 need me")
        await pilot.press("i")
        await pilot.sees("1 run waiting for your word, 1 skill held", "skill deploy is held: 4, then c", "y approve")
        assert len(pilot.app.screen.table.rows) == 2
        await pilot.press("down")
        await pilot.sees("skill      deploy", "4, then c, on the overview")
        assert str(path) in "".join(text for line in pilot.app.screen.page.lines for text, _ in line).replace(" ", "")
        assert "y approve" not in pilot.shown()
        await pilot.press("y")
        await pilot.pause()
        assert isinstance(pilot.app.screen, InboxScreen)

    drive(filled.home, scenario, size)


@pytest.mark.parametrize("size", [(120, 34), (80, 24)])
@pytest.mark.parametrize(
    ("key", "title", "then", "approve"),
    [
        ("y", "Allow run 1 to use Bash?", "It does what was shown, this once.", True),
        ("n", "Deny run 1 to use Bash?", "It is told no, and goes on without it.", False),
    ],
)
def test_what_a_live_agent_asks_is_shown_whole_counted_and_answered_like_a_budget(
    filled, drive, monkeypatch, size, key, title, then, approve
):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    permission(filled, filled.run(session_id=1, state="running"), path="/home/op/work/a\u202e.md")
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await pilot.sees("1 needs me")
        line = next(line for line in pilot.shown().splitlines() if "fix flaky test" in line)
        assert line.startswith("! "), "its session says who needs me"
        await opened(pilot)
        await pilot.sees(
            "1 question of live runs", "Bash rm -rf build", "wants to   use Bash", "exactly    rm -rf build"
        )
        await pilot.sees("make", "a<U+202E>.md", "session 1", "mend the pump", "expires")
        await pilot.press(key, "enter")
        await pilot.sees(title, then, "came too early")
        assert ordered == []
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "the answer is ordered")
        found.extend(ordered)

    drive(filled.home, scenario, size)
    sha256 = hashlib.sha256(wants(1, path="/home/op/work/a\u202e.md").encode()).hexdigest()
    assert found == [("decide", Decide(1, approve, sha256))]


def test_both_kinds_of_questions_count_together(filled, drive, open_question):
    live = filled.run(state="running")
    permission(filled, live)
    permission(filled, live, "r2", what="make clean")

    async def scenario(pilot):
        await pilot.sees("3 need me")
        await pilot.press("i")
        await pilot.sees("1 run waiting for your word, 2 questions of live runs", "Bash make clean")

    drive(filled.home, scenario)


def test_what_became_of_a_key_leaves_by_itself(filled, drive, monkeypatch):
    from tui.widgets import flash

    monkeypatch.setattr(flash, "FLASH_S", 0.5)

    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("i")
        await pilot.until(lambda: isinstance(pilot.app.screen, InboxScreen), "the inbox is open")
        pilot.app.flash("run 1 may do that")
        said = pilot.app.screen._said
        assert said.lines == ((("run 1 may do that", "text"),),)
        await pilot.until(lambda: not any(said.lines), "it has left")

    drive(filled.home, scenario)
