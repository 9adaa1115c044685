"""What live runs tell is heard: questions are put and answered, turns are broken off, and what is over its cap ends."""

import asyncio
import contextlib
import threading

import msgspec
import pytest

from engine.contract.orders import Decide
from engine.contract.outcome import EndRecord
from engine.execution.limits import ASKING
from engine.runtime import live_runs
from engine.runtime.permissions import notice_key
from engine.runtime.questions import read_permission
from engine.runtime.waiting import as_shown
from state import approvals, events, runs, sessions
from state.errors import NotWritten


def go(coroutine):
    asyncio.run(coroutine)


def pending(house):
    return approvals.pending(house.connection)


async def decide(house, asked, approve):
    """As the order does it."""
    wanted = Decide(approval_id=asked.id, approve=approve, sha256=asked.sha256)
    with house.database.transaction() as tx:
        house.permissions.decide(tx, as_shown(tx, wanted), approve, house.clock.now_ms())
    await house.permissions.tell()


def test_a_run_ends_by_itself_once_it_has_answered(living):
    async def test():
        async with living.awake():
            run = await living.ended(await living.talk("say hello", "use 40", task_type="research"))
            assert (run.outcome, run.used_tokens, run.turns) == ("succeeded", 40, 1)
            assert living.text(run.id).endswith("hello")
            end = msgspec.json.decode(run.end_record, type=EndRecord)
            assert (end.exit_code, end.escalated) == (0, False)

    go(test())


@pytest.mark.parametrize(("approve", "word"), [(True, "allowed"), (False, "denied")])
def test_what_it_asks_is_put_to_the_operator_and_the_answer_told(living, approve, word):
    async def test():
        async with living.awake():
            run_id = await living.talk("ask q1 Bash", "say done", permissions="ask", task_type="chat")
            (asked,) = await living.until(lambda: pending(living), "it asks")
            question = read_permission(asked.what)
            assert (asked.kind, asked.run_id, asked.request_id) == ("permission", run_id, "q1")
            assert (question.tool, question.agent, question.workspace) == ("Bash", "claude_code", str(living.workspace))
            assert asked.expires_ms == living.run(run_id).started_ms + 300_000
            assert events.notice(living.connection, notice_key(run_id)) is not None
            await decide(living, asked, approve)
            run = await living.ended(run_id)
            assert run.outcome == "succeeded"
            assert f"(q1 {word})" in living.text(run_id)
            assert events.notices(living.connection) == []

    go(test())


@pytest.mark.parametrize("mode", ["ask", "deny", "allow"])
def test_what_its_scope_covers_is_allowed_without_a_question(living, mode):
    async def test():
        async with living.awake():
            inside = living.workspace / "notes" / "a.md"
            run_id = await living.talk(
                f"ask q1 Write {inside}", permissions=mode, can_write=("notes/",), task_type="chat"
            )
            await living.ended(run_id)
            assert "(q1 allowed)" in living.text(run_id)
            assert approvals.permissions(living.connection, run_id) == []

    go(test())


@pytest.mark.parametrize("path", ["{0}/a.md", "{0}/notes/../a.md", "/etc/passwd", "notes/a.md", "{0}/link/x"])
def test_a_path_beside_its_scope_is_no_reason_to_allow(living, path):
    async def test():
        (living.workspace / "link").symlink_to("/tmp")
        async with living.awake():
            told = path.format(living.workspace)
            run_id = await living.talk(f"ask q1 Write {told}", permissions="deny", can_write=("notes/",))
            await living.ended(run_id)
            assert "(q1 denied)" in living.text(run_id)
            assert any("was denied" in text for text in living.said("denied"))

    go(test())


def test_a_run_that_ends_takes_its_questions_along(living):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            run_id = await living.talk("ask q1 Bash", permissions="ask", task_type="chat")
            (asked,) = await living.until(lambda: pending(living), "it asks")
            await living.live.stop(run_id)
            assert (await living.ended(run_id)).outcome == "cancelled"
            assert approvals.get(living.connection, asked.id).state == "withdrawn"
            assert events.notices(living.connection) == []

    go(test())


@pytest.mark.parametrize("died", ["before the word", "before it was told", "after it was told"])
def test_an_engine_that_dies_around_an_answer_neither_loses_nor_repeats_it(living, died):
    """The next one asks nothing twice, and tells what was decided."""

    async def test():
        release = living.workspace / "go"
        async with living.awake():
            run_id = await living.talk("ask q1 Bash", f"wait {release}", permissions="ask", task_type="chat")
            (asked,) = await living.until(lambda: pending(living), "it asks")
            if died != "before the word":
                with living.database.transaction() as tx:
                    living.permissions.decide(tx, asked, True, living.clock.now_ms())
            if died == "after it was told":
                await living.permissions.tell()
        living.next_engine()
        assert living.live.adopt() == 1
        async with living.awake():
            if died == "before the word":
                assert [one.id for one in pending(living)] == [asked.id]
                await decide(living, asked, True)
            release.touch()
            run = await living.ended(run_id)
            assert (run.outcome, len(approvals.permissions(living.connection, run_id))) == ("succeeded", 1)
            assert living.text(run_id).count("(q1 allowed)") == 1

    go(test())


def test_a_word_that_was_not_written_is_not_told(living):
    """Its order is still there, and is carried out again."""

    async def test():
        async with living.awake():
            run_id = await living.talk("ask q1 Bash", permissions="ask")
            (asked,) = await living.until(lambda: pending(living), "it asks")
            with contextlib.suppress(NotWritten), living.database.transaction() as tx:
                living.permissions.decide(tx, asked, True, living.clock.now_ms())
                raise NotWritten("the disk is full")
            await living.permissions.tell()
            assert [one.id for one in pending(living)] == [asked.id]
            await decide(living, asked, True)
            await living.ended(run_id)
            assert "(q1 allowed)" in living.text(run_id)

    go(test())


def test_a_word_that_was_not_written_keeps_no_silence_paused(living):
    """Its program may have taken its question back before anybody looks again."""

    async def test():
        async with living.awake():
            run_id = await living.talk("ask q1 Bash", permissions="ask")
            (asked,) = await living.until(lambda: pending(living), "it asks")
            asking = living.home.run_folder(run_id) / ASKING
            assert asking.exists()
            with contextlib.suppress(NotWritten), living.database.transaction() as tx:
                living.permissions.decide(tx, asked, True, living.clock.now_ms())
                raise NotWritten("the disk is full")
            living.permissions.answered(living.run(run_id), "q1")
            assert not asking.exists()

    go(test())


def test_who_waits_for_the_operators_word_is_not_silent_until_it_is_there(living):
    async def test():
        async with living.awake():
            never = living.workspace / "never"
            run_id = await living.talk("ask q1 Bash", f"wait {never}", permissions="ask", silence_s=1.0)
            (asked,) = await living.until(lambda: pending(living), "it asks")
            folder = living.home.run_folder(run_id)
            heard = (folder / "stdout.log").stat().st_mtime
            beats = folder / "keeper.json"
            await living.until(lambda: beats.stat().st_mtime > heard + 2.5, "its keeper has looked after that time")
            assert living.run(run_id).live
            await decide(living, asked, True)
            assert (await living.ended(run_id)).outcome == "silent"

    go(test())


def test_what_is_told_to_the_keeper_of_a_question_does_not_outlive_its_turn(living):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            one = await living.ended(await living.talk("say one", task_type="chat", permissions="ask"))
            two = await living.talk("ask q1 Bash", task_type="chat", permissions="ask")
            asking = living.home.run_folder(one.id) / ASKING
            await living.until(asking.exists, "it asks")
            (asked,) = pending(living)
            await decide(living, asked, False)
            await living.ended(two)
            assert not asking.exists()

    go(test())


@pytest.mark.parametrize(("task_type", "exit_code"), [("research", 0), ("chat", None)])
def test_a_turn_that_is_interrupted_is_cancelled_and_its_usage_kept(living, task_type, exit_code):
    """Its program leaves by itself, or stays for the next turn."""

    async def test():
        async with living.awake():
            run_id = await living.talk("use 70", f"wait {living.workspace / 'never'}", task_type=task_type)
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.interrupt(run_id, lambda tx: None)
            run = await living.ended(run_id)
            assert (run.outcome, run.used_tokens) == ("cancelled", 70)
            end = msgspec.json.decode(run.end_record, type=EndRecord)
            assert (end.outcome, end.exit_code, end.signal) == ("succeeded", exit_code, None)

    go(test())


def test_one_that_does_not_heed_an_interrupt_is_ended_in_the_grace(living):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            run_id = await living.talk("use 5", f"deaf {living.workspace / 'never'}", task_type="chat")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.interrupt(run_id, lambda tx: None)
            run = await living.ended(run_id)
            assert (run.outcome, run.used_tokens) == ("cancelled", 5)

    go(test())


def test_where_nobody_can_be_told_an_interrupt_ends_the_run(living):
    async def test():
        async with living.awake():
            run_id = await living.talk("use 5", f"wait {living.workspace / 'never'}", agent="codex")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
            await living.live.interrupt(run_id, lambda tx: None)
            assert (await living.ended(run_id)).outcome == "cancelled"

    go(test())


CAPS = [
    ({"stop_tokens": 100}, ["use 101"], "it has used 101 tokens; it may use 100"),
    ({"stop_turns": 1}, ["use 1", "use 1"], "it has asked its model 2 times; it may ask 1 time"),
]


@pytest.mark.parametrize(("cap", "lines", "why"), CAPS, ids=["tokens", "turns"])
def test_a_run_over_its_cap_is_ended_and_does_not_go_on_by_itself(living, cap, lines, why):
    async def test():
        living.configure('[limits]\ngrace = "1s"\n')
        async with living.awake():
            run_id = await living.talk(*lines, f"wait {living.workspace / 'never'}", **cap)
            run = await living.ended(run_id)
            assert (run.outcome, run.why) == ("budget_reached", why)
            await living.room.look()
            assert runs.resumption(living.connection, run_id) is None
        living.next_engine()
        living.live.go_on()
        async with living.awake():
            await living.until(lambda: living.live.count == 0, "everybody has been told")
            assert runs.resumption(living.connection, run_id) is None

    go(test())


def test_a_run_at_its_cap_is_left_alone(living):
    async def test():
        async with living.awake():
            run = await living.ended(await living.talk("use 100", "say done", stop_tokens=100, stop_turns=1))
            assert run.outcome == "succeeded"

    go(test())


def test_what_a_run_notes_is_an_event_of_it_and_bounded(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            notes = [f"note retry attempt {n}" for n in range(9)]
            run_id = await living.talk("note denied no rm", *notes, f"wait {release}")
            await living.until(lambda: len(living.said("noted", run_id)) == 4, "it is noted")
        living.next_engine()
        living.live.adopt()
        async with living.awake():
            release.touch()
            await living.ended(run_id)
            assert living.said("noted", run_id) == [
                "claude_code denied: no rm",
                *(f"claude_code retry: attempt {n}" for n in range(3)),
                "claude_code noted in all: retry 9 times",
            ]

    go(test())


def test_a_run_that_is_adopted_is_heard_from_its_start(living):
    async def test():
        release = living.workspace / "go"
        async with living.awake():
            run_id = await living.talk("use 70", "say before", f"wait {release}", "use 7", "say after")
            await living.until(lambda: living.listening.reader(living.run(run_id)).usage, "it works")
        living.next_engine()
        living.live.adopt()
        async with living.awake():
            release.touch()
            run = await living.ended(run_id)
            assert (run.outcome, run.used_tokens, run.turns) == ("succeeded", 77, 2)
            assert living.text(run_id).endswith("beforeafter")

    go(test())


def test_what_a_run_told_in_its_last_instant_counts(living):
    """It may be over before anybody has looked at it once."""

    async def test():
        async def nobody():
            pass

        living.listening.look = nobody
        async with living.awake():
            notes = [f"note retry attempt {n}" for n in range(5)]
            run_id = await living.talk("began chosen-by-it", *notes, "use 9", "say done", agent="codex")
            run = await living.ended(run_id)
            assert (run.outcome, run.used_tokens) == ("succeeded", 9)
            assert sessions.generation(living.connection, run.generation_id).provider_id == "chosen-by-it"
            assert len(living.said("noted", run_id)) == 4

    go(test())


def test_the_name_that_a_provider_gives_a_conversation_is_how_it_is_resumed(living):
    async def test():
        async with living.awake():
            first = await living.ended(await living.talk("began chosen-by-it", "say one", agent="codex"))
            second = await living.ended(await living.talk("say two", agent="codex"))
            assert second.generation_id == first.generation_id
            assert "chosen-by-it resumes" in living.home.run_folder(second.id).joinpath("launch.json").read_text()

    go(test())


@pytest.mark.parametrize(
    ("line", "outcome", "why"),
    [("die 11", "crashed", "SIGSEGV"), ("fail no idea", "failed", "no idea"), ("exit 3", "failed", "exit code 3")],
)
def test_its_outcome_says_how_it_ended_and_its_usage_is_kept(living, line, outcome, why):
    async def test():
        async with living.awake():
            run = await living.ended(await living.talk("use 9", line))
            assert (run.outcome, run.used_tokens) == (outcome, 9)
            assert why in run.why

    go(test())


@pytest.mark.parametrize("task_type", ["research", "chat"])
def test_what_may_be_large_is_made_fit_and_written_beside_the_loop(living, monkeypatch, task_type):
    """Other runs, and whoever asks for anything, would wait for it."""
    threads = []

    def noted(work):
        def note(*words):
            threads.append(threading.current_thread())
            return work(*words)

        return note

    async def test():
        for name in ("redacted_result", "write_private"):
            monkeypatch.setattr(live_runs, name, noted(getattr(live_runs, name)))
        async with living.awake():
            await living.ended(await living.talk("say hello", task_type=task_type))
            assert len(threads) == 2
            assert threading.main_thread() not in threads

    go(test())
