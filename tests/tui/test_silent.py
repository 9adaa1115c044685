"""Does every key that is for something here, and has nothing to do, say why?"""

import pytest

from tests.tui.conftest import CONFIG
from tui import actions
from tui.panes import messages as asked
from tui.reading.able import OPENS, attach_problem

DIGEST = CONFIG + '[agent.reader]\nadapter = "digest"\n[agent.cc]\nadapter = "claude_code"\n'


def footer(app):
    return "".join(text for text, _ in app.screen.query_one("KeyFooter").lines[0])


def test_the_programs_that_can_be_opened_are_those_of_the_engine():
    from engine.runtime.attaching import PROGRAMS

    assert OPENS == PROGRAMS


@pytest.mark.parametrize(
    ("row", "key", "said"),
    [
        ("vendor survey", "t", "observed: it runs in its own program"),
        ("vendor survey", "r", "observed: it runs in its own program"),
        ("vendor survey", "x", "observed: it runs in its own program"),
        ("fix flaky test", "x", "nothing runs or waits here that could be ended"),
        ("fix flaky test", "a", "coder has no program that could be opened here"),
        ("read on", "t", "reader takes no talk: it only reads the files that are injected"),
        ("read on", "a", "reader has no program that could be opened here"),
        ("not begun", "a", "there is no conversation yet that could be opened"),
        ("fix flaky test", "w", "nothing is told of what happened while no console was open"),
        ("fix flaky test", "u", "there is nothing to undo"),
        ("fix flaky test", "I", "there is a configuration already"),
    ],
)
def test_a_key_with_nothing_to_do_on_this_row_says_so_and_is_not_in_the_footer(filled, drive, row, key, said):
    filled.configure(DIGEST)
    filled.session("read on", agent="reader")
    filled.session("not begun", agent="cc")

    async def scenario(pilot):
        app = pilot.app
        asks = []
        app.on_attach_asked = app.on_talk_asked = asks.append
        await pilot.sees("read on", "not begun", "vendor survey")
        await pilot.until(lambda: app.config is not None, "the configuration")
        table = app.overview.panes["sessions"].table
        at = next(number for number, one in enumerate(table.rows) if getattr(one, "title", "") == row)
        table.move_to(at)
        await pilot.pause()
        labels = {
            action.label for action in actions.ACTIONS if key in action.key.split(",") and "sessions" in action.where
        }
        assert not any(f"{key} {label}" in footer(app) for label in labels)
        await pilot.press(key)
        await pilot.sees(said)
        assert asks == []

    drive(filled.home, scenario, (160, 34))


def test_a_session_of_a_program_that_opens_is_offered(filled, drive):
    filled.configure(DIGEST)
    session, generation = filled.session("begun", agent="cc")
    filled.run(session_id=session, generation_id=generation, agent="cc", state="settled", outcome="succeeded")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("begun")
        table = app.overview.panes["sessions"].table
        at = next(number for number, one in enumerate(table.rows) if getattr(one, "title", "") == "begun")
        table.move_to(at)
        await pilot.until(lambda: "a attach" in footer(app), "it is offered")
        assert "t talk" in footer(app)

    drive(filled.home, scenario, (160, 34))


def test_the_page_of_a_session_says_the_same(filled, drive):
    filled.configure(DIGEST)
    reader, _ = filled.session("read on", agent="reader")
    seen, _ = filled.session("seen")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("read on")
        for session, key, said in (
            (reader, "i", "reader takes no talk"),
            (reader, "a", "reader has no program that could be opened here"),
            (reader, "x", "nothing runs or waits here"),
            (seen, "i", "observed: it runs in its own program"),
            (seen, "r", "observed: it runs in its own program"),
            (seen, "a", "its folder is not there any more: /home/op/work"),
        ):
            app.post_message(asked.SessionOpened(session))
            await pilot.until(lambda: getattr(app.screen, "talk", None) is not None, "its page")
            await pilot.press(key)
            await pilot.sees(said)
            assert not app.screen.bar.line.has_focus
            await pilot.press("escape")
            await pilot.until(lambda: app.screen is app.overview, "back")

    drive(filled.home, scenario)


def test_what_is_known_not_to_open_is_asked_of_nobody(filled, drive):
    """Its folder and the one above are gone: the list cannot tell, and the last look finds out."""
    filled.configure(DIGEST)
    session, generation = filled.session("begun", agent="cc")
    filled.run(session_id=session, generation_id=generation, agent="cc", state="settled", outcome="succeeded")

    async def scenario(pilot):
        app, ordered, told = pilot.app, [], []
        app.link.attach_run = lambda session_id, done: ordered.append(session_id)
        await pilot.sees("begun")
        app.feed.once(attach_problem(session), told.append)
        await pilot.until(lambda: bool(told), "it is looked at")
        assert told == ["its folder is not there any more: /home/op/work"]
        app._ask_to_attach(session, told[0])
        await pilot.sees(told[0])
        assert ordered == []
        app._ask_to_attach(session, "")
        assert ordered == [session]

    drive(filled.home, scenario)


def test_marked_rows_with_which_it_cannot_be_done_and_an_empty_list_say_so(filled, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        await pilot.press("V", "x")
        await pilot.sees("stop run: it can be done with none of the 2 marked rows")
        await pilot.press("ctrl+@", "4")
        await pilot.until(lambda: app.overview.focused_pane.CONTEXT == "skills", "there")
        await pilot.press("home", "g")
        await pilot.sees("the empty set is always there")
        app.run_line("sessions /nothing like it")
        await pilot.press("x")
        await pilot.sees("stop run: the list is empty")

    drive(filled.home, scenario)


def test_a_line_that_is_only_a_filter_narrows_the_list_in_front(filled, drive):
    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test", "vendor survey")
        await pilot.press("colon", *"/flaky", "enter")
        await pilot.until(lambda: "vendor survey" not in pilot.shown(), "narrowed")
        assert app.overview.focused_pane.listing.text == "flaky"
        await pilot.press("2", "colon", *"@coder", "enter")
        await pilot.until(lambda: app.overview.panes["jobs"].listing.text == "coder", "the jobs")

    drive(filled.home, scenario)


def test_the_list_of_the_line_takes_no_rows_while_it_is_empty(filled, drive):
    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        await pilot.press("colon", *"zzz")
        await pilot.until(lambda: "4 Skill sets" in pilot.shown() and ":zzz" in pilot.shown(), "the overview is there")
        assert pilot.app.screen.query_one("Vertical").size.height == 2

    drive(filled.home, scenario, (80, 24))


def test_a_run_that_waits_for_my_word_leads_to_the_inbox_and_its_output_to_the_editor(filled, drive, monkeypatch):
    waits = filled.run(waits_for="approval")
    filled.question(waits, "{}")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test")
        app.post_message(asked.RunOpened(waits))
        await pilot.sees("on the overview answers, enter goes there", "enter go there")
        await pilot.press("e")
        await pilot.sees("it has not started, and has said nothing that could be opened")
        await pilot.press("enter")
        await pilot.until(lambda: type(app.screen).__name__ == "InboxScreen", "the inbox")

    drive(filled.home, scenario)


def test_the_output_of_a_run_is_opened_from_its_page(filled, drive, monkeypatch):
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    ran = filled.run(state="settled", outcome="succeeded", started_ms=1, ended_ms=2)

    async def scenario(pilot):
        await pilot.sees("fix flaky test")
        pilot.app.post_message(asked.RunOpened(ran))
        await pilot.until(lambda: getattr(pilot.app.screen, "detail", None) is not None, "its page")
        await pilot.press("e")
        await pilot.sees("EDITOR")

    drive(filled.home, scenario)


def test_enter_on_a_held_skill_of_the_inbox_leads_to_it(filled, drive):
    filled.skill_file("deploy", "now", allowed="before")
    filled.run(waits_for="approval")

    async def scenario(pilot):
        app = pilot.app
        await pilot.sees("fix flaky test", "! changed: deploy")
        await pilot.press("i")
        await pilot.until(lambda: "go there" in footer(app), "the cursor is on the skill")
        await pilot.press("enter")
        await pilot.until(lambda: type(app.screen).__name__ == "SkillScreen", "the skill")

    drive(filled.home, scenario)


def test_a_key_that_has_something_to_do_is_not_explained(filled, drive):
    async def scenario(pilot):
        app, said = pilot.app, []
        await pilot.sees("fix flaky test")
        app.flash = lambda line, tone="text": said.append(line)
        await pilot.press(
            "z", "z", "o", "2", "slash", "a", "escape", "1", "down", "question_mark", "escape", "escape", "G"
        )
        await pilot.press("enter", "s", "escape")
        assert said == []

    drive(filled.home, scenario)
