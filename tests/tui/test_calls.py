"""How does the console call? Bytes, one by one."""

import re

import pytest

from engine.config.console import Alerts
from tui.reading.alerts import Call
from tui.terminal.calls import REST_MS, TEXT_CAP, TITLE_AS_IT_WAS, TITLE_HOLDS_MS, Caller, said

XTERM = {"TERM": "xterm-256color"}
FAILED = Call("run_failed", "run 8 failed")
TITLE = re.compile(r"\x1b\]2;([^\x1b\x07]*)\x1b\\")


class Wire:
    """What was written to a terminal."""

    def __init__(self, environ=XTERM, ascii_only=False, **alerts):
        self.text = ""
        self.caller = Caller(self._take, environ, ascii_only)
        self.caller.alerts = Alerts(**alerts)

    def _take(self, text):
        self.text += text

    @property
    def titles(self):
        return TITLE.findall(self.text)

    @property
    def bells(self):
        return TITLE.sub("", self.text).count("\a")


def test_a_call_rings_and_stands_in_the_title_until_the_operator_comes():
    wire = Wire()
    wire.caller.entitle()
    wire.caller.call([FAILED], 0, 0)
    assert wire.titles == ["quarterdeck", "run 8 failed - quarterdeck"]
    assert wire.bells == 1
    wire.caller.heard()
    assert wire.titles[-1] == "quarterdeck"


def test_what_waits_is_counted_in_the_title_and_the_same_title_is_not_set_again():
    wire = Wire()
    wire.caller.call([], 2, 0)
    wire.caller.call([], 2, 1000)
    wire.caller.call([], 1, 2000)
    wire.caller.call([], 0, 3000)
    assert wire.titles == ["2 need you - quarterdeck", "1 needs you - quarterdeck", "quarterdeck"]
    assert wire.bells == 0


def test_an_old_call_leaves_the_title_by_itself():
    wire = Wire()
    wire.caller.call([FAILED], 0, 0)
    wire.caller.tick(TITLE_HOLDS_MS - 1)
    assert wire.titles[-1] == "run 8 failed - quarterdeck"
    wire.caller.tick(TITLE_HOLDS_MS)
    assert wire.titles[-1] == "quarterdeck"


def test_there_is_at_most_one_bell_in_ten_seconds():
    wire = Wire()
    for at_ms in range(0, 3 * REST_MS, 500):
        wire.caller.call([FAILED], 0, at_ms)
    assert wire.bells == 3


def test_what_comes_too_soon_is_told_together_once_the_time_has_come():
    wire = Wire(notify="osc777")
    for number in range(4):
        wire.caller.call([Call("run_failed", f"run {number} failed")], 0, number * 500)
        wire.caller.tick(number * 500)
    assert wire.bells == 1
    assert wire.titles == ["run 0 failed - quarterdeck"]
    assert wire.text.count("\x1b]777;") == 1
    wire.caller.tick(REST_MS - 1)
    assert len(wire.titles) == 1
    wire.caller.tick(REST_MS)
    wire.caller.tick(REST_MS + 500)
    assert wire.titles[1:] == ["run 1 failed and 2 more - quarterdeck"]
    assert wire.text.count("\x1b]777;") == 2
    assert "\x1b]777;notify;quarterdeck;run 1 failed and 2 more\x1b\\" in wire.text
    assert wire.bells == 1


def test_who_has_been_at_the_terminal_is_told_no_more_of_what_came_before_and_of_the_next_at_once():
    wire = Wire(notify="osc9")
    wire.caller.call([FAILED], 0, 0)
    wire.caller.call([FAILED], 0, 500)
    wire.caller.heard()
    wire.caller.call([Call("run_failed", "run 9 failed")], 0, 1000)
    assert wire.titles[-1] == "run 9 failed - quarterdeck"
    wire.caller.tick(REST_MS)
    assert wire.text.count("\x1b]9;") == 2
    assert wire.text.endswith("\x1b]9;run 9 failed\x1b\\")


def test_several_at_once_are_one_call():
    wire = Wire(notify="osc9")
    wire.caller.call([FAILED, Call("budget", "budget day is used up"), FAILED], 0, 0)
    assert wire.text.count("\x1b]9;run 8 failed and 2 more\x1b\\") == 1
    assert wire.bells == 1


@pytest.mark.parametrize(
    ("alerts", "bells", "titles", "notified"),
    [
        ({"bell": False}, 0, 1, False),
        ({"title": False}, 1, 0, False),
        ({"notify": "osc777"}, 1, 1, True),
        ({"on": ("budget",)}, 0, 1, False),
        ({"bell": False, "title": False}, 0, 0, False),
    ],
)
def test_each_way_can_be_switched_off(alerts, bells, titles, notified):
    wire = Wire(**alerts)
    wire.caller.call([FAILED], 0, 0)
    assert (wire.bells, len(wire.titles), "\x1b]777;notify;quarterdeck;run 8 failed\x1b\\" in wire.text) == (
        bells,
        titles,
        notified,
    )


def test_a_notification_goes_through_tmux_and_the_rest_as_it_is():
    wire = Wire(environ=XTERM | {"TMUX": "/tmp/tmux-0/default,1,0"}, notify="osc9")
    wire.caller.call([FAILED], 0, 0)
    assert "\x1bPtmux;\x1b\x1b]9;run 8 failed\x1b\x1b\\\x1b\\" in wire.text
    assert wire.titles == ["run 8 failed - quarterdeck"]
    assert wire.text.replace("\x1bPtmux;", "").count("\x1bP") == 0


def test_a_notification_goes_through_screen_in_ascii_and_ends_otherwise_than_its_envelope():
    wire = Wire(environ={"TERM": "screen", "STY": "1.x"}, notify="osc9")
    wire.caller.call([Call("run_failed", "pump \u041b failed")], 0, 0)
    assert "\x1bP\x1b]9;pump ? failed\x07\x1b\\" in wire.text


@pytest.mark.parametrize("term", ["linux", "vt100", "vt220"])
def test_a_terminal_without_a_title_is_told_none(term):
    wire = Wire(environ={"TERM": term})
    wire.caller.call([FAILED], 3, 0)
    assert wire.text == "\a"


def test_the_title_is_kept_once_and_given_back_once():
    wire = Wire()
    wire.caller.entitle()
    wire.caller.call([FAILED], 0, 0)
    assert wire.text.count("\x1b[22;2t") == 1
    wire.caller.give_back()
    wire.caller.give_back()
    assert wire.text.endswith(TITLE_AS_IT_WAS)
    assert wire.text.count(TITLE_AS_IT_WAS) == 1
    assert TITLE_AS_IT_WAS == "\x1b]2;\x1b\\\x1b[23;2t"


def test_a_title_that_is_switched_off_meanwhile_is_given_back():
    wire = Wire()
    wire.caller.entitle()
    wire.caller.alerts = Alerts(title=False)
    wire.caller.entitle()
    assert wire.text.endswith(TITLE_AS_IT_WAS)


HOSTILE = ["\x1b]52;c;aGFjaw==\x07", "a\x07b", "a\x1b\\b", "a\x9cb", "a;b", "\u202egnp", "x" * 5000, "a\nb", "\ud83d"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_text_ends_a_sequence_or_begins_another(text, ascii_only):
    wire = Wire(ascii_only=ascii_only, notify="osc777")
    wire.caller.call([Call("needs_me", text)], 0, 0)
    left = re.sub(r"\x1b\[22;2t|\x1b\]2;[ -:<-~\xa1-\uffff]*\x1b\\|\a", "", wire.text)
    assert re.fullmatch(r"\x1b\]777;notify;quarterdeck;[ -:<-~\xa1-\uffff]*\x1b\\", left), ascii(wire.text)
    assert len(said(text, ascii_only)) <= TEXT_CAP
    if ascii_only:
        assert wire.text.isascii()
