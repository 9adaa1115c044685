import os
import subprocess
import sys

from tui.options import Flags
from tui.plain import console as plain
from tui.reading import changes
from tui.reading.views import EngineStatus

QUIET = """
import sys, threading
from tui.plain.console import Mailbox, _read_out
print("listening", flush=True)
_read_out(Mailbox(), threading.Event(), False)
"""


def test_what_is_said_is_one_line_and_obeyed_by_no_terminal(capfd):
    plain._say(["a\x1b]0;x\x07\nb\x9b31m\u202e", "[bold]é"], ascii_only=False)
    out, _ = capfd.readouterr()
    assert out == "a\ufffd]0;x\ufffd b\ufffd31m\ufffd\n[bold]é\n"
    plain._say(["é…\x1b"], ascii_only=True)
    assert capfd.readouterr()[0] == "?~?\n"
    plain._say([], ascii_only=False)
    assert capfd.readouterr()[0] == ""


def test_a_reader_who_leaves_is_noticed_though_there_is_nothing_to_say():
    with subprocess.Popen([sys.executable, "-c", QUIET], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        process.stdout.close()
        assert process.wait(30) == 0


def test_a_slow_listener_is_told_how_things_are_not_all_that_they_have_been():
    mailbox = plain.Mailbox()
    for state in ("none", "starting", "up"):
        mailbox.post(changes.HeaderChanged(EngineStatus(state)))
    mailbox.post(changes.StateUnreadable("x"))
    engine, trouble = mailbox.taken()
    assert isinstance(engine, changes.HeaderChanged)
    assert engine.engine.state == "up"
    assert isinstance(trouble, changes.StateUnreadable)
    assert mailbox.taken() == []
    os.close(mailbox.wakes)


def test_who_only_looks_starts_no_engine(world, monkeypatch):
    monkeypatch.setenv("QUARTERDECK_READ_ONLY", "")
    attached = []
    monkeypatch.setattr(plain.Link, "attach", lambda link: attached.append(type(link)))
    monkeypatch.setattr(plain, "_read_out", lambda *_: None)
    for flags in (Flags(), Flags(read_only=True)):
        assert plain.run_plain(world.home, flags) == 0
    assert attached == [plain.Link, plain.LookingLink]
