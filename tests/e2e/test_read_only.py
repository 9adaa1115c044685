"""Does a console that only looks leave everything as it is, an empty home and a due job too?"""

import subprocess

import pytest

DUE = '[job.tick]\nevery = "1s"\nagent = "digest"\ninject = ["a.md"]\n'


def contents(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("config", ["", DUE], ids=["nothing", "a job that is due"])
@pytest.mark.parametrize("words", [["--plain", "--read-only"], ["--read-only", "doctor"], ["--read-only", "usage"]])
def test_a_home_is_left_as_it_was_found(desk, words, config):
    if config:
        desk.configure(config)
    before = contents(desk.home)
    with subprocess.Popen([*desk.argv, *words], env=desk.env, stdout=subprocess.PIPE, cwd=desk.workspace) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"Engine: "):
                process.terminate()
        process.wait(30)
    assert contents(desk.home) == before
    assert desk.holder_pid() is None
