"""What goes to the terminal when something is copied, and what may not?"""

import base64
import os
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.terminal.around import ancestors, inner
from tui.terminal.clipboard import CAP_BYTES, harmless, said, sent

PLAIN = {"TERM": "xterm-256color"}
OSC = re.compile("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07")


def pasted(bytes_out):
    (payload,) = OSC.fullmatch(bytes_out).groups()
    return base64.b64decode(payload).decode()


def test_a_text_arrives_as_it_is():
    assert pasted(sent("release notes äöü 🚀", PLAIN).bytes_out) == "release notes äöü 🚀"


def test_tmux_is_told_itself_and_passes_it_on():
    out = sent("812", PLAIN | {"TMUX": "/tmp/tmux,1,0"}).bytes_out
    own, through = out[: out.index("\x1bP")], out[out.index("\x1bP") :]
    assert pasted(own) == "812"
    assert through.startswith("\x1bPtmux;")
    assert through.endswith("\x1b\\")
    assert pasted(through.removeprefix("\x1bPtmux;").removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b")) == "812"


def test_screen_gets_it_in_parts():
    out = sent("x" * 1000, {"TERM": "screen", "STY": "1.x"}).bytes_out
    parts = re.findall("\x1bP(.*?)\x1b\\\\", out, re.DOTALL)
    assert len(parts) > 1
    assert max(map(len, parts)) <= 240
    assert pasted("".join(parts)) == "x" * 1000


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("bash", "screen", "bash", "tmux: server"), "screen"),
        (("zsh", "SCREEN", "systemd"), "screen"),
        (("bash", "tmux: server", "screen"), "tmux"),
        (("bash", "sshd", "systemd"), ""),
        ((), ""),
    ],
)
def test_of_two_the_nearest_is_the_one_that_takes_it(names, found, monkeypatch):
    assert inner(names) == found
    monkeypatch.setattr("tui.terminal.around.ancestors", lambda: names)
    out = sent("812", PLAIN | {"TMUX": "/tmp/tmux,1,0", "STY": "1.x"}).bytes_out
    assert ("\x1bPtmux;" in out, out.startswith("\x1bP\x1b]52")) == (found == "tmux", found == "screen")
    assert found or pasted(out) == "812"


def test_who_we_descend_from_is_known_by_name():
    with open(f"/proc/{os.getppid()}/comm") as file:  # noqa: PTH123
        assert ancestors()[0] == file.read().rstrip("\n")


@pytest.mark.parametrize("term", ["linux", "vt100"])
def test_a_terminal_without_a_clipboard_is_sent_nothing(term):
    assert sent("812", {"TERM": term}).bytes_out == ""


@pytest.mark.parametrize(("number", "left_out"), [(CAP_BYTES, 0), (CAP_BYTES + 1, 1), (3 * CAP_BYTES, 2 * CAP_BYTES)])
def test_what_is_too_long_is_cut_and_that_is_said(number, left_out):
    done = sent("x" * number, PLAIN)
    assert len(pasted(done.bytes_out)) == min(number, CAP_BYTES)
    assert done.left_out == left_out
    assert (f"the last {left_out:,} bytes" in said("output", done, "")) is bool(left_out)


def test_no_character_is_cut_in_two():
    done = sent("ä" * CAP_BYTES, PLAIN)
    assert set(done.text) == {"ä"}
    assert len(done.text.encode()) + done.left_out == 2 * CAP_BYTES


@given(st.text())
def test_nothing_that_an_eye_would_miss_is_copied(text):
    done = sent(text, PLAIN)
    assert pasted(done.bytes_out) == done.text
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") for c in done.text)
    assert not done.text.endswith("\n")


def test_lines_stay_lines_and_none_is_shortened():
    assert harmless("a" * 5000 + "\r\nb\tc\n\n") == "a" * 5000 + "\nb   c"
    assert harmless("rm\u202e -rf\x1b[2J") == "rm\ufffd -rf\ufffd[2J"


@pytest.mark.parametrize(
    ("text", "again", "line"),
    [
        ("812", "", "copied run id: 812"),
        ("812", "workspace", "copied run id: 812 (again: workspace)"),
        ("a\nb", "", "copied run id: 2 lines"),
        ("", "", "there is nothing to copy: run id is empty"),
    ],
)
def test_what_was_copied_is_said(text, again, line):
    assert said("run id", sent(text, PLAIN), again) == line
