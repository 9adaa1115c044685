"""Does `qd demo` show the whole console on a home of its own, and is nothing left of it, however it ends?"""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_drill import inside
from tui.demo.staging import PREFIX


@pytest.fixture
def demo_desk(desk):
    """A desk whose temporary files lie where they can be looked for."""
    desk.temporary = desk.home / "temporary"
    desk.temporary.mkdir()
    desk.env |= {"TMPDIR": str(desk.temporary), "TZ": "UTC", "ANTHROPIC_API_KEY": "sk-of-the-operator"}
    return desk


@pytest.fixture
def open_demo(demo_desk, open_console):
    def opened(*words, size=(120, 34)):
        return open_console(size, [*demo_desk.argv, "demo", *words])

    return opened


def gone(desk):
    return not inside(desk.temporary / PREFIX) and not list(desk.temporary.iterdir())


def test_everything_lives_on_a_home_of_its_own_and_nothing_is_left(demo_desk, open_demo, wait_until):
    demo_desk.configure("this is no TOML, and nobody reads it")
    before = sorted(path for path in demo_desk.home.rglob("*") if demo_desk.temporary not in path.parents)
    demo = open_demo()
    demo.wait_for(
        "DEMO", "engine up", "fix the flaky", "migrate the pum", "codex 5 h", "health-check", "changed: deploy"
    )
    demo.wait_for("need me")
    (folder,) = demo_desk.temporary.iterdir()
    assert folder.name.startswith(PREFIX)
    assert folder.stat().st_mode & 0o077 == 0
    demo.keys("5")
    demo.wait_for("5 Runs", "refused", "failed")
    demo.keys("q")
    wait_until(demo.dead, "the console is gone")
    assert gone(demo_desk)
    assert sorted(path for path in demo_desk.home.rglob("*") if demo_desk.temporary not in path.parents) == before


def test_no_process_of_it_is_told_a_key_of_the_operator(demo_desk, open_demo, wait_until):
    demo = open_demo()
    demo.wait_for("engine up", "migrate the pum")
    told = [Path(f"/proc/{pid}/environ").read_bytes() for pid in inside(demo_desk.temporary / PREFIX) - {demo.pid()}]
    assert len(told) >= 3
    assert not any(b"sk-of-the-operator" in one for one in told)
    assert not any(f"HOME={demo_desk.home}\0".encode() in one for one in told)


def test_what_is_shown_changes_while_it_runs(demo_desk, open_demo, wait_until):
    demo = open_demo()
    demo.wait_for("migrate the pum")
    logs = list(demo_desk.temporary.rglob("projects/*/*.jsonl"))
    before = sum(log.stat().st_size for log in logs)
    wait_until(lambda: sum(log.stat().st_size for log in logs) > before, "the logs grow")
    runs = next(demo_desk.temporary.rglob("state/quarterdeck/runs"))
    wait_until(lambda: len(list(runs.iterdir())) >= 5, "runs are asked for")


def test_it_ends_by_itself_when_it_is_told_to(demo_desk, open_demo, wait_until):
    demo = open_demo("--seconds", "2")
    wait_until(lambda: any(demo_desk.temporary.iterdir()), "it has begun")
    wait_until(demo.dead, "it ends")
    assert gone(demo_desk)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_after_a_signal(demo_desk, open_demo, wait_until, number):
    demo = open_demo()
    demo.wait_for("engine up", "migrate the pum")
    wait_until(lambda: len(inside(demo_desk.temporary / PREFIX)) >= 4, "it has an engine and runs")
    os.kill(demo.pid(), number)
    wait_until(demo.dead, "the console is gone")
    wait_until(lambda: gone(demo_desk), "so is everything else")


def test_a_terminal_that_is_closed_takes_the_demo_with_it(demo_desk, open_demo, wait_until):
    demo = open_demo()
    demo.wait_for("engine up", "migrate the pum")
    demo.close()
    wait_until(lambda: gone(demo_desk), "everything is gone")


def test_a_program_that_was_opened_on_its_files_ends_with_it(demo_desk, open_demo, wait_until):
    demo = open_demo("--seconds", "3")
    demo.wait_for("DEMO")
    (folder,) = demo_desk.temporary.iterdir()
    with subprocess.Popen(["tail", "-f", "/dev/null", str(folder / "home" / "site" / "status.md")]) as editor:
        wait_until(demo.dead, "it ends")
        assert gone(demo_desk)
        assert editor.wait(40) == -signal.SIGKILL


def test_without_a_terminal_it_says_what_it_needs(demo_desk):
    code, out, err = demo_desk.run("demo")
    assert (code, out) == (2, "")
    assert "it needs a terminal" in err
    assert gone(demo_desk)
