"""Do secrets reach the child, and nothing else: no file, no argument, no environment of ours?"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.contract.outcome import KeeperJob
from engine.execution.follow import cancel
from engine.execution.job import SECRETS_SIZE, read_secrets
from engine.execution.remains import KEY, run_key
from engine.execution.start import KEEPER, start_keeper
from state.errors import QuarterdeckError

if TYPE_CHECKING:
    from conftest import Run

CANARY = "canary-5eed-5eed"


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def command_lines_and_more(pid: int) -> bytes:
    lines = list(Path("/proc").glob("[0-9]*/cmdline"))
    found = b""
    for path in [*lines, Path("/proc", str(pid), "environ")]:
        try:
            found += path.read_bytes()
        except OSError:  # It ended meanwhile.
            continue
    return found


def test_the_child_has_them_and_nobody_else(run: "Run") -> None:
    run.secrets = {"TOKEN": CANARY}
    program = "import os; same = os.environ['TOKEN'][::-1] == '" + CANARY[::-1] + "'; print(same, flush=True); input()"
    run.start(sys.executable, "-S", "-c", program, input_open=True)
    assert run.file("stdout.log") == "True"
    pid = run.alive().pid
    assert CANARY.encode() not in everything_below(run.folder) + command_lines_and_more(pid)
    assert CANARY.encode() in Path("/proc", str(run.alive().child_pid), "environ").read_bytes()
    assert cancel(run.alive())
    assert run.end().outcome == "cancelled"
    assert CANARY.encode() not in everything_below(run.folder)


def test_one_of_the_same_name_wins_and_the_path_may_be_one(run: "Run") -> None:
    (run.folder / "mine").write_text('#!/bin/sh\necho "$ONE $TWO"\n')
    (run.folder / "mine").chmod(0o700)
    run.secrets = {"PATH": str(run.folder), "TWO": "2 \udcff"}
    assert run.start("mine", env={"PATH": "/nowhere", "ONE": "1", "TWO": "x"}).end().outcome == "succeeded"
    assert run.stdout == b"1 2 \xff\n"


def test_the_key_of_a_run_is_where_it_was(run: "Run") -> None:
    run.secrets = {"TOKEN": CANARY}
    run.start("true", env={KEY: "ab12", "PATH": "/bin"}).end()
    assert run_key(run.folder) == "ab12"


@pytest.mark.parametrize("trouble", ["does-not-exist", "null byte", "sandbox"])
def test_no_reason_for_a_failed_start_shows_them(run: "Run", trouble: str) -> None:
    run.secrets = {"TOKEN": CANARY + ("\0" if trouble == "null byte" else "")}
    sandbox = {"write": ["/does/not/exist"]} if trouble == "sandbox" else None
    end = run.start("does-not-exist", sandbox=sandbox).end()
    assert end.outcome == "could_not_start"
    assert CANARY.encode() not in everything_below(run.folder)


def test_too_many_are_refused_before_anything_is_started(run: "Run") -> None:
    run.secrets = {"TOKEN": "x" * SECRETS_SIZE}
    with pytest.raises(QuarterdeckError, match="65,536 bytes"):
        run.start("true")
    assert list(run.folder.iterdir()) == []


@pytest.mark.parametrize("handed", ["", '{"TOKEN": "canar', "[]", '"x"'])
def test_a_child_never_starts_with_half_of_them(run: "Run", handed: str) -> None:
    """As when the engine dies while it hands them over."""
    job = KeeperJob(("touch", "made"), str(run.folder), {"PATH": "/bin"}, 9.0, 1.0, 1000)
    fields = {name: getattr(job, name) for name in job.__struct_fields__}
    (run.folder / "launch.json").write_text(json.dumps(fields))
    (run.folder / "stdin").touch()
    command = [sys.executable, "-I", "-S", str(KEEPER), str(run.folder)]
    subprocess.run(command, input=handed.encode(), check=True)
    end = run.end()
    assert (end.outcome, end.why) == ("could_not_start", "the secrets did not arrive whole")
    assert not (run.folder / "made").exists()


def test_who_never_ends_them_or_sends_too_many_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.execution.job.SECRETS_S", 0.01)
    source, sink = os.pipe()
    os.write(sink, b'{"A": "b"}')
    assert read_secrets(source) == "the secrets did not arrive whole"
    os.close(source)
    os.close(sink)
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps({"A": "x" * SECRETS_SIZE}).encode())
        file.seek(0)
        assert read_secrets(file.fileno()) == "the secrets did not arrive whole"


def test_a_keeper_that_is_not_needed_breaks_nothing(run: "Run") -> None:
    """It leaves before it has started anything, and may not even have taken what it is handed."""
    (run.folder / "keeper.json").write_text('{"pid": 0, "start_ticks": 0, "boot_id": ""}')
    job = KeeperJob(("touch", "made"), str(run.folder), {"PATH": "/bin"}, 9.0, 1.0, 1000)
    assert start_keeper(run.folder, job, "", {"TOKEN": CANARY}) > 0
    assert run.end().outcome == "could_not_start"
    assert not (run.folder / "made").exists()
