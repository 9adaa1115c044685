"""The console in a real terminal, with a real engine behind it."""

import json
import os
import shutil
import signal

import pytest

CLAUDE_LOG = ".claude/projects/-home-op-work/11111111-2222-4333-8444-000000000001.jsonl"


@pytest.fixture
def open_console(desk, request):
    """Opens consoles on the desk; each is a terminal of its own."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux, which .ci/run installs")
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("terminal", Path(__file__).with_name("terminal.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    terminals = []

    def opened(size=(120, 34), argv=None):
        name = f"qd-{os.getpid()}-{len(terminals)}-{abs(hash(request.node.name)) % 10_000}"
        terminals.append(module.Terminal(name, argv or desk.argv, desk.env, str(desk.workspace), size))
        return terminals[-1]

    yield opened
    for terminal in terminals:
        terminal.close()


def test_an_empty_home_opens_on_four_panes_that_say_what_they_are_and_how_to_fill_them(open_console):
    console = open_console()
    screen = console.wait_for("engine up", "No sessions yet", "No jobs yet", "No budgets yet", "skills found")
    for title in ("1 Sessions", "2 Cron jobs", "3 Token budgets", "4 Skill sets"):
        assert title in screen
    assert "press s" in screen.lower()


def test_the_sessions_of_this_machine_are_there_and_a_line_in_a_live_log_changes_the_cell(desk, open_console):
    desk.install_recordings()
    console = open_console()
    console.wait_for("hello [[say:json]]", "12.0k", "13.4k", "24.1k", "24.2k")
    log = desk.home / CLAUDE_LOG
    row = next(json.loads(line) for line in log.read_text().splitlines() if '"assistant"' in line)
    row["uuid"] = "new"
    row["message"]["id"] = "msg_new"
    row["message"]["usage"]["output_tokens"] = 70_000
    row["message"]["usage"]["cache_creation_input_tokens"] = 0
    row["message"]["usage"]["cache_creation"] = {}
    row["message"]["usage"]["cache_read_input_tokens"] = 0
    with log.open("a") as file:
        file.write(json.dumps(row) + "\n")
    console.wait_for("82.0k")


def test_digits_open_panes_and_escape_goes_back(open_console):
    console = open_console()
    console.wait_for("engine up", "1 Sessions")
    console.keys("2", "2")
    console.wait_without("1 Sessions")
    assert "2 Cron jobs" in console.screen()
    console.keys("Escape")
    console.wait_for("1 Sessions", "4 Skill sets")


def test_help_lists_the_keys(open_console):
    console = open_console()
    console.wait_for("engine up")
    console.keys("?")
    console.wait_for("spawn", "fresh", "filter")
    console.keys("Escape")
    console.wait_for("1 Sessions")


def test_a_subagent_is_spawned_from_the_keyboard_and_its_verdict_shows_as_it_is_typed(desk, open_console):
    desk.write("README.md", "- [ ] mend the pump\n")
    console = open_console()
    console.wait_for("engine up")
    console.keys("s")
    console.wait_for("Spawn a subagent", "nothing is spent yet")
    console.type("what is open")
    console.keys("Tab", "Tab", "Tab")
    console.type("nope.md")
    console.wait_for("does not exist", "NO")
    console.keys(*["BSpace"] * len("nope.md"))
    console.type("README.md")
    console.wait_for("1 file,", "every check passes")
    console.keys("C-s")
    console.wait_for("succeeded", "every check passed", "1 open item")
    console.keys("End")
    console.wait_for("mend the pump")


def test_a_session_is_started_afresh_and_taken_back(desk, open_console):
    desk.write("README.md", "- [ ] mend the pump\n")
    session = str(desk.json("run", "--inject", "README.md", "--task", "watch the pump")["session"])
    console = open_console()
    console.wait_for("engine up", "watch the pump")
    console.keys("r")
    console.wait_for("generation 2")
    console.type("too chatty")
    console.keys("Enter")
    console.wait_for("session 1 reset")
    assert [g["number"] for g in desk.json("session", "show", session)["generations"]] == [1, 2]
    console.keys("u")
    console.wait_for("reset undone")


def test_killing_the_console_leaves_engine_and_run_alive_and_a_new_one_shows_both(desk, open_console, wait_until):
    first = open_console()
    first.wait_for("engine up")
    engine = desk.holder_pid()
    run = desk.json(
        "run",
        "--detach",
        "--timeout",
        "60s",
        "--task",
        "long work",
        "--",
        "sh",
        "-c",
        "while [ ! -e go ]; do sleep 0.05; done",
    )
    first.wait_for("1 running", "long work")
    os.kill(first.pid(), signal.SIGKILL)
    wait_until(first.dead, "the console is gone")

    second = open_console()
    second.wait_for("engine up", "1 running", "long work")
    assert desk.holder_pid() == engine
    (desk.workspace / "go").touch()
    second.wait_for("0 running")
    assert desk.json("run", "show", str(run["run"]))["outcome"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_console_and_leave_the_engine(desk, open_console, wait_until, number):
    console = open_console()
    console.wait_for("engine up")
    engine = desk.holder_pid()
    os.kill(console.pid(), number)
    wait_until(console.dead, "the console is gone")
    assert desk.holder_pid() == engine


def test_q_leaves_and_the_engine_ends_when_idle(desk, open_console, wait_until):
    desk.configure('[engine]\nidle_exit = "1s"\n')
    console = open_console()
    console.wait_for("engine up")
    console.keys("q")
    wait_until(console.dead, "the console is gone")
    wait_until(lambda: desk.holder_pid() is None, "the engine is gone")


def test_a_bad_edit_is_said_on_screen_and_goes_away_when_mended(desk, open_console):
    console = open_console()
    console.wait_for("engine up")
    desk.configure("[limits]\ntimout = '1m'\n")
    console.wait_for("quarterdeck.toml:2", "did you mean 'timeout'?")
    desk.configure("[limits]\ntimeout = '1m'\n")
    console.wait_without("did you mean")


def test_a_state_folder_that_cannot_be_written_is_said_on_screen(desk, open_console):
    desk.state.parent.mkdir(parents=True)
    desk.state.write_text("a file in the way")
    console = open_console()
    console.wait_for("cannot write the state folder", "1 Sessions")


def test_the_command_line_takes_any_verb(desk, open_console):
    console = open_console()
    console.wait_for("engine up")
    console.keys(":")
    console.type("budget set day --window day --tokens 60000")
    console.keys("Enter")
    console.wait_for("Budget day")
    assert desk.json("budget", "list")["budgets"][0]["limit_tokens"] == 60_000


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)])
def test_it_fits_the_terminal(open_console, size):
    console = open_console(size)
    screen = console.wait_for("1 Sessions", "2 Cron jobs")
    assert max(len(line) for line in screen.splitlines()) <= size[0]


def test_too_small_says_so_and_recovers(open_console):
    console = open_console((50, 10))
    console.wait_for("too small")
    console.resize(120, 34)
    console.wait_for("1 Sessions", "4 Skill sets")
