"""Talking with the real Claude Code from the console: answers stream, questions are put, turns are left."""

import pytest

from tests.e2e.test_claude_code import prepare, run, tool


@pytest.fixture
def talked(desk, server):
    """A desk with one session of the real client, which may ask."""
    prepare(desk, server)
    desk.configure(desk.config_file.read_text().replace('permissions = "deny"', 'permissions = "ask"'))
    run(desk, "turn [[say:the first answer]]")
    return desk


def talk(open_console, size=(120, 34)):
    console = open_console(size)
    console.wait_for("engine up", "turn [[say")
    console.keys("t")
    console.wait_for("> turn [[say:the first answer]]", "  the first answer", "say something; enter sends it")
    return console


def say(console, text):
    console.type(text)
    console.keys("Enter")


def latest(desk):
    return desk.json("run", "list")["runs"][0]


@pytest.mark.parametrize("size", [(120, 34), (80, 24)])
def test_an_answer_is_there_while_it_is_written_and_ctrl_c_has_it_leave_its_turn(
    talked, open_console, wait_until, size
):
    console = talk(open_console, size)
    say(console, "more [[hang:mid]][[say:one two three four five six seven eight nine ten eleven twelve]]")
    console.wait_for("admitted: ", "tokens likely", "  one two", "running ", "tokens so far")
    assert "twelve" not in console.screen().rpartition("twelve]]")[2]
    console.keys("C-c")
    console.wait_for("is asked to leave its turn")
    wait_until(lambda: latest(talked)["outcome"], "the turn is over")
    assert latest(talked)["outcome"] == "cancelled"
    console.wait_for("cancelled")
    say(console, "again [[say:it goes on]]")
    console.wait_for("  it goes on", "succeeded in ", " tokens in", " out, $")
    wait_until(lambda: latest(talked)["outcome"] == "succeeded", "the next turn is in the same conversation")
    console.keys("Escape")
    console.wait_for("1 Sessions")


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
def test_what_it_asks_is_answered_where_it_is_asked(talked, open_console, wait_until, size):
    console = talk(open_console, size)
    written = tool("Write", file_path=str(talked.workspace / "note.md"), content="the pump")
    say(console, f"write {written}[[say:it is written]]")
    console.wait_for("it asks: tab, then y", "wants to", "use Write", "note.md")
    assert not (talked.workspace / "note.md").exists()
    console.keys("Tab", "y")
    console.wait_for("to use Write?", "It does what was shown, this once.")
    wait_until(lambda: console.keys("Enter") or "to use Write?" not in console.screen(), "it is meant")
    console.wait_for("  it is written")
    assert (talked.workspace / "note.md").read_text() == "the pump"
    wait_until(lambda: latest(talked)["outcome"] == "succeeded", "the run is settled")
    console.wait_without("use Write")


def test_the_page_of_a_live_run_shows_what_it_says_and_then_how_it_was_held(talked, open_console):
    """It says half of its answer and then nothing: it is live for as long as anybody looks."""
    console = open_console((120, 60))
    console.wait_for("engine up", "turn [[say")
    task = "more [[hang:mid]][[say:one two three four five six seven eight]]"
    made = talked.json("run", "--agent", "coder", "--detach", "--task", task)
    console.keys("5")
    console.wait_for("5 Runs", "running", "more [[hang:mid")
    console.keys("Home", "Enter")
    console.wait_for("output", "as it comes", "  one two")
    talked.json("run", "stop", str(made["run"]))
    console.wait_for("held by", "sandbox", "cancelled")


def test_a_line_is_judged_while_it_is_typed_and_a_refusal_says_what_to_do(talked, open_console):
    console = talk(open_console, (80, 24))
    console.type("more")
    console.wait_for("this turn: ", "tokens likely", "every check passes")
    talked.json("budget", "set", "day", "--tokens", "10")
    console.type("!")
    console.wait_for("NO  budget: day: ")
    console.keys("Enter")
    console.wait_for("> more!", "refused: 1 of ", "budget      NO  day: ", "raise budget")
    assert latest(talked)["outcome"] == "refused"
