"""Is a run held to its scope from the command line to its books, and does no secret of it come out on the way?"""

import os
import subprocess
from contextlib import closing

import pytest

from engine.execution.sandbox import features
from state import runs
from state.database import open_reader
from state.home import Home
from tests.e2e.conftest import ROOT

CANARY = "canary-0815-value"
HELD = f"landlock({features().landlock_abi})"

pytestmark = pytest.mark.skipif(features().landlock_abi < 3, reason="this kernel has no Landlock that holds a run")


def check(run, name):
    return next(item for item in run["verdict"]["checks"] if item["name"] == name)


@pytest.fixture
def kept(desk):
    """A run as the books have it."""

    def look(number):
        with closing(open_reader(Home(config=desk.config_file.parent, state=desk.state))) as connection:
            return runs.get(connection, number)

    return look


def test_a_run_is_held_to_its_scope_and_its_verdict_says_so(desk, kept):
    desk.write("notes/a.md", "old")
    desk.write("other.md", "old")
    script = "echo new > notes/a.md; echo new > notes/b.md; echo new > other.md; echo new > $HOME/x"

    run = desk.json("spawn", "--can-write", "notes/", "--", "sh", "-c", script, code=1)

    assert check(run, "scope")["why"] == f"1 path to write, inside the workspace, enforced by {HELD}"
    assert run["outcome"] == "failed"
    assert (desk.workspace / "notes" / "b.md").read_text() == "new\n"
    assert (desk.workspace / "other.md").read_text() == "old"
    assert not (desk.home / "x").exists()
    assert kept(run["run"]).sandbox == HELD
    assert not (desk.state / "runs" / str(run["run"]) / "tmp").exists()


def test_what_the_kernel_cannot_tell_apart_is_a_violation_that_names_the_sandbox(desk, kept):
    desk.write("other.md", "old")
    script = "echo new > new.md; echo new > other.md"

    run = desk.json("spawn", "--can-write", "new.md", "--", "sh", "-c", script, code=1)

    assert "all of the workspace may be written, the rest is checked afterwards" in check(run, "scope")["why"]
    assert run["changes"]["violations"] == ["other.md"]
    assert HELD in run["changes"]["why"]
    assert "violation" in kept(run["run"]).why


def test_a_sandbox_that_is_off_leaves_it_to_the_check_afterwards(desk, kept):
    desk.configure('[agent.free]\nadapter = "command"\nargv = ["true"]\nsandbox = "off"\n')
    run = desk.json("run", "--agent", "free", "--", "sh", "-c", "echo x > stray.md", code=1)
    assert "its sandbox is off" in check(run, "scope")["why"]
    assert run["changes"]["violations"] == ["stray.md"]
    assert kept(run["run"]).sandbox == "off"


STRICT = '[agent.strict]\nadapter = "command"\nargv = ["true"]\nread = "strict"\n'


def test_a_strict_reader_reads_its_workspace_alone_and_has_no_qd(desk):
    desk.configure(STRICT)
    desk.write("a.md", "mine")
    (desk.home / ".ssh").mkdir(mode=0o700)
    (desk.home / ".ssh" / "id").write_text("private")
    inside = f"PYTHONPATH={ROOT} {desk.argv[0]} -m tui spawn --inject a.md"
    script = f"cat a.md; cat ~/.ssh/id {desk.state}/quarterdeck.db; ls ~; {inside}; test $? != 0"

    run = desk.json("run", "--agent", "strict", "--", "sh", "-c", script)

    assert run["outcome"] == "succeeded"
    assert run["text"].startswith("mine")
    assert "private" not in run["text"]
    assert len(desk.json("run", "list")["runs"]) == 1


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("env:NOT_THERE", "NOT_THERE is not set in the engine's environment"),
        ("file:/no/such", "cannot read the key in /no/such"),
    ],
)
def test_a_secret_that_is_not_there_refuses_before_anything_is_spent(desk, reference, why):
    desk.configure(f'[agent.a]\nadapter = "command"\nargv = ["true"]\nsecrets = {{ONE = "{reference}"}}\n')
    run = desk.json("run", "--agent", "a", code=1)
    assert run["outcome"] == "refused"
    assert check(run, "agent")["why"] == f"ONE: {why}" or why in check(run, "agent")["why"]
    assert check(run, "agent")["fix"]
    assert not (desk.state / "runs" / str(run["run"])).exists()


def test_a_command_for_a_secret_that_fails_starts_nothing_and_gives_the_reservation_back(desk):
    desk.configure(
        '[agent.a]\nadapter = "command"\nargv = ["touch", "made"]\nsecrets = {ONE = "cmd:exit 4"}\n'
        '[budget.day]\nwindow = "day"\ntokens = 100000\n'
    )
    run = desk.json("run", "--agent", "a", code=1)
    assert (run["outcome"], run["usage"]) == ("could_not_start", None)
    assert "exited with code 4" in run["why"]
    assert not (desk.workspace / "made").exists()
    budget = desk.json("budget", "list")["budgets"][0]
    assert (budget["held"], budget["taken"]) == (0, 0)


def test_a_secret_comes_to_its_run_and_to_no_file_argument_or_other_run(desk, wait_until):
    desk.env["CANARY"] = CANARY
    desk.configure('[agent.a]\nadapter = "command"\nargv = ["true"]\nsecrets = {ONE = "env:CANARY"}\n')
    script = "test ${#ONE} = 17 && touch notes/up && while [ ! -e go ]; do sleep 0.05; done"
    desk.write("notes/a.md", "x")
    words = ("run", "--agent", "a", "--can-write", "notes/", "--detach", "--", "sh", "-c", script)
    run = desk.json(*words)
    wait_until((desk.workspace / "notes" / "up").exists, "it has its secret")

    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    other = desk.json("spawn", "--", "sh", "-c", "env")
    (desk.workspace / "go").touch()
    wait_until(lambda: desk.json("run", "show", str(run["run"]))["outcome"], "it ends")

    assert CANARY not in arguments
    assert CANARY not in other["text"]
    found = subprocess.run(
        ["grep", "-rlaF", CANARY, os.fspath(desk.state)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    assert desk.json("run", "show", str(run["run"]))["outcome"] == "succeeded"


def test_a_secret_that_its_run_prints_is_in_its_own_output_and_nowhere_else(desk):
    desk.env |= {"CANARY": CANARY, "MY_TOKEN": f"{CANARY}-passed"}
    told = 'env = ["MY_TOKEN"]\nsecrets = {ONE = "env:CANARY"}\n'
    desk.configure(f'[agent.a]\nadapter = "command"\nargv = ["true"]\n{told}')
    desk.write("shape", "sk-ant-api03-0123456789abcdef")
    words = ("run", "--agent", "a", "--", "sh", "-c")

    good = desk.json(*words, "echo $ONE $MY_TOKEN $(cat shape); echo $ONE >&2")
    bad = desk.json(*words, "echo $ONE; echo failed with $MY_TOKEN >&2; exit 3", code=1)

    assert good["text"].strip() == "[secret] [secret] [secret]"
    assert bad["why"] == "exited with code 3: failed with [secret]"
    for name in ("1", "2"):
        assert CANARY in (desk.state / "runs" / name / "stdout.log").read_text()
    words = ("grep", "-rlaF", CANARY, os.fspath(desk.state))
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    assert {os.path.basename(path) for path in found} == {"stdout.log", "stderr.log"}  # noqa: PTH119


def test_a_grace_of_more_than_five_minutes_is_refused(desk):
    desk.configure('[limits]\ngrace = "6m"\n')
    run = desk.json("spawn", "--", "true", code=1)
    assert "a grace of 6 min is over the maximum of 5 min" in check(run, "timeout")["why"]
