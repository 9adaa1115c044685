"""What does `qd usage` say when something is in its way: a lock, permissions, a stopped engine, a broken file?"""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.e2e.conftest import ROOT

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute(f"PRAGMA locking_mode = {sys.argv[2]}")
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
BARE = ["--bounding-set", "-dac_override,-dac_read_search"]
BROKEN = 'timezone = "Europe/Berlin"\n[limits\n'


def as_user(desk, *words):
    """`qd WORDS` without root's way around permissions."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv, from util-linux, to feel permissions")
        words = ("setpriv", *BARE, "--inh-caps", BARE[1], *desk.argv, *words)
    else:
        words = (*desk.argv, *words)
    done = subprocess.run(
        words, env=desk.env, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def the_line(err):
    (line,) = err.splitlines()
    return line


def test_a_broken_configuration_is_said_and_nothing_is_guessed(desk):
    desk.configure(BROKEN)
    code, out, err = desk.run("usage", "--by", "day")
    assert (code, out) == (1, "")
    assert "quarterdeck.toml:2: not TOML" in the_line(err)
    assert desk.run("sessions")[0] == 0, "which needs neither zone nor prices"


@pytest.mark.parametrize(("mode", "verb"), [("NORMAL", "usage"), ("EXCLUSIVE", "sessions")])
def test_a_database_that_another_program_holds(desk, mode, verb):
    desk.install_recordings()
    desk.json("usage")
    database = desk.state / "quarterdeck.db"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "held\n"
        code, out, err = desk.run(verb)
        other.stdin.close()
    assert (code, out) == (1, "")
    assert the_line(err) == f"qd: another program holds the database {database}; try again, see: qd doctor"
    assert desk.json("usage")["totals"]["responses"] == 7


def test_a_database_that_cannot_be_written(desk):
    desk.json("usage")
    for path in desk.state.glob("quarterdeck.db*"):
        path.chmod(0o400)
    code, out, err = as_user(desk, "usage")
    assert (code, out) == (1, "")
    assert f"cannot use {desk.state / 'quarterdeck.db'}: " in the_line(err)
    assert "check its owner and permissions" in err


def test_a_lock_that_belongs_to_someone_else(desk):
    desk.json("usage")
    lock = desk.state / "engine.lock"
    lock.chmod(0)
    code, out, err = as_user(desk, "usage")
    assert (code, out) == (1, "")
    assert the_line(err) == f"qd: cannot use {lock}: Permission denied; check its owner and permissions, see: qd doctor"


@pytest.mark.parametrize("words", [("usage",), ("sessions",), ("engine", "status")])
def test_a_folder_that_cannot_be_entered_is_one_line(desk, words):
    desk.json("usage")
    closed = desk.home / ".local"
    closed.chmod(0)
    try:
        _, out, err = as_user(desk, *words)
        told = as_user(desk, "doctor", "--json")
    finally:
        closed.chmod(0o700)
    assert len((out + err).splitlines()) == 1
    assert (told[0], told[2]) == (1, "")
    assert "Permission denied" in told[1]


def test_a_stopped_engine_is_waited_for_with_a_word(desk, wait_until):
    engine = subprocess.Popen([*desk.argv, "engine"], env=desk.env, stdin=subprocess.DEVNULL, cwd=ROOT)
    asking = None
    try:
        wait_until(lambda: desk.holder_pid() == engine.pid, "the engine is up")
        engine.send_signal(signal.SIGSTOP)
        asking = subprocess.Popen(
            [*desk.argv, "usage", "--json"], env=desk.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        said = asking.stderr.readline()
        assert asking.poll() is None, "it keeps waiting"
        engine.send_signal(signal.SIGCONT)
        out, more = asking.communicate(timeout=30)
    finally:
        engine.send_signal(signal.SIGCONT)
        engine.terminate()
        if asking is not None and asking.poll() is None:
            asking.kill()
            asking.communicate()
        engine.wait(20)
    assert said == (
        f"qd: waiting for the engine (pid {engine.pid}) to catch up with the logs;"
        " qd engine status tells whether it is alive\n"
    )
    assert (asking.returncode, more) == (0, "")
    assert '"totals"' in out
