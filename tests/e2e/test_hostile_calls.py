"""What is sent to a terminal beside the screen, with hostile text in it: its title, notifications, the clipboard, lines
about other programs, and the tables of verbs."""

import base64
import re
import sys

import msgspec
import pytest

from engine.config.console import Alerts
from engine.contract.outcome import EndRecord
from engine.contract.progress import Noted, Said, ToolDone, ToolUse
from tests.e2e.hostile_home import SIZES, TEXTS, Full, Shown
from tests.hostile import HOSTILE, forbidden, marks
from tui.clean import clean
from tui.reading.alerts import Call
from tui.reading.transcript import Transcript
from tui.terminal import clipboard
from tui.terminal.attach import LAUNCH, odd_end
from tui.terminal.calls import TEXT_CAP, Caller
from tui.terminal.editor import edit

TITLE = re.compile("\x1b\\]2;([^\x07\x1b\x9c]*)\x1b\\\\")
NOTIFIED = {
    "osc9": re.compile("\x1b\\]9;([^\x07\x1b\x9c]*)\x1b\\\\"),
    "osc777": re.compile("\x1b\\]777;notify;quarterdeck;([^\x07\x1b\x9c;]*)\x1b\\\\"),
}
KEPT, GIVEN_BACK = "\x1b[22;2t", "\x1b]2;\x1b\\\x1b[23;2t"
ALERTS = 'bell = false\ntitle = true\nnotify = "osc777"\non = ["needs_me", "job_failed", "run_failed", "budget"]\n'
WORST = (TEXTS[22], TEXTS[24], TEXTS[26], TEXTS[29], TEXTS[36], TEXTS[50], TEXTS[59], TEXTS[63], TEXTS[94])


def calls_taken_out(written):
    """What is left when titles and notifications are taken out whole, and what they say."""
    said = [text for pattern in (TITLE, *NOTIFIED.values()) for text in pattern.findall(written)]
    for known in (GIVEN_BACK, KEPT):
        written = written.replace(known, "")
    for pattern in (TITLE, *NOTIFIED.values()):
        written = pattern.sub("", written)
    return written, said


@pytest.mark.parametrize("way", list(NOTIFIED))
@pytest.mark.parametrize("tmux", [False, True])
def test_whatever_a_call_says_ends_no_sequence_before_its_end(way, tmux):
    for text in HOSTILE:
        written = []
        caller = Caller(written.append, {"TERM": "xterm", **({"TMUX": "/t,1,0"} if tmux else {})}, ascii_only=False)
        caller.alerts = Alerts(bell=False, notify=way)
        caller.call([Call("job_failed", f"job {text} failed")], 1, 0)
        out = "".join(written)
        if tmux:
            envelope = re.search("\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\\\", out)
            out = out.replace(envelope.group(), envelope.group(1).replace("\x1b\x1b", "\x1b"))
        left, said = calls_taken_out(out)
        assert left == "", (text, left)
        assert len(said) == 2
        for line in said:
            assert forbidden(line.encode()) == []
            assert marks(line) == marks(text)
            assert len(line) <= TEXT_CAP


def test_what_fails_while_a_console_is_open_stands_in_its_title_as_text(desk):
    full = Full(desk, alerts=ALERTS)
    with full.held():
        console = Shown(desk.argv, desk.env, str(desk.workspace))
        try:
            console.wait_for("102 need me", "burn", "h099")
            for text in WORST:
                mark = text[:4]
                full.happen(lambda tx, name=text: full.fail(tx, name))
                console.wait_written(f"]777;notify;quarterdeck;job {mark}", f" - job {mark}")
            console.send("q")
            assert console.wait_end() == 0
        finally:
            console.close()
            full.close()
    left, said = calls_taken_out(bytes(console.bytes).decode())
    assert forbidden(left.encode()) == []
    assert all(forbidden(line.encode()) == [] for line in said)


@pytest.mark.parametrize("environ", [{}, {"TMUX": "/t,1,0"}, {"STY": "1.x"}])
def test_what_is_copied_is_base64_and_decodes_to_what_was_meant(environ):
    for text in HOSTILE:
        done = clipboard.sent(text, {"TERM": "xterm", **environ})
        out = done.bytes_out.replace("\x1b\x1b", "\x1b")
        payloads = re.findall("\x1b\\]52;c;([A-Za-z0-9+/=]*)\x07", re.sub("\x1b\\\\\x1bP|^\x1bP(?!tmux)", "", out))
        assert payloads, repr(out)
        assert {base64.b64decode(one).decode() for one in payloads} == {done.text}
        assert done.text == clipboard.harmless(text)
        assert forbidden(done.text.encode()) == []
        assert marks(done.text) == marks(text)
        assert forbidden(clipboard.said("title", done, "workspace").encode()) == []


def test_what_is_said_of_an_editor_or_an_agents_program_is_text(tmp_path):
    for number, text in enumerate(TEXTS):
        program = "/nowhere/" + text.replace("\0", "").replace("/", "")[:99]
        assert marks(edit([program])) == {text[:4]}
        assert forbidden(clean(edit([program])).encode()) == []
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / LAUNCH).write_bytes(msgspec.json.encode({"argv": [program]}))
        for end in ends(text):
            (folder / "end.json").write_bytes(msgspec.json.encode(end))
            said = odd_end(folder)
            assert text[:4] in said
            assert forbidden(said.encode()) == []
            assert not set(said) & set("\r\n")


def ends(text):
    """How a program can have ended, with somebody else's words."""
    how = {"exit_code": None, "signal": None, "started_ms": 0, "ended_ms": 0, "duration_s": 0.0, "why": text}
    ways = ({"outcome": "could_not_start"}, {"exit_code": 1}, {"signal": 9})
    return [EndRecord(**{"outcome": "failed", **how, **way}) for way in ways]


def test_whatever_an_agent_says_while_it_works_becomes_lines_of_text():
    heard = Transcript()
    for text in HOSTILE:
        for told in (Said(f"{text}\n"), ToolUse("1", text, text), ToolDone("1", False, text), Noted(text, text)):
            heard.take(told)
    said = ["".join(part for part, _ in line) for line in heard.lines]
    assert all(forbidden(line.encode()) == [] and not set(line) & set("\r\n") for line in said)
    assert marks("\n".join(said)) == marks("\n".join(HOSTILE))


TABLES = (
    ("sessions",), ("run", "list"), ("cron", "list"), ("budget", "list"), ("approvals",), ("skills",),
    ("session", "show", "{session}"), ("run", "show", "{last}"), ("approvals", "show", "1"),
    ("approvals", "show", "101"), ("undo", "list"), ("usage", "--by", "model"), ("usage", "--by", "agent"),
)  # fmt: skip
ONE_AFTER_THE_OTHER = """
import json, sys
from tui.cli.main import main
for words in json.loads(sys.argv[1]):
    print("---", *words, main(words), flush=True)
"""
"""One process for all of them: what is asked is what they print."""


@pytest.mark.parametrize("width", [width for width, _ in SIZES])
def test_every_table_is_text_on_a_terminal(desk, width):
    full = Full(desk)
    words = [[word.format(session=full.session, last=full.last) for word in verb] for verb in TABLES]
    argv = [sys.executable, "-c", ONE_AFTER_THE_OTHER, msgspec.json.encode(words).decode()]
    terminal = Shown(argv, desk.env, str(desk.workspace), (width, 34))
    try:
        assert terminal.wait_end(60) == 0
    finally:
        terminal.close()
        full.close()
    assert forbidden(bytes(terminal.bytes)) == []
    for part in terminal.text.split("--- ")[:-1]:
        assert len(marks(part)) >= 5, part
