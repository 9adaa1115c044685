"""Is `qd` without the start of an interpreter the same `qd`?"""

import json
import subprocess

import pytest

from tests.e2e.conftest import QD


@pytest.mark.parametrize(
    "words",
    [("--version",), ("nonsense",), ("run", "show", "99"), ("run", "list", "--json"), ("run", "--help"), ()],
    ids=str,
)
def test_it_answers_as_one_that_was_started(desk, words):
    cold = subprocess.run(
        [*desk.argv, *words],
        env=desk.env,
        cwd=desk.workspace,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert desk.run(*words) == (cold.returncode, cold.stdout, cold.stderr)


def test_it_has_its_own_environment_and_folder(desk):
    other = desk.home / "other"
    other.mkdir()
    desk.env["QUARTERDECK_HOME"] = str(other)
    assert desk.json("engine", "status", code=1)["state_folder"] == str(other)
    del desk.env["QUARTERDECK_HOME"]
    assert desk.json("engine", "status", code=1)["state_folder"] == str(desk.state)
    for folder in (desk.workspace, other):
        code, out, _ = desk.run("run", "--json", "--", "pwd", cwd=folder)
        assert (code, json.loads(out)["stdout"]) == (0, f"{folder}\n")


def test_one_that_does_not_end_in_time_is_ended(desk, wait_until):
    with pytest.raises(subprocess.TimeoutExpired):
        QD.run(("engine",), desk.env, desk.workspace, 3)
    wait_until(lambda: desk.holder_pid() is None, "it is gone")
    assert desk.run("--version")[0] == 0
