"""How is the operator's editor started, and what comes back?"""

import os
import stat
import sys
from pathlib import Path

import pytest

from tui.terminal.editor import chosen, command, copy_of, edit

FILE = Path("/etc/qd.toml")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, []),
        ({"EDITOR": "vi"}, ["vi"]),
        ({"EDITOR": "vi", "VISUAL": "code --wait"}, ["code", "--wait"]),
        ({"EDITOR": "vi", "VISUAL": "  "}, ["vi"]),
        ({"EDITOR": "'my editor' -x"}, ["my editor", "-x"]),
        ({"EDITOR": "vi 'x"}, []),
    ],
)
def test_visual_comes_before_editor(environ, words):
    assert chosen(environ) == words


@pytest.mark.parametrize(
    ("editor", "line", "argv"),
    [
        (["vi"], 12, ["vi", "+12", str(FILE)]),
        (["/usr/bin/nano", "-w"], 12, ["/usr/bin/nano", "-w", "+12", str(FILE)]),
        (["emacs", "-nw"], 12, ["emacs", "-nw", "+12", str(FILE)]),
        (["code"], 12, ["code", "--wait", "-g", f"{FILE}:12"]),
        (["code", "-w"], 12, ["code", "-w", "-g", f"{FILE}:12"]),
        (["hx"], 12, ["hx", f"{FILE}:12"]),
        (["my-editor"], 12, ["my-editor", str(FILE)]),
        (["vi"], None, ["vi", str(FILE)]),
    ],
)
def test_a_line_is_told_to_those_that_understand_it(editor, line, argv):
    assert command(editor, FILE, line) == argv


@pytest.mark.parametrize(
    ("code", "said"),
    [("0", ""), ("3", "ended with exit code 3"), ("None if __import__('os').abort() else 0", "signal")],
)
def test_an_odd_end_is_told(code, said):
    told = edit([sys.executable, "-c", f"raise SystemExit({code})"])
    assert said in told
    assert bool(told) is bool(said)


def test_one_that_is_not_there_is_told():
    assert edit(["no-such-editor-here"]) == "no-such-editor-here cannot be started: No such file or directory"


def test_an_editor_that_puts_itself_aside_goes_on_at_once(tmp_path):
    """In a group of its own, so that only it is stopped."""
    done = tmp_path / "done"
    code = "import os, signal, pathlib, sys; os.setpgid(0, 0); os.kill(0, signal.SIGSTOP)"
    assert edit([sys.executable, "-c", f"{code}; pathlib.Path(sys.argv[1]).touch()", str(done)]) == ""
    assert done.exists()


def test_a_copy_can_only_be_read_and_goes_afterwards(tmp_path):
    original = tmp_path / "stdout.log"
    original.write_text("said")
    with copy_of(original, "run-1.log") as copied:
        assert copied.read_text() == "said"
        assert stat.S_IMODE(copied.stat().st_mode) == 0o400
        assert stat.S_IMODE(copied.parent.stat().st_mode) == 0o700
        copied.unlink()
        copied.write_text("changed")
    assert not copied.parent.exists()
    assert original.read_text() == "said"
    assert os.access(original, os.W_OK)
