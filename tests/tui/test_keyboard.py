"""Are keys handed on as they are typed, and does the thread that waits for them end when it is told to?"""

import os
import threading

import pytest
from textual import events
from textual._xterm_parser import XTermParser

from tui.terminal.keyboard import Keyboard


@pytest.fixture
def typed():
    """A keyboard that listens: what to type into, what was taken, how to wait for so many, and the keyboard."""
    theirs, ours = os.pipe()
    keyboard, taken, came = Keyboard(theirs), [], threading.Condition()

    def take(event):
        with came:
            taken.append(event)
            came.notify_all()

    def keys(count):
        with came:
            assert came.wait_for(lambda: len(taken) >= count, 20)
        return [event.key for event in taken if isinstance(event, events.Key)]

    thread = threading.Thread(target=keyboard.listen, args=(XTermParser(False), take))
    thread.start()
    yield ours, keys
    keyboard.end()
    thread.join(20)
    assert not thread.is_alive()
    keyboard.close()
    for file in (theirs, ours):
        os.close(file)


def test_keys_come_one_by_one_and_a_long_one_whole(typed):
    ours, keys = typed
    os.write(ours, b"a")
    assert keys(1) == ["a"]
    os.write(ours, b"\x1b[")
    os.write(ours, b"A" + "é".encode()[:1])
    assert keys(2) == ["a", "up"]
    os.write(ours, "é".encode()[1:])
    assert len(keys(3)) == 3


def test_escape_is_a_key_when_nothing_follows(typed):
    ours, keys = typed
    os.write(ours, b"\x1b")
    assert keys(1) == ["escape"]


def test_a_terminal_that_has_ended_is_said():
    theirs, ours = os.pipe()
    keyboard = Keyboard(theirs)
    os.close(ours)
    with pytest.raises(OSError, match="ended"):
        keyboard.listen(XTermParser(False), lambda _: None)
    keyboard.close()
    os.close(theirs)
