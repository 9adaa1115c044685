"""Talking in a session, with a real feed and real run folders, and no engine behind it."""

import msgspec
import pytest

from engine.contract.orders import Interrupt, RunRequest, StopRun
from engine.contract.progress import Noted, Said, Thought, ToolDone, ToolUse
from state import approvals, runs
from tests.tui.test_inbox import permission
from tui.reading.transcript import DROPPED, LONGEST, MOST_LINES, Transcript
from tui.screens.confirm import Confirm
from tui.screens.session import SessionScreen
from tui.widgets.lines import Wrapped


def text_of(transcript):
    return ["".join(text for text, _ in line).strip() for line in transcript.lines]


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        ([Said("half a "), Said("line\nand one more")], ["half a line", "and one more"]),
        ([Said("a\r"), Said("\nb")], ["a", "b"]),
        ([Said("I look."), ToolUse("1", "Bash", "ls\nrm"), Said("Done.")], ["I look.", "Bash  ls", "Done."]),
        ([ToolDone("1", True, "fine"), ToolDone("2", False, "no such file\nx")], ["failed: no such file"]),
        ([Noted("retry", "overloaded"), Thought("hm")], ["retry: overloaded"]),
        ([Said("\x1b[2Jhidden\u202e\x07")], ["�[2Jhidden��"]),
        ([Said("x" * (LONGEST + 1))], ["x" * LONGEST, "x"]),
    ],
)
def test_progress_becomes_clean_lines(told, lines):
    transcript = Transcript()
    for one in told:
        transcript.take(one)
    assert text_of(transcript) == lines


def test_of_a_long_run_the_last_lines_are_kept():
    transcript = Transcript()
    for number in range(MOST_LINES + 1):
        transcript.take(Said(f"{number}\n"))
    lines = text_of(transcript)
    assert lines[:2] == ["(what it said before is not shown)", str(DROPPED)]
    assert lines[-1] == str(MOST_LINES)


def test_what_stays_is_not_broken_into_lines_again(monkeypatch):
    from tui.widgets import lines as module

    broken = []
    whole = module.wrap
    monkeypatch.setattr(module, "wrap", lambda *given: broken.append(given[0]) or whole(*given))
    wrapped, one, two = Wrapped(), (("a b c", "text"),), (("d", "text"),)
    assert wrapped.take([one], 3, 0) == whole(one, 3, 0)
    assert wrapped.take([one, two], 3, 0) == [*whole(one, 3, 0), two]
    assert broken == [one, two]
    assert wrapped.take([one, two], 10, 0) == [one, two]
    assert wrapped.take([two], 10, 0) == [two]


def orders_of(pilot):
    ordered = []
    pilot.app.link.order = lambda kind, body, done=None, failed=None: ordered.append((kind, body, done, failed))
    return ordered


async def talking(pilot):
    await pilot.sees("fix flaky test")
    await pilot.press("t")
    await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the talk is open")
    await pilot.until(lambda: pilot.app.screen.talk is not None, "and read")


def live_run(world, said="", **fields):
    run_id = world.run(session_id=1, state="running", task="mend it", started_ms=world.now_ms, **fields)
    folder = world.home.run_folder(run_id)
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_text(said)
    return run_id, folder


@pytest.mark.parametrize("size", [(120, 34), (80, 24), (60, 20)])
def test_what_was_said_before_is_there_and_a_line_becomes_a_run_of_this_session(filled, drive, size):
    run_id = filled.run(session_id=1, state="settled", outcome="succeeded", task="what is open?\x1b[2J")
    folder = filled.home.run_folder(run_id)
    folder.mkdir(parents=True)
    (folder / "result.txt").write_text("the pump\x1b]0;owned\x07\n" + "and much " * 50 + "more")
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await talking(pilot)
        await pilot.sees("> what is open?", "the pump", "more", "sessions > fix flaky test", "coder   run ")
        assert all(len(line) <= size[0] for line in pilot.shown().splitlines())
        await pilot.press(*"mend it? :/y", "enter")
        await pilot.sees("> mend it? :/y", "is judged")
        assert not pilot.app.screen.bar.line.value
        found.extend(ordered)
        filled.run(session_id=1, task="mend it? :/y", state="refused", outcome="refused")
        await pilot.until(lambda: "is judged" not in pilot.shown(), "the run itself is shown")

    drive(filled.home, scenario, size)
    ((kind, body, _, _),) = found
    wanted = RunRequest(
        workspace="/home/op/work",
        agent="coder",
        task_type="chat",
        task="mend it? :/y",
        session_id=1,
        trigger="operator",
    )
    assert (kind, body) == ("run", wanted)


def test_the_answer_grows_while_it_comes_and_stays_when_it_has_ended(filled, drive):
    run_id, folder = live_run(filled, "I look")

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees("> mend it", "I look", "running")
        with (folder / "stdout.log").open("a") as file:
            file.write(" at the pump\nIt is \x1b[31mbroken")
        await pilot.sees("I look at the pump", "It is �[31mbroken")
        with (folder / "stdout.log").open("a") as file:
            file.write(" no more")
        with filled.open().transaction() as tx:
            runs.update(tx, run_id, {"state": "settled", "outcome": "failed", "why": "exit code 2"})
        await pilot.sees("broken no more", "failed: exit code 2")

    drive(filled.home, scenario)


def test_while_it_answers_nothing_more_is_asked_ctrl_c_interrupts_and_escape_leaves(filled, drive, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    run_id, _ = live_run(filled)
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await talking(pilot)
        await pilot.sees("> mend it")
        await pilot.press(*"more", "enter")
        await pilot.sees("it has not answered yet")
        assert pilot.app.screen.bar.line.value == "more"
        await pilot.press("ctrl+x")
        await pilot.sees(f"Stop run {run_id}?")
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "it is stopped")
        await pilot.press("ctrl+c")
        await pilot.until(lambda: len(ordered) == 2, "it is interrupted")
        assert isinstance(pilot.app.screen, SessionScreen)
        await pilot.press("escape")
        await pilot.until(lambda: not isinstance(pilot.app.screen, SessionScreen), "and then left")
        found.extend((kind, body) for kind, body, _, _ in ordered)

    drive(filled.home, scenario)
    assert found == [("stop", StopRun(run_id)), ("interrupt", Interrupt(run_id))]


def test_what_it_asks_is_answered_here_and_never_by_a_letter_of_a_message(filled, drive, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(Confirm, "clock", lambda _: now[0])
    run_id, _ = live_run(filled)
    found = []

    async def scenario(pilot):
        ordered = orders_of(pilot)
        await talking(pilot)
        permission(filled, run_id)
        await pilot.sees("it asks: tab, then y", "use Bash", "rm -rf build", "make")
        assert "it asks" in pilot.shown().partition("> say something")[0]
        await pilot.press(*"yes n", "tab")
        assert pilot.app.screen.bar.line.value == "yes n"
        assert ordered == []
        await pilot.sees("y approve")
        await pilot.press("y")
        await pilot.sees(f"Allow run {run_id} to use Bash?")
        now[0] += 0.31
        await pilot.press("enter")
        await pilot.until(lambda: ordered, "it is answered")
        found.extend((kind, body.approve) for kind, body, _, _ in ordered)
        with filled.open().transaction() as tx:
            approvals.decide(tx, 1, True, filled.now_ms)
        await pilot.until(lambda: "use Bash" not in pilot.shown(), "the question is gone")

    drive(filled.home, scenario)
    assert found == [("decide", True)]


def test_a_refusal_says_why_and_an_order_that_fails_gives_the_words_back(filled, drive):
    async def scenario(pilot):
        ordered = orders_of(pilot)
        await talking(pilot)
        await pilot.press(*"go", "enter")
        _, _, done, failed = ordered[0]
        check = {"name": "budget", "ok": False, "why": "day has no room", "warning": ""}
        done({"run": 1, "verdict": {"ok": False, "checks": [check]}, "waits_for": None})
        await pilot.sees("refused: day has no room")
        done({"run": 1, "verdict": {"ok": False, "checks": [check]}, "waits_for": "approval"})
        await pilot.sees("it waits for your word: day has no room")
        done({"run": 1, "verdict": {"ok": True, "checks": [check | {"ok": True, "warning": "nearly full"}]}})
        await pilot.sees("nearly full")
        failed("no engine")
        await pilot.until(lambda: pilot.app.screen.bar.line.value == "go", "what was typed is there again")

    drive(filled.home, scenario)


def test_a_refused_run_shows_the_checks_that_failed(filled, drive):
    check = {"name": "budget", "ok": False, "why": "day has no room", "fix": "raise it"}
    verdict = msgspec.json.encode({"ok": False, "checks": [check]}).decode()
    filled.run(session_id=1, state="refused", outcome="refused", why="budget: no room", verdict=verdict)

    async def scenario(pilot):
        await talking(pilot)
        await pilot.sees("> do it", "NO", "day has no room", "raise it", "refused: 1 of 1 check failed")
        assert "budget: no room" not in pilot.shown(), "it is said once"

    drive(filled.home, scenario)


def test_a_key_that_differs_from_place_to_place_is_shown_as_it_is_there(filled, drive):
    live_run(filled)

    async def scenario(pilot):
        await pilot.sees("x stop run")
        assert "ctrl+x" not in pilot.shown()
        await talking(pilot)
        await pilot.sees("ctrl+x stop run")

    drive(filled.home, scenario)


def test_only_a_session_of_ours_is_talked_in_and_only_with_an_engine(filled, drive):
    async def observed(pilot):
        await pilot.sees("vendor survey")
        assert "t talk" in pilot.shown()
        await pilot.press("down")
        await pilot.until(lambda: "t talk" not in pilot.shown(), "not in what was only observed")
        await pilot.press("t")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, SessionScreen)
        await pilot.press("a")
        await pilot.sees("no terminal here to hand over")
        await pilot.press("enter")
        await pilot.sees("generation 1   observed", "not gated")
        assert "say something" not in pilot.shown()
        assert "i talk" not in pilot.shown()
        await pilot.press("i", "escape", "up", "enter")
        await pilot.until(lambda: isinstance(pilot.app.screen, SessionScreen), "the session is open")
        await pilot.sees("i talk")
        await pilot.press("i", *"so it is")
        await pilot.until(lambda: pilot.app.screen.bar.line.value == "so it is", "from there too")
        await pilot.press("ctrl+c")
        await pilot.until(lambda: not pilot.app.screen.bar.line.value, "the words are dropped, the console stays")
        await pilot.press("ctrl+c")
        await pilot.sees("nothing is being answered")
        await pilot.press("escape", "escape")
        await pilot.until(lambda: not isinstance(pilot.app.screen, SessionScreen), "the line is left, then the screen")

    async def alone(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("t")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, SessionScreen)

    drive(filled.home, observed)
    drive(filled.home, alone, can_order=False)
